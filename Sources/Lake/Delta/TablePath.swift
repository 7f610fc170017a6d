// How a file is named in the log: a path relative to the table's folder, each byte outside of
// A–Z a–z 0–9 - _ . ~ / = written as %XX. Folder names of partitions were escaped once before, in
// the way of Hive, so that a colon of a value arrives in the log as %253A.
//
// A file outside of the folder, such as the log of a clone names, has an address: a scheme, a colon and
// a path that begins with a slash, or such a path alone. Decoded it is still one, and no path relative
// to the folder looks like one, so that one text says which of both it is.

import Base

package enum TablePath {
    /// The path as it is written in the log.
    package static func encoded(_ path: String) -> String {
        guard let start = pathStart(ofAddress: path) else { return escaped(path) }
        let place = path.utf8.index(path.startIndex, offsetBy: start)
        return String(path[..<place]) + escaped(String(path[place...]))
    }

    private static func escaped(_ path: String) -> String {
        PercentCoding.encodedPart(path, keeping: "/=")
    }

    /// True for the address of a file that the log does not name by its path in the table's folder.
    package static func isAddress(_ path: String) -> Bool { pathStart(ofAddress: path) != nil }

    /// The path or address of a file that the log names. Whether what is at an address may be read
    /// is for `DeltaTable.location` to say.
    package static func decodedFile(_ text: String) throws(DecodeFailure) -> String {
        if isPlain(text) { return text }
        guard isAddress(text) else {
            let path = try decoded(text)
            if isAddress(path) {
                throw .unsupported("file with the name of an address: \(text.prefix(200))")
            }
            return path
        }
        guard let address = PercentCoding.decoded(text) else {
            throw .malformed("the address of a file is not valid UTF-8", position: 0)
        }
        return address
    }

    /// True for what most paths are: relative, without escapes, and not leading anywhere else. One
    /// look at the bytes, because logs name many files.
    private static func isPlain(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { bytes in
            var start = 0
            var isDots = true
            for place in bytes.indices {
                switch bytes[place] {
                case 0x2F:
                    if isDots, place - start <= 2 { return false }
                    start = place + 1
                    isDots = true
                case 0x25, 0x3A, 0: return false
                case 0x2E: continue
                default: isDots = false
                }
            }
            return !(isDots && bytes.count - start <= 2)
        }
    }

    /// Where the path of an address begins: behind the scheme, and the name of a machine or bucket.
    private static func pathStart(ofAddress text: String) -> Int? {
        let bytes = text.utf8
        if bytes.first == 0x2F { return 0 }
        guard hasScheme(text), let colon = bytes.firstIndex(of: 0x3A) else { return nil }
        let rest = bytes[bytes.index(after: colon)...]
        guard rest.first == 0x2F else { return nil }
        let scheme = bytes.distance(from: bytes.startIndex, to: colon) + 1
        guard rest.dropFirst().first == 0x2F else { return scheme }
        let host = rest.dropFirst(2).prefix { $0 != 0x2F }
        return scheme + 2 + host.count
    }

    /// The path of a file that the log names, for use inside of the table's folder only.
    ///
    /// A log comes from outside: an absolute path or one that climbs out with `..` would let it
    /// read any file of the machine, so it is refused.
    package static func decoded(_ text: String) throws(DecodeFailure) -> String {
        if hasScheme(text) || text.utf8.first == 0x2F {
            throw .unsupported("file outside of the table's folder: \(text.prefix(200))")
        }
        guard let path = PercentCoding.decoded(text) else {
            throw .malformed("the path of a file is not valid UTF-8", position: 0)
        }
        for part in path.utf8.split(separator: 0x2F, omittingEmptySubsequences: false) {
            let isClimbing = part.elementsEqual(".".utf8) || part.elementsEqual("..".utf8)
            if part.isEmpty || isClimbing || part.contains(0) {
                throw .unsupported("file outside of the table's folder: \(text.prefix(200))")
            }
        }
        return path
    }

    /// A path of a `remove`, which is only compared and never opened, so that any form will do.
    static func decodedForComparison(_ text: String) -> String {
        PercentCoding.decoded(text) ?? text
    }

    /// A name or value as part of a partition's folder name.
    package static func hiveEscaped(_ text: String) -> String {
        PercentCoding.encoded(text) { byte in
            switch byte {
            case 0x00...0x1F, 0x7F: true
            case 0x22, 0x23, 0x25, 0x27, 0x2A, 0x2F, 0x3A, 0x3D, 0x3F, 0x5C: true
            case 0x5B, 0x5D, 0x5E, 0x7B: true
            default: false
            }
        }
    }

    /// The name or value behind a part of a partition's folder name.
    package static func hiveUnescaped(_ text: String) -> String {
        PercentCoding.decoded(text) ?? text
    }

    /// `s3:`, `file:`, … before the first slash.
    private static func hasScheme(_ text: String) -> Bool {
        for (index, byte) in text.utf8.enumerated() {
            switch byte {
            case 0x41...0x5A, 0x61...0x7A: continue
            case 0x30...0x39, 0x2B, 0x2D, 0x2E: if index == 0 { return false }
            case 0x3A: return index > 0
            default: return false
            }
        }
        return false
    }
}

/// A name in `_delta_log`.
package enum LogFileName: Equatable, Sendable {
    case commit(Int64)
    /// `part` of `parts`, counted from 1; a classic checkpoint is part 1 of 1.
    case checkpoint(Int64, part: Int, parts: Int)
    /// A checkpoint of the second kind, named by a UUID.
    case checkpointV2(Int64, name: String)
    case compacted(from: Int64, through: Int64)
    /// What a version should add up to.
    case checksum(Int64)
    /// Hints, temporary files and whatever else lies there.
    case other

    package init(_ name: String) {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        self = .other
        guard let first = parts.first, let version = Self.number(first, width: 20) else { return }
        let rest = Array(parts.dropFirst())
        if rest == ["json"] {
            self = .commit(version)
        } else if rest == ["crc"] {
            self = .checksum(version)
        } else if rest == ["checkpoint", "parquet"] {
            self = .checkpoint(version, part: 1, parts: 1)
        } else if rest.count == 4, rest[0] == "checkpoint", rest[3] == "parquet",
            let part = Self.number(rest[1], width: 10), let count = Self.number(rest[2], width: 10),
            part >= 1, part <= count, count <= 100_000
        {
            self = .checkpoint(version, part: Int(part), parts: Int(count))
        } else if rest.count == 3, rest[0] == "checkpoint", UUID128(text: rest[1]) != nil,
            rest[2] == "parquet" || rest[2] == "json"
        {
            self = .checkpointV2(version, name: name)
        } else if rest.count == 3, rest[1] == "compacted", rest[2] == "json",
            let through = Self.number(rest[0], width: 20), through >= version
        {
            self = .compacted(from: version, through: through)
        }
    }

    private static func number(_ text: String, width: Int) -> Int64? {
        guard text.utf8.count == width, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Int64(text)
    }

    package static func commitName(_ version: Int64) -> String { padded(version, 20) + ".json" }

    package static func checksumName(_ version: Int64) -> String { padded(version, 20) + ".crc" }

    package static func checkpointName(_ version: Int64) -> String {
        padded(version, 20) + ".checkpoint.parquet"
    }

    static func padded(_ number: Int64, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}
