import Base
import Columns

/// How bytes are written as text: `encode` and `decode`.
enum ByteFormat {
    case hexadecimal, base64, escape

    static func named(_ name: UnsafeRawBufferPointer) throws(Problem) -> ByteFormat {
        let text = String(decoding: name, as: UTF8.self)
        switch text.lowercased() {
        case "hex": return .hexadecimal
        case "base64": return .base64
        case "escape": return .escape
        default: throw SQLErrors.invalidParameter("unrecognized encoding: \"\(text)\"")
        }
    }

    func encode(
        _ bytes: UnsafeRawBufferPointer, to output: inout [UInt8]
    ) throws(Problem) {
        guard bytes.count <= TextKernels.resultBytesMax / 4 else {
            throw Problem("54000", "result of encoding conversion is too large")
        }
        switch self {
        case .hexadecimal: Hexadecimal.append(bytes, to: &output)
        case .base64: Self.appendBase64(bytes, to: &output)
        case .escape:
            for byte in bytes {
                switch byte {
                case 0, 0x80...:
                    output.append(0x5C)
                    output.append(0x30 + byte >> 6)
                    output.append(0x30 + byte >> 3 & 7)
                    output.append(0x30 + byte & 7)
                case 0x5C: output += [0x5C, 0x5C]
                default: output.append(byte)
                }
            }
        }
    }

    private static let digits = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// With a line break behind each 76 digits, as mail has it and PostgreSQL, too.
    private static func appendBase64(
        _ bytes: UnsafeRawBufferPointer, to output: inout [UInt8]
    ) {
        var column = 0
        for start in stride(from: 0, to: bytes.count, by: 3) {
            if column == 76 {
                output.append(0x0A)
                column = 0
            }
            let present = min(3, bytes.count - start)
            var group: UInt32 = 0
            for index in 0..<3 {
                group = group << 8 | (index < present ? UInt32(bytes[start + index]) : 0)
            }
            for digit in 0..<4 {
                output.append(
                    digit <= present ? digits[Int(group >> UInt32(18 - 6 * digit) & 63)] : 0x3D)
            }
            column += 4
        }
    }

    func decode(
        _ text: UnsafeRawBufferPointer, to output: inout [UInt8]
    ) throws(Problem) {
        switch self {
        case .hexadecimal: try Self.decodeHexadecimal(text, to: &output)
        case .base64: try Self.decodeBase64(text, to: &output)
        case .escape: try Self.decodeEscapes(text, to: &output)
        }
    }

    private static func character(_ text: UnsafeRawBufferPointer, _ place: Int) -> String {
        let end = LikePattern.scalarEnd(text, place)
        return String(decoding: text[place..<end], as: UTF8.self)
    }

    private static func decodeHexadecimal(
        _ text: UnsafeRawBufferPointer, to output: inout [UInt8]
    ) throws(Problem) {
        var index = 0
        while index < text.count {
            if NumberText.isSpace(text[index]) {
                index += 1
                continue
            }
            guard let high = Hexadecimal.value(text[index]) else {
                throw SQLErrors.invalidParameter(
                    "invalid hexadecimal digit: \"\(character(text, index))\"")
            }
            guard index + 1 < text.count else {
                throw SQLErrors.invalidParameter(
                    "invalid hexadecimal data: odd number of digits")
            }
            guard let low = Hexadecimal.value(text[index + 1]) else {
                throw SQLErrors.invalidParameter(
                    "invalid hexadecimal digit: \"\(character(text, index + 1))\"")
            }
            output.append(high << 4 | low)
            index += 2
        }
    }

    private static func decodeBase64(
        _ text: UnsafeRawBufferPointer, to output: inout [UInt8]
    ) throws(Problem) {
        var group: UInt32 = 0
        var count = 0
        var padding = 0
        for index in 0..<text.count {
            let byte = text[index]
            if NumberText.isSpace(byte) { continue }
            let value: UInt32
            switch byte {
            case 0x41...0x5A: value = UInt32(byte - 0x41)
            case 0x61...0x7A: value = UInt32(byte - 0x61) + 26
            case 0x30...0x39: value = UInt32(byte - 0x30) + 52
            case 0x2B: value = 62
            case 0x2F: value = 63
            case 0x3D:
                guard count == 3 || count == 2 else {
                    throw SQLErrors.invalidParameter(
                        "unexpected \"=\" while decoding base64 sequence")
                }
                padding += 1
                value = 0
            default:
                throw SQLErrors.invalidParameter(
                    "invalid symbol \"\(character(text, index))\" found while decoding base64 "
                        + "sequence")
            }
            if padding > 0, byte != 0x3D {
                throw SQLErrors.invalidParameter("invalid base64 end sequence")
            }
            group = group << 6 | value
            count += 1
            guard count == 4 else { continue }
            output.append(UInt8(truncatingIfNeeded: group >> 16))
            if padding < 2 { output.append(UInt8(truncatingIfNeeded: group >> 8)) }
            if padding < 1 { output.append(UInt8(truncatingIfNeeded: group)) }
            (group, count, padding) = (0, 0, 0)
        }
        guard count == 0 else {
            throw Problem(
                "22023", "invalid base64 end sequence",
                hint: "Input data is missing padding, is truncated, or is otherwise corrupted.")
        }
    }

