/// A set of row numbers of one file, kept as compressed bitmaps: rows that share all but their low
/// 16 bits are in one container, which is a sorted list, a bitmap or a list of runs, whichever its
/// origin made it. Memory is about that of the serialized form, at most 8 KiB for 65,536 rows.
///
/// Invariants: keys ascend strictly; no container is empty; `count` is the sum of their rows.
package struct RowBitmap: Sendable {
    enum Container: Sendable {
        /// Strictly ascending, at most 4096 values.
        case array([UInt16])
        /// 1024 words of 64 rows.
        case bitmap([UInt64])
        /// First and last row of each run, ascending, with a gap between runs.
        case runs([Run])
    }

    struct Run: Hashable, Sendable {
        var first: UInt16
        var last: UInt16
    }

    /// Above this a sorted list takes more memory than a bitmap.
    static let arrayCountMax = 4096

    private(set) var keys: [UInt64] = []
    private(set) var containers: [Container] = []
    /// Rows in the set.
    package private(set) var count: Int64 = 0

    package init() {}

    /// The set of `rows`, in any order, repeated or not; none may be negative.
    package init(_ rows: some Sequence<Int64>) {
        insert(rows)
    }

    package var isEmpty: Bool { count == 0 }

    /// The largest row, nil when there is none.
    package var last: Int64? {
        guard let key = keys.last, let container = containers.last else { return nil }
        return Int64(key << 16) | Int64(container.last)
    }

    package func contains(_ row: Int64) -> Bool {
        guard row >= 0, let place = place(of: UInt64(row) >> 16) else { return false }
        return containers[place].contains(UInt16(truncatingIfNeeded: row))
    }

    // MARK: Changing

    /// Adds `rows`, in any order, repeated or not; none may be negative.
    package mutating func insert(_ rows: some Sequence<Int64>) {
        var pending: [UInt16] = []
        var key: UInt64?
        for row in rows {
            precondition(row >= 0, "a row number is never negative")
            let own = UInt64(row) >> 16
            if own != key, let full = key {
                merge(pending, into: full)
                pending.removeAll(keepingCapacity: true)
            }
            key = own
            pending.append(UInt16(truncatingIfNeeded: row))
        }
        if let key { merge(pending, into: key) }
    }

    /// Adds all rows of `other`.
    package mutating func formUnion(_ other: RowBitmap) {
        for (key, container) in zip(other.keys, other.containers) {
            guard let place = place(of: key) else {
                append(key: key, container)
                continue
            }
            var words = containers[place].words
            for (index, word) in container.words.enumerated() { words[index] |= word }
            replace(place, with: Container(words: words))
        }
    }

    /// The rows of this set that are not in `other`.
    package func subtracting(_ other: RowBitmap) -> RowBitmap {
        var result = RowBitmap()
        for (key, container) in zip(keys, containers) {
            var words = container.words
            if let place = other.place(of: key) {
                for (index, word) in other.containers[place].words.enumerated() {
                    words[index] &= ~word
                }
            }
            let left = Container(words: words)
            if left.count > 0 { result.append(key: key, left) }
        }
        return result
    }

    /// Adds a whole container behind or between the others; its key must be new.
    mutating func append(key: UInt64, _ container: Container) {
        let isLast = keys.last.map { $0 < key } ?? true
        let place = isLast ? keys.count : keys.firstIndex { $0 > key } ?? keys.count
        keys.insert(key, at: place)
        containers.insert(container, at: place)
        count += Int64(container.count)
    }

    private mutating func merge(_ rows: [UInt16], into key: UInt64) {
        guard let place = place(of: key) else {
            append(key: key, Container(rows))
            return
        }
        var words = containers[place].words
        for row in rows { words[Int(row >> 6)] |= 1 << UInt64(row & 63) }
        replace(place, with: Container(words: words))
    }

    private mutating func replace(_ place: Int, with container: Container) {
        count += Int64(container.count) - Int64(containers[place].count)
        containers[place] = container
    }

    private func place(of key: UInt64) -> Int? {
        // Rows come in ascending order, so the last container is the usual one.
        if keys.last == key { return keys.count - 1 }
        var low = 0
        var high = keys.count
        while low < high {
            let middle = (low + high) / 2
            if keys[middle] < key { low = middle + 1 } else { high = middle }
        }
        return low < keys.count && keys[low] == key ? low : nil
    }

    // MARK: Reading

    /// The rows of `range` that are in the set, ascending, counted from its lower bound.
    package func rows(in range: Range<Int64>) -> [Int32] {
        var found: [Int32] = []
        forEach(in: range) { found.append(Int32($0 - range.lowerBound)) }
        return found
    }

    /// The rows of `range` that are not in the set, ascending, counted from its lower bound; nil
    /// when none is in the set, which is the common case and costs no list.
    package func rowsOutside(of range: Range<Int64>) -> [Int32]? {
        var kept: [Int32] = []
        var next = range.lowerBound
        var isHit = false
        forEach(in: range) { row in
            if !isHit {
                isHit = true
                kept.reserveCapacity(range.count)
            }
            while next < row {
                kept.append(Int32(next - range.lowerBound))
                next += 1
            }
            next = row + 1
        }
        guard isHit else { return nil }
        while next < range.upperBound {
            kept.append(Int32(next - range.lowerBound))
            next += 1
        }
        return kept
    }

    /// How many rows of `range` are in the set.
    package func count(in range: Range<Int64>) -> Int {
        var count = 0
        forEach(in: range) { _ in count += 1 }
        return count
    }

    private func forEach(in range: Range<Int64>, _ body: (Int64) -> Void) {
        guard !range.isEmpty else { return }
        let low = UInt64(max(range.lowerBound, 0)) >> 16
        let high = UInt64(max(range.upperBound - 1, 0)) >> 16
        for (key, container) in zip(keys, containers) where key >= low && key <= high {
            let base = Int64(key << 16)
            let first = Int(max(range.lowerBound - base, 0))
            let end = Int(min(range.upperBound - base, 65_536))
            container.forEach(from: first, to: end) { body(base + Int64($0)) }
        }
    }
}

