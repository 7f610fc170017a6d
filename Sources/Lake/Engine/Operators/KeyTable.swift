import Base
import Columns

/// A table from keys (rows of one or more columns) to dense group numbers in
/// the order of first appearance. NULLs are equal to each other. Serves grouping, DISTINCT, joins
/// and long IN lists. Whole numbers that lie close together are found by their place in a range,
/// other keys by open addressing.
final class KeyTable {
    let types: [ColumnType]
    private let encoder: KeyEncoder
    private let interner = BytesInterner()
    private let width: Int
    /// A slot holds the upper half of the hash and, below it, group number + 1; 0 is free.
    private var slots: [UInt64]
    /// Row-major: the words of group g begin at g * width.
    private var keys: [UInt64] = []
    private var hashedCount = 0
    /// The keys, as long as they are found without hashing.
    private var direct: DirectKeys?
    /// The first value of each group of columns that words can't give back.
    private var originals: [Int: [Value]] = [:]

    /// `directBytesMax` bounds the range in which keys are found without hashing.
    init(types: [ColumnType], directBytesMax: Int = 1 << 20) {
        self.types = types
        if DirectKeys.suits(types) { direct = DirectKeys(bytesMax: directBytesMax) }
        encoder = KeyEncoder(types: types, interner: interner)
        width = encoder.width
        slots = direct == nil ? [UInt64](repeating: 0, count: 256) : []
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

    var count: Int { direct?.count ?? hashedCount }
    /// The keys, if they are found by their place in a range.
    var directKeys: DirectKeys? { direct }

    var memoryBytes: Int {
        if let direct { return direct.memoryBytes }
        var values = 0
        for index in types.indices { values += (originals[index]?.count ?? 0) * 96 }
        return slots.count * 8 + keys.heldCount * 8 + interner.memoryBytes + values
    }

    /// The group of each of `count` rows; unknown keys become new groups.
    func insert(_ columns: [Column], count rows: Int) -> [Int32] {
        if direct != nil {
            if let groups = direct?.insert(columns[0], count: rows) { return groups }
            leaveDirect()
        }
        if let codes = CombinedCodes(columns, count: rows) {
            // Each combination of codes is looked up once.
            let groups = insertHashed(
                columns.map { $0.gather(codes.firstRows) }, count: codes.firstRows.count)
            return codes.numbers.map { groups[Int($0)] }
        }
        return insertHashed(columns, count: rows)
    }

    private func insertHashed(_ columns: [Column], count rows: Int) -> [Int32] {
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
                    for row in probe.lookUp(hashes, &groups) {
                        let row = Int(row)
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
        hashedCount = total
        keys.removeLast(keys.count - count * width)
        if !originals.isEmpty {
            for row in AggregateState.newRows(groups, before) { remember(columns, Int(row)) }
        }
        return groups
    }

    /// From now on keys are hashed.
    private func leaveDirect() {
        guard let known = direct else { return }
        direct = nil
        hashedCount = known.count
        keys.reserveCapacity(known.count * width)
        for (group, value) in known.values.enumerated() {
            let isNull = group == Int(known.nullGroup)
            keys.append(isNull ? 0 : UInt64(bitPattern: value))
            keys.append(isNull ? 1 : 0)
        }
        slots = [UInt64](repeating: 0, count: 256)
        rehash(size: Self.slotCount(256, for: known.count))
    }

    private func remember(_ columns: [Column], _ row: Int) {
        for index in types.indices { originals[index]?.append(columns[index].value(row)) }
    }

    /// The group of each of `count` rows, -1 for keys that are not there.
    func find(_ columns: [Column], count rows: Int) -> [Int32] {
        if let direct { return direct.find(columns[0]) }
        let words = encoder.encode(columns, count: rows, adding: false)
        let hashes = hash(words, rows)
        var groups = [Int32](repeating: 0, count: rows)
        slots.withUnsafeBufferPointer { slots in
            keys.withUnsafeBufferPointer { keys in
                words.withUnsafeBufferPointer { words in
                    let probe = Probe(
                        slots: slots, keys: keys, words: words, width: width, rows: rows)
                    for row in probe.lookUp(hashes, &groups) {
                        let row = Int(row)
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

        /// Gives `groups` of the rows whose key is in the first slot that its hash names, and the other
        /// rows. Loads of memory that is not in a cache go side by side in these loops: no turn waits
        /// for the one before.
        func lookUp(_ hashes: [UInt64], _ groups: inout [Int32]) -> [Int32] {
            let mask = UInt64(slots.count - 1)
            return groups.withUnsafeMutableBufferPointer { groups in
                hashes.withUnsafeBufferPointer { hashes in
                    for row in 0..<rows {
                        let entry = slots[Int(truncatingIfNeeded: hashes[row] & mask)]
                        // Another key in the slot: a salt that is not that of the row.
                        groups[row] =
                            (entry ^ hashes[row]) & Self.saltMask == 0 ? Self.group(entry) : -1
                    }
                    return [Int32](unsafeUninitializedCapacity: rows) { rest, count in
                        for row in 0..<rows {
                            let group = Int(groups[row])
                            let isFound = group >= 0 && isEqual(row, group)
                            rest[count] = Int32(row)
                            count += isFound ? 0 : 1
                        }
                    }
                }
            }
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
    func expect(_ groups: Int) { if direct == nil { reserve(groups - count) } }

    /// Makes room for about `groups` keys of one column of whole numbers that are all in `range`.
    func expect(_ groups: Int, in range: ClosedRange<Int64>) {
        guard let fits = direct?.expect(range, count: groups), !fits else { return }
        leaveDirect()
        expect(groups)
    }

    /// What `rows` more groups would add to `memoryBytes`, long texts aside.
    func growthBytes(_ rows: Int) -> Int {
        if let direct { return direct.growthBytes(rows) }
        let size = Self.slotCount(slots.count, for: count + rows)
        let words = (count + rows) * width
        return (size - slots.count) * 8
            + (words > keys.heldCount ? max(words, keys.heldCount) * 8 : 0)
    }

    /// What slots for `groups` groups take.
    static func slotBytes(_ groups: Int) -> Int { groups * 4 * 8 }

    /// Makes room for `rows` more groups at a load of at most one half.
    private func reserve(_ rows: Int) {
        let size = Self.slotCount(slots.count, for: count + rows)
        if size > slots.count { rehash(size: size) }
    }

    private static func slotCount(_ least: Int, for groups: Int) -> Int {
        var size = least
        while size < groups * 2 { size *= 2 }
        return size
    }

    private func rehash(size: Int) {
        precondition(size <= 1 << 33, "the memory budget ends earlier")
        slots = [UInt64](repeating: 0, count: size)
        let mask = size - 1
        slots.withUnsafeMutableBufferPointer { slots in
            keys.withUnsafeBufferPointer { keys in
                for group in 0..<hashedCount {
                    var hash: UInt64 = 0
                    for word in 0..<width { hash = KeyHash.mix(hash, keys[group * width + word]) }
                    var slot = Int(truncatingIfNeeded: hash) & mask
                    while slots[slot] != 0 { slot = (slot + 1) & mask }
                    slots[slot] = hash & Probe.saltMask | UInt64(group + 1)
                }
            }
        }
    }

    // MARK: Keys

    /// The keys of `groups` as columns.
    func columns(_ groups: Range<Int>) -> [Column] {
        if let direct { return [column(of: direct, groups)] }
        var at = 0
        var result: [Column] = []
        for (index, type) in types.enumerated() {
            result.append(column(index, type, at, groups))
            at += KeyEncoder.width(of: type)
        }
        return result
    }

    private func column(of direct: DirectKeys, _ groups: Range<Int>) -> Column {
        let type = types[0]
        var valid: Validity?
        if groups.contains(Int(direct.nullGroup)) {
            var flags = Validity(repeating: true, count: groups.count)
            flags.set(Int(direct.nullGroup) - groups.lowerBound, false)
            valid = flags
        }
        let values = direct.values[groups]
        switch type {
        case .int16, .int32, .date:
            return Column(
                type: type, data: .int32(values.map { Int32(truncatingIfNeeded: $0) }),
                validity: valid)
        default: return Column(type: type, data: .int64(Array(values)), validity: valid)
        }
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
        case .text, .binary: data = .text(texts(index, at, groups))
        default: return Column.nulls(type, count: groups.count)
        }
        return Column(type: type, data: data, validity: valid)
    }

    private func texts(_ index: Int, _ at: Int, _ groups: Range<Int>) -> TextColumn {
        let kinds = encoder.kinds(of: index)
        var sink = TextSink(capacity: groups.count)
        for group in groups {
            let view = TextView(low: keys[group * width + at], high: keys[group * width + at + 1])
            let kind = kinds?.kind(in: keys[(group + 1) * width - 1]) ?? .numbered
            if kind != .numbered {
                kind.withText(view.low, view.high) { sink.append($0) }
            } else if view.isInline {
                sink.append(view: view)
            } else {
                interner.withBytes(Int(view.high)) { sink.append($0) }
            }
        }
        return sink.finish()
    }
}
