// Functions of text, and of patterns in it.

import Columns

let textFunctions: FunctionList = {
    var list = FunctionList(.text)
    addCase(&list)
    addParts(&list)
    addBuilding(&list)
    addQuoting(&list)
    return list
}()

private let blank = BoundExpression.literal(.text(" "), .text)

private func addCase(_ list: inout FunctionList) {
    list.add("lower", .lower, [.text], .text, "Letters in lower case.", "lower('TOM')", "tom")
    list.add("upper", .upper, [.text], .text, "Letters in upper case.", "upper('tom')", "TOM")
    list.add(
        "initcap", .initcap, [.text], .text, "The first letter of each word in upper case.",
        "initcap('hi THOMAS')", "Hi Thomas")
    list.add(
        "reverse", .reverse, [.text], .text, "The characters backwards.", "reverse('abcde')",
        "edcba")
    list.add(
        "length",
        [
            Signature(.length, [.text], .int32), Signature(.octetLength, [.binary], .int32),
            Signature(.lengthInEncoding, [.binary, .text], .int32),
        ],
        "The number of characters; of bytea, of bytes or of characters in an encoding.",
        "length('jose')", "4")
    list.add(
        "char_length", .length, [.text], .int32, also: ["character_length"],
        "The number of characters.", "char_length('josé')", "4")
    list.add(
        "octet_length",
        [Signature(.octetLength, [.text], .int32), Signature(.octetLength, [.binary], .int32)],
        "The number of bytes.", "octet_length('josé')", "5")
    list.add(
        "bit_length", form: "(text or bytea) → integer", "The number of bits.",
        "bit_length('jose')", "32")
    list.add(
        "ascii", .ascii, [.text], .int32, "The code of the first character.", "ascii('x')", "120")
    list.add("chr", .chr, [.int32], .text, "The character with a code.", "chr(65)", "A")
    list.add(
        "normalize",
        [
            Signature(
                .normalize, [.text], .text, defaults: [.literal(.text("NFC"), .text)]),
            Signature(.normalize, [.text, .text], .text),
        ],
        "The text in a Unicode normal form: NFC, NFD, NFKC or NFKD.",
        "length(normalize('e' || chr(769), 'NFC'))", "1")
    list.add(
        "unistr", .unistr, [.text], .text, "Unicode escapes made characters.",
        "unistr('d\\0061t\\+000061')", "data")
}

private func addParts(_ list: inout FunctionList) {
    let numbers = [
        Signature(.substring, [.text, .int32], .text),
        Signature(.substring, [.text, .int32, .int32], .text),
        Signature(.binarySubstring, [.binary, .int32], .binary),
        Signature(.binarySubstring, [.binary, .int32, .int32], .binary),
    ]
    let group = BoundExpression.literal(.text("1"), .text)
    list.add(
        "substring",
        numbers + [
            Signature(.regexSubstring, [.text, .text], .text, defaults: [group]),
            Signature(.similarSubstring, [.text, .text, .text], .text),
        ],
        "The part from a place on, with so many characters; or what a pattern finds, of SQL's own "
            + "kind what stands between two #\" when # is the third.",
        "substring('Thomas', 2, 3)", "hom")
    list.add(
        "substr", numbers, "The part from a place on, with so many characters.",
        "substr('alphabet', 3, 2)", "ph")
    list.add(
        "position",
        [
            Signature(.strpos, [.text, .text], .int32),
            Signature(.binaryPosition, [.binary, .binary], .int32),
        ],
        "Where a text begins in another, from 1; 0 when it is not there.",
        "position('om' IN 'Thomas')", "3")
    list.add(
        "strpos", .strpos, [.text, .text], .int32,
        "Where the second text begins in the first, from 1; 0 when it is not there.",
        "strpos('high', 'ig')", "2")
    list.add(
        "left", .left, [.text, .int32], .text,
        "The first n characters; all but the last n when negative.", "left('abcde', 2)", "ab")
    list.add(
        "right", .right, [.text, .int32], .text,
        "The last n characters; all but the first n when negative.", "right('abcde', 2)", "de")
    list.add(
        "split_part", .splitPart, [.text, .text, .int32], .text,
        "Field n between delimiters, from the end when negative.",
        "split_part('abc~@~def~@~ghi', '~@~', 2)", "def")
    list.add(
        "starts_with", .startsWith, [.text, .text], .boolean,
        "Whether a text begins with another.", "starts_with('alphabet', 'alph')", "t")
    for (name, function, bytes, summary, result) in [
        ("btrim", ScalarFunction.trimBoth, ScalarFunction.binaryTrimBoth, "both ends", "trim"),
        ("ltrim", .trimLeading, .binaryTrimLeading, "the start", "trimxx"),
        ("rtrim", .trimTrailing, .binaryTrimTrailing, "the end", "xxtrim"),
    ] {
        list.add(
            name,
            [
                Signature(function, [.text], .text, defaults: [blank]),
                Signature(function, [.text, .text], .text),
                Signature(bytes, [.binary, .binary], .binary),
            ], also: name == "btrim" ? ["trim"] : [],
            "The text without these characters at \(summary); blanks when none are named.",
            "\(name)('xxtrimxx', 'x')", result)
    }
}

