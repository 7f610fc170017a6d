// Functions of bytea: parts, bits, digests and text encodings. Positions count bytes.

import Base
import Columns
import Crypto
import SQL

enum ByteKernels {
    static func apply(
        _ function: ScalarFunction, _ arguments: [Vector], count: Int
    ) throws(Problem) -> Column? {
        switch function {
        case .binaryConcat:
            return try RowKernels.text(arguments, type: .binary, count: count) {
                rows, row, output in
                output += rows[0, row]
                output += rows[1, row]
            }
        case .binarySubstring: return try substring(arguments, count: count)
        case .binaryPosition:
            let valid = TextKernels.strictValidity(arguments, count: count)
            var values = [Int32](repeating: 0, count: count)
            try TextRows.with(arguments) { rows in
                for row in ValidRows(valid, count) {
                    let found = searchBytes(rows[0, row], for: rows[1, row])
                    values[row] = Int32(truncatingIfNeeded: found.map { $0 + 1 } ?? 0)
                }
            }
            return Column(type: .int32, data: .int32(values), validity: valid)
        case .binaryTrimBoth, .binaryTrimLeading, .binaryTrimTrailing:
            return try RowKernels.text(arguments, type: .binary, count: count) {
                rows, row, output in
                let (bytes, set) = (rows[0, row], rows[1, row])
                var (start, end) = (0, bytes.count)
                if function != .binaryTrimTrailing {
                    while start < end, set.contains(bytes[start]) { start += 1 }
                }
                if function != .binaryTrimLeading {
                    while end > start, set.contains(bytes[end - 1]) { end -= 1 }
                }
                output += bytes[start..<end]
            }
        case .md5:
            return try RowKernels.text(arguments, count: count) { rows, row, output in
                Hexadecimal.append(Digest.md5.hash(Bytes(rows[0, row])).array, to: &output)
            }
        case .sha224: return try digest(.sha224, arguments, count: count)
        case .sha256: return try digest(.sha256, arguments, count: count)
        case .sha384: return try digest(.sha384, arguments, count: count)
        case .sha512: return try digest(.sha512, arguments, count: count)
        case .encode:
            return try RowKernels.text(arguments, count: count) {
                (rows, row, output) throws(Problem) in
                try ByteFormat.named(rows[1, row]).encode(rows[0, row], to: &output)
            }
        case .decode:
            return try RowKernels.text(arguments, type: .binary, count: count) {
                (rows, row, output) throws(Problem) in
                try ByteFormat.named(rows[1, row]).decode(rows[0, row], to: &output)
            }
        case .convertFrom:
            return try RowKernels.text(arguments, count: count) {
                (rows, row, output) throws(Problem) in
                try TextEncoding.named(rows[1, row], isSource: true)
                    .decode(rows[0, row], to: &output)
            }
        case .convertTo:
            return try RowKernels.text(arguments, type: .binary, count: count) {
                (rows, row, output) throws(Problem) in
                try TextEncoding.named(rows[1, row], isSource: false)
                    .encode(rows[0, row], to: &output)
            }
        case .lengthInEncoding: return try lengthInEncoding(arguments, count: count)
        default: return try bits(function, arguments, count: count)
        }
    }

    private static func digest(
        _ digest: Digest, _ arguments: [Vector], count: Int
    ) throws(Problem) -> Column {
        try RowKernels.text(arguments, type: .binary, count: count) { rows, row, output in
            output += digest.hash(Bytes(rows[0, row])).array
        }
    }

    private static func substring(
        _ arguments: [Vector], count: Int
    ) throws(Problem) -> Column {
        let starts = arguments[1].wideIntegers
        let lengths = arguments.count > 2 ? arguments[2].wideIntegers : nil
        return try RowKernels.text(
            [arguments[0]], beside: Array(arguments[1...]), type: .binary, count: count
        ) { (rows, row, output) throws(Problem) in
            let bytes = rows[0, row]
            let first = starts.at(row) - 1
            var end = Int64(bytes.count)
            if let lengths {
                guard lengths.at(row) >= 0 else {
                    throw Problem("22011", "negative substring length not allowed")
                }
                end = min(end, first + lengths.at(row))
            }
            let start = max(first, 0)
            if start < end { output += bytes[Int(start)..<Int(end)] }
        }
    }

    private static func lengthInEncoding(
        _ arguments: [Vector], count: Int
    ) throws(Problem) -> Column {
        let valid = TextKernels.strictValidity(arguments, count: count)
        var values = [Int32](repeating: 0, count: count)
        try TextRows.with(arguments) { (rows) throws(Problem) in
            for row in ValidRows(valid, count) {
                var text: [UInt8] = []
                try TextEncoding.named(rows[1, row], isSource: true)
                    .decode(rows[0, row], to: &text)
                values[row] = Int32(
                    truncatingIfNeeded: text.withUnsafeBytes { TextKernels.scalarCount($0) })
            }
        }
        return Column(type: .int32, data: .int32(values), validity: valid)
    }

    // MARK: Bits

    private static func bits(
        _ function: ScalarFunction, _ arguments: [Vector], count: Int
    ) throws(Problem) -> Column? {
        switch function {
        case .bitCount:
            let valid = arguments[0].validityFor(count)
            var values = [Int64](repeating: 0, count: count)
            try TextRows.with(arguments) { rows in
                for row in ValidRows(valid, count) {
                    for byte in rows[0, row] { values[row] += Int64(byte.nonzeroBitCount) }
                }
            }
            return Column(type: .int64, data: .int64(values), validity: valid)
        case .getBit, .getByte:
            let isBit = function == .getBit
            let places = arguments[1].wideIntegers
            let valid = TextKernels.strictValidity(arguments, count: count)
            var values = [Int32](repeating: 0, count: count)
            try TextRows.with([arguments[0]]) { (rows) throws(Problem) in
                for row in ValidRows(valid, count) {
                    let bytes = rows[0, row]
                    let place = places.at(row)
                    try check(place, in: isBit ? bytes.count * 8 : bytes.count)
                    let index = Int(place)
                    values[row] =
                        isBit ? Int32(bytes[index / 8] >> (index % 8) & 1) : Int32(bytes[index])
                }
            }
            return Column(type: .int32, data: .int32(values), validity: valid)
        case .setBit, .setByte:
            let isBit = function == .setBit
            let (places, news) = (arguments[1].wideIntegers, arguments[2].wideIntegers)
            return try RowKernels.text(
                [arguments[0]], beside: Array(arguments[1...]), type: .binary, count: count
            ) { (rows, row, output) throws(Problem) in
                output += rows[0, row]
                let (place, new) = (places.at(row), news.at(row))
                try check(place, in: isBit ? output.count * 8 : output.count)
                let index = Int(place)
                guard isBit else {
                    output[index] = UInt8(truncatingIfNeeded: new)
                    return
                }
                guard new == 0 || new == 1 else {
                    throw SQLErrors.invalidParameter("new bit must be 0 or 1")
                }
                let mask = UInt8(1) << (index % 8)
                output[index / 8] =
                    new == 1 ? output[index / 8] | mask : output[index / 8] & ~mask
            }
        default: return nil
        }
    }

    private static func check(_ place: Int64, in count: Int) throws(Problem) {
        guard place >= 0, place < Int64(count) else {
            throw Problem("2202E", "index \(place) out of valid range, 0..\(count - 1)")
        }
    }
}
