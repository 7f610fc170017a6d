import Base
import Columns

/// Places rows along a curve through several columns, so that rows which are near in all of them
/// come near each other, and files cover small ranges of each: `ZORDER BY`, `CLUSTER BY`.
///
/// Each value becomes its rank among a sample of the rows, in the same number of bits for every
/// column. The ranks of a row are its place in a cube; the curve numbers the places of the cube.
package struct SpaceCurve: Sendable {
    package enum Kind: Sendable {
        /// The bits of the ranks in turn, highest first. Jumps where the highest bits change.
        case zOrder
        /// Neighbours on the curve are neighbours in the cube: ranges of files overlap less.
        case hilbert
    }

    private let kind: Kind
    private let bits: Int
    /// For each column the keys at which a higher rank begins, ascending.
    private let bounds: [[UInt64]]
    /// The bits of each rank with room for those of the other columns between them.
    private let spread: [UInt64]

    /// Sampled rows, at most about this many: enough for the ranks and for even parts.
    static let sampleRowsMax = 1 << 16
    private static let rankBitsMax = 12

    /// Types that have an order here.
    package static func canOrder(_ type: ColumnType) -> Bool {
        switch type {
        case .boolean, .int16, .int32, .int64, .float32, .float64, .decimal, .text, .date,
            .timestamp, .timestampTZ, .uuid, .binary:
            true
        default: false
        }
    }

    /// A curve for columns of which `sample` has the keys of some rows, column by column.
    init(_ kind: Kind, sample: [[UInt64]]) {
        self.kind = kind
        let count = max(sample.count, 1)
        let bits = max(1, min(64 / count, Self.rankBitsMax))
        self.bits = bits
        bounds = sample.map { keys in
            let sorted = keys.sorted()
            var bounds: [UInt64] = []
            guard let least = sorted.first else { return bounds }
            let ranks = 1 << bits
            for rank in 1..<ranks {
                let key = sorted[rank * sorted.count / ranks]
                if key > bounds.last ?? least { bounds.append(key) }
            }
            return bounds
        }
        spread = (0..<(1 << bits)).map { rank in
            var result: UInt64 = 0
            for bit in 0..<bits where rank >> bit & 1 == 1 && bit * count < 64 {
                result |= 1 << UInt64(bit * count)
            }
            return result
        }
    }

    /// The place on the curve of each row whose keys `keys` are, column by column.
    func places(_ keys: [[UInt64]]) -> [UInt64] {
        guard let first = keys.first else { return [] }
        // Of one column the order is that of its values, ties aside.
        if keys.count == 1 { return first }
        let dimensions = min(keys.count, 64)
        var ranks = (0..<dimensions).map { self.ranks(keys[$0], bounds[$0]) }
        if kind == .hilbert { Self.turn(&ranks, bits: bits) }
        var places = [UInt64](repeating: 0, count: first.count)
        for dimension in 0..<dimensions {
            let shift = UInt64(dimensions - 1 - dimension)
            for row in places.indices {
                places[row] |= spread[Int(ranks[dimension][row])] << shift
            }
        }
        return places
    }

    /// How many of `bounds` are at or below each key, scaled to all of the bits.
    private func ranks(_ keys: [UInt64], _ bounds: [UInt64]) -> [UInt32] {
        if bounds.isEmpty { return [UInt32](repeating: 0, count: keys.count) }
        let ranks = UInt64(1) << UInt64(bits)
        let scaled = (0...bounds.count).map {
            UInt32(UInt64($0) * (ranks - 1) / UInt64(bounds.count))
        }
        return bounds.withUnsafeBufferPointer { bounds in
            keys.map { key in
                // Halving without branches: they would be guessed wrong half of the time.
                var base = 0
                var length = bounds.count
                while length > 1 {
                    let half = length / 2
                    base = bounds[base + half - 1] <= key ? base + half : base
                    length -= half
                }
                return scaled[base + (bounds[base] <= key ? 1 : 0)]
            }
        }
    }

    /// Turns the coordinates of each row so that interleaving their bits numbers the Hilbert curve:
    /// the transposition of J. Skilling, "Programming the Hilbert curve" (2004).
    private static func turn(_ ranks: inout [[UInt32]], bits: Int) {
        let dimensions = ranks.count
        guard dimensions > 1, let rowCount = ranks.first?.count else { return }
        var axes = [UInt32](repeating: 0, count: dimensions)
        axes.withUnsafeMutableBufferPointer { axes in
            for row in 0..<rowCount {
                for axis in 0..<dimensions { axes[axis] = ranks[axis][row] }
                var bit = UInt32(1) << UInt32(bits - 1)
                while bit > 1 {
                    let low = bit - 1
                    for axis in 0..<dimensions {
                        if axes[axis] & bit != 0 {
                            axes[0] ^= low
                        } else {
                            let swapped = (axes[0] ^ axes[axis]) & low
                            axes[0] ^= swapped
                            axes[axis] ^= swapped
                        }
                    }
                    bit >>= 1
                }
                for axis in 1..<dimensions { axes[axis] ^= axes[axis - 1] }
                var flips: UInt32 = 0
                bit = UInt32(1) << UInt32(bits - 1)
                while bit > 1 {
                    if axes[dimensions - 1] & bit != 0 { flips ^= bit - 1 }
                    bit >>= 1
                }
                for axis in 0..<dimensions { ranks[axis][row] = axes[axis] ^ flips }
            }
        }
    }

    // MARK: Keys

    /// For each row a number that orders as its value does, NULL first. Of texts eight bytes behind
    /// `prefix` count, which is enough to bring the like together; a prefix that hardly any text
    /// lacks says nothing.
    static func keys(_ column: Column, behind prefix: [UInt8] = []) -> [UInt64] {
        func ordered<T: FixedWidthInteger>(_ value: T) -> UInt64 {
            UInt64(bitPattern: Int64(clamping: value)) ^ (1 << 63)
        }
        var keys: [UInt64]
        switch column.data {
        case .boolean(let values): keys = values.map { UInt64($0) + 1 }
        case .int32(let values): keys = values.map { ordered($0) }
        case .int64(let values): keys = values.map { ordered($0) }
        case .int128(let values):
            let isUUID = column.type == .uuid
            keys = values.map {
                isUUID
                    ? UInt64(truncatingIfNeeded: UInt128(truncatingIfNeeded: $0) >> 64)
                    : ordered($0)
            }
        case .float64(let values):
            keys = values.map { value in
                let bits = value.bitPattern
                return bits >> 63 == 1 ? ~bits : bits | 1 << 63
            }
        case .text(let texts): keys = Self.keys(texts, prefix)
        case .dictionary(let codes, let values):
            let known = Self.keys(values, prefix)
            keys = codes.map { known.indices.contains(Int($0)) ? known[Int($0)] : 0 }
        default: keys = [UInt64](repeating: 0, count: column.count)
        }
        if column.nullCount > 0 {
            for row in keys.indices where column.isNull(row) { keys[row] = 0 }
        }
        return keys
    }

    private static func keys(_ texts: TextColumn, _ prefix: [UInt8]) -> [UInt64] {
        texts.views.map { view in
            texts.withBytes(of: view) { bytes in
                for (index, wanted) in prefix.enumerated() {
                    guard index < bytes.count else { return 0 }
                    if bytes[index] != wanted { return bytes[index] < wanted ? 0 : .max }
                }
                if bytes.count >= prefix.count + 8 {
                    return UInt64(
                        bigEndian: bytes.loadUnaligned(
                            fromByteOffset: prefix.count, as: UInt64.self))
                }
                var key: UInt64 = 0
                for index in prefix.count..<prefix.count + 8 {
                    key = key << 8 | (index < bytes.count ? UInt64(bytes[index]) : 0)
                }
                return key
            }
        }
    }

    /// What all texts of `column` begin with, as "user_"; empty for other types.
    static func commonPrefix(_ column: Column) -> [UInt8] {
        guard case .text(let texts) = column.flattened.data else { return [] }
        var prefix: [UInt8]?
        for row in 0..<texts.count where !column.isNull(row) {
            texts.withBytes(row) { bytes in
                guard let known = prefix else {
                    prefix = Array(bytes)
                    return
                }
                var shared = 0
                while shared < min(known.count, bytes.count), known[shared] == bytes[shared] {
                    shared += 1
                }
                if shared < known.count { prefix = Array(known[..<shared]) }
            }
            if prefix?.isEmpty ?? false { return [] }
        }
        return prefix ?? []
    }

    // MARK: Sorting

    /// The rows in the order of their places; rows at one place keep theirs.
    static func order(_ places: [UInt64]) -> [Int32] {
        let count = places.count
        var varying: UInt64 = 0
        for place in places { varying |= place ^ places[0] }
        var rows = (0..<Int32(count)).map { $0 }
        var other = rows
        for digit in 0..<8 {
            let shift = UInt64(digit * 8)
            // Digits that all rows share need no pass.
            if varying >> shift & 0xFF == 0 { continue }
            var starts = [Int](repeating: 0, count: 257)
            for place in places { starts[Int(place >> shift & 0xFF) + 1] += 1 }
            for value in 0..<256 { starts[value + 1] += starts[value] }
            places.withUnsafeBufferPointer { places in
                rows.withUnsafeBufferPointer { rows in
                    other.withUnsafeMutableBufferPointer { other in
                        for row in rows {
                            let value = Int(places[Int(row)] >> shift & 0xFF)
                            other[starts[value]] = row
                            starts[value] += 1
                        }
                    }
                }
            }
            swap(&rows, &other)
        }
        return rows
    }
}