private func addBuilding(_ list: inout FunctionList) {
    list.add(
        "concat", form: "(any, …) → text", "The texts one behind the other, without NULLs.",
        "concat('abc', 2, NULL, 22)", "abc222")
    list.add(
        "concat_ws", form: "(text, any, …) → text",
        "The texts behind the first with the first between them, without NULLs.",
        "concat_ws(',', 'abc', 2, NULL, 22)", "abc,2,22")
    list.add(
        "replace", .replace, [.text, .text, .text], .text,
        "Every place of the second text replaced by the third.",
        "replace('abcdefabcdef', 'cd', 'XX')", "abXXefabXXef")
    list.add(
        "translate", .translate, [.text, .text, .text], .text,
        "Each character of the second text becomes its counterpart of the third, or goes.",
        "translate('12345', '143', 'ax')", "a2x5")
    list.add(
        "repeat", .repeat, [.text, .int32], .text, "The text so many times.",
        "repeat('Pg', 4)", "PgPgPgPg")
    for (name, function, result) in [
        ("lpad", ScalarFunction.lpad, "xyxhi"), ("rpad", .rpad, "hixyx"),
    ] {
        list.add(
            name,
            [
                Signature(function, [.text, .int32], .text, defaults: [blank]),
                Signature(function, [.text, .int32, .text], .text),
            ],
            "Cut or filled to so many characters, on the \(name == "lpad" ? "left" : "right").",
            "\(name)('hi', 5, 'xy')", result)
    }
    list.add(
        "overlay", form: "(text or bytea, same, integer[, integer]) → same",
        "The text with a part replaced.", "overlay('Txxxxas' PLACING 'hom' FROM 2 FOR 4)",
        "Thomas")
    list.add(
        "to_hex",
        [Signature(.toHexadecimal, [.int32], .text), Signature(.toHexadecimal, [.int64], .text)],
        "The number in hexadecimal digits.", "to_hex(2147483647)", "7fffffff")
}

private func addQuoting(_ list: inout FunctionList) {
    list.add(
        "format", form: "(text, any, …) → text",
        "The values in the places %s, %I (name) and %L (literal) of a text.",
        "format('Hello %s, %1$I', 'World')", "Hello World, \"World\"")
    list.add(
        "quote_ident", .quoteName, [.text], .text, "As a name in SQL, quoted where needed.",
        "quote_ident('Foo bar')", "\"Foo bar\"")
    list.add(
        "quote_literal", form: "(any) → text", "As a string of SQL.",
        "quote_literal('O''Reilly')", "'O''Reilly'")
    list.add(
        "quote_nullable", form: "(any) → text", "As a string of SQL, or the word NULL.",
        "quote_nullable(NULL)", "NULL")
    list.add(
        "parse_ident",
        [
            Signature(
                .parseName, [.text], .list(.text), defaults: [.literal(.boolean(true), .boolean)]),
            Signature(.parseName, [.text, .boolean], .list(.text)),
        ],
        "The parts of a qualified name; with false, whatever stands behind it is ignored.",
        "parse_ident('\"SomeSchema\".someTable')", "{SomeSchema,sometable}")
}

// MARK: Patterns

