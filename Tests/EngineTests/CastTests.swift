import Base
import Columns
import Engine
import SQL
import Testing

@Suite struct CastTests {
    @Test func `text to numbers`() {
        #expect(cast(.text(" 42 "), .int32) == "42")
        #expect(cast(.text("-42"), .int64) == "-42")
        #expect(cast(.text("+42"), .int16) == "42")
        #expect(cast(.text("9223372036854775807"), .int64) == "9223372036854775807")
        #expect(cast(.text("-9223372036854775808"), .int64) == "-9223372036854775808")
        #expect(cast(.text("9223372036854775808"), .int64) == "error 22003")
        #expect(cast(.text("2147483648"), .int32) == "error 22003")
        #expect(cast(.text("32768"), .int16) == "error 22003")
        for text in ["", " ", "x", "1x", "1.5", "--1", "1 2", "0x10", "1e3"] {
            #expect(cast(.text(text), .int32) == "error 22P02", "\(text)")
        }
        #expect(cast(.text("1.5"), .float64) == "1.5")
        #expect(cast(.text("1e3"), .float64) == "1000")
        #expect(cast(.text(".5"), .float64) == "0.5")
        #expect(cast(.text("-Infinity"), .float64) == "-Infinity")
        #expect(cast(.text("nan"), .float64) == "NaN")
        #expect(cast(.text("1e400"), .float64) == "error 22003")
        #expect(cast(.text("1e-400"), .float64) == "error 22003")
        #expect(cast(.text("1e40"), .float32) == "error 22003")
        #expect(cast(.text("0x1p3"), .float64) == "error 22P02")
        #expect(cast(.text("1.5.5"), .float64) == "error 22P02")
        #expect(cast(.text("0.1234567890123456789"), .float64) == "0.12345678901234568")
        let money = ColumnType.decimal(precision: 10, scale: 2)
        #expect(cast(.text("12.345"), money) == "12.35")
        #expect(cast(.text("-12.345"), money) == "-12.35")
        #expect(cast(.text("1e3"), money) == "1000.00")
        #expect(cast(.text("123456789"), money) == "error 22003")
        #expect(cast(.text("12,5"), money) == "error 22P02")
    }

