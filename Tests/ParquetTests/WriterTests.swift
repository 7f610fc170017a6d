import Base
import Columns
import Parquet
import Testing

private let schema = TableSchema([Field("id", .int64), Field("text", .text)])

private func sample(_ count: Int) -> ColumnBatch {
    batch([
        Column(.int64, (0..<count).map { .int(Int64($0)) }),
        Column(.text, (0..<count).map { .text("some text \($0 % 10)") }),
    ])
}

private func failure(_ body: () throws -> Void) -> String? {
    do {
        try body()
        return nil
    } catch {
        return (error as? ParquetFailure)?.description
    }
}

@Test func `the same rows make the same bytes however they are batched`() throws {
    let whole = sample(1000)
    var options = ParquetWriteOptions()
    options.rowGroupRowsMax = 300
    options.pageRowsMax = 70
    let once = try write(schema, [whole], options).file
    let pieces = stride(from: 0, to: 1000, by: 64).map { whole.slice($0..<min($0 + 64, 1000)) }
    #expect(try write(schema, pieces, options).file == once)
    #expect(try write(schema, [whole], options).file == once)
}

@Test func `a dictionary is used where it makes the file smaller`() throws {
    func texts(_ distinct: Int) throws -> ColumnData {
        let values = (0..<20_000).map { Value.text("a value of some length \($0 % distinct)") }
        let file = try write(
            TableSchema([Field("text", .text)]), [batch([Column(.text, values)])]
        ).file
        return try ParquetFile(file).read(rowGroup: 0).columns[0].data
    }
    guard case .dictionary(_, let values) = try texts(50) else {
        Issue.record("a dictionary is expected")
        return
    }
    #expect(values.count == 50)
    guard case .text = try texts(20_000) else {
        Issue.record("no dictionary is expected")
        return
    }
    var options = ParquetWriteOptions()
    options.dictionaryBytesMax = 100
    let file = try write(schema, [sample(1000)], options).file
    guard case .text = try ParquetFile(file).read(rowGroup: 0, columns: ["text"]).columns[0].data
    else {
        Issue.record("a dictionary beyond its limit is not expected")
        return
    }
}

@Test func `row groups end at their rows and at their bytes`() throws {
    var options = ParquetWriteOptions()
    options.rowGroupBytesMax = 5000
    options.rowGroupRowsMax = 400
    var writer = try ParquetWriter(schema: schema, options: options)
    for _ in 0..<10 { try writer.write(sample(100)) }
    #expect(writer.rowCount == 1000)
    #expect(writer.approximateByteCount > 1000)
    let (file, summary) = try writer.finish()
    #expect(summary.rowGroupCount == 4)
    #expect(try ParquetFile(file).rowGroups.map(\.rowCount) == [300, 300, 300, 100])
}

@Test func `footers carry keys, field ids and who wrote them`() throws {
    var options = ParquetWriteOptions()
    options.keyValues = [
        ParquetKeyValue(key: "weir.table", value: "bronze.events"),
        ParquetKeyValue(key: "empty", value: nil),
    ]
    options.fieldIDs = [7, nil]
    let file = try ParquetFile(try write(schema, [sample(3)], options).file)
    #expect(file.keyValues == options.keyValues)
    #expect(file.fieldIDs == [7, nil])
    #expect(file.createdBy == "weir version 0.1.0")
}

@Test func `what the format cannot hold is refused by name`() {
    func refusal(_ type: ColumnType) -> String? {
        failure { _ = try ParquetWriter(schema: TableSchema([Field("c", type)])) }
    }
    #expect(refusal(.interval)?.contains("interval (\"c\")") == true)
    #expect(refusal(.structure([]))?.contains("a structure without members") == true)
    #expect(refusal(.decimal(precision: 39, scale: 0))?.contains("numeric(39,0)") == true)
    #expect(refusal(.list(.interval))?.contains("c.list.element") == true)
    let deep = (0..<100).reduce(ColumnType.int32) { type, _ in .list(type) }
    #expect(refusal(deep)?.contains("deep") == true)
    let fitting = (0..<60).reduce(ColumnType.int32) { type, _ in .list(type) }
    #expect(refusal(fitting) == nil)
}

