/// Upper and lower case by Unicode's simple mappings: one scalar becomes one scalar, as in
/// PostgreSQL with a UTF-8 character type. (`ß` stays what it is.)
enum CaseMapping {
    static func lower(_ text: UnsafeRawBufferPointer) -> [UInt8] {
        map(text, asciiFrom: 0x41, asciiTo: 0x5A) { $0.properties.lowercaseMapping }
    }

    static func upper(_ text: UnsafeRawBufferPointer) -> [UInt8] {
        map(text, asciiFrom: 0x61, asciiTo: 0x7A) { $0.properties.uppercaseMapping }
    }

    /// ASCII letters in the given range change case by one bit; others ask the tables.
    private static func map(
        _ text: UnsafeRawBufferPointer, asciiFrom: UInt8, asciiTo: UInt8,
        _ mapping: (Unicode.Scalar) -> String
    ) -> [UInt8] {
        var isASCII = true
        var output = [UInt8](unsafeUninitializedCapacity: text.count) { target, filled in
            for index in 0..<text.count {
                let byte = text[index]
                isASCII = isASCII && byte < 0x80
                target[index] = byte >= asciiFrom && byte <= asciiTo ? byte ^ 0x20 : byte
            }
            filled = text.count
        }
        if isASCII { return output }
        output.removeAll(keepingCapacity: true)
        for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
            output += UTF8.encode(mapped(scalar, mapping)) ?? UTF8.encodedReplacementCharacter
        }
        return output
    }

    private static func mapped(
        _ scalar: Unicode.Scalar, _ mapping: (Unicode.Scalar) -> String
    ) -> Unicode.Scalar {
        let result = mapping(scalar).unicodeScalars
        guard let first = result.first, result.count == 1 else { return scalar }
        return first
    }

    /// The first letter of each word in upper case, the others in lower case. Words are runs of
    /// letters and digits.
    static func capitalized(_ text: UnsafeRawBufferPointer) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(text.count)
        var insideWord = false
        for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
            let changed =
                insideWord
                ? mapped(scalar) { $0.properties.lowercaseMapping }
                : mapped(scalar) { $0.properties.uppercaseMapping }
            output += UTF8.encode(changed) ?? UTF8.encodedReplacementCharacter
            insideWord = scalar.properties.isAlphabetic || scalar.properties.numericType != nil
        }
        return output
    }
}
