// Sorting row numbers by 64-bit words.

import Base
import Columns

/// One run of a sorter over its rows: a column of words, or the next bytes of a text, are sorted by
/// radix; rows that are equal then go on with what comes next, each such range by itself.
final class RowSorting {
    private struct Entry {
        var key: UInt64
        var row: Int32
    }

    /// Rows that are equal in all steps before `step`, and in the first `offset` bytes of its texts.
    private struct Range {
        var start: Int
        var end: Int
        var step: Int
        var offset = 0
    }

    private let entries: UnsafeMutableBufferPointer<Entry>
    private let scratch: UnsafeMutableBufferPointer<Entry>
    /// Ranges to be sorted; not the call stack, for texts can be long and alike.
    private var ranges: [Range] = []
    /// Where the entries of each byte end, for each byte of a key.
    private let ends: UnsafeMutablePointer<Int>

    /// What a row takes while it is sorted, words of steps included.
    static let bytesPerRow = 2 * MemoryLayout<Entry>.stride + 3 * 8

    init(count: Int) {
        entries = .allocate(capacity: count)
        scratch = .allocate(capacity: count)
        ends = .allocate(capacity: 256 * 8)
        ends.initialize(repeating: 0, count: 256 * 8)
        for row in 0..<count {
            entries.initializeElement(at: row, to: Entry(key: 0, row: Int32(row)))
        }
        scratch.initialize(repeating: Entry(key: 0, row: 0))
    }

    deinit {
        entries.deallocate()
        scratch.deallocate()
        ends.deallocate()
    }

    /// Row numbers in the order of `steps`; equal rows stay in theirs.
    func sort(
        by steps: [RowSorter.Step], _ check: () throws(Problem) -> Void
    ) throws(Problem) -> [Int32] {
        add(Range(start: 0, end: entries.count, step: 0), steps)
        while let range = ranges.popLast() {
            switch steps[range.step] {
            case .words(let words):
                words.withUnsafeBufferPointer { words in
                    for place in range.start..<range.end {
                        entries[place].key = words[Int(entries[place].row)]
                    }
                }
                try sortKeys(range.start, range.end, check)
                addEqual(range, steps) { _ in nil }
            case .texts(let texts, let valid, let isDescending):
                let flip: UInt64 = isDescending ? ~0 : 0
                TextReader.with(texts) { reader in
                    for place in range.start..<range.end {
                        let row = Int(entries[place].row)
                        // All NULLs are equal, whatever stands in their rows.
                        let key = valid?[row] ?? true ? Self.key(reader[row], range.offset) : 0
                        entries[place].key = key ^ flip
                    }
                }
                try sortKeys(range.start, range.end, check)
                addEqual(range, steps) { key in
                    (key ^ flip) & 0xFF == Self.goesOn ? range.offset + Self.keyBytes : nil
                }
            case .values(let column, let isDescending):
                try sortValues(range, column, isDescending, steps, check)
            }
        }
        return entries.map(\.row)
    }

    /// A range of one row is sorted, and so is one that has nothing more to be compared.
    private func add(_ range: Range, _ steps: [RowSorter.Step]) {
        if range.end - range.start > 1, range.step < steps.count { ranges.append(range) }
    }

    /// Adds the ranges of equal keys within `range`: they go on with the next step, or with the same
    /// one at the offset that `goesOn` gives for their key.
    private func addEqual(
        _ range: Range, _ steps: [RowSorter.Step], goesOn: (UInt64) -> Int?
    ) {
        var start = range.start
        while start < range.end {
            let key = entries[start].key
            var end = start + 1
            while end < range.end, entries[end].key == key { end += 1 }
            if end - start > 1 {
                let offset = goesOn(key)
                add(
                    Range(
                        start: start, end: end, step: offset == nil ? range.step + 1 : range.step,
                        offset: offset ?? 0), steps)
            }
            start = end
        }
    }

    // MARK: Texts

    /// A key has so many bytes of a text, and below them how many bytes were left.
    private static let keyBytes = 7
    private static let goesOn: UInt64 = 8

