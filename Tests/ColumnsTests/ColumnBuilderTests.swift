import Base
import Columns
import Testing

/// Every type with a few values that fit it, NULLs among them.
let samples: [(ColumnType, [Value])] = [
    (.boolean, [.boolean(true), .null, .boolean(false)]),
    (.int16, [.int(-32768), .int(32767), .null]),
    (.int32, [.null, .int(-7), .int(1 << 30)]),
    (.int64, [.int(.max), .int(.min), .null]),
    (.float32, [.float(0.5), .null, .float(-.infinity)]),
    (.float64, [.float(0.1), .float(1e300), .null]),
    (
        .decimal(precision: 20, scale: 2),
        [.decimal(unscaled: 12345, scale: 2), .null, .decimal(unscaled: -1, scale: 2)]
    ),
    (.text, [.text("short"), .text("longer than twelve bytes"), .null, .text("")]),
    (.binary, [.binary([0, 255]), .null, .binary([UInt8](0..<40))]),
    (.date, [.date(days: 19_000), .null]),
    (.timestamp, [.timestamp(microseconds: -1), .null]),
    (.timestampTZ, [.null, .timestampTZ(microseconds: 1_700_000_000_000_000)]),
    (.interval, [.interval(Interval(months: 1, days: 2, microseconds: 3)), .null]),
    (.uuid, [.uuid(.max), .null, .uuid(1)]),
    (.json, [.json("{\"a\":[1,2,3,4,5,6]}"), .null]),
    (.list(.int64), [.list([.int(1), .null]), .null, .list([]), .list([.int(2)])]),
    (
        .structure([Field("a", .text), Field("b", .list(.date))]),
        [
            .structure([.text("a value of some length"), .list([.date(days: 1)])]), .null,
            .structure([.null, .null]),
        ]
    ),
    (
        .map(key: .text, value: .int32),
        [.map([.init(key: .text("k"), value: .int(1))]), .null, .map([])]
    ),
    (.null, [.null, .null]),
]

private func values(_ column: Column) -> [Value] { (0..<column.count).map { column.value($0) } }

@Test(arguments: samples.indices)
func `values of every type come back as they were appended`(sample: Int) {
    let (type, expected) = samples[sample]
    let column = Column(type, expected)
    #expect(values(column) == expected)
    #expect(column.nullCount == expected.count { $0.isNull })
    #expect((0..<column.count).map { column.isNull($0) } == expected.map { $0.isNull })
}

@Test(arguments: samples.indices)
func `columns appended to a builder keep their rows and NULLs`(sample: Int) {
    let (type, expected) = samples[sample]
    var builder = ColumnBuilder(type)
    builder.append(Column(type, expected))
    builder.append(Column(type, expected.filter { !$0.isNull }))
    builder.append(Column(type: type, data: .null(count: 2)))
    if expected.count > 2 { builder.append(Column(type, expected).slice(1..<2)) }
    builder.append(expected[0])
    var all = expected + expected.filter { !$0.isNull } + [.null, .null]
    if expected.count > 2 { all.append(expected[1]) }
    all.append(expected[0])
    #expect(builder.count == all.count)
    #expect(values(builder.finish()) == all)
}

@Test(arguments: samples.indices)
func `slices and gathered rows agree with the values`(sample: Int) {
    let (type, few) = samples[sample]
    let expected = few + few.reversed() + few
    let column = Column(type, expected)
    for start in 0..<expected.count {
        let slice = column.slice(start..<expected.count)
        let wanted = Array(expected[start...])
        #expect(values(slice) == wanted)
        #expect(values(slice.slice(0..<(slice.count / 2))) == Array(wanted.prefix(slice.count / 2)))
    }
    let order = (0..<expected.count).reversed() + [0, 0]
    #expect(values(column.gather(order.map { Int32($0) })) == order.map { expected[$0] })
    let repeated = Column(type, repeating: expected[0], count: 70)
    #expect(values(repeated) == Array(repeating: expected[0], count: 70))
}

