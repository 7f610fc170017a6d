// Which rows of a column a range of values accepts.

import Base
import Columns

extension Column {
    /// The rows whose value is in `range`, ascending; nil when it cannot be told.
    package func rows(in range: ValueRange) -> [Int32]? {
        ValueFilter(range, type).rows(of: data, validity, 0..<count)
    }
}

/// Looks for the values of a range. Rows are kept without a branch for each, since which of them
/// match is as good as random.
struct ValueFilter {
    let range: ValueRange
    let type: ColumnType

    init(_ range: ValueRange, _ type: ColumnType) {
        self.range = range
        self.type = type
    }

    /// The rows of `window` whose value is in the range, counted from its begin, ascending; of those
    /// `among` when there are such. nil when it cannot be told.
    func rows(
        of data: ColumnData, _ validity: Validity?, _ window: Range<Int>, among: [Int32]? = nil
    ) -> [Int32]? {
        let part = Part(
            window: window, among: among, validity: validity, acceptsNull: range.acceptsNull)
        if range.lower == .null || range.upper == .null { return part.nulls }
        switch data {
        case .int32(let values):
            guard let range = range.integers else { return nil }
            guard range.lowerBound <= Int32.max, range.upperBound >= Int32.min else {
                return part.nulls
            }
            let (low, high) = (Int32(clamping: range.lowerBound), Int32(clamping: range.upperBound))
            return part.rows(values) { $0 >= low && $0 <= high }
        case .int64(let values):
            guard let range = range.integers else { return nil }
            let (low, high) = (range.lowerBound, range.upperBound)
            return part.rows(values) { $0 >= low && $0 <= high }
        case .float64(let values):
            guard let (low, high) = range.floats else { return nil }
            // NaN is above every number, as PostgreSQL has it.
            let acceptsNaN = range.upper == nil
            return part.rows(values) { $0 >= low && $0 <= high || acceptsNaN && $0.isNaN }
        case .int128(let values):
            guard let (low, high) = range.wide(type) else { return nil }
            return part.rows(values) { $0 >= low && $0 <= high }
        case .text(let values):
            guard let range = range.texts(type) else { return nil }
            return part.rows(values.views) { values.isIn(range, $0) }
        case .dictionary(let codes, let values):
            guard let flags = flags(.text(values), count: values.count) else { return nil }
            return part.rows(codes) { Int($0) < flags.count && $0 >= 0 && flags[Int($0)] }
        case .null: return part.nulls
        default: return nil
        }
    }

    /// Of codes: the rows of those whose flag is set.
    func rows(
        ofCodes codes: [Int32], _ flags: [Bool], _ validity: Validity?, _ window: Range<Int>,
        among: [Int32]?
    ) -> [Int32] {
        let part = Part(
            window: window, among: among, validity: validity, acceptsNull: range.acceptsNull)
        if range.lower == .null || range.upper == .null { return part.nulls }
        return part.rows(codes, flags)
    }

    /// For each value of a dictionary whether it is accepted; nil when it cannot be told.
    func flags(_ dictionary: ColumnData, count: Int) -> [Bool]? {
        guard let rows = rows(of: dictionary, nil, 0..<count) else { return nil }
        var flags = [Bool](repeating: false, count: count)
        for row in rows { flags[Int(row)] = true }
        return flags
    }
}

/// The rows that are looked at.
struct Part {
    let window: Range<Int>
    /// Counted from the begin of the window; nil for all of it.
    let among: [Int32]?
    let validity: Validity?
    let acceptsNull: Bool

    /// The rows that are NULL, if these are accepted.
    var nulls: [Int32] {
        guard acceptsNull, let validity else { return [] }
        return kept { !validity[window.lowerBound + Int($0)] }
    }

    @inline(__always)
    func rows<T>(_ values: [T], _ isWanted: (T) -> Bool) -> [Int32] {
        values.withUnsafeBufferPointer { values in
            let base = window.lowerBound
            guard let validity else { return kept { isWanted(values[base + Int($0)]) } }
            return kept { row in
                let place = base + Int(row)
                return validity[place] ? isWanted(values[place]) : acceptsNull
            }
        }
    }