    /// The bytes of `text` from `offset` on as a big-endian number with zeros behind them, and in the
    /// lowest byte their number, which tells a text from one with zero bytes at its end; 8 when there are
    /// more than 7.
    @inline(__always)
    private static func key(_ text: UnsafeRawBufferPointer, _ offset: Int) -> UInt64 {
        let left = text.count - offset
        if left >= 8 {
            let word = text.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            return UInt64(bigEndian: word) & ~0xFF | goesOn
        }
        var word: UInt64 = 0
        if text.count >= 8 {
            // The last eight bytes; those before the offset go out at the top.
            let tail = text.loadUnaligned(fromByteOffset: text.count - 8, as: UInt64.self)
            word = left == 0 ? 0 : UInt64(bigEndian: tail) << UInt64(64 - left * 8)
        } else {
            for place in offset..<text.count {
                word |= UInt64(text[place]) << UInt64(56 - (place - offset) * 8)
            }
        }
        return word | UInt64(left)
    }

    // MARK: Keys

    /// Ranges below this length are sorted by insertion.
    private static let smallCount = 24
    /// Rows that are sorted between two calls of `check`: some milliseconds.
    private static let rowsAtOnce = 1 << 16

    /// Sorts entries by their keys, by one byte after the other from the first in which they differ.
    /// `depth` counts the bytes that were looked at.
    private func sortKeys(
        _ start: Int, _ end: Int, depth: Int = 0, _ check: () throws(Problem) -> Void
    ) throws(Problem) {
        if end - start < Self.smallCount { return insert(start, end) }
        if end - start >= Self.rowsAtOnce { try check() }
        let first = entries[start].key
        var differing: UInt64 = 0
        for place in start..<end { differing |= entries[place].key ^ first }
        if differing == 0 { return }
        let shift = UInt64(max(0, 56 - differing.leadingZeroBitCount))
        let ends = ends + 256 * depth
        spread(start, end, shift, ends)
        if shift == 0 { return }
        var from = start
        for digit in 0..<256 {
            let to = ends[digit]
            if to - from > 1 { try sortKeys(from, to, depth: depth + 1, check) }
            from = to
        }
    }

    /// Brings entries into the order of the byte of their keys at `shift`, and sets `places` to the
    /// end of each byte's entries.
    private func spread(
        _ start: Int, _ end: Int, _ shift: UInt64, _ places: UnsafeMutablePointer<Int>
    ) {
        places.update(repeating: 0, count: 256)
        for place in start..<end { places[Int(entries[place].key >> shift & 0xFF)] += 1 }
        var sum = start
        for digit in 0..<256 {
            let count = places[digit]
            places[digit] = sum
            sum += count
        }
        for place in start..<end {
            let digit = Int(entries[place].key >> shift & 0xFF)
            scratch[places[digit]] = entries[place]
            places[digit] += 1
        }
        copyBack(start, end)
    }

    private func copyBack(_ start: Int, _ end: Int) {
        for place in start..<end { entries[place] = scratch[place] }
    }

    private func insert(_ start: Int, _ end: Int) {
        var place = start + 1
        while place < end {
            let entry = entries[place]
            var to = place
            while to > start, entries[to - 1].key > entry.key {
                entries[to] = entries[to - 1]
                to -= 1
            }
            entries[to] = entry
            place += 1
        }
    }

    // MARK: Values

    /// Nested values are compared as they are: pieces are sorted, and merged pair by pair.
    private func sortValues(
        _ range: Range, _ column: Column, _ isDescending: Bool, _ steps: [RowSorter.Step],
        _ check: () throws(Problem) -> Void
    ) throws(Problem) {
        func order(_ a: Entry, _ b: Entry) -> Int {
            let order = ValueOrder.compare(column.value(Int(a.row)), column.value(Int(b.row)))
            return isDescending ? -order : order
        }
        let pieceRows = 1 << 12
        for start in stride(from: range.start, to: range.end, by: pieceRows) {
            try check()
            entries[start..<min(start + pieceRows, range.end)].sort { order($0, $1) < 0 }
        }
        var length = pieceRows
        while length < range.end - range.start {
            for start in stride(from: range.start, to: range.end, by: 2 * length) {
                try check()
                let middle = min(start + length, range.end)
                let end = min(start + 2 * length, range.end)
                var (a, b, to) = (start, middle, start)
                while a < middle || b < end {
                    let takesB = a == middle || (b < end && order(entries[b], entries[a]) < 0)
                    scratch[to] = takesB ? entries[b] : entries[a]
                    if takesB { b += 1 } else { a += 1 }
                    to += 1
                }
                copyBack(start, end)
            }
            length *= 2
        }
        // Rows of equal values get the number of their value as their key.
        var number: UInt64 = 0
        entries[range.start].key = 0
        for place in (range.start + 1)..<range.end {
            if order(entries[place - 1], entries[place]) != 0 { number += 1 }
            entries[place].key = number
        }
        addEqual(range, steps) { _ in nil }
    }
}
