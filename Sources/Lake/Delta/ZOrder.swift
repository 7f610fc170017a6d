import Base
import Columns

/// Orders rows along a curve through several columns, so that rows which are near in all of them
/// come near each other, and files cover small ranges of each: `ZORDER BY`.
///
/// Each value becomes its rank among the rows at hand, scaled to the same number of bits for every
/// column; the bits of a row's ranks are interleaved, highest first.
package enum ZOrder {
    /// Types that have an order here.
    package static func canOrder(_ type: ColumnType) -> Bool {
        switch type {
        case .boolean, .int16, .int32, .int64, .float32, .float64, .decimal, .text, .date,
            .timestamp, .timestampTZ, .uuid, .binary:
            true
        default: false
        }
    }

    /// The rows of `columns` in the order of the curve.
    static func order(_ columns: [Column], rowCount: Int) -> [Int32] {
        guard !columns.isEmpty, rowCount > 0 else { return (0..<Int32(rowCount)).map { $0 } }
        let bits = min(64 / columns.count, 20)
        guard bits > 0 else { return (0..<Int32(rowCount)).map { $0 } }
        var curve = [UInt64](repeating: 0, count: rowCount)
        for (place, column) in columns.enumerated() {
            let ranks = ranks(keys(column), bits: bits)
            for row in 0..<rowCount {
                let rank = ranks[row]
                for bit in 0..<bits where rank >> UInt64(bit) & 1 == 1 {
                    curve[row] |= 1 << UInt64(bit * columns.count + (columns.count - 1 - place))
                }
            }
        }
        return (0..<Int32(rowCount)).sorted {
            (curve[Int($0)], $0) < (curve[Int($1)], $1)
        }
    }

    /// For each row a number that orders as its value does, NULL first. Texts by their first eight
    /// bytes, which is enough to bring the like together.
    private static func keys(_ column: Column) -> [UInt64] {
        let column = column.flattened
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
        case .text(let texts):
            keys = (0..<texts.count).map { row in
                texts.withBytes(row) { bytes in
                    var key: UInt64 = 0
                    for index in 0..<8 {
                        key = key << 8 | (index < bytes.count ? UInt64(bytes[index]) : 0)
                    }
                    return key
                }
            }
        default: keys = [UInt64](repeating: 0, count: column.count)
        }
        for row in keys.indices where column.isNull(row) { keys[row] = 0 }
        return keys
    }

    /// The place of each key among the different ones, scaled to `bits` bits.
    private static func ranks(_ keys: [UInt64], bits: Int) -> [UInt64] {
        let order = keys.indices.sorted { keys[$0] < keys[$1] }
        var ranks = [UInt64](repeating: 0, count: keys.count)
        var distinct: UInt64 = 0
        for (place, row) in order.enumerated() {
            if place > 0, keys[row] != keys[order[place - 1]] { distinct += 1 }
            ranks[row] = distinct
        }
        guard distinct > 0 else { return ranks }
        let scale = (UInt64(1) << UInt64(bits)) - 1
        return ranks.map { rank in
            let (high, low) = rank.multipliedFullWidth(by: scale)
            return distinct.dividingFullWidth((high, low)).quotient
        }
    }
}
