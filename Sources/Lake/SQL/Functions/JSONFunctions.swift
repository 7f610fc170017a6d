// Functions of JSON, variants and arrays.

import Columns

let jsonFunctions: FunctionList = {
    var list = FunctionList(.json)
    addBuilding(&list)
    addReading(&list)
    addChanging(&list)
    addPaths(&list)
    addVariants(&list)
    return list
}()

private func addBuilding(_ list: inout FunctionList) {
    list.add(
        "to_jsonb", form: "(any) → jsonb", also: ["to_json"], "The value as JSON.",
        "to_jsonb('Fred said \"Hi.\"'::text)", "\"Fred said \\\"Hi.\\\"\"")
    list.add(
        "array_to_json", form: "(any[][, boolean]) → jsonb", "The array as JSON.",
        "array_to_json(ARRAY[1, 2])", "[1, 2]")
    list.add(
        "row_to_json", form: "(record[, boolean]) → jsonb",
        "The row as an object; its members are named f1, f2, … when they have no names.",
        "row_to_json(row(1, 'foo'))", "{\"f1\": 1, \"f2\": \"foo\"}")
    list.add(
        "jsonb_build_object", form: "(key, value, …) → jsonb", also: ["json_build_object"],
        "The object of these keys and values.", "jsonb_build_object('foo', 1, 2, 'bar')",
        "{\"2\": \"bar\", \"foo\": 1}")
    list.add(
        "jsonb_build_array", form: "(any, …) → jsonb", also: ["json_build_array"],
        "The array of these values.", "jsonb_build_array(1, 'foo', NULL)", "[1, \"foo\", null]")
    list.add(
        "jsonb_object",
        [
            Signature(.jsonObjectOfPairs, [.list(.text)], .json),
            Signature(.jsonObjectOfPairs, [.list(.list(.text))], .json),
            Signature(.jsonObjectOfPairs, [.list(.text), .list(.text)], .json),
        ], also: ["json_object"],
        "The object of keys and texts: alternating, in pairs, or in two arrays.",
        "jsonb_object('{a, 1, b, 2}')", "{\"a\": \"1\", \"b\": \"2\"}")
}

private func addReading(_ list: inout FunctionList) {
    list.add(
        "jsonb_typeof", .jsonTypeof, [.json], .text, also: ["json_typeof"],
        "object, array, string, number, boolean or null.", "jsonb_typeof('-123.4')", "number")
    list.add(
        "jsonb_array_length", .jsonArrayLength, [.json], .int32, also: ["json_array_length"],
        "The number of elements.", "jsonb_array_length('[1, 2, {\"a\": 1}]')", "3")
    list.add(
        "jsonb_extract_path", form: "(jsonb, text, …) → jsonb", also: ["json_extract_path"],
        "What a path of keys and places leads to.",
        "jsonb_extract_path('{\"a\": {\"b\": \"foo\"}}', 'a', 'b')", "\"foo\"")
    list.add(
        "jsonb_extract_path_text", form: "(jsonb, text, …) → text",
        also: ["json_extract_path_text"], "The same as text.",
        "jsonb_extract_path_text('{\"a\": {\"b\": \"foo\"}}', 'a', 'b')", "foo")
    list.add(
        "json_extract", form: "(jsonb, text) → jsonb", "What a path such as $.a[0] leads to.",
        "json_extract('{\"a\": [7]}', '$.a[0]')", "7")
    list.add(
        "jsonb_pretty", .jsonPretty, [.json], .text, "Over several lines, for people.",
        "jsonb_pretty('[]')", "[\n]")
    list.add(
        "jsonb_strip_nulls", .jsonStripNulls, [.json], .json, also: ["json_strip_nulls"],
        "Without the members of objects that are null.",
        "jsonb_strip_nulls('{\"a\": 1, \"b\": null}')", "{\"a\": 1}")
}

