// The payload of a topic's records (one JSON object each) into columns with declared types.
//
// A record is read member by member. Between two values the bytes are compared with what the record
// before had there (`KeyTemplate`); a value that has the usual form of its type is stored without
// anything being looked at twice (`ColumnLane.takeUsual`). Whatever is not usual goes the long way
// through `JSONScanner`, member by member, and means the same. Texts without escapes become views
// over the received bytes: nothing is copied and nothing is allocated for a record.

import Base
import Columns

/// Turns JSON objects into columns. A payload that is no JSON object gives a row of NULLs and an
/// entry in `errors`; a member that does not fit its column's type gives NULL and an entry.
package struct JSONRowDecoder: ~Copyable {
    private let lanes: UnsafeMutablePointer<ColumnLane>
    private let laneCount: Int
    /// One bit for each column that has a value in the row being read.
    private let filled: UnsafeMutablePointer<UInt64>
    private let filledWords: Int
    private var template = KeyTemplate()
    private var form = JSONForm()
    private let takesShortcuts: Bool
    /// Number 0 is the place of a lane's own texts.
    private var buffers: [Bytes] = [.empty]
    private var rows = 0
    private var capacity = 0
    package private(set) var errors: [RowError] = []

    /// Why row `row` could not be decoded as declared.
    package struct RowError: Equatable, Sendable {
        package var row: Int
        package var message: String

        package init(row: Int, message: String) {
            self.row = row
            self.message = message
        }
    }

    /// Without `takesShortcuts` every member is read the long way: for tests, which compare.
    package init(fields: [Field], takesShortcuts: Bool = true) {
        self.takesShortcuts = takesShortcuts
        laneCount = fields.count
        lanes = .allocate(capacity: max(fields.count, 1))
        for (index, field) in fields.enumerated() {
            (lanes + index).initialize(to: ColumnLane(field))
        }
        filledWords = (fields.count + 63) / 64
        filled = .allocate(capacity: max(filledWords, 1))
    }

    deinit {
        for index in 0..<laneCount { lanes[index].deallocate() }
        lanes.deinitialize(count: laneCount)
        lanes.deallocate()
        filled.deallocate()
        template.deallocate()
    }

    package var rowCount: Int { rows }

    /// Decodes one payload; nil (a tombstone) gives a row of NULLs without an error.
    package mutating func append(_ payload: Bytes?) {
        guard let payload else { return appendAbsent() }
        share(payload)
        payload.withUnsafeBytes { append($0, position: payload.start) }
    }

    /// Says that the payloads that follow lie in the storage of `bytes`.
    package mutating func share(_ bytes: Bytes) {
        if buffers.count > 1, buffers[buffers.count - 1].storage === bytes.storage { return }
        buffers.append(Bytes(storage: bytes.storage, start: 0, count: bytes.storage.count))
    }

    /// A row of NULLs.
    package mutating func appendAbsent() {
        beginRow()
        finishRow()
    }

    /// Decodes the payload `raw`, which begins at `position` of the storage that is shared.
    package mutating func append(_ raw: UnsafeRawBufferPointer, position: Int) {
        beginRow()
        let failure =
            isValidUTF8(raw)
            ? decodeObject(raw, base: position) : "the payload is not valid UTF-8"
        if let failure {
            // Takes back what the broken record had given so far.
            for word in 0..<filledWords { filled[word] = 0 }
            errors.append(RowError(row: rows, message: failure))
        }
        finishRow()
    }

    /// The columns in declared order; the decoder starts again from no rows.
    package mutating func finish() -> [Column] {
        defer {
            rows = 0
            buffers = [.empty]
            errors = []
        }
        return (0..<laneCount).map { lanes[$0].finish(rows: rows, buffers: buffers) }
    }

    // MARK: One row

    @inline(__always)
    private mutating func beginRow() {
        if rows == capacity {
            capacity = max(64, capacity * 2)
            for index in 0..<laneCount { lanes[index].reserve(capacity, used: rows) }
        }
        for word in 0..<filledWords { filled[word] = 0 }
    }

    @inline(__always)
    private mutating func finishRow() {
        for word in 0..<filledWords {
            let last = min(64, laneCount &- word &* 64)
            let all: UInt64 = last == 64 ? ~0 : (1 &<< UInt64(last)) &- 1
            var missing = all & ~filled[word]
            while missing != 0 {
                lanes[word &* 64 &+ missing.trailingZeroBitCount].putNull(rows)
                missing &= missing &- 1
            }
        }
        rows &+= 1
    }

    @inline(__always)
    private func mark(_ column: Int) { filled[column &>> 6] |= 1 &<< UInt64(column & 63) }

    /// Returns what is wrong with the payload as a whole, or nil.
    private mutating func decodeObject(_ raw: UnsafeRawBufferPointer, base: Int) -> String? {
        guard let bytes = raw.baseAddress else {
            return "the payload is not a JSON object (position 0)"
        }
        let count = raw.count
        let buffer = buffers.count - 1
        var position = 0
        var expected = 0
        while true {
            var column = -1
            let gap =
                takesShortcuts
                ? template.match(
                    expected, bytes + position, count &- position, isFirst: position == 0, &column)
                : 0
            if gap > 0 {
                position &+= gap
                expected &+= 1
            } else {
                if position > 0, position &+ 1 == count,
                    bytes.load(
                        fromByteOffset: position, as: UInt8.self) == 0x7D
                {
                    return nil
                }
                switch nextKey(raw, base, &position, &expected) {
                case .column(let found): column = found
                case .end: return nil
                case .failure(let message): return message
                }
            }
            if column >= 0 {
                if takesShortcuts, position < count {
                    let end = lanes[column].takeUsual(
                        raw, position, buffer: buffer, base: base, row: rows, &form)
                    if end >= 0 {
                        mark(column)
                        position = end
                        continue
                    }
                }
                // Of equal keys the last wins, also when it has no value.
                filled[column &>> 6] &= ~(1 &<< UInt64(column & 63))
            }
            var scanner = JSONScanner(raw, base: base, at: position)
            guard decodeMember(column, &scanner, buffer) else { return malformed(scanner) }
            position = scanner.position
        }
    }

    private enum Key {
        /// A key and its colon were passed; the value of this column comes, -1 = of none.
        case column(Int)
        /// The object and the payload are at their end.
        case end
        case failure(String)
    }

    /// Passes what stands between two values the long way.
    @inline(never)
    private mutating func nextKey(
        _ raw: UnsafeRawBufferPointer, _ base: Int, _ position: inout Int, _ expected: inout Int
    ) -> Key {
        let start = position
        var scanner = JSONScanner(raw, base: base, at: position)
        scanner.skipSpace()
        if start == 0 {
            guard scanner.take(0x7B) else {
                return .failure(
                    "the payload is not a JSON object (position \(scanner.position))")
            }
            scanner.skipSpace()
            if scanner.take(0x7D) { return trailing(&scanner) }
        } else if scanner.take(0x7D) {
            return trailing(&scanner)
        } else if !scanner.take(0x2C) {
            return .failure(malformed(scanner))
        }
        scanner.skipSpace()
        guard let key = scanner.string() else { return .failure(malformed(scanner)) }
        scanner.skipSpace()
        guard scanner.take(0x3A) else { return .failure(malformed(scanner)) }
        scanner.skipSpace()
        position = scanner.position
        let written = scanner.bytes(of: key)
        let column: Int
        if key.isEscaped {
            let meaning = unescapeJSON(written)
            column = meaning.withUnsafeBytes { self.column(named: $0) }
        } else {
            column = self.column(named: written)
        }
        if takesShortcuts {
            expected = template.learn(
                UnsafeRawBufferPointer(rebasing: raw[start..<position]), column,
                isFirst: start == 0, expected: expected)
        }
        return .column(column)
    }

    private func column(named name: UnsafeRawBufferPointer) -> Int {
        for index in 0..<laneCount
        where lanes[index].name.count == name.count && lanes[index].name.elementsEqual(name) {
            return index
        }
        return -1
    }

    private func malformed(_ scanner: JSONScanner) -> String {
        "the payload is not valid JSON (position \(scanner.position))"
    }

    private func trailing(_ scanner: inout JSONScanner) -> Key {
        scanner.skipSpace()
        return scanner.isAtEnd ? .end : .failure(malformed(scanner))
    }

    /// Consumes one value; false when it is not JSON.
    @inline(never)
    private mutating func decodeMember(
        _ column: Int, _ scanner: inout JSONScanner, _ buffer: Int
    ) -> Bool {
        guard column >= 0 else { return scanner.skipValue(depth: 0) }
        switch lanes[column].take(&scanner, buffer: buffer, row: rows) {
        case .value: mark(column)
        case .null: break
        case .mismatch(let message): errors.append(RowError(row: rows, message: message))
        case .malformed: return false
        }
        return true
    }
}