    /// `flags` has one for each code.
    func rows(_ codes: [Int32], _ flags: [Bool]) -> [Int32] {
        flags.withUnsafeBufferPointer { flags in
            rows(codes) { flags[Int($0)] }
        }
    }

    @inline(__always)
    private func kept(_ isWanted: (Int32) -> Bool) -> [Int32] {
        [Int32](unsafeUninitializedCapacity: among?.count ?? window.count) { target, count in
            var kept = 0
            if let among {
                for row in among {
                    target[kept] = row
                    kept &+= isWanted(row) ? 1 : 0
                }
            } else {
                for row in 0..<Int32(window.count) {
                    target[kept] = row
                    kept &+= isWanted(row) ? 1 : 0
                }
            }
            count = kept
        }
    }
}

extension ValueRange {
    /// Of integers, dates and moments.
    fileprivate var integers: ClosedRange<Int64>? {
        func number(_ value: Value?, _ open: Int64) -> Int64? {
            switch value {
            case nil: open
            case .int(let number), .timestamp(let number), .timestampTZ(let number): number
            case .date(let days): Int64(days)
            default: nil
            }
        }
        guard let low = number(lower, .min), let high = number(upper, .max) else { return nil }
        return low <= high ? low...high : nil
    }

    /// Of floats, as far as whole numbers are exact in them.
    fileprivate var floats: (low: Double, high: Double)? {
        func number(_ value: Value?, _ open: Double) -> Double? {
            switch value {
            case nil: open
            case .float(let number): number.isNaN ? nil : number
            case .int(let number): number.magnitude <= 1 << 53 ? Double(number) : nil
            default: nil
            }
        }
        guard let low = number(lower, -.infinity), let high = number(upper, .infinity) else {
            return nil
        }
        return (low, high)
    }

    /// Of decimals with the scale of `type`.
    fileprivate func wide(_ type: ColumnType) -> (low: Int128, high: Int128)? {
        guard case .decimal(_, let wanted) = type else { return nil }
        func number(_ value: Value?, _ open: Int128) -> Int128? {
            switch value {
            case nil: return open
            case .decimal(let unscaled, let scale) where scale == wanted: return unscaled
            case .int(let number):
                let factor = (0..<wanted).reduce(Int128(1)) { value, _ in value * 10 }
                let (product, overflow) = Int128(number).multipliedReportingOverflow(by: factor)
                return overflow ? nil : product
            default: return nil
            }
        }
        guard let low = number(lower, .min), let high = number(upper, .max) else { return nil }
        return (low, high)
    }

    /// Of texts and bytes.
    fileprivate func texts(_ type: ColumnType) -> TextRange? {
        func bytes(_ value: Value?) -> [UInt8]?? {
            switch value {
            case nil: .some(nil)
            case .text(let text) where type == .text: Array(text.utf8)
            case .binary(let bytes) where type == .binary: bytes
            default: nil
            }
        }
        guard let low = bytes(lower), let high = bytes(upper) else { return nil }
        return TextRange(low: low, high: high)
    }
}

/// Bounds of texts or bytes, both inclusive.
private struct TextRange {
    let low: [UInt8]?
    let high: [UInt8]?
    /// The length of the only text in the range.
    let onlyCount: Int?

    init(low: [UInt8]?, high: [UInt8]?) {
        self.low = low
        self.high = high
        onlyCount = low == high ? low?.count : nil
    }
}

extension TextColumn {
    fileprivate func isIn(_ range: TextRange, _ view: TextView) -> Bool {
        // Most values differ from a wanted one in their length already.
        if let count = range.onlyCount, view.count != count { return false }
        return withBytes(of: view) { value in
            if let low = range.low, value.lexicographicallyPrecedes(low) { return false }
            if let high = range.high, high.lexicographicallyPrecedes(value) { return false }
            return true
        }
    }
}