@Test func `a slice of a sliced list appends only its own elements`() {
    let rows: [Value] = (0..<10).map { row in .list((0..<row).map { .int(Int64($0)) }) }
    let column = Column(.list(.int64), rows).slice(3..<8)
    var builder = ColumnBuilder(.list(.int64))
    builder.append(column)
    builder.append(column.slice(1..<3))
    let joined = builder.finish()
    #expect(values(joined) == Array(rows[3..<8]) + Array(rows[4..<6]))
    guard case .list(_, let element) = joined.data else {
        Issue.record("a list column")
        return
    }
    #expect(element.count == 3 + 4 + 5 + 6 + 7 + 4 + 5)
}

@Test func `typed values and a value of the same kind give the same column`() {
    var ints = ColumnBuilder(.int64)
    var dates = ColumnBuilder(.date)
    var texts = ColumnBuilder(.text)
    for number in 0..<100 {
        ints.append(int64: Int64(number))
        dates.append(int32: Int32(number))
        texts.append(text: String(repeating: "x", count: number))
    }
    #expect(values(ints.finish()) == (0..<100).map { .int(Int64($0)) })
    #expect(values(dates.finish()) == (0..<100).map { .date(days: Int32($0)) })
    let expected = (0..<100).map { Value.text(String(repeating: "x", count: $0)) }
    #expect(values(texts.finish()) == expected)
}

@Test func `a real column holds single precision`() {
    #expect(Column(.float32, [.float(0.1)]).value(0) == .float(Double(Float(0.1))))
}

@Test func `decimals take the scale of their column`() {
    let type = ColumnType.decimal(precision: 10, scale: 2)
    let given: [Value] = [
        .decimal(unscaled: 5, scale: 1), .int(3), .decimal(unscaled: 12_345, scale: 3),
        .decimal(unscaled: -12_345, scale: 3), .decimal(unscaled: 12_344, scale: 3),
    ]
    let unscaled: [Int128] = [50, 300, 1235, -1235, 1234]
    #expect(values(Column(type, given)) == unscaled.map { .decimal(unscaled: $0, scale: 2) })
}

@Test func `a builder that was emptied starts again`() {
    var builder = ColumnBuilder(.list(.text))
    builder.append(.list([.text("one"), .null]))
    builder.appendNull()
    let first = builder.takeColumn()
    #expect(values(first) == [.list([.text("one"), .null]), .null])
    builder.append(.list([.text("two")]))
    #expect(values(builder.finish()) == [.list([.text("two")])])
}

@Test func `dictionary codes are resolved, whatever code a NULL carries`() {
    var texts = TextBuilder()
    texts.append("blue")
    texts.append("a colour with a long name")
    let column = Column(
        type: .text, data: .dictionary(codes: [1, 0, 99, -1, 1], values: texts.finish()),
        validity: Validity([true, true, false, false, true]))
    let expected: [Value] = [
        .text("a colour with a long name"), .text("blue"), .null, .null,
        .text("a colour with a long name"),
    ]
    #expect(values(column) == expected)
    #expect(values(column.flattened) == expected)
    #expect(values(column.slice(1..<4)) == Array(expected[1..<4]))
    #expect(values(Column.concatenation([column, column])) == expected + expected)
}

@Test func `a value of another kind is our own mistake`() async {
    await #expect(processExitsWith: .failure) {
        var builder = ColumnBuilder(.date)
        builder.append(.text("2026-01-01"))
    }
}

@Test func `slices of one text column keep one list of buffers when joined again`() {
    let texts = (0..<100).map { Value.text("a text of more than twelve bytes \($0)") }
    let column = Column(.text, texts)
    let joined = Column.concatenation((0..<10).map { column.slice(($0 * 10)..<($0 * 10 + 10)) })
    #expect(values(joined) == texts)
    guard case .text(let content) = joined.data else {
        Issue.record("a text column")
        return
    }
    #expect(content.buffers.count == 1)
}

@Test func `long texts of more than one chunk are all found`() {
    let long = (0..<5).map { Value.text(String(repeating: "abc\($0)", count: 150_000)) }
    let column = Column(.text, long + [.text("tail")])
    #expect(values(column) == long + [.text("tail")])
}
