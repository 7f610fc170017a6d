import Base
import Columns
import Engine
import SQL
import Testing

@Suite struct ComparisonTests {
    /// All six operators for operands whose order is known.
    private func order(
        _ a: Argument, _ b: Argument, _ order: Int,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let expected: [(ScalarFunction, Bool)] = [
            (.equal, order == 0), (.notEqual, order != 0), (.less, order < 0),
            (.lessOrEqual, order <= 0), (.greater, order > 0), (.greaterOrEqual, order >= 0),
        ]
        for (function, holds) in expected {
            check(function, [a, b], .boolean, holds ? "t" : "f", sourceLocation: sourceLocation)
        }
        for (function, holds) in [(ScalarFunction.less, order > 0), (.greater, order < 0)] {
            check(function, [b, a], .boolean, holds ? "t" : "f", sourceLocation: sourceLocation)
        }
    }

    @Test func `every type has an order`() {
        order(.int(-1), .int(1), -1)
        order(.big(.min), .big(.max), -1)
        order(.boolean(false), .boolean(true), -1)
        order(.date("2024-01-01"), .date("2023-12-31"), 1)
        order(.timestampTZ("2024-01-01 00:00:00+01"), .timestampTZ("2023-12-31 23:00:00Z"), 0)
        order(.decimal("1.50", 10, 2), .decimal("1.5", 10, 1), 0)
        order(.decimal("-0.001", 10, 3), .decimal("0", 38, 0), -1)
        order(.decimal("99999999999999999999999999999999999999", 38, 0), .decimal("1", 38, 37), 1)
        order(.interval("1 month"), .interval("30 days"), 0)
        order(.interval("1 day"), .interval("23 hours 59 minutes"), 1)
        order(
            .parsed("ffffffff-ffff-ffff-ffff-ffffffffffff", .uuid),
            .parsed("00000000-0000-0000-0000-000000000001", .uuid), 1)
        order(.texts(["a", "b"]), .texts(["a", "c"]), -1)
        order(.texts(["a"]), .texts(["a", "b"]), -1)
        order(.texts(["a"]), .texts([nil]), -1)
    }

    @Test func `NaN equals itself and is above all floats`() {
        order(.float(.nan), .float(.nan), 0)
        order(.float(.nan), .float(.infinity), 1)
        order(.float(-0.0), .float(0), 0)
        order(.float(1), .float(2), -1)
    }

    @Test func `text compares by its bytes`() {
        order(.text("a"), .text("b"), -1)
        order(.text("B"), .text("a"), -1)
        order(.text(""), .text("a"), -1)
        order(.text("abc"), .text("abcd"), -1)
        order(.text("zebra"), .text("äpfel"), -1)
        order(.text("a much longer text 1"), .text("a much longer text 2"), -1)
        order(.text("a much longer text"), .text("a much longer text"), 0)
        order(.text("a much longer text"), .text("a much"), 1)
    }

