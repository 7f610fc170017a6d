import Base
import Columns
import Synchronization

/// The keys of one side of a join, for scans of the other side: rows that have no partner need not be
/// decoded. Nothing is left out before the keys are known.
final class KeyFilter: ColumnTest {
    /// Bits for each key where only hashes are kept.
    private static let bitsPerKey = 16
    private static let keysMax = 4 << 20

    private enum Members: Sendable {
        /// A bit for each value from `base` on.
        case places(base: Int64, words: [UInt64], count: Int)
        /// Two bits for each key, in the word that the upper bits of its hash choose: a Bloom filter in
        /// blocks of 64 bits.
        case hashes(words: [UInt64], of: ColumnType)
    }

    private let members = Mutex<Members?>(nil)

    /// From now on rows pass whose keys `table`, which has one column, may have.
    func decide(_ table: KeyTable) {
        let found: Members?
        if let direct = table.directKeys {
            found = Self.places(direct)
        } else if table.count <= Self.keysMax {
            found = Self.hashes(table)
        } else {
            found = nil
        }
        members.withLock { $0 = found }
    }

    private static func places(_ keys: DirectKeys) -> Members? {
        var words = [UInt64](repeating: 0, count: (keys.placeCount + 63) / 64)
        var count = 0
        for (group, value) in keys.values.enumerated() where group != Int(keys.nullGroup) {
            let place = Int(value - keys.base)
            words[place >> 6] |= 1 << UInt64(place & 63)
            count += 1
        }
        return .places(base: keys.base, words: words, count: keys.placeCount)
    }

    private static func hashes(_ table: KeyTable) -> Members? {
        var size = 64
        while size * 64 < table.count * bitsPerKey { size *= 2 }
        var words = [UInt64](repeating: 0, count: size)
        let step = 16 << 10
        for start in stride(from: 0, to: table.count, by: step) {
            let groups = start..<min(start + step, table.count)
            guard let hashes = table.columns(groups)[0].hashes else { return nil }
            for hash in hashes { words[word(of: hash, size)] |= bits(of: hash) }
        }
        return .hashes(words: words, of: table.types[0])
    }

    @inline(__always)
    private static func word(of hash: UInt64, _ size: Int) -> Int {
        Int(truncatingIfNeeded: hash >> 32) & (size - 1)
    }

    @inline(__always)
    private static func bits(of hash: UInt64) -> UInt64 {
        1 << (hash & 63) | 1 << (hash >> 6 & 63)
    }

    func rows(of column: Column) -> [Int32]? {
        switch members.withLock({ $0 }) {
        case nil: return nil
        case .places(let base, let words, let count):
            switch column.data {
            case .int32(let values): return Self.rows(values, column.validity, base, words, count)
            case .int64(let values): return Self.rows(values, column.validity, base, words, count)
            default: return nil
            }
        case .hashes(let words, let type):
            // A file may hold the values as another type, with other hashes: UUIDs as texts.
            guard column.type == type, let hashes = column.hashes else { return nil }
            return numbers(below: hashes.count) { row in
                let hash = hashes[row]
                let bits = Self.bits(of: hash)
                return words[Self.word(of: hash, words.count)] & bits == bits
            }
        }
    }

    private static func rows<T: FixedWidthInteger>(
        _ values: [T], _ validity: Validity?, _ base: Int64, _ words: [UInt64], _ count: Int
    ) -> [Int32] {
        values.withUnsafeBufferPointer { values in
            words.withUnsafeBufferPointer { words in
                numbers(below: values.count) { row in
                    let place = UInt64(bitPattern: Int64(values[row]) &- base)
                    guard place < UInt64(count) else { return false }
                    let isMember = words[Int(place >> 6)] >> (place & 63) & 1 == 1
                    return isMember && validity?[row] ?? true
                }
            }
        }
    }
}
