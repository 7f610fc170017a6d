import Base
import Columns
import Parquet
import Testing

private let schema = TableSchema([
    Field("id", .int64), Field("n", .int32), Field("text", .text), Field("x", .float64),
    Field("list", .list(.int64)),
    Field("pair", .structure([Field("a", .text), Field("b", .list(.int32))])),
    Field("price", .decimal(precision: 9, scale: 2)), Field("day", .date),
])

/// `id` ascends, so that pages differ in it; the others are random, NULLs included.
private func sample(_ count: Int, _ random: inout Random) -> ColumnBatch {
    let rows: [[Value]] = (0..<count).map { row in
        func maybe(_ value: Value) -> Value { random.chance(1, in: 6) ? .null : value }
        let number = Int64(random.below(40))
        return [
            .int(Int64(row / 3)), maybe(.int(number - 20)),
            maybe(
                .text(random.chance(1, in: 2) ? "t\(number)" : "a longer text, number \(number)")),
            maybe(random.chance(1, in: 9) ? .float(.nan) : .float(Double(number) / 4)),
            maybe(.list((0..<random.below(4)).map { maybe(.int(Int64($0))) })),
            maybe(
                .structure([
                    maybe(.text("s\(number)")),
                    maybe(.list((0..<random.below(3)).map { .int(Int64($0)) })),
                ])), maybe(.decimal(unscaled: Int128(number) * 25, scale: 2)),
            maybe(.date(days: Int32(number))),
        ]
    }
    return batch(
        schema.fields.enumerated().map { place, field in
            Column(field.type, rows.map { $0[place] })
        })
}

private func accepts(_ range: ValueRange, _ value: Value) -> Bool {
    if value.isNull { return range.acceptsNull }
    if range.lower == .null { return false }
    // NaN is above every number.
    if case .float(let number) = value, number.isNaN { return range.upper == nil }
    if let lower = range.lower, let order = order(of: value, lower), order < 0 { return false }
    if let upper = range.upper, let order = order(of: value, upper), order > 0 { return false }
    return true
}

private func condition(_ random: inout Random, rowCount: Int) -> ColumnCondition {
    func range(_ make: (Int64) -> Value, _ most: Int) -> ValueRange {
        let low = Int64(random.below(most))
        switch random.below(6) {
        case 0: return .equal(make(low))
        case 1: return ValueRange(lower: make(low))
        case 2: return ValueRange(upper: make(low))
        case 3: return .null
        case 4: return ValueRange(lower: make(low), acceptsNull: true)
        default: return ValueRange(lower: make(low), upper: make(low + Int64(random.below(5))))
        }
    }
    switch random.below(6) {
    case 0: return ColumnCondition("n", range({ .int($0 - 20) }, 40))
    case 1: return ColumnCondition("text", range({ .text("t\($0)") }, 40))
    case 2: return ColumnCondition("x", range({ .float(Double($0) / 4) }, 40))
    case 3:
        return ColumnCondition(
            "price", range({ .decimal(unscaled: Int128($0) * 25, scale: 2) }, 40))
    case 4: return ColumnCondition("day", range({ .date(days: Int32($0)) }, 40))
    default: return ColumnCondition("id", range({ .int($0) }, rowCount / 3))
    }
}

