// The values of a leaf without its NULLs, on their way from pages into a column.

import Columns

/// The values at `places`, counted from `base`; each is a valid index.
func pick<T>(_ values: [T], _ places: ArraySlice<Int32>, from base: Int32 = 0) -> [T] {
    [T](unsafeUninitializedCapacity: places.count) { target, initialized in
        values.withUnsafeBufferPointer { values in
            places.withUnsafeBufferPointer { places in
                for index in 0..<places.count {
                    target.initializeElement(
                        at: index, to: values[Int(truncatingIfNeeded: base &+ places[index])])
                }
            }
        }
        initialized = places.count
    }
}

/// The values at `places`, counted from `base`; each is a valid index.
func gather(_ data: ColumnData, _ places: ArraySlice<Int32>, from base: Int32 = 0) -> ColumnData {
    switch data {
    case .boolean(let values): return .boolean(pick(values, places, from: base))
    case .int32(let values): return .int32(pick(values, places, from: base))
    case .int64(let values): return .int64(pick(values, places, from: base))
    case .float64(let values): return .float64(pick(values, places, from: base))
    case .int128(let values): return .int128(pick(values, places, from: base))
    case .text(let values):
        return .text(
            TextColumn(views: pick(values.views, places, from: base), buffers: values.buffers))
    case .dictionary(let codes, let values):
        return .dictionary(codes: pick(codes, places, from: base), values: values)
    case .interval(let values): return .interval(pick(values, places, from: base))
    case .null: return .null(count: places.count)
    case .list, .structure, .map: preconditionFailure("not the values of a leaf")
    }
}

extension ColumnData {
    /// Whether each row has one value of its own.
    var isFlat: Bool {
        switch self {
        case .list, .structure, .map: false
        default: true
        }
    }
}

/// The values `range`; texts share what they refer to.
func sliced(_ data: ColumnData, _ range: Range<Int>) -> ColumnData {
    switch data {
    case .boolean(let values): return .boolean(Array(values[range]))
    case .int32(let values): return .int32(Array(values[range]))
    case .int64(let values): return .int64(Array(values[range]))
    case .float64(let values): return .float64(Array(values[range]))
    case .int128(let values): return .int128(Array(values[range]))
    case .text(let values): return .text(values.slice(range))
    case .interval(let values): return .interval(Array(values[range]))
    case .null: return .null(count: range.count)
    case .dictionary, .list, .structure, .map: preconditionFailure("not the values of a leaf")
    }
}

/// The values of `pages`, one below the other. All have the layout of the first.
func joined(_ pages: [ColumnData]) -> ColumnData? {
    guard let first = pages.first else { return nil }
    if pages.count == 1 { return first }
    func all<T>(_ values: (ColumnData) -> [T]?) -> [T] {
        var result: [T] = []
        let parts = pages.compactMap(values)
        result.reserveCapacity(parts.reduce(0) { $0 + $1.count })
        for part in parts { result += part }
        return result
    }
    switch first {
    case .boolean:
        return .boolean(all { if case .boolean(let values) = $0 { values } else { nil } })
    case .int32: return .int32(all { if case .int32(let values) = $0 { values } else { nil } })
    case .int64: return .int64(all { if case .int64(let values) = $0 { values } else { nil } })
    case .float64:
        return .float64(all { if case .float64(let values) = $0 { values } else { nil } })
    case .int128: return .int128(all { if case .int128(let values) = $0 { values } else { nil } })
    case .interval:
        return .interval(all { if case .interval(let values) = $0 { values } else { nil } })
    case .text, .dictionary: return joinedTexts(pages)
    case .null:
        return .null(
            count: pages.reduce(0) { if case .null(let count) = $1 { $0 + count } else { $0 } })
    case .list, .structure, .map: preconditionFailure("not the values of a leaf")
    }
}

/// Codes of one dictionary stay codes; as soon as one page has texts, all become texts.
private func joinedTexts(_ pages: [ColumnData]) -> ColumnData {
    var codes: [Int32] = []
    var dictionary: TextColumn?
    for page in pages {
        guard case .dictionary(let more, let values) = page else {
            dictionary = nil
            break
        }
        codes += more
        dictionary = values
    }
    if let dictionary { return .dictionary(codes: codes, values: dictionary) }
    var texts = TextColumn()
    for page in pages {
        switch page {
        case .text(let values): texts.append(values)
        case .dictionary(let codes, let values):
            if case .text(let picked) = gather(.text(values), codes[...]) { texts.append(picked) }
        default: break
        }
    }
    return .text(texts)
}

/// One row for each bit of `validity`: the next value where it is set, a zero where it is not.
func expanded(_ data: ColumnData, by validity: Validity) -> ColumnData {
    func spread<T>(_ dense: [T], _ zero: T) -> [T] {
        if dense.isEmpty { return [T](repeating: zero, count: validity.count) }
        return [T](unsafeUninitializedCapacity: validity.count) { target, initialized in
            dense.withUnsafeBufferPointer { dense in
                var from = 0
                for (index, word) in validity.words.enumerated() {
                    let start = index * 64
                    let count = min(64, validity.count - start)
                    // Whole words of one kind are common, so they are copied at once.
                    if word == ~0 {
                        for row in 0..<64 {
                            target.initializeElement(at: start + row, to: dense[from + row])
                        }
                        from += 64
                        continue
                    }
                    for row in 0..<count { target.initializeElement(at: start + row, to: zero) }
                    // Bit after bit: asking each row would be guessed wrong too often.
                    var bits = word
                    while bits != 0 {
                        target[start &+ bits.trailingZeroBitCount] = dense[from]
                        from &+= 1
                        bits &= bits &- 1
                    }
                }
            }
            initialized = validity.count
        }
    }
    switch data {
    case .boolean(let values): return .boolean(spread(values, 0))
    case .int32(let values): return .int32(spread(values, 0))
    case .int64(let values): return .int64(spread(values, 0))
    case .float64(let values): return .float64(spread(values, 0))
    case .int128(let values): return .int128(spread(values, 0))
    case .text(let values):
        return .text(TextColumn(views: spread(values.views, .empty), buffers: values.buffers))
    case .dictionary(let codes, let values):
        return .dictionary(codes: spread(codes, 0), values: values)
    case .interval(let values): return .interval(spread(values, Interval()))
    case .null: return .null(count: validity.count)
    case .list, .structure, .map: preconditionFailure("not the values of a leaf")
    }
}
