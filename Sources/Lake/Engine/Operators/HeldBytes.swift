// What columns take in memory that are kept together.

import Base
import Columns

/// Counts what columns take that are kept together. Texts are views of buffers that many columns may
/// share, and one row keeps all of its buffer alive: each buffer counts once, as a whole.
struct HeldBytes {
    /// All that is held.
    private(set) var count = 0
    /// What the rows themselves need of it: all that would be held if their texts were copied.
    private(set) var needed = 0
    private var buffers: Set<ObjectIdentifier> = []
    /// The list of buffers seen last: columns that follow each other often share it.
    private var last: (first: ObjectIdentifier, count: Int)?

    mutating func add(_ columns: [Column]) { for column in columns { add(column) } }

    mutating func add(_ column: Column) {
        let validityBytes = column.validity == nil ? 0 : column.count / 8
        switch column.data {
        case .boolean(let values): fixed(values.count + validityBytes)
        case .int32(let values): fixed(values.count * 4 + validityBytes)
        case .int64(let values): fixed(values.count * 8 + validityBytes)
        case .float64(let values): fixed(values.count * 8 + validityBytes)
        case .int128(let values): fixed(values.count * 16 + validityBytes)
        case .interval(let values): fixed(values.count * 16 + validityBytes)
        case .text(let texts):
            fixed(texts.views.count * 16 + validityBytes)
            for view in texts.views where !view.isInline { needed += view.count }
            shared(texts.buffers)
        case .dictionary(let codes, let values):
            // As they would be without their dictionary.
            fixed(codes.count * 20 + validityBytes)
            shared(values.buffers)
        case .list(let offsets, let element):
            fixed(offsets.count * 4 + validityBytes)
            add(element)
        case .map(let offsets, let key, let value):
            fixed(offsets.count * 4 + validityBytes)
            add(key)
            add(value)
        case .structure(let members):
            fixed(validityBytes)
            for member in members { add(member) }
        case .null: fixed(8)
        }
    }

    private mutating func fixed(_ bytes: Int) {
        count += bytes
        needed += bytes
    }

    private mutating func shared(_ list: [Bytes]) {
        guard let first = list.first else { return }
        let identity = ObjectIdentifier(first.storage)
        if let last, last.first == identity, last.count == list.count { return }
        last = (identity, list.count)
        for buffer in list where buffers.insert(ObjectIdentifier(buffer.storage)).inserted {
            count += buffer.storage.count
        }
    }
}
