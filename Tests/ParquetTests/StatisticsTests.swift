import Base
import Columns
import Parquet
import Testing

private func single(
    _ type: ColumnType, _ values: [Value], _ options: ParquetWriteOptions = ParquetWriteOptions()
) throws -> (file: ParquetFile, summary: ParquetColumnSummary) {
    let schema = TableSchema([Field("c", type)])
    let (bytes, summary) = try write(schema, [batch([Column(type, values)])], options)
    return (try ParquetFile(bytes), summary.columns[0])
}

@Test(arguments: everyType.indices)
func `bounds of every type are its smallest and largest value`(index: Int) throws {
    let (_, type, values) = everyType[index]
    let (file, summary) = try single(type, values + [.null] + values)
    let sorted = values.sorted { (order(of: $0, $1) ?? 0) < 0 }
    let bounds = file.bounds(rowGroup: 0, column: "c")
    #expect(bounds.nullCount == 1)
    #expect(summary.minimum == sorted.first)
    #expect(summary.maximum == sorted.last)
    #expect(summary.nullCount == 1)
    for value in values {
        #expect(bounds.minimum.flatMap { order(of: $0, value) } ?? 0 <= 0)
        #expect(bounds.maximum.flatMap { order(of: $0, value) } ?? 0 >= 0)
    }
    // Values of more than 64 bytes are cut in the file and whole in the summary.
    if type != .binary { #expect(bounds.minimum == sorted.first) }
}

@Test func `NaN is in no bound, and zero stands for both zeros`() throws {
    let (file, summary) = try single(.float64, [.float(.nan), .float(0), .float(-2), .float(.nan)])
    let bounds = file.bounds(rowGroup: 0, column: "c")
    #expect(
        bounds == ColumnBounds(minimum: .float(-2), maximum: .float(0), nullCount: 0, nanCount: 2))
    #expect(summary.nanCount == 2)
    let (zeros, _) = try single(.float32, [.float(0)])
    guard case .float(let minimum) = zeros.bounds(rowGroup: 0, column: "c").minimum else {
        Issue.record("a bound is expected")
        return
    }
    #expect(minimum.sign == .minus)
    let (none, noneSummary) = try single(.float64, [.float(.nan), .null])
    #expect(none.bounds(rowGroup: 0, column: "c").minimum == nil)
    #expect(noneSummary.maximum == nil)
    #expect(try none.readAll().values(1) == [.null])
}

@Test func `long bounds are cut to valid text that still bounds`() throws {
    let low = String(repeating: "ä", count: 100)
    let high = String(repeating: "z", count: 63) + "\u{10FFFF}" + "tail"
    let (file, summary) = try single(.text, [.text(low), .text(high)])
    let bounds = file.bounds(rowGroup: 0, column: "c")
    guard case .text(let minimum) = bounds.minimum, case .text(let maximum) = bounds.maximum else {
        Issue.record("bounds are expected")
        return
    }
    #expect(minimum == String(repeating: "z", count: 63))
    #expect(maximum == String(repeating: "ä", count: 31) + "å")
    #expect(summary.minimum == .text(high))
    #expect(summary.maximum == .text(low))
    // The largest text has no short one above it: it stays whole.
    let top = String(repeating: "\u{10FFFF}", count: 30)
    let (topFile, _) = try single(.text, [.text(top)])
    #expect(topFile.bounds(rowGroup: 0, column: "c").maximum == .text(top))
    let bytes = [UInt8](repeating: 0xFF, count: 10) + [1] + [UInt8](repeating: 0xFF, count: 90)
    let (binary, _) = try single(.binary, [.binary(bytes)])
    let binaryBounds = binary.bounds(rowGroup: 0, column: "c")
    #expect(binaryBounds.minimum == .binary(Array(bytes[..<64])))
    #expect(binaryBounds.maximum == .binary([UInt8](repeating: 0xFF, count: 10) + [2]))
}