@Test func `rows that do not fit the schema are refused`() throws {
    let required = TableSchema([Field("id", .int64, isNullable: false)])
    func refusal(_ schema: TableSchema, _ columns: [Column]) -> String? {
        failure { _ = try write(schema, [batch(columns)]) }
    }
    #expect(refusal(required, [Column(.int64, [.int(1), .null])])?.contains("\"id\"") == true)
    #expect(refusal(required, [Column(.text, [.text("1")])])?.contains("bigint") == true)
    #expect(refusal(schema, [Column(.int64, [.int(1)])])?.contains("1 columns") == true)
    let member = ColumnType.structure([Field("x", .int32, isNullable: false)])
    #expect(
        refusal(TableSchema([Field("s", member)]), [Column(member, [.structure([.null])])])?
            .contains("\"x\"") == true)
    #expect(refusal(TableSchema([Field("s", member)]), [Column(member, [.null])]) == nil)
    let decimal = ColumnType.decimal(precision: 4, scale: 2)
    let wide = Column(type: decimal, data: .int128([12_345]))
    #expect(refusal(TableSchema([Field("d", decimal)]), [wide])?.contains("more digits") == true)
    let hidden = Column(
        type: decimal, data: .int128([12_345, 1]), validity: Validity([false, true]))
    #expect(refusal(TableSchema([Field("d", decimal)]), [hidden]) == nil)
}

@Test func `a list of NULL rows over hidden elements is written as NULL`() throws {
    let elements = Column(.int64, [.int(1), .int(2), .int(3)])
    let column = Column(
        type: .list(.int64), data: .list(offsets: [0, 2, 3], element: elements),
        validity: Validity([false, true]))
    let file = try write(TableSchema([Field("l", .list(.int64))]), [batch([column])]).file
    #expect(rows(try ParquetFile(file).readAll()) == [[.null], [.list([.int(3)])]])
}

@Test func `dictionary codes and columns of nothing but NULL can be written`() throws {
    var texts = TextBuilder()
    for text in ["red", "green", "a colour of many letters"] { texts.append(text) }
    let codes = Column(
        type: .text, data: .dictionary(codes: [2, 0, 9, 1], values: texts.finish()),
        validity: Validity([true, true, false, true]))
    let types: [(String, ColumnType)] = nestedTypes.map { ($0.name, $0.type) }
    let schema = TableSchema([Field("t", .text)] + types.map { Field($0.0, $0.1) })
    let nulls = types.map { Column(type: $0.1, data: .null(count: 4)) }
    let file = try ParquetFile(try write(schema, [batch([codes] + nulls)]).file)
    let none = [Value](repeating: .null, count: types.count)
    #expect(
        rows(try file.readAll()) == [
            [.text("a colour of many letters")] + none, [.text("red")] + none, [.null] + none,
            [.text("green")] + none,
        ])
}

@Test func `lists nested sixty deep come back`() throws {
    let type = (0..<60).reduce(ColumnType.int32) { type, _ in .list(type) }
    let value = (0..<60).reduce(Value.int(7)) { value, _ in .list([value]) }
    let file = try write(TableSchema([Field("l", type)]), [batch([Column(type, [value, .null])])])
        .file
    #expect(rows(try ParquetFile(file).readAll()) == [[value], [.null]])
}

@Test func `a text larger than a page has a page of its own`() throws {
    var options = ParquetWriteOptions()
    options.pageBytesMax = 1000
    options.usesDictionaries = false
    let values = [Value.text("a"), .text(String(repeating: "b", count: 5000)), .text("c"), .null]
    let schema = TableSchema([Field("t", .text)])
    let file = try write(schema, [batch([Column(.text, values)])], options).file
    #expect(rows(try ParquetFile(file).readAll()) == values.map { [$0] })
}
