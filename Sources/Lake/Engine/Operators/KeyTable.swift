import Base
import Columns

/// An open-addressing hash table from keys (rows of one or more columns) to dense group numbers in
/// the order of first appearance. NULLs are equal to each other. Serves grouping, DISTINCT, joins
/// and long IN lists.
final class KeyTable {
    let types: [ColumnType]
    private let encoder: KeyEncoder
    private let interner = BytesInterner()
    private let width: Int
    /// A slot holds the upper half of the hash and, below it, group number + 1; 0 is free.
    private var slots: [UInt64]
    /// Row-major: the words of group g begin at g * width.
    private var keys: [UInt64] = []
    private(set) var count = 0
    /// The first value of each group of columns that words can't give back.
    private var originals: [Int: [Value]] = [:]

    init(types: [ColumnType]) {
        self.types = types
        encoder = KeyEncoder(types: types, interner: interner)
        width = encoder.width
        slots = [UInt64](repeating: 0, count: 256)
        for (index, type) in types.enumerated() where Self.needsOriginal(type) {
            originals[index] = []
        }
    }

    private static func needsOriginal(_ type: ColumnType) -> Bool {
        switch type {
        case .interval, .json, .variant, .list, .structure, .map: true
        default: false
        }
    }

    var memoryBytes: Int {
        var values = 0
        for index in types.indices { values += (originals[index]?.count ?? 0) * 96 }
        return slots.count * 8 + keys.capacity * 8 + interner.memoryBytes + values
    }

    /// The group of each of `count` rows; unknown keys become new groups.
    func insert(_ columns: [Column], count rows: Int) -> [Int32] {
        let words = encoder.encode(columns, count: rows, adding: true)
        let hashes = hash(words, rows)
        reserve(rows)
        let before = count
        var groups = [Int32](repeating: 0, count: rows)
        // Room for the case that every row is new; what is not needed goes back behind the loop.
        keys.grow(to: (count + rows) * width, 0)
        var total = count
        slots.withUnsafeMutableBufferPointer { slots in
            keys.withUnsafeMutableBufferPointer { keys in
                words.withUnsafeBufferPointer { words in
                    let probe = Probe(
                        slots: UnsafeBufferPointer(slots), keys: UnsafeBufferPointer(keys),
                        words: words, width: width, rows: rows)
                    for row in 0..<rows {
                        let slot = probe.place(row, hashes[row])
                        if slots[slot] == 0 {
                            slots[slot] = hashes[row] & Probe.saltMask | UInt64(total + 1)
                            for word in 0..<width {
                                keys[total * width + word] = words[word * rows + row]
                            }
                            total += 1
                        }
                        groups[row] = Probe.group(slots[slot])
                    }
                }
            }
        }
        count = total
        keys.removeLast(keys.count - count * width)
        if !originals.isEmpty {
            for row in AggregateState.newRows(groups, before) { remember(columns, Int(row)) }
        }
        return groups
    }

    private func remember(_ columns: [Column], _ row: Int) {
        for index in types.indices { originals[index]?.append(columns[index].value(row)) }
    }

    /// The group of each of `count` rows, -1 for keys that are not there.
    func find(_ columns: [Column], count rows: Int) -> [Int32] {
        let words = encoder.encode(columns, count: rows, adding: false)
        let hashes = hash(words, rows)
        var groups = [Int32](repeating: 0, count: rows)
        slots.withUnsafeBufferPointer { slots in
            keys.withUnsafeBufferPointer { keys in
                words.withUnsafeBufferPointer { words in
                    let probe = Probe(
                        slots: slots, keys: keys, words: words, width: width, rows: rows)
                    for row in 0..<rows {
                        groups[row] = Probe.group(slots[probe.place(row, hashes[row])])
                    }
                }
            }
        }
        return groups
    }

    /// Looks for rows in the table, over memory that stays in place meanwhile.
    private struct Probe {
        /// The part of a slot that holds the upper half of the hash.
        static let saltMask: UInt64 = ~0xFFFF_FFFF

        let slots: UnsafeBufferPointer<UInt64>
        let keys: UnsafeBufferPointer<UInt64>
        let words: UnsafeBufferPointer<UInt64>
        let width: Int
        let rows: Int

        /// The group in a slot; a free slot is 0, which makes -1.
        @inline(__always)
        static func group(_ slot: UInt64) -> Int32 {
            Int32(truncatingIfNeeded: slot & 0xFFFF_FFFF) - 1
        }