private func addChanging(_ list: inout FunctionList) {
    let yes = BoundExpression.literal(.boolean(true), .boolean)
    let no = BoundExpression.literal(.boolean(false), .boolean)
    list.add(
        "jsonb_set",
        [
            Signature(.jsonSet, [.json, .list(.text), .json], .json, defaults: [yes]),
            Signature(.jsonSet, [.json, .list(.text), .json, .boolean], .json),
        ],
        "With the value that a path leads to replaced; added when missing, unless false is given.",
        "jsonb_set('{\"a\": [1, 2]}', '{a, 0}', '9')", "{\"a\": [9, 2]}")
    let use = BoundExpression.literal(.text("use_json_null"), .text)
    let path: [ColumnType] = [.json, .list(.text), .json]
    list.add(
        "jsonb_set_lax",
        [
            Signature(.jsonSetLax, path, .json, defaults: [yes, use]),
            Signature(.jsonSetLax, path + [.boolean], .json, defaults: [use]),
            Signature(.jsonSetLax, path + [.boolean, .text], .json),
        ],
        "As jsonb_set; what NULL does is said by use_json_null, delete_key, return_target or "
            + "raise_exception.",
        "jsonb_set_lax('{\"a\": 1}', '{a}', NULL)", "{\"a\": null}")
    list.add(
        "jsonb_insert",
        [
            Signature(.jsonInsert, path, .json, defaults: [no]),
            Signature(.jsonInsert, path + [.boolean], .json),
        ],
        "With a value put before the element that a path leads to, or behind it.",
        "jsonb_insert('{\"a\": [0, 1]}', '{a, 1}', '\"new\"')", "{\"a\": [0, \"new\", 1]}")
}

private func addPaths(_ list: inout FunctionList) {
    let none = BoundExpression.literal(.json("{}"), .json)
    let no = BoundExpression.literal(.boolean(false), .boolean)
    func ways(_ function: ScalarFunction, _ result: ColumnType) -> [Signature] {
        [
            Signature(function, [.json, .text], result, defaults: [none, no]),
            Signature(function, [.json, .text, .json], result, defaults: [no]),
            Signature(function, [.json, .text, .json, .boolean], result),
        ]
    }
    list.add(
        "jsonb_path_exists", ways(.jsonPathExists, .boolean),
        "Whether a JSONPath finds something.",
        "jsonb_path_exists('{\"a\": [1, 5]}', '$.a[*] ? (@ > 2)')",
        "t")
    list.add(
        "jsonb_path_match", ways(.jsonPathMatch, .boolean), "What a JSONPath predicate says.",
        "jsonb_path_match('{\"a\": [1, 5]}', 'exists($.a[*] ? (@ > 2))')", "t")
    list.add(
        "jsonb_path_query_array", ways(.jsonPathQueryArray, .json),
        "What a JSONPath finds, as an array.",
        "jsonb_path_query_array('{\"a\": [1, 3, 5]}', '$.a[*] ? (@ > $least)', '{\"least\": 2}')",
        "[3, 5]")
    list.add(
        "jsonb_path_query_first", ways(.jsonPathQueryFirst, .json),
        "The first thing that a JSONPath finds.",
        "jsonb_path_query_first('{\"a\": [1, 3, 5]}', '$.a[last]')", "5")
}

private func addVariants(_ list: inout FunctionList) {
    list.add(
        "parse_json", form: "(text) → variant", "The JSON text as a variant.",
        "parse_json('{\"a\": 1}')", "{\"a\":1}")
    list.add(
        "try_parse_json", form: "(text) → variant", "The same, NULL when it is no JSON.",
        "try_parse_json('{') IS NULL", "t")
    list.add(
        "variant_get", form: "(variant, text[, text]) → variant or the type named",
        "What a path leads to, as a type; what does not fit it is an error.",
        "variant_get(parse_json('{\"a\": [1, 2]}'), '$.a[1]', 'int')", "2")
    list.add(
        "try_variant_get", form: "(variant, text[, text]) → variant or the type named",
        "The same, NULL for what does not fit.",
        "try_variant_get(parse_json('{\"a\": \"x\"}'), '$.a', 'int') IS NULL", "t")
}

// MARK: Arrays

let arrayFunctions: FunctionList = {
    var list = FunctionList(.arrays)
    addShape(&list)
    addElements(&list)
    addTexts(&list)
    return list
}()

