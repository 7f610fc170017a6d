import Base
import Columns
import Engine
import SQL
import Testing

@Suite struct ArithmeticTests {
    @Test func `integers add, subtract, multiply and divide`() {
        check(.add, [.int(2), .int(3)], .int32, "5")
        check(.add, [.big(-2), .big(3)], .int64, "1")
        check(.subtract, [.small(2), .small(3)], .int16, "-1")
        check(.multiply, [.int(-4), .int(3)], .int32, "-12")
        check(.divide, [.int(7), .int(2)], .int32, "3")
        check(.divide, [.int(-7), .int(2)], .int32, "-3")
        check(.divide, [.big(-7), .big(2)], .int64, "-3")
        check(.modulo, [.int(-7), .int(2)], .int32, "-1")
        check(.modulo, [.big(7), .big(-2)], .int64, "1")
        check(.modulo, [.big(.min), .big(-1)], .int64, "0")
        check(.modulo, [.int(Int64(Int32.min)), .int(-1)], .int32, "0")
        check(.negate, [.int(5)], .int32, "-5")
        check(.abs, [.big(-5)], .int64, "5")
        check(.abs, [.small(-5)], .int16, "5")
    }

    @Test func `integer overflow is an error of the type`() {
        check(.add, [.int(2_147_483_647), .int(1)], .int32, "error 22003")
        check(.add, [.big(.max), .big(1)], .int64, "error 22003")
        check(.add, [.small(32767), .small(1)], .int16, "error 22003")
        check(.subtract, [.big(.min), .big(1)], .int64, "error 22003")
        check(.multiply, [.big(.max), .big(2)], .int64, "error 22003")
        check(.multiply, [.int(65536), .int(65536)], .int32, "error 22003")
        check(.divide, [.big(.min), .big(-1)], .int64, "error 22003")
        check(.divide, [.int(-2_147_483_648), .int(-1)], .int32, "error 22003")
        check(.negate, [.big(.min)], .int64, "error 22003")
        check(.abs, [.int(-2_147_483_648)], .int32, "error 22003")
        check(.divide, [.int(1), .int(0)], .int32, "error 22012")
        check(.modulo, [.big(1), .big(0)], .int64, "error 22012")
    }

    @Test func `messages name the type`() throws {
        let batch = ColumnBatch(columns: [], rowCount: 1)
        func message(_ type: ColumnType, _ high: Int64) -> String? {
            let one = BoundExpression.literal(.int(1), type)
            let expression = BoundExpression.call(.add, [.literal(.int(high), type), one], type)
            do {
                _ = try CompiledExpression(expression).evaluate(batch, testContext())
                return nil
            } catch {
                return error.message
            }
        }
        #expect(message(.int16, 32767) == "smallint out of range")
        #expect(message(.int32, 2_147_483_647) == "integer out of range")
        #expect(message(.int64, .max) == "bigint out of range")
    }

    @Test func `rows that are NULL never raise`() {
        // Behind NULL rows stand values that would overflow or divide by zero.
        let valid = Validity([true, false])
        let left = Column(type: .int64, data: .int64([1, .max]), validity: valid)
        let right = Column(type: .int64, data: .int64([1, .max]), validity: valid)
        let zero = Column(type: .int64, data: .int64([1, 0]), validity: valid)
        let batch = ColumnBatch(columns: [left, right, zero], rowCount: 2)
        func call(_ function: ScalarFunction, _ a: Int, _ b: Int) -> BoundExpression {
            .call(function, [.column(a, .int64), .column(b, .int64)], .int64)
        }
        for expression in [
            call(.add, 0, 1), call(.multiply, 0, 1), call(.divide, 0, 2), call(.modulo, 0, 2),
        ] {
            #expect(evaluate(expression, batch, row: 1) == "NULL")
            #expect(!evaluate(expression, batch, row: 0).hasPrefix("error"))
        }
    }

    @Test func `NULL operands give NULL`() {
        check(.add, [.int(1), .null(.int32)], .int32, "NULL")
        check(.divide, [.null(.int32), .int(0)], .int32, "NULL")
        check(.equal, [.null(.text), .text("a")], .boolean, "NULL")
    }

