import Base
import Columns
import Testing

private let types: [ColumnType] = [
    .boolean, .int32, .int64, .float64, .decimal(precision: 20, scale: 2), .text, .interval,
    .list(.text), .structure([Field("a", .int32), Field("b", .list(.int64))]),
    .map(key: .text, value: .float64), .binary, .null, .uuid,
]

private func value(_ type: ColumnType, _ random: inout Random) -> Value {
    if random.chance(1, in: 5) { return .null }
    let number = Int64(random.below(1000)) - 500
    switch type {
    case .boolean: return .boolean(number > 0)
    case .int32, .int64: return .int(number)
    case .float64: return .float(Double(number) / 8)
    case .decimal: return .decimal(unscaled: Int128(number), scale: 2)
    case .text: return .text(String(repeating: "ä\(number)", count: random.below(5)))
    case .interval: return .interval(Interval(months: 1, days: Int32(number), microseconds: number))
    case .list(let element):
        return .list((0..<random.below(4)).map { _ in value(element, &random) })
    case .structure(let fields): return .structure(fields.map { value($0.type, &random) })
    case .map(let key, let content):
        return .map(
            (0..<random.below(3)).map { index in
                Value.MapEntry(key: .text("\(index)"), value: value(content, &random))
            }.map { entry in
                _ = key
                return entry
            })
    case .binary: return .binary((0..<random.below(30)).map { UInt8($0) })
    case .uuid: return .uuid(UInt128(truncatingIfNeeded: number))
    default: return .null
    }
}

private func batch(_ count: Int, _ random: inout Random) -> ColumnBatch {
    ColumnBatch(
        columns: types.map { type in
            Column(type, (0..<count).map { _ in value(type, &random) })
        }, rowCount: count)
}

private func rows(_ batch: ColumnBatch) -> [[Value]] {
    (0..<batch.rowCount).map { batch.values($0) }
}

@Test func `rows come back from their bytes, slices and gathered ones too`() throws {
    var random = Random(seed: 5)
    for _ in 0..<30 {
        let whole = batch(random.within(0...70), &random)
        let start = random.below(whole.rowCount + 1)
        let slice = whole.slice(start..<whole.rowCount)
        let picked = whole.gather(
            (0..<whole.rowCount).filter { _ in random.chance(1, in: 3) }.map { Int32($0) })
        for some in [whole, slice, picked] {
            let back = try ColumnBatch(decoding: some.encoded(), types: types)
            #expect(rows(back) == rows(some))
        }
    }
}

@Test func `dictionary codes become texts in the bytes`() throws {
    let values = Column(.text, [.text("short"), .text("a text of more than twelve bytes")])
    guard case .text(let texts) = values.data else { return }
    let column = Column(type: .text, data: .dictionary(codes: [1, 0, 1], values: texts))
    let whole = ColumnBatch(columns: [column], rowCount: 3)
    let back = try ColumnBatch(decoding: whole.encoded(), types: [.text])
    #expect(rows(back) == rows(whole))
}

@Test func `bytes that were cut or changed are an error or other rows, never a trap`() throws {
    var random = Random(seed: 6)
    let bytes = batch(20, &random).encoded()
    let array = bytes.withUnsafeBytes { [UInt8]($0) }
    for length in 0..<array.count {
        #expect(throws: DecodeFailure.self) {
            try ColumnBatch(decoding: Bytes(array[..<length]), types: types)
        }
    }
    for _ in 0..<3000 {
        var changed = array
        changed[random.below(changed.count)] ^= UInt8(1 << random.below(8))
        if let read = try? ColumnBatch(decoding: Bytes(changed), types: types) { _ = rows(read) }
    }
}

@Test func `rows wait in their parts and leave nothing on the disk`() throws {
    var random = Random(seed: 7)
    let disk = MemoryDisk()
    try disk.makeDirectory("spill")
    try disk.create("spill/left-over").close()
    let space = try ScratchSpace(disk: disk, folder: "spill")
    #expect(try space.fileCount() == 0)
    var expected: [[[Value]]] = [[], [], []]
    do {
        var spilled = try SpilledRows(types, parts: 3, in: space)
        for _ in 0..<10 {
            let some = batch(random.below(40), &random)
            let parts = (0..<some.rowCount).map { _ in Int32(random.below(3)) }
            for (row, part) in parts.enumerated() { expected[Int(part)].append(some.values(row)) }
            try spilled.append(some, dividedBy: parts)
        }
        #expect(try space.fileCount() == 1)
        for part in 0..<3 {
            var found: [[Value]] = []
            try spilled.forEachBatch(
                ofPart: part, { (batch) throws(StorageFailure) in found += rows(batch) },
                failing: { $0 })
            #expect(found == expected[part])
            #expect(spilled.rowCount(ofPart: part) == found.count)
        }
    }
    #expect(try space.fileCount() == 0)
}

@Test func `equal values have equal hashes in every layout`() {
    var random = Random(seed: 8)
    let words = (0..<200).map { _ in Value.text("word \(random.below(40)) of some length") }
    let texts = Column(.text, words)
    var distinct: [Value] = []
    for word in words where !distinct.contains(word) { distinct.append(word) }
    guard case .text(let known) = Column(.text, distinct).data else { return }
    let codes = words.map { word in Int32(distinct.firstIndex(of: word) ?? 0) }
    let coded = Column(type: .text, data: .dictionary(codes: codes, values: known))
    #expect(texts.hashes == coded.hashes)
    #expect(Set(texts.hashes ?? []).count == distinct.count)
    #expect(Column(.float64, [.float(0)]).hashes == nil)
    let empty = Column(.int64, [.null, .int(0)])
    #expect(empty.hashes?[0] != empty.hashes?[1])
}

@Test func `texts that keep little of their buffer get one of their own`() {
    let long = Column(.text, (0..<1000).map { .text("a text that is longer than a view \($0)") })
    guard case .text(let texts) = long.data else { return }
    let few = texts.gather([3, 500])
    #expect(few.detachedIfSparse.buffers.reduce(0) { $0 + $1.count } < 100)
    #expect(few.detachedIfSparse.string(1) == few.string(1))
    #expect(texts.detachedIfSparse.buffers.count == texts.buffers.count)
}
