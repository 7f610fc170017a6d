// FlatBuffers, as far as Arrow's messages need them: https://flatbuffers.dev/internals/
//
// A buffer is written from its end to its beginning, so that what is referred to is there first.
// References are unsigned 32-bit distances forward; a table begins with the signed distance back to
// its vtable: | bytes of vtable u16 | bytes of table u16 | place of field 0 u16 | … |, place 0 = absent.

/// Writes one FlatBuffer. Offsets are counted from the end of the buffer.
struct FlatBufferBuilder {
    /// The buffer so far, last byte first.
    private var reversed: [UInt8] = []
    private var largestAlignment = 4
    /// Fields of the table that is being written: number and place.
    private var fields: [(number: Int, place: Int)] = []
    private var tableEnd = 0

    private var place: Int { reversed.count }

    /// Pads so that, once `bytes` more are written, the place is a multiple of `size`.
    private mutating func align(_ size: Int, after bytes: Int = 0) {
        largestAlignment = max(largestAlignment, size)
        while (place + bytes) % size != 0 { reversed.append(0) }
    }

    private mutating func push(_ value: UInt64, _ size: Int) {
        for index in (0..<size).reversed() {
            reversed.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * index)))
        }
    }

    private mutating func pushReference(_ target: Int) {
        align(4)
        push(UInt64(place + 4 - target), 4)
    }

    // MARK: Strings and vectors

    mutating func string(_ text: String) -> Int {
        let bytes = Array(text.utf8)
        align(4, after: bytes.count + 1)
        reversed.append(0)
        reversed.append(contentsOf: bytes.reversed())
        push(UInt64(bytes.count), 4)
        return place
    }

    /// References to tables or strings.
    mutating func vector(_ targets: [Int]) -> Int {
        align(4, after: 4 * targets.count)
        for target in targets.reversed() { pushReference(target) }
        push(UInt64(targets.count), 4)
        return place
    }

    /// Structures of 64-bit numbers, `width` numbers each.
    mutating func vector(structures words: [Int64], width: Int) -> Int {
        align(4, after: 8 * words.count)
        align(8, after: 8 * words.count)
        for word in words.reversed() { push(UInt64(bitPattern: word), 8) }
        push(UInt64(words.count / width), 4)
        return place
    }

    // MARK: Tables

    /// Begins a table; what it refers to must have been written.
    mutating func beginTable() {
        fields = []
        tableEnd = place
    }

    mutating func field(_ number: Int, _ value: some FixedWidthInteger) {
        let size = value.bitWidth / 8
        align(size)
        push(UInt64(truncatingIfNeeded: value), size)
        fields.append((number, place))
    }

    mutating func field(_ number: Int, reference target: Int) {
        pushReference(target)
        fields.append((number, place))
    }

    mutating func endTable() -> Int {
        align(4)
        push(0, 4)
        let table = place
        let count = (fields.map(\.number).max() ?? -1) + 1
        var entries = [UInt16](repeating: 0, count: count)
        for field in fields { entries[field.number] = UInt16(table - field.place) }
        for entry in entries.reversed() { push(UInt64(entry), 2) }
        push(UInt64(table - tableEnd), 2)
        push(UInt64(4 + 2 * count), 2)
        // The distance to the vtable stands in the first four bytes of the table.
        let distance = UInt32(place - table)
        for index in 0..<4 {
            reversed[table - 1 - index] = UInt8(truncatingIfNeeded: distance >> UInt32(8 * index))
        }
        return table
    }

    /// The finished buffer with `root` as its root table.
    mutating func finish(root: Int) -> [UInt8] {
        align(max(largestAlignment, 8), after: 4)
        pushReference(root)
        return reversed.reversed()
    }
}
