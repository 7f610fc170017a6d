import Base

/// Bytes as text, four in five characters: the "Z85" alphabet, which JSON need not escape.
package enum Z85 {
    private static let alphabet = Array(
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#".utf8
    )

    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 255, count: 256)
        for (value, byte) in alphabet.enumerated() { values[Int(byte)] = UInt8(value) }
        return values
    }()

    /// `bytes`, padded with zeros to a multiple of four.
    package static func encoded(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 3) / 4 * 5)
        for start in stride(from: 0, to: bytes.count, by: 4) {
            var block: UInt32 = 0
            for index in start..<(start + 4) {
                block = block << 8 | (index < bytes.count ? UInt32(bytes[index]) : 0)
            }
            var characters = [UInt8](repeating: 0, count: 5)
            for place in (0..<5).reversed() {
                characters[place] = alphabet[Int(block % 85)]
                block /= 85
            }
            text += characters
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes of `text`, or nil when it is no such text.
    package static func decoded(_ text: String) -> [UInt8]? {
        let characters = Array(text.utf8)
        guard characters.count % 5 == 0 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(characters.count / 5 * 4)
        for start in stride(from: 0, to: characters.count, by: 5) {
            var block: UInt64 = 0
            for character in characters[start..<(start + 5)] {
                let value = values[Int(character)]
                if value == 255 { return nil }
                block = block * 85 + UInt64(value)
            }
            guard block <= UInt64(UInt32.max) else { return nil }
            bytes += [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: block >> $0) }
        }
        return bytes
    }
}