@Test(arguments: [0, 1, 2, 3])
func `a filtered read has exactly the rows that match, and says where they are`(
    kind: Int
) throws {
    var random = Random(seed: 40 + UInt64(kind))
    let rowCount = 700
    let rows = sample(rowCount, &random)
    var options = ParquetWriteOptions()
    options.pageRowsMax = 50
    options.rowGroupRowsMax = 400
    options.usesDictionaries = kind != 1
    options.writesPageIndex = kind != 2
    options.bloomFilterColumns = kind == 3 ? ["id", "n", "text", "day"] : []
    let file = try ParquetFile(try write(schema, [rows], options).file)
    for _ in 0..<60 {
        let conditions = (0..<1 + random.below(3)).map { _ in condition(&random, rowCount: rowCount)
        }
        let names = schema.fields.map(\.name).filter { _ in random.chance(2, in: 3) }
        var start = 0
        for group in file.rowGroups.indices {
            let count = file.rowGroups[group].rowCount
            let found = try file.read(rowGroup: group, columns: names, where: conditions)
            let expected = (0..<count).filter { row in
                conditions.allSatisfy { condition in
                    let place = schema.index(of: condition.column) ?? 0
                    return accepts(condition.range, rows.columns[place].value(start + row))
                }
            }
            #expect(found.rows.ranges.flatMap { Array($0) } == expected)
            #expect(found.batch.rowCount == expected.count)
            let candidates = try file.candidates(rowGroup: group, where: conditions)
            #expect(candidates.contains(found.rows))
            var batches = try file.batches(
                rowGroup: group, columns: names, where: conditions,
                batchRowsMax: 1 + random.below(90))
            var streamed = RowRanges()
            var parts: [ColumnBatch] = []
            while let part = try batches.next() {
                for range in part.rows.ranges { streamed.append(range) }
                #expect(part.batch.rowCount == part.rows.count && !part.rows.isEmpty)
                parts.append(part.batch)
            }
            #expect(streamed == found.rows)
            for (place, column) in found.batch.columns.enumerated() {
                let pieces = parts.flatMap { part in
                    (0..<part.rowCount).map { canonical(part.columns[place].value($0)) }
                }
                #expect(pieces == (0..<column.count).map { canonical(column.value($0)) })
            }
            for (name, column) in zip(names, found.batch.columns) {
                let place = schema.index(of: name) ?? 0
                let wanted = expected.map { canonical(rows.columns[place].value(start + $0)) }
                #expect((0..<column.count).map { canonical(column.value($0)) } == wanted, "\(name)")
            }
            start += count
        }
    }
}

@Test(arguments: golden.indices)
func `some rows of a golden file are the same rows of the whole file`(index: Int) throws {
    let file = try ParquetFile(try goldenBytes(golden[index].file))
    var random = Random(seed: UInt64(index))
    for group in file.rowGroups.indices {
        let whole = try file.read(rowGroup: group)
        guard whole.rowCount > 0 else { continue }
        for round in 0..<4 {
            let start = random.below(whole.rowCount)
            let wanted =
                round == 0
                ? Array(start..<whole.rowCount)
                : (0..<whole.rowCount).filter { _ in random.chance(1, in: 5) }
            let some = try file.read(
                rowGroup: group, rows: RowRanges(rows: wanted.map { Int32($0) }))
            #expect(some.rowCount == wanted.count)
            for (found, row) in wanted.enumerated() {
                #expect(some.values(found).map(canonical) == whole.values(row).map(canonical))
            }
        }
    }
}

@Test(arguments: golden.indices)
func `a golden file that is streamed has the same rows`(index: Int) throws {
    let content = try goldenBytes(golden[index].file)
    var options = ParquetReadOptions()
    options.windowBytes = 100
    for file in [try ParquetFile(content), try ParquetFile(content, options: options)] {
        for group in file.rowGroups.indices {
            let whole = try file.read(rowGroup: group)
            var row = 0
            var batches = try file.batches(rowGroup: group, batchRowsMax: 37)
            while let part = try batches.next() {
                #expect(part.rows == RowRanges(row..<row + part.batch.rowCount))
                for place in 0..<part.batch.rowCount {
                    #expect(
                        part.batch.values(place).map(canonical)
                            == whole.values(row + place).map(canonical))
                }
                row += part.batch.rowCount
            }
            #expect(row == whole.rowCount)
        }
    }
}

@Test func `a small row group is read at once and without its index`() throws {
    var random = Random(seed: 3)
    let content = try write(schema, [sample(700, &random)]).file
    let calls = Counter()
    let file = try ParquetFile(size: Int64(content.count)) { (position, count) in
        calls.add(1)
        return content[Int(position)..<min(content.count, Int(position) + count)]
    }
    let before = calls.total
    var batches = try file.batches(rowGroup: 0)
    var rowCount = 0
    while let part = try batches.next() { rowCount += part.batch.rowCount }
    #expect(rowCount == 700)
    #expect(calls.total - before == 1)
}