@Test func `row groups that cannot match are told apart`() throws {
    var options = ParquetWriteOptions()
    options.rowGroupRowsMax = 10
    let values = (0..<30).map { Value.int($0) } + [Value](repeating: .null, count: 10)
    let (file, _) = try single(.int64, values, options)
    func matches(_ range: ValueRange) -> [Int] {
        file.rowGroups.indices.filter { file.mightMatch(rowGroup: $0, column: "c", range: range) }
    }
    #expect(matches(.equal(.int(15))) == [1])
    #expect(matches(.equal(.int(99))) == [])
    #expect(matches(ValueRange(lower: .int(19))) == [1, 2])
    #expect(matches(ValueRange(upper: .float(9.5))) == [0])
    #expect(matches(ValueRange(lower: .decimal(unscaled: 95, scale: 1), upper: .int(10))) == [1])
    #expect(matches(.null) == [3])
    #expect(matches(ValueRange(lower: .int(25), acceptsNull: true)) == [2, 3])
    // What cannot be compared, or is not known, may match.
    #expect(matches(.equal(.text("15"))) == [0, 1, 2])
    #expect(file.mightMatch(rowGroup: 0, column: "unknown", range: .equal(.int(99))))
}

@Test func `NaN may be above every bound`() throws {
    let (with, _) = try single(.float64, [.float(1), .float(.nan)])
    let (without, _) = try single(.float64, [.float(1), .float(2)])
    let above = ValueRange(lower: .float(5))
    #expect(with.mightMatch(rowGroup: 0, column: "c", range: above))
    #expect(!without.mightMatch(rowGroup: 0, column: "c", range: above))
    #expect(!with.mightMatch(rowGroup: 0, column: "c", range: .equal(.float(5))))
}

@Test func `members of structures have bounds by their path`() throws {
    let type = ColumnType.structure([Field("a", .int32), Field("b.c", .list(.int32))])
    let (file, _) = try single(type, [.structure([.int(3), .list([.int(1)])]), .null])
    let expected = ColumnBounds(minimum: .int(3), maximum: .int(3), nullCount: 1)
    #expect(file.bounds(rowGroup: 0, column: "c.a") == expected)
    // Elements are not rows.
    #expect(file.bounds(rowGroup: 0, column: "c.b.c") == ColumnBounds())
    #expect(file.bounds(rowGroup: 0, column: "c") == ColumnBounds())
}

@Test func `the summary speaks of the whole file and every leaf`() throws {
    let schema = TableSchema([
        Field("id", .int64), Field("s", .structure([Field("x", .text)])), Field("l", .list(.date)),
    ])
    var options = ParquetWriteOptions()
    options.rowGroupRowsMax = 2
    let rows = batch([
        Column(.int64, [.int(5), .int(-1), .int(9), .null, .int(3)]),
        Column(
            .structure([Field("x", .text)]),
            [.null, .structure([.text("b")]), .structure([.text("a")]), .structure([.null]), .null]),
        Column(
            .list(.date),
            [.list([.date(days: 4), .null]), .null, .list([]), .list([.date(days: 2)]), .null]),
    ])
    let summary = try write(schema, [rows], options).summary
    #expect(summary.rowCount == 5)
    #expect(summary.rowGroupCount == 3)
    #expect(summary.columns.map(\.name) == ["id", "s.x", "l.list.element"])
    #expect(summary.columns.map(\.isRepeated) == [false, false, true])
    #expect(summary.columns.map(\.minimum) == [.int(-1), .text("a"), .date(days: 2)])
    #expect(summary.columns.map(\.maximum) == [.int(9), .text("b"), .date(days: 4)])
    #expect(summary.columns.map(\.nullCount) == [1, 3, 4])
    #expect(summary.column("s.x")?.path == ["s", "x"])
}

@Test func `values compare by value whatever their types`() {
    #expect(order(of: .int(1), .float(1.5)) == -1)
    #expect(order(of: .int(.max), .float(0x1p63)) == -1)
    #expect(order(of: .float(-0x1p63), .int(.min)) == 0)
    #expect(order(of: .decimal(unscaled: 150, scale: 2), .int(1)) == 1)
    #expect(order(of: .decimal(unscaled: 150, scale: 2), .decimal(unscaled: 15, scale: 1)) == 0)
    #expect(order(of: .decimal(unscaled: .max, scale: 0), .decimal(unscaled: .max, scale: 38)) == 1)
    #expect(order(of: .decimal(unscaled: .min, scale: 0), .decimal(unscaled: 1, scale: 38)) == -1)
    #expect(order(of: .text("a"), .text("ä")) == -1)
    #expect(order(of: .text("ab"), .text("a")) == 1)
    #expect(order(of: .binary([0x80]), .binary([0x7F, 0xFF])) == 1)
    #expect(order(of: .float(.nan), .float(1)) == nil)
    #expect(order(of: .text("1"), .int(1)) == nil)
    #expect(order(of: .uuid(1 << 127), .uuid(1)) == 1)
}