    @Test func `jsonb compares by value`() {
        order(.json(#"{"a": 1, "b": 2}"#), .json(#"{"b": 2, "a": 1}"#), 0)
        order(.json("1.0"), .json("1"), 0)
        order(.json("[1,2]"), .json("[1,2,3]"), -1)
        order(.json(#""a""#), .json("1"), -1)
        order(.json("{}"), .json("[]"), 1)
    }

    @Test func `greatest and least skip NULLs`() {
        check(.greatest, [.int(1), .int(3), .int(2)], .int32, "3")
        check(.least, [.text("b"), .text("a")], .text, "a")
        let literals: [BoundExpression] = [
            .literal(.null, .int32), .literal(.int(4), .int32), .literal(.null, .int32),
        ]
        let batch = ColumnBatch(columns: [], rowCount: 1)
        #expect(evaluate(.call(.greatest, literals, .int32), batch, row: 0) == "4")
        let nulls = [BoundExpression.literal(.null, .int32), .literal(.null, .int32)]
        #expect(evaluate(.call(.least, nulls, .int32), batch, row: 0) == "NULL")
    }
}

@Suite struct LogicTests {
    private let truths: [Value] = [.boolean(true), .boolean(false), .null]

    /// Nine rows: every pair of truth values.
    private var pairs: ColumnBatch {
        var left: [Value] = []
        var right: [Value] = []
        for a in truths {
            for b in truths {
                left.append(a)
                right.append(b)
            }
        }
        return ColumnBatch(columns: [Column(.boolean, left), Column(.boolean, right)], rowCount: 9)
    }

    private func results(_ expression: BoundExpression) -> String {
        (0..<9).map { row in
            switch evaluate(expression, pairs, row: row) {
            case "t": "t"
            case "f": "f"
            default: "-"
            }
        }.joined()
    }

    private let a = BoundExpression.column(0, .boolean)
    private let b = BoundExpression.column(1, .boolean)

    @Test func `three-valued logic`() {
        #expect(results(.and([a, b])) == "tf-fff-f-")
        #expect(results(.or([a, b])) == "ttttf-t--")
        #expect(results(.not(a)) == "fffttt---")
        #expect(results(.isNull(b)) == "fftfftfft")
        #expect(results(.isNotNull(b)) == "ttfttfttf")
        #expect(results(.isDistinct(a, b)) == "ftttftttf")
        #expect(results(.call(.equal, [a, b], .boolean)) == "tf-ft----")
    }

    @Test func `IN has the NULL rules of its comparisons`() {
        let two = BoundExpression.literal(.boolean(true), .boolean)
        let null = BoundExpression.literal(.null, .boolean)
        #expect(results(.inList(a, [two], isNegated: false)) == "tttfff---")
        #expect(results(.inList(a, [two, null], isNegated: false)) == "ttt------")
        #expect(results(.inList(a, [two, null], isNegated: true)) == "fff------")
        #expect(results(.inList(a, [b], isNegated: false)) == "tf-ft----")
    }

    @Test func `a long IN list gives what a short one gives`() {
        let values: [Value] = [
            .text("k3"), .null, .text("a text of more than twelve"), .text("k99"),
        ]
        let batch = ColumnBatch(columns: [Column(.text, values)], rowCount: 4)
        var list = (0..<20).map { BoundExpression.literal(.text("k\($0)"), .text) }
        list.append(.literal(.text("a text of more than twelve"), .text))
        let isIn = BoundExpression.inList(.column(0, .text), list, isNegated: false)
        #expect((0..<4).map { evaluate(isIn, batch, row: $0) } == ["t", "NULL", "t", "f"])
        list.append(.literal(.null, .text))
        let notIn = BoundExpression.inList(.column(0, .text), list, isNegated: true)
        #expect((0..<4).map { evaluate(notIn, batch, row: $0) } == ["f", "NULL", "f", "NULL"])
    }

    // MARK: Laziness

    private let numbers = ColumnBatch(
        columns: [Column(.int32, [.int(2), .int(0), .null, .int(5)])], rowCount: 4)
    private let x = BoundExpression.column(0, .int32)
    private let zero = BoundExpression.literal(.int(0), .int32)
    private let ten = BoundExpression.literal(.int(10), .int32)
    private var quotient: BoundExpression { .call(.divide, [ten, x], .int32) }

    @Test func `CASE computes a branch only for its rows`() {
        let isNonZero = BoundExpression.call(.notEqual, [x, zero], .boolean)
        let guarded = BoundExpression.conditional(
            [.init(condition: isNonZero, value: quotient)], otherwise: nil, .int32)
        #expect(
            (0..<4).map { evaluate(guarded, numbers, row: $0) } == ["5", "NULL", "NULL", "2"])
        let reversed = BoundExpression.conditional(
            [.init(condition: .call(.equal, [x, zero], .boolean), value: zero)],
            otherwise: quotient, .int32)
        #expect((0..<4).map { evaluate(reversed, numbers, row: $0) } == ["5", "0", "NULL", "2"])
        #expect(evaluate(quotient, numbers, row: 0) == "error 22012")
    }

    @Test func `a branch that is never taken is never computed`() {
        let broken = BoundExpression.call(.divide, [ten, zero], .int32)
        let never = BoundExpression.conditional(
            [.init(condition: .literal(.boolean(false), .boolean), value: broken)],
            otherwise: ten, .int32)
        #expect(evaluate(never, numbers, row: 3) == "10")
    }

    @Test func `AND and OR stop at what decides`() {
        let isNonZero = BoundExpression.call(.notEqual, [x, zero], .boolean)
        let isSmall = BoundExpression.call(.less, [quotient, ten], .boolean)
        let both = BoundExpression.and([isNonZero, isSmall])
        #expect((0..<4).map { evaluate(both, numbers, row: $0) } == ["t", "f", "NULL", "t"])
        let either = BoundExpression.or([.call(.equal, [x, zero], .boolean), isSmall])
        #expect((0..<4).map { evaluate(either, numbers, row: $0) } == ["t", "t", "NULL", "t"])
    }

    @Test func `COALESCE looks further only for NULLs`() {
        let broken = BoundExpression.call(.divide, [ten, zero], .int32)
        let full = ColumnBatch(columns: [Column(.int32, [.int(1)])], rowCount: 1)
        #expect(evaluate(.coalesce([x, broken], .int32), full, row: 0) == "1")
        #expect(
            (0..<4).map { evaluate(.coalesce([x, ten], .int32), numbers, row: $0) }
                == ["2", "0", "10", "5"])
        let null = BoundExpression.literal(.null, .int32)
        #expect(evaluate(.coalesce([null, null], .int32), numbers, row: 0) == "NULL")
    }

    @Test func `a random number differs from row to row and repeats with the seed`() {
        let batch = ColumnBatch(columns: [], rowCount: 2)
        let expression = BoundExpression.call(.random, [], .float64)
        let first = evaluate(expression, batch, row: 0)
        #expect(first != evaluate(expression, batch, row: 1))
        #expect(first == evaluate(expression, batch, row: 0))
        let uuid = BoundExpression.call(.generateUUID, [], .uuid)
        #expect(evaluate(uuid, batch, row: 0) != evaluate(uuid, batch, row: 1))
    }
}