let patternFunctions: FunctionList = {
    var list = FunctionList(.patterns)
    let none = BoundExpression.literal(.text(""), .text)
    func both(
        _ function: ScalarFunction, _ parameters: [ColumnType], _ result: ColumnType
    ) -> [Signature] {
        [
            Signature(function, parameters, result, defaults: [none]),
            Signature(function, parameters + [.text], result),
        ]
    }
    list.add(
        "regexp_like", both(.regexFound, [.text, .text], .boolean),
        "Whether a pattern is found.", "regexp_like('Hello World', 'world$', 'i')", "t")
    list.add(
        "regexp_match", both(.regexMatch, [.text, .text], .list(.text)),
        "The groups of the first match, or all of it.",
        "regexp_match('foobarbequebaz', '(bar)(beque)')", "{bar,beque}")
    list.add(
        "regexp_split_to_array", both(.regexSplit, [.text, .text], .list(.text)),
        "What stands between the matches.", "regexp_split_to_array('hello world', '\\s+')",
        "{hello,world}")
    list.add(
        "regexp_replace",
        both(.regexReplace, [.text, .text, .text], .text)
            + [
                Signature(
                    .regexReplaceFrom, [.text, .text, .text, .int32], .text,
                    defaults: [.literal(.int(1), .int32), none]),
                Signature(
                    .regexReplaceFrom, [.text, .text, .text, .int32, .int32], .text,
                    defaults: [none]),
                Signature(
                    .regexReplaceFrom, [.text, .text, .text, .int32, .int32, .text], .text),
            ],
        "The first match replaced, all with the flag g; from a place on, match n (0 is all).",
        "regexp_replace('Thomas', '.[mN]a.', 'M')", "ThM")
    list.add(
        "regexp_count",
        [
            Signature(.regexCount, [.text, .text], .int32, defaults: [none]),
            Signature(.regexCountFrom, [.text, .text, .int32], .int32, defaults: [none]),
            Signature(.regexCountFrom, [.text, .text, .int32, .text], .int32),
        ],
        "The number of matches, from a place on.", "regexp_count('123456789012', '\\d\\d\\d', 2)",
        "3")
    let one = BoundExpression.literal(.int(1), .int32)
    let zero = BoundExpression.literal(.int(0), .int32)
    list.add(
        "regexp_substr",
        [
            Signature(
                .regexPart, [.text, .text], .text, defaults: [one, one, none, zero]),
            Signature(
                .regexPart, [.text, .text, .int32], .text, defaults: [one, none, zero]),
            Signature(
                .regexPart, [.text, .text, .int32, .int32], .text, defaults: [none, zero]),
            Signature(
                .regexPart, [.text, .text, .int32, .int32, .text], .text, defaults: [zero]),
            Signature(.regexPart, [.text, .text, .int32, .int32, .text, .int32], .text),
        ],
        "Match n from a place on, or one of its groups.",
        "regexp_substr('ABCDEF', 'c(.)(..)', 1, 1, 'i', 2)", "EF")
    list.add(
        "regexp_instr",
        [
            Signature(
                .regexPlace, [.text, .text], .int32, defaults: [one, one, zero, none, zero]),
            Signature(
                .regexPlace, [.text, .text, .int32], .int32, defaults: [one, zero, none, zero]),
            Signature(
                .regexPlace, [.text, .text, .int32, .int32], .int32,
                defaults: [zero, none, zero]),
            Signature(
                .regexPlace, [.text, .text, .int32, .int32, .int32], .int32,
                defaults: [none, zero]),
            Signature(
                .regexPlace, [.text, .text, .int32, .int32, .int32, .text], .int32,
                defaults: [zero]),
            Signature(
                .regexPlace, [.text, .text, .int32, .int32, .int32, .text, .int32], .int32),
        ],
        "Where match n begins, or ends, from a place on; 0 when there is none.",
        "regexp_instr('ABCDEF', 'c(.)(..)', 1, 1, 0, 'i')", "3")
    // What the parser makes of SIMILAR TO.
    list.add(
        "similar_to", .similar, [.text, .text, .text], .boolean,
        "Whether a pattern of SQL's own kind describes all of a text: `a SIMILAR TO b`.",
        "'abc' SIMILAR TO '%(b|d)%'", "t")
    return list
}()

// MARK: Bytes

let binaryFunctions: FunctionList = {
    var list = FunctionList(.binary)
    for (name, function, bits, start) in [
        ("md5", ScalarFunction.md5, "", "900150983cd24fb0d6963f7d28e17f72")
    ] {
        list.add(
            name, [Signature(function, [.text], .text), Signature(function, [.binary], .text)],
            "The MD5 digest in hexadecimal digits\(bits).", "\(name)('abc')", start)
    }
    for (bits, function, result) in [
        (224, ScalarFunction.sha224, "23097d22"), (256, .sha256, "ba7816bf"),
        (384, .sha384, "cb00753f"), (512, .sha512, "ddaf35a1"),
    ] {
        list.add(
            "sha\(bits)", function, [.binary], .binary, "The SHA-\(bits) digest.",
            "left(encode(sha\(bits)('abc'), 'hex'), 8)", result)
    }
    list.add(
        "encode", .encode, [.binary, .text], .text,
        "The bytes as text in a format: hex, base64 or escape.",
        "encode('123\\000\\001', 'base64')", "MTIzAAE=")
    list.add(
        "decode", .decode, [.text, .text], .binary,
        "The bytes that a text in a format stands for.", "decode('MTIzAAE=', 'base64')",
        "\\x3132330001")
    list.add(
        "convert_from", .convertFrom, [.binary, .text], .text,
        "The text that the bytes are in an encoding: UTF8, LATIN1 or SQL_ASCII.",
        "convert_from('\\x5467', 'UTF8')", "Tg")
    list.add(
        "convert_to", .convertTo, [.text, .text], .binary, "The bytes of a text in an encoding.",
        "convert_to('Tü', 'LATIN1')", "\\x54fc")
    list.add(
        "bit_count", .bitCount, [.binary], .int64, "The number of bits that are set.",
        "bit_count('\\x1234567890')", "15")
    list.add(
        "get_bit", .getBit, [.binary, .int64], .int32, "Bit n, from 0.",
        "get_bit('\\x1234567890', 30)", "1")
    list.add(
        "get_byte", .getByte, [.binary, .int32], .int32, "Byte n, from 0.",
        "get_byte('\\x1234567890', 4)", "144")
    list.add(
        "set_bit", .setBit, [.binary, .int64, .int32], .binary, "With bit n set to a value.",
        "set_bit('\\x1234567890', 30, 0)", "\\x1234563890")
    list.add(
        "set_byte", .setByte, [.binary, .int32, .int32], .binary, "With byte n set to a value.",
        "set_byte('\\x1234567890', 4, 64)", "\\x1234567840")
    return list
}()