extension RowBitmap: Equatable {
    /// Equal sets, whatever their containers.
    package static func == (left: RowBitmap, right: RowBitmap) -> Bool {
        left.keys == right.keys && left.count == right.count
            && zip(left.containers, right.containers).allSatisfy { $0.words == $1.words }
    }
}

extension RowBitmap.Container {
    /// The container of `rows`, in any order.
    init(_ rows: [UInt16]) {
        let isAscending = zip(rows, rows.dropFirst()).allSatisfy { $0 < $1 }
        if isAscending, rows.count <= RowBitmap.arrayCountMax {
            self = .array(rows)
            return
        }
        var words = [UInt64](repeating: 0, count: 1024)
        for row in rows { words[Int(row >> 6)] |= 1 << UInt64(row & 63) }
        self.init(words: words)
    }

    init(words: [UInt64]) {
        let count = words.reduce(0) { $0 + $1.nonzeroBitCount }
        if count > RowBitmap.arrayCountMax {
            self = .bitmap(words)
            return
        }
        let bitmap = Self.bitmap(words)
        var rows: [UInt16] = []
        rows.reserveCapacity(count)
        bitmap.forEach(from: 0, to: 65_536) { rows.append(UInt16($0)) }
        self = .array(rows)
    }

    var count: Int {
        switch self {
        case .array(let rows): rows.count
        case .bitmap(let words): words.reduce(0) { $0 + $1.nonzeroBitCount }
        case .runs(let runs): runs.reduce(0) { $0 + Int($1.last) - Int($1.first) + 1 }
        }
    }

    var last: UInt16 {
        switch self {
        case .array(let rows): return rows.last ?? 0
        case .runs(let runs): return runs.last?.last ?? 0
        case .bitmap(let words):
            guard let index = words.lastIndex(where: { $0 != 0 }) else { return 0 }
            return UInt16(index << 6 | (63 - words[index].leadingZeroBitCount))
        }
    }

    func contains(_ row: UInt16) -> Bool {
        switch self {
        case .bitmap(let words): return words[Int(row >> 6)] >> UInt64(row & 63) & 1 == 1
        case .runs(let runs): return runs.contains { $0.first <= row && row <= $0.last }
        case .array(let rows):
            var low = 0
            var high = rows.count
            while low < high {
                let middle = (low + high) / 2
                if rows[middle] < row { low = middle + 1 } else { high = middle }
            }
            return low < rows.count && rows[low] == row
        }
    }

    /// The rows as 1024 words of 64.
    var words: [UInt64] {
        if case .bitmap(let words) = self { return words }
        var words = [UInt64](repeating: 0, count: 1024)
        forEach(from: 0, to: 65_536) { words[$0 >> 6] |= 1 << UInt64($0 & 63) }
        return words
    }

    /// Calls `body` with the rows from `first` up to `end`, ascending.
    func forEach(from first: Int, to end: Int, _ body: (Int) -> Void) {
        switch self {
        case .array(let rows):
            for row in rows where Int(row) >= first && Int(row) < end { body(Int(row)) }
        case .runs(let runs):
            for run in runs {
                let low = max(Int(run.first), first)
                let high = min(Int(run.last) + 1, end)
                if low < high { for row in low..<high { body(row) } }
            }
        case .bitmap(let words):
            guard first < end else { return }
            for index in (first >> 6)...((end - 1) >> 6) {
                var word = words[index]
                while word != 0 {
                    let row = index << 6 | word.trailingZeroBitCount
                    word &= word - 1
                    if row >= first && row < end { body(row) }
                }
            }
        }
    }
}