private func addShape(_ list: inout FunctionList) {
    for (name, form, summary, example, result) in [
        (
            "array_length", "(any[], integer) → integer", "The length in a dimension.",
            "array_length(ARRAY[1, 2, 3], 1)", "3"
        ),
        (
            "array_lower", "(any[], integer) → integer", "The first place in a dimension.",
            "array_lower(ARRAY[7, 8], 1)", "1"
        ),
        (
            "array_upper", "(any[], integer) → integer", "The last place in a dimension.",
            "array_upper(ARRAY[1, 8, 3, 7], 1)", "4"
        ),
        (
            "array_ndims", "(any[]) → integer", "The number of dimensions.",
            "array_ndims(ARRAY[[1, 2], [3, 4]])", "2"
        ),
        (
            "array_dims", "(any[]) → text", "The dimensions.", "array_dims(ARRAY[[1, 2], [3, 4]])",
            "[1:2][1:2]"
        ),
        (
            "cardinality", "(any[]) → integer", "The number of elements in all dimensions.",
            "cardinality(ARRAY[[1, 2], [3, 4]])", "4"
        ),
    ] as [(String, String, String, String, String)] {
        list.add(name, form: form, summary, example, result)
    }
}

private func addElements(_ list: inout FunctionList) {
    for (name, form, summary, example, result) in [
        (
            "array_append", "(any[], any) → any[]", "With an element at the end.",
            "array_append(ARRAY[1, 2], 3)", "{1,2,3}"
        ),
        (
            "array_prepend", "(any, any[]) → any[]", "With an element at the start.",
            "array_prepend(1, ARRAY[2, 3])", "{1,2,3}"
        ),
        (
            "array_cat", "(any[], any[]) → any[]", "One behind the other.",
            "array_cat(ARRAY[1, 2], ARRAY[3])", "{1,2,3}"
        ),
        (
            "array_fill", "(any, integer[]) → any[]", "An element so many times.",
            "array_fill(11, ARRAY[2, 3])", "{{11,11,11},{11,11,11}}"
        ),
        (
            "array_position", "(any[], any[, integer]) → integer",
            "The place of the first element that equals a value, from a place on.",
            "array_position(ARRAY['sun', 'mon', 'tue'], 'mon')", "2"
        ),
        (
            "array_positions", "(any[], any) → integer[]",
            "The places of all elements that equal a value.",
            "array_positions(ARRAY['A', 'A', 'B', 'A'], 'A')", "{1,2,4}"
        ),
        (
            "array_remove", "(any[], any) → any[]", "Without the elements that equal a value.",
            "array_remove(ARRAY[1, 2, 3, 2], 2)", "{1,3}"
        ),
        (
            "array_replace", "(any[], any, any) → any[]",
            "With the elements that equal a value replaced.",
            "array_replace(ARRAY[1, 2, 5, 4], 5, 3)", "{1,2,3,4}"
        ),
        (
            "array_slice", "(any[], integer, integer) → any[]",
            "The elements from a place to a place: `a[2:3]`.", "array_slice(ARRAY[1, 2, 3], 2, 3)",
            "{2,3}"
        ),
        (
            "trim_array", "(any[], integer) → any[]", "Without the last n elements.",
            "trim_array(ARRAY[1, 2, 3, 4], 2)", "{1,2}"
        ),
    ] as [(String, String, String, String, String)] {
        list.add(name, form: form, summary, example, result)
    }
}

private func addTexts(_ list: inout FunctionList) {
    list.add(
        "array_to_string", form: "(any[], text[, text]) → text",
        "The elements as text with a delimiter between them; NULLs as the third argument.",
        "array_to_string(ARRAY[1, NULL, 3], ',', '*')", "1,*,3")
    list.add(
        "string_to_array",
        [
            Signature(.textToList, [.text, .text], .list(.text)),
            Signature(.textToListWithNull, [.text, .text, .text], .list(.text)),
        ],
        "What stands between delimiters; a part that is the third argument is NULL.",
        "string_to_array('xx~~yy~~zz', '~~', 'yy')", "{xx,NULL,zz}")
}
