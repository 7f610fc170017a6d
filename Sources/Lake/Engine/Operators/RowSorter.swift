// Sorting rows by several columns.

import Base
import Columns
import SQL

package struct SortDirection {
    package var isDescending: Bool
    package var nullsFirst: Bool

    package init(isDescending: Bool, nullsFirst: Bool) {
        self.isDescending = isDescending
        self.nullsFirst = nullsFirst
    }

    init(_ key: SortKey) {
        isDescending = key.isDescending
        nullsFirst = key.nullsFirst
    }
}

/// Sorts row numbers. Each key becomes one or more columns of 64-bit words whose unsigned order is
/// the wanted one; texts and nested values stay as they are.
package struct RowSorter {
    /// One step of the comparison: words, or the values themselves.
    enum Step {
        case words([UInt64])
        case texts(TextColumn, Validity?, isDescending: Bool)
        case values(Column, isDescending: Bool)
    }

    private let count: Int
    /// The steps are those that any rows of these types need, so that rows of several sorters can be
    /// compared.
    private let isComplete: Bool
    private var steps: [Step] = []

    /// `comparable`: rows of several sorters are compared. Their columns have the layout of their
    /// types.
    package init(
        _ keys: [Column], _ directions: [SortDirection], count: Int, comparable: Bool = false
    ) {
        precondition(keys.count == directions.count, "each key has a direction")
        self.count = count
        isComplete = comparable
        for (key, direction) in zip(keys, directions) { add(key.flattened, direction) }
    }

    private mutating func add(_ column: Column, _ direction: SortDirection) {
        if case .null = column.data { return }
        if isComplete, column.validity == nil {
            let forValue: UInt64 = direction.nullsFirst ? 1 : 0
            steps.append(.words([UInt64](repeating: forValue, count: count)))
        }
        if let valid = column.validity {
            let (forNull, forValue): (UInt64, UInt64) = direction.nullsFirst ? (0, 1) : (1, 0)
            steps.append(.words((0..<count).map { valid[$0] ? forValue : forNull }))
        }
        let flip: UInt64 = direction.isDescending ? ~0 : 0
        let sign: UInt64 = 1 << 63
        let valid = column.validity
        func words(_ word: (Int) -> UInt64) {
            // All NULLs are equal, whatever stands in their rows.
            steps.append(.words((0..<count).map { valid?[$0] ?? true ? word($0) ^ flip : 0 }))
        }
        switch column.data {
        case .boolean(let values): words { UInt64(values[$0]) }
        case .int32(let values): words { UInt64(bitPattern: Int64(values[$0])) ^ sign }
        case .int64(let values): words { UInt64(bitPattern: values[$0]) ^ sign }
        case .float64(let values):
            // Negative floats in reverse, positive ones above them, NaN on top.
            words {
                let bits = KeyEncoder.word(values[$0])
                return bits & sign != 0 ? ~bits : bits | sign
            }
        case .int128(let values):
            let high: UInt64 = column.type == .uuid ? 0 : sign
            words { UInt64(truncatingIfNeeded: values[$0] >> 64) ^ high }
            words { UInt64(truncatingIfNeeded: values[$0]) }
        case .interval(let values):
            words {
                UInt64(truncatingIfNeeded: values[$0].comparisonMicroseconds >> 64) ^ sign
            }
            words { UInt64(truncatingIfNeeded: values[$0].comparisonMicroseconds) }
        case .text(let texts) where column.type != .json:
            if isComplete {
                // Most pairs of rows of several sorters are told apart by their first bytes.
                TextReader.with(texts) { reader in
                    words { Self.prefix(reader[$0]) }
                }
            }
            steps.append(.texts(texts, valid, isDescending: direction.isDescending))
        default: steps.append(.values(column, isDescending: direction.isDescending))
        }
    }

    /// The first eight bytes as a big-endian number.
    @inline(__always)
    private static func prefix(_ text: UnsafeRawBufferPointer) -> UInt64 {
        if text.count >= 8 { return UInt64(bigEndian: text.loadUnaligned(as: UInt64.self)) }
        var word: UInt64 = 0
        for byte in text { word = word << 8 | UInt64(byte) }
        return text.isEmpty ? 0 : word << UInt64(64 - text.count * 8)
    }

    /// Of each row of a key two words: where it comes among NULLs and values, and the beginning of its
    /// place among values. They are the same for all columns of a type. nil when values of the type
    /// have no such words.
    package static func leadingWords(
        _ key: Column, _ direction: SortDirection
    ) -> (nulls: [UInt64], values: [UInt64])? {
        let sorter = RowSorter([key], [direction], count: key.count, comparable: true)
        guard sorter.steps.count > 1, case .words(let nulls) = sorter.steps[0],
            case .words(let values) = sorter.steps[1]
        else { return nil }
        return (nulls, values)
    }

    /// The row numbers in order; equal rows stay in theirs. `check` is called now and then, and may
    /// end the sorting.
    package func sortedRows(_ check: () throws(Problem) -> Void = {}) throws(Problem) -> [Int32] {
        try RowSorting(count: count).sort(by: fused, check)
    }

    /// The steps with neighbouring columns of words made one where their numbers need few bits.
    private var fused: [Step] {
        var result: [Step] = []
        /// The words at the end of `result`, and how many of their bits are used.
        var last: [UInt64] = []
        var used = 64
        for step in steps {
            guard case .words(let words) = step else {
                result.append(step)
                used = 64
                continue
            }
            guard let least = words.min(), let greatest = words.max(), least < greatest else {
                continue
            }
            let bits = 64 - (greatest - least).leadingZeroBitCount
            if used + bits <= 64 {
                // Before it is changed, so that it need not be copied.
                result.removeLast()
                last.withUnsafeMutableBufferPointer { last in
                    for row in 0..<count {
                        last[row] = last[row] << UInt64(bits) | (words[row] - least)
                    }
                }
                used += bits
            } else {
                last = words
                used = bits
                for row in 0..<count { last[row] -= least }
            }
            result.append(.words(last))
        }
        return result
    }

    /// Negative when row `x` comes before row `y` of `other`, which sorts by the same keys; 0 when
    /// they are equal. Both were made to be comparable.
    package func order(_ x: Int, _ other: RowSorter, _ y: Int) -> Int {
        for (step, its) in zip(steps, other.steps) {
            let order: Int
            switch (step, its) {
            case (.words(let mine), .words(let others)):
                order = mine[x] == others[y] ? 0 : mine[x] < others[y] ? -1 : 1
            case (.texts(let texts, let valid, let isDescending), .texts(let others, _, _)):
                order = Self.order(texts, x, others, y, valid, isDescending)
            case (.values(let column, let isDescending), .values(let others, _)):
                order = Self.order(column, x, others, y, isDescending)
            default: preconditionFailure("sorters of the same keys have the same steps")
            }
            if order != 0 { return order }
        }
        return 0
    }

    /// `valid` is that of `x`: an earlier step has told NULLs from texts.
    @inline(__always)
    private static func order(
        _ texts: TextColumn, _ x: Int, _ others: TextColumn, _ y: Int, _ valid: Validity?,
        _ isDescending: Bool
    ) -> Int {
        if !(valid?[x] ?? true) { return 0 }
        let order = texts.withBytes(x) { left in
            others.withBytes(y) { right in compareBytes(left, right) }
        }
        return isDescending ? -order : order
    }

    private static func order(
        _ column: Column, _ x: Int, _ other: Column, _ y: Int, _ isDescending: Bool
    ) -> Int {
        let order = ValueOrder.compare(column.value(x), other.value(y))
        return isDescending ? -order : order
    }
}