    @Test func `floats follow IEEE, but not into infinity`() {
        check(.add, [.float(0.1), .float(0.2)], .float64, "0.30000000000000004")
        check(.divide, [.float(1), .float(3)], .float64, "0.3333333333333333")
        check(.divide, [.float(1), .float(0)], .float64, "error 22012")
        check(.multiply, [.float(1e308), .float(10)], .float64, "error 22003")
        check(.multiply, [.float(1e-308), .float(1e-308)], .float64, "error 22003")
        check(.add, [.float(.infinity), .float(1)], .float64, "Infinity")
        check(.subtract, [.float(.infinity), .float(.infinity)], .float64, "NaN")
        check(.divide, [.float(.nan), .float(0)], .float64, "NaN")
        check(.round, [.float(2.5)], .float64, "2")
        check(.round, [.float(-3.5)], .float64, "-4")
        check(.trunc, [.float(-2.7)], .float64, "-2")
        check(.ceil, [.float(1.2)], .float64, "2")
        check(.floor, [.float(-1.2)], .float64, "-2")
        check(.sign, [.float(-3)], .float64, "-1")
        check(.sqrt, [.float(2)], .float64, "1.4142135623730951")
        check(.sqrt, [.float(-1)], .float64, "error 2201F")
        check(.ln, [.float(0)], .float64, "error 2201E")
        check(.log10, [.float(1000)], .float64, "3")
        check(.exp, [.float(0)], .float64, "1")
        check(.exp, [.float(1000)], .float64, "error 22003")
        check(.power, [.float(2), .float(10)], .float64, "1024")
        check(.power, [.float(0), .float(-1)], .float64, "error 2201F")
        check(.power, [.float(-8), .float(0.5)], .float64, "error 2201F")
    }

    @Test func `decimals are exact and round half away from zero`() {
        let two = ColumnType.decimal(precision: 38, scale: 2)
        let four = ColumnType.decimal(precision: 38, scale: 4)
        let sixteen = ColumnType.decimal(precision: 38, scale: 16)
        check(.add, [.decimal("1.10", 10, 2), .decimal("2.205", 10, 3)], four, "3.3050")
        check(.subtract, [.decimal("1.10", 10, 2), .decimal("2.20", 10, 2)], two, "-1.10")
        check(.multiply, [.decimal("1.25", 10, 2), .decimal("-0.5", 10, 1)], two, "-0.63")
        check(
            .divide, [.decimal("1", 10, 0), .decimal("3", 10, 0)], sixteen, "0.3333333333333333")
        check(.divide, [.decimal("2", 10, 0), .decimal("3", 10, 0)], four, "0.6667")
        check(.divide, [.decimal("-2", 10, 0), .decimal("3", 10, 0)], four, "-0.6667")
        check(.divide, [.decimal("1", 10, 0), .decimal("0.00", 10, 2)], four, "error 22012")
        check(.modulo, [.decimal("7.5", 10, 1), .decimal("-2", 10, 0)], two, "1.50")
        check(.roundTo, [.decimal("2.345", 10, 3), .int(2)], two, "2.35")
        check(.roundTo, [.decimal("-2.345", 10, 3), .int(2)], two, "-2.35")
        check(
            .roundTo, [.decimal("1250", 10, 0), .int(-2)], .decimal(precision: 38, scale: 0), "1300"
        )
        check(.truncTo, [.decimal("2.349", 10, 3), .int(2)], two, "2.34")
        check(.round, [.decimal("2.5", 10, 1)], .decimal(precision: 38, scale: 0), "3")
        check(.trunc, [.decimal("-2.5", 10, 1)], .decimal(precision: 38, scale: 0), "-2")
        check(.ceil, [.decimal("-2.5", 10, 1)], .decimal(precision: 38, scale: 0), "-2")
        check(.floor, [.decimal("-2.5", 10, 1)], .decimal(precision: 38, scale: 0), "-3")
        check(.abs, [.decimal("-2.5", 10, 1)], .decimal(precision: 38, scale: 1), "2.5")
        check(.sign, [.decimal("-2.5", 10, 1)], .decimal(precision: 38, scale: 0), "-1")
        let nines = String(repeating: "9", count: 38)
        let whole = ColumnType.decimal(precision: 38, scale: 0)
        check(.add, [.decimal(nines, 38, 0), .decimal("1", 38, 0)], whole, "error 22003")
        check(.multiply, [.decimal(nines, 38, 0), .decimal("2", 38, 0)], whole, "error 22003")
    }

    @Test func `wide products and quotients agree with long arithmetic`() {
        // 12345678901234567.89 · 9876543210987654.32: the exact
        // product has 34 digits before the point; expected values come
        // from a decimal library.
        let type = ColumnType.decimal(precision: 38, scale: 2)
        check(
            .multiply,
            [
                .decimal("12345678901234567.89", 38, 2),
                .decimal("9876543210987654.32", 38, 2),
            ], type, "121932631137021795211400701209891.78")
        check(
            .divide,
            [
                .decimal("12345678901234567890123456789012345678", 38, 0),
                .decimal("98765432109876543210.9", 38, 1),
            ], .decimal(precision: 38, scale: 16), "124999998860937500.0143492187489392")
    }
}