@Test func `pages without wanted rows are not read`() throws {
    let count = 10_000
    let columns = [
        Column(.int64, (0..<count).map { .int(Int64($0)) }),
        Column(.text, (0..<count).map { .text("a text that no other row has: \($0 * 7919)") }),
    ]
    let schema = TableSchema([Field("id", .int64), Field("text", .text)])
    var options = ParquetWriteOptions()
    options.pageRowsMax = 500
    options.codec = .uncompressed
    let content = try write(schema, [batch(columns)], options).file
    let read = Counter()
    let file = try ParquetFile(size: Int64(content.count)) { (position, count) in
        read.add(count)
        return content[Int(position)..<min(content.count, Int(position) + count)]
    }
    let before = read.total
    let condition = ColumnCondition("id", .equal(.int(7777)))
    let found = try file.read(rowGroup: 0, where: [condition])
    #expect(found.batch.rowCount == 1)
    #expect(found.rows == RowRanges(7777..<7778))
    #expect(
        found.batch.columns[1].value(0) == .text("a text that no other row has: \(7777 * 7919)"))
    // One page of each column, and the indexes.
    #expect(read.total - before < content.count / 10)
}

@Test func `a wrong page index costs time, not rows`() throws {
    var random = Random(seed: 5)
    let rows = sample(600, &random)
    var options = ParquetWriteOptions()
    options.pageRowsMax = 50
    let content = try write(schema, [rows], options).file.array
    let good = try ParquetFile(Bytes(content))
    let condition = ColumnCondition("id", ValueRange(lower: .int(30), upper: .int(60)))
    let expected = try good.read(rowGroup: 0, where: [condition])
    // The indexes stand between the last page and the footer.
    let footer =
        content.count - 8 - Int(content[content.count - 8]) - Int(content[content.count - 7]) * 256
    var agreed = 0
    for position in (footer - 900)..<footer {
        var damaged = content
        damaged[position] ^= UInt8(1 + random.below(255))
        let file = try ParquetFile(Bytes(damaged))
        let wanted = expected.rows
        do {
            let some = try file.read(rowGroup: 0, rows: wanted)
            for row in 0..<some.rowCount {
                #expect(
                    some.values(row).map(canonical) == expected.batch.values(row).map(canonical))
            }
            agreed += 1
        } catch {
            // Bytes of a page were hit, and its checksum said so.
        }
    }
    #expect(agreed > 600)
}

private final class Counter: @unchecked Sendable {
    // Read and written by the one thread of its test.
    private(set) var total = 0
    func add(_ count: Int) { total += count }
}

@Test func `ranges of rows meet as sets do`() {
    var random = Random(seed: 9)
    for _ in 0..<300 {
        let some = { Set((0..<60).filter { _ in random.chance(1, in: 3) }) }
        let (left, right) = (some(), some())
        let a = RowRanges(rows: left.sorted().map { Int32($0) })
        let b = RowRanges(rows: right.sorted().map { Int32($0) })
        let both = a.intersection(b)
        #expect(Set(both.ranges.flatMap { Array($0) }) == left.intersection(right))
        #expect(both.count == left.intersection(right).count)
        #expect(a.contains(both) && b.contains(both))
        let start = random.below(60)
        let range = start..<start + random.below(9)
        #expect(a.overlaps(range) == !left.isDisjoint(with: range))
    }
}

@Test func `a bloom filter denies what is not there and never what is`() throws {
    let count = 5000
    let columns = [
        Column(.uuid, (0..<count).map { .uuid(UInt128($0) * 0x1234_5678_9ABC_DEF1_2345) }),
        Column(.text, (0..<count).map { .text("user_\($0 * 3)") }),
    ]
    let schema = TableSchema([Field("id", .uuid), Field("user", .text)])
    var options = ParquetWriteOptions()
    options.bloomFilterColumns = ["id", "user"]
    options.rowGroupRowsMax = 2500
    let file = try ParquetFile(try write(schema, [batch(columns)], options).file)
    var falseAnswers = 0
    for number in stride(from: 0, to: count, by: 7) {
        let group = number / 2500
        let there = ColumnCondition("user", .equal(.text("user_\(number * 3)")))
        #expect(!(try file.candidates(rowGroup: group, where: [there])).isEmpty)
        let id = ColumnCondition("id", .equal(.uuid(UInt128(number) * 0x1234_5678_9ABC_DEF1_2345)))
        #expect(!(try file.candidates(rowGroup: group, where: [id])).isEmpty)
        // Between two others, so that bounds do not deny it.
        let missing = ColumnCondition("user", .equal(.text("user_\(number * 3 + 1)")))
        if !(try file.candidates(rowGroup: group, where: [missing])).isEmpty { falseAnswers += 1 }
    }
    #expect(falseAnswers < 20)
    #expect(try file.contradictions(rowGroup: 0).isEmpty)
}