    private static func decodeEscapes(
        _ text: UnsafeRawBufferPointer, to output: inout [UInt8]
    ) throws(Problem) {
        var index = 0
        while index < text.count {
            let byte = text[index]
            guard byte == 0x5C else {
                output.append(byte)
                index += 1
                continue
            }
            if index + 1 < text.count, text[index + 1] == 0x5C {
                output.append(0x5C)
                index += 2
                continue
            }
            guard index + 3 < text.count, (0x30...0x33).contains(text[index + 1]),
                (0x30...0x37).contains(text[index + 2]), (0x30...0x37).contains(text[index + 3])
            else {
                throw Problem("22P02", "invalid input syntax for type bytea")
            }
            output.append(
                (text[index + 1] - 0x30) << 6 | (text[index + 2] - 0x30) << 3
                    | (text[index + 3] - 0x30))
            index += 4
        }
    }
}

/// What characters the bytes of a text stand for: `convert_from` and `convert_to`.
enum TextEncoding {
    case utf8, latin1

    static func named(
        _ name: UnsafeRawBufferPointer, isSource: Bool
    ) throws(Problem) -> TextEncoding {
        let text = String(decoding: name, as: UTF8.self)
        let plain = text.lowercased().filter { $0.isLetter || $0.isNumber }
        switch plain {
        case "utf8", "unicode": return .utf8
        case "sqlascii": return .utf8
        case "latin1", "iso88591": return .latin1
        default:
            throw SQLErrors.invalidParameter(
                "invalid \(isSource ? "source" : "destination") encoding name \"\(text)\"")
        }
    }

    func decode(
        _ bytes: UnsafeRawBufferPointer, to output: inout [UInt8]
    ) throws(Problem) {
        if let zero = bytes.firstIndex(of: 0) {
            throw invalid(bytes[zero...zero])
        }
        switch self {
        case .latin1:
            for byte in bytes {
                if byte < 0x80 {
                    output.append(byte)
                } else {
                    output += [0xC0 | byte >> 6, 0x80 | byte & 0x3F]
                }
            }
        case .utf8:
            if let fault = Self.firstFault(bytes) {
                let wanted = Self.length(bytes[fault])
                throw invalid(bytes[fault..<min(bytes.count, fault + wanted)])
            }
            output += bytes
        }
    }

    private func invalid(_ bytes: Slice<UnsafeRawBufferPointer>) -> Problem {
        let digits = bytes.map { "0x" + Hexadecimal.text([$0]) }.joined(separator: " ")
        let name = self == .utf8 ? "UTF8" : "LATIN1"
        return Problem("22021", "invalid byte sequence for encoding \"\(name)\": \(digits)")
    }

    private static func length(_ byte: UInt8) -> Int {
        byte < 0xC0 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : byte < 0xF8 ? 4 : 1
    }

    /// Where the bytes stop being UTF-8.
    private static func firstFault(_ bytes: UnsafeRawBufferPointer) -> Int? {
        var index = 0
        while index < bytes.count {
            let first = bytes[index]
            if first < 0x80 {
                index += 1
                continue
            }
            let count = length(first)
            guard count > 1, index + count <= bytes.count else { return index }
            for next in 1..<count where bytes[index + next] & 0xC0 != 0x80 { return index }
            let second = bytes[index + 1]
            let isOverlong =
                first < 0xC2 || (first == 0xE0 && second < 0xA0)
                || (first == 0xF0 && second < 0x90)
            let isOutside =
                (first == 0xED && second >= 0xA0) || first > 0xF4
                || (first == 0xF4 && second >= 0x90)
            if isOverlong || isOutside { return index }
            index += count
        }
        return nil
    }

    func encode(
        _ text: UnsafeRawBufferPointer, to output: inout [UInt8]
    ) throws(Problem) {
        guard self == .latin1 else {
            output += text
            return
        }
        for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
            guard scalar.value < 0x100 else {
                let bytes = Array(String(Character(scalar)).utf8)
                let digits = bytes.map { "0x" + Hexadecimal.text([$0]) }.joined(separator: " ")
                throw Problem(
                    "22P05",
                    "character with byte sequence \(digits) in encoding \"UTF8\" has no "
                        + "equivalent in encoding \"LATIN1\"")
            }
            output.append(UInt8(scalar.value))
        }
    }
}
