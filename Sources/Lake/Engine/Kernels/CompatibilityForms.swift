// The normal forms NFKC and NFKD: characters that only look or behave differently become the plain
// ones. Unicode Standard Annex #15, and the property Decomposition_Mapping of the character database.

enum CompatibilityForms {
    /// The full compatibility decompositions of the characters that have another than the canonical
    /// one: `starts` holds for each of `codes` where its scalars begin.
    private struct Table {
        var codes: [UInt32] = []
        var starts: [Int] = [0]
        var scalars: [Unicode.Scalar] = []

        init(_ source: String) {
            var next: UInt32 = 0
            for entry in source.utf8.split(whereSeparator: { $0 == 0x20 || $0 == 0x0A }) {
                var parts = entry
                if let colon = entry.firstIndex(of: UInt8(ascii: ":")) {
                    next = Self.number(entry[..<colon])
                    parts = entry[entry.index(after: colon)...]
                }
                codes.append(next)
                next += 1
                for part in parts.split(separator: UInt8(ascii: "+")) {
                    if let scalar = Unicode.Scalar(Self.number(part)) { scalars.append(scalar) }
                }
                starts.append(scalars.count)
            }
        }

        private static func number(_ digits: Substring.UTF8View) -> UInt32 {
            digits.reduce(0) { value, digit in
                value << 4 | UInt32(digit < 0x40 ? digit - 0x30 : digit - 0x37)
            }
        }

        func scalars(of code: UInt32) -> ArraySlice<Unicode.Scalar>? {
            var (low, high) = (0, codes.count)
            while low < high {
                let middle = (low + high) / 2
                if codes[middle] < code { low = middle + 1 } else { high = middle }
            }
            guard low < codes.count, codes[low] == code else { return nil }
            return scalars[starts[low]..<starts[low + 1]]
        }
    }

    private static let table = Table(source)

    /// `text` with every character replaced by its compatibility decomposition; marks are not in
    /// their canonical order yet.
    static func decomposed(_ text: String) -> String {
        // No ASCII character has one, nor have the controls behind them.
        guard text.utf8.contains(where: { $0 >= 0x80 }) else { return text }
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if scalar.value >= 0xA0, let parts = table.scalars(of: scalar.value) {
                result.append(contentsOf: parts)
            } else {
                result.append(scalar)
            }
        }
        return String(result)
    }
}