        /// The slot that holds the key of `row`, or the free one where it belongs.
        @inline(__always)
        func place(_ row: Int, _ hash: UInt64) -> Int {
            let mask = slots.count - 1
            let salt = hash & Self.saltMask
            var slot = Int(truncatingIfNeeded: hash) & mask
            while true {
                let entry = slots[slot]
                if entry == 0 { return slot }
                if entry & Self.saltMask == salt, isEqual(row, Int(entry & 0xFFFF_FFFF) - 1) {
                    return slot
                }
                slot = (slot + 1) & mask
            }
        }

        @inline(__always)
        private func isEqual(_ row: Int, _ group: Int) -> Bool {
            for word in 0..<width where keys[group * width + word] != words[word * rows + row] {
                return false
            }
            return true
        }
    }

    private func hash(_ words: [UInt64], _ rows: Int) -> [UInt64] {
        var hashes = [UInt64](repeating: 0, count: rows)
        hashes.withUnsafeMutableBufferPointer { target in
            words.withUnsafeBufferPointer { source in
                for word in 0..<width {
                    let base = word * rows
                    for row in 0..<rows {
                        target[row] = KeyHash.mix(target[row], source[base + row])
                    }
                }
            }
        }
        return hashes
    }

    /// Makes room for `groups` groups in all, so that the table need not grow on the way.
    func expect(_ groups: Int) { reserve(groups - count) }

    /// What `rows` more groups would add to `memoryBytes`, long texts aside.
    func growthBytes(_ rows: Int) -> Int {
        var size = slots.count
        while size < (count + rows) * 2 { size *= 2 }
        let words = (count + rows) * width
        return (size - slots.count) * 8
            + (words > keys.capacity ? max(words, keys.capacity) * 8 : 0)
    }

    /// What slots for `groups` groups take.
    static func slotBytes(_ groups: Int) -> Int { groups * 4 * 8 }

    /// Makes room for `rows` more groups at a load of at most one half.
    private func reserve(_ rows: Int) {
        let wanted = (count + rows) * 2
        guard wanted > slots.count else { return }
        var size = slots.count
        while size < wanted { size *= 2 }
        precondition(size <= 1 << 33, "the memory budget ends earlier")
        slots = [UInt64](repeating: 0, count: size)
        let mask = size - 1
        for group in 0..<count {
            var hash: UInt64 = 0
            for word in 0..<width { hash = KeyHash.mix(hash, keys[group * width + word]) }
            var slot = Int(truncatingIfNeeded: hash) & mask
            while slots[slot] != 0 { slot = (slot + 1) & mask }
            slots[slot] = hash & Probe.saltMask | UInt64(group + 1)
        }
    }

    // MARK: Keys

    /// The keys of `groups` as columns.
    func columns(_ groups: Range<Int>) -> [Column] {
        var at = 0
        var result: [Column] = []
        for (index, type) in types.enumerated() {
            result.append(column(index, type, at, groups))
            at += KeyEncoder.width(of: type)
        }
        return result
    }

    private func column(
        _ index: Int, _ type: ColumnType, _ at: Int, _ groups: Range<Int>
    ) -> Column {
        if let values = originals[index] { return Column(type, Array(values[groups])) }
        let bit: UInt64 = 1 << UInt64(index)
        var valid: Validity?
        for (row, group) in groups.enumerated() where keys[(group + 1) * width - 1] & bit != 0 {
            if valid == nil { valid = Validity(repeating: true, count: groups.count) }
            valid?.set(row, false)
        }
        func word(_ group: Int) -> UInt64 { keys[group * width + at] }
        let data: ColumnData
        switch type {
        case .boolean: data = .boolean(groups.map { UInt8(truncatingIfNeeded: word($0)) })
        case .int16, .int32, .date:
            data = .int32(groups.map { Int32(truncatingIfNeeded: word($0)) })
        case .int64, .time, .timestamp, .timestampTZ:
            data = .int64(groups.map { Int64(bitPattern: word($0)) })
        case .float32, .float64:
            data = .float64(groups.map { Double(bitPattern: word($0)) })
        case .decimal, .uuid:
            data = .int128(
                groups.map {
                    Int128(
                        truncatingIfNeeded: UInt128(keys[$0 * width + at + 1]) << 64
                            | UInt128(word($0)))
                })
        case .text, .binary: data = .text(texts(at, groups))
        default: return Column.nulls(type, count: groups.count)
        }
        return Column(type: type, data: data, validity: valid)
    }

    private func texts(_ at: Int, _ groups: Range<Int>) -> TextColumn {
        var sink = TextSink(capacity: groups.count)
        for group in groups {
            let view = TextView(low: keys[group * width + at], high: keys[group * width + at + 1])
            if view.isInline {
                sink.append(view: view)
            } else {
                interner.withBytes(Int(view.high)) { sink.append($0) }
            }
        }
        return sink.finish()
    }
}
