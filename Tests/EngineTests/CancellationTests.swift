// Long work between two batches looks whether it should go on.

import Base
import Columns
import Engine
import SQL
import Testing

/// How often a query asked whether to go on, and when it should stop.
///
/// Sound: these queries have one thread.
private final class Watch: @unchecked Sendable {
    private(set) var looks = 0
    /// How often before the last row of its input.
    var looksInInput = 0
    var stopsAt = Int.max

    func mustStop() -> Bool {
        looks += 1
        return looks >= stopsAt
    }
}

/// Numbers in an order that needs sorting, and texts of them.
private final class Numbers: TableSource, BatchSource {
    static let fields = [Field("x", .int64), Field("s", .text)]
    static let count = 140_000
    private let watch: Watch
    private var given = 0

    init(_ watch: Watch) { self.watch = watch }

    func open(_ node: ScanNode, _ context: QueryContext) throws(Problem) -> any BatchSource {
        self
    }

    func next() throws(Problem) -> ColumnBatch? {
        guard given < Self.count else {
            watch.looksInInput = watch.looks
            return nil
        }
        let range = given..<min(given + Limits.batchRows, Self.count)
        given = range.upperBound
        let values = range.map { Int64($0) * 7919 % 300_007 }
        return ColumnBatch(
            columns: [
                Column(type: .int64, data: .int64(values)),
                Column(.text, values.map { .text("a text before the number \($0 / 3)") }),
            ], rowCount: range.count)
    }
}

@Suite struct CancellationTests {
    private static let x = BoundExpression.column(0, .int64)
    private static let text = BoundExpression.column(1, .text)
    private static let input = scan("t", Numbers.fields)

    private static func over(_ call: WindowCall) -> LogicalPlan {
        .over(
            OverNode(input: input, partitionBy: [], orderBy: [SortKey(x)], calls: [call]))
    }

    private static let plans: [LogicalPlan] = [
        .sort(input, [SortKey(x)], limit: nil),
        .sort(input, [SortKey(text), SortKey(x, isDescending: true)], limit: nil),
        over(WindowCall("a", .lastValue, [x], frame: .standard, type: .int64)),
        over(
            WindowCall(
                "a", .lag,
                [x, .literal(.int(1), .int32), .literal(.null, .int64)], frame: .standard,
                type: .int64)),
    ]

    private func open(
        _ plan: LogicalPlan, _ watch: Watch
    ) throws(Problem) -> any BatchOperator {
        try QueryExecutor.open(
            plan, Numbers(watch),
            QueryContext(now: testNow, isCancelled: { watch.mustStop() }))
    }

    @Test(arguments: plans.indices)
    func `behind the last row of the input a sort and a window still look`(
        number: Int
    ) throws {
        let whole = Watch()
        _ = try open(Self.plans[number], whole).next()
        // Before the sort and in its larger parts, and at each column.
        #expect(whole.looks - whole.looksInInput >= 3)
        for place in [whole.looksInInput + 2, whole.looks] {
            let stopped = Watch()
            stopped.stopsAt = place
            #expect(errorCode { _ = try open(Self.plans[number], stopped).next() } == "57014")
            #expect(stopped.looks == place)
        }
    }

    @Test func `rows that are sorted in pieces are sorted`() throws {
        let sorted = try open(Self.plans[1], Watch())
        var rows: [(text: String, x: Int64)] = []
        while let batch = try sorted.next() {
            for row in 0..<batch.rowCount {
                guard case .int(let x) = batch.columns[0].value(row),
                    case .text(let text) = batch.columns[1].value(row)
                else { continue }
                if let last = rows.last {
                    #expect(last.text < text || last.text == text && last.x > x)
                }
                rows = [(text, x)]
            }
        }
        #expect(rows.count == 1)
    }
}