    @Test func `the message of a bad number quotes it`() {
        let expression = BoundExpression.cast(.literal(.text("x"), .text), to: .int32, .strict)
        let batch = ColumnBatch(columns: [], rowCount: 1)
        #expect {
            _ = try CompiledExpression(expression).evaluate(batch, testContext())
        } throws: { error in
            (error as? Problem)?.message == "invalid input syntax for type integer: \"x\""
        }
    }

    @Test func `between numbers`() {
        #expect(cast(.big(2_147_483_648), .int32) == "error 22003")
        #expect(cast(.big(-40000), .int16) == "error 22003")
        #expect(cast(.big(5), .int16) == "5")
        #expect(cast(.int(5), .float64) == "5")
        #expect(cast(.int(5), .decimal(precision: 5, scale: 2)) == "5.00")
        #expect(cast(.int(1000), .decimal(precision: 5, scale: 2)) == "error 22003")
        #expect(cast(.float(2.5), .int32) == "2")
        #expect(cast(.float(3.5), .int32) == "4")
        #expect(cast(.float(-2.5), .int64) == "-2")
        #expect(cast(.float(1e10), .int32) == "error 22003")
        #expect(cast(.float(.nan), .int64) == "error 22003")
        #expect(cast(.float(0.1), .decimal(precision: 38, scale: 20)) == "0.10000000000000000000")
        #expect(
            cast(.float(1.0 / 3), .decimal(precision: 38, scale: 20)) == "0.33333333333333300000")
        #expect(cast(.float(1e20), .decimal(precision: 38, scale: 0)) == "100000000000000000000")
        #expect(cast(.float(.infinity), .decimal(precision: 38, scale: 0)) == "error 0A000")
        #expect(cast(.float(0.1), .float32) == "0.1")
        #expect(cast(.float(1e300), .float32) == "error 22003")
        #expect(cast(.decimal("2.5", 10, 1), .int32) == "3")
        #expect(cast(.decimal("-2.5", 10, 1), .int64) == "-3")
        #expect(cast(.decimal("2.45", 10, 2), .decimal(precision: 3, scale: 1)) == "2.5")
        #expect(cast(.decimal("99.96", 10, 2), .decimal(precision: 3, scale: 1)) == "error 22003")
        #expect(cast(.decimal("12.50", 10, 2), .float64) == "12.5")
    }

    @Test func `booleans`() {
        for text in ["t", "true", "TRUE", "tr", "yes", "y", "on", "1", " true "] {
            #expect(cast(.text(text), .boolean) == "t", "\(text)")
        }
        for text in ["f", "false", "fal", "no", "n", "off", "of", "0"] {
            #expect(cast(.text(text), .boolean) == "f", "\(text)")
        }
        for text in ["", "o", "2", "truee", "maybe"] {
            #expect(cast(.text(text), .boolean) == "error 22P02", "\(text)")
        }
        #expect(cast(.boolean(true), .text) == "true")
        #expect(cast(.boolean(true), .int32) == "1")
        #expect(cast(.int(5), .boolean) == "t")
    }

    @Test func `floats are written with the fewest digits that read back`() {
        for (value, text) in [
            (0.0, "0"), (-0.0, "-0"), (1, "1"), (0.1, "0.1"), (1e14, "100000000000000"),
            (1e15, "1e+15"), (123_456_789_012_345, "123456789012345"), (0.0001, "0.0001"),
            (0.00001, "1e-05"), (1.5e300, "1.5e+300"), (.leastNonzeroMagnitude, "5e-324"),
            (1.0 / 3, "0.3333333333333333"), (-1234.5678, "-1234.5678"), (.infinity, "Infinity"),
        ] as [(Double, String)] {
            #expect(cast(.float(value), .text) == text)
        }
        let single = Argument(value: .float(Double(Float(0.1))), type: .float32)
        #expect(cast(single, .text) == "0.1")
        let million = Argument(value: .float(1_000_000), type: .float32)
        #expect(cast(million, .text) == "1e+06")
    }

    @Test func `random doubles survive a round trip through text`() {
        var random = Random(seed: 5)
        for _ in 0..<3000 {
            let value = Double(bitPattern: random.next())
            guard value.isFinite else { continue }
            let text = cast(.float(value), .text)
            #expect(Double(text) == value)
            #expect(cast(.text(text), .float64) == text)
        }
    }

    @Test func `identifiers and bytes`() {
        let uuid = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
        #expect(cast(.text(uuid.uppercased()), .uuid) == uuid)
        #expect(cast(.text("{a0eebc999c0b4ef8bb6d6bb9bd380a11}"), .uuid) == uuid)
        #expect(cast(.text("a0eebc99"), .uuid) == "error 22P02")
        #expect(cast(.text("z0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"), .uuid) == "error 22P02")
        #expect(cast(.text(#"\xDEADbeef"#), .binary) == #"\xdeadbeef"#)
        #expect(cast(.text(#"a\\b\001"#), .binary) == #"\x615c6201"#)
        #expect(cast(.text(#"\xf"#), .binary) == "error 22023")
        #expect(cast(.parsed(uuid, .uuid), .text) == uuid)
    }

    @Test func `lists from text`() {
        #expect(cast(.text(#"{a,"b c",NULL,"NULL"}"#), .list(.text)) == #"{a,"b c",NULL,"NULL"}"#)
        #expect(cast(.text("{1, 2 ,3}"), .list(.int32)) == "{1,2,3}")
        #expect(cast(.text("{}"), .list(.int32)) == "{}")
        #expect(cast(.text("{1,x}"), .list(.int32)) == "error 22P02")
        for text in ["", "1,2", "{1", "{1,}", "{1}x", #"{"a}"#] {
            #expect(cast(.text(text), .list(.text)) == "error 22P02", "\(text)")
        }
        #expect(cast(.texts(["1", nil]), .list(.int32)) == "{1,NULL}")
    }

    @Test func `jsonb to scalars`() {
        #expect(cast(.json("1.5"), .float64) == "1.5")
        #expect(cast(.json("2.5"), .int32) == "3")
        #expect(cast(.json("12"), .decimal(precision: 5, scale: 2)) == "12.00")
        #expect(cast(.json("true"), .boolean) == "t")
        #expect(cast(.json(#""x""#), .int32) == "error 22023")
        #expect(cast(.json("1"), .boolean) == "error 22023")
        #expect(cast(.json(#"{"a": 1}"#), .text) == #"{"a": 1}"#)
    }

    @Test func `moments`() {
        #expect(cast(.date("2024-02-29"), .timestamp) == "2024-02-29 00:00:00")
        #expect(cast(.date("infinity"), .timestampTZ) == "infinity")
        #expect(cast(.timestamp("2024-02-29 23:59:59"), .date) == "2024-02-29")
        #expect(cast(.timestamp("1969-12-31 23:59:59"), .date) == "1969-12-31")
        #expect(cast(.timestamp("-infinity"), .date) == "-infinity")
        #expect(cast(.timestamp("2024-02-29 23:59:59"), .timestampTZ) == "2024-02-29 23:59:59+00")
    }

    @Test func `a lenient cast gives NULL`() {
        #expect(cast(.text("x"), .int32, mode: .nullOnFailure) == "NULL")
        #expect(cast(.text("7"), .int32, mode: .nullOnFailure) == "7")
        #expect(cast(.text("2024-02-30"), .date, mode: .nullOnFailure) == "NULL")
        #expect(cast(.big(1 << 40), .int32, mode: .nullOnFailure) == "NULL")
        #expect(cast(.text("{"), .json, mode: .nullOnFailure) == "NULL")
    }

    @Test func `random text is read or refused, never worse`() {
        var random = Random(seed: 21)
        let alphabet = Array("0123456789-+:. eETZabdhmsPYMD/{},\"\\xnulagoj".utf8)
        let types: [ColumnType] = [
            .int32, .int64, .float64, .decimal(precision: 20, scale: 5), .boolean, .date,
            .timestamp, .timestampTZ, .interval, .uuid, .json, .binary, .list(.text),
        ]
        for _ in 0..<4000 {
            let length = random.below(24)
            let bytes = (0..<length).map { _ in alphabet[random.below(alphabet.count)] }
            let text = Value.text(String(decoding: bytes, as: UTF8.self))
            let type = types[random.below(types.count)]
            let expression = BoundExpression.cast(.literal(text, .text), to: type, .nullOnFailure)
            let batch = ColumnBatch(columns: [], rowCount: 1)
            let result = evaluate(expression, batch, row: 0)
            #expect(!result.hasPrefix("error"))
        }
    }

    @Test func `forms for JSON`() {
        #expect(jsonForm(.null, .int32) == .null)
        #expect(jsonForm(.int(5), .int32) == .number("5"))
        #expect(jsonForm(.float(1.5), .float64) == .number("1.5"))
        #expect(jsonForm(.float(.nan), .float64) == .string("NaN"))
        #expect(
            jsonForm(.decimal(unscaled: 150, scale: 2), .decimal(precision: 5, scale: 2))
                == .number("1.50"))
        #expect(
            jsonForm(.timestampTZ(microseconds: 0), .timestampTZ)
                == .string("1970-01-01T00:00:00+00:00"))
        #expect(jsonForm(.json(#"{"a": [1]}"#), .json)["a"] == .array([.number("1")]))
        #expect(
            jsonForm(.structure([.int(1)]), .structure([Field("x", .int32)]))["x"] == .number("1"))
        #expect(textForm(.boolean(true), .boolean) == "t")
        #expect(textForm(.null, .boolean) == nil)
        #expect(
            textForm(
                .structure([.int(1), .null, .text("a b")]),
                .structure([Field("x", .int32), Field("y", .int32), Field("z", .text)]))
                == #"(1,,"a b")"#)
    }
}
