import Base
import Columns
import Delta
import Testing

struct SchemaTests {
    @Test func `every type survives the way through the schema's text`() throws {
        let inner = [Field("x", .int32), Field("id", .uuid)]
        let schema = TableSchema([
            Field("b", .boolean), Field("i2", .int16), Field("i4", .int32),
            Field("i8", .int64, isNullable: false), Field("f4", .float32), Field("f8", .float64),
            Field("n", .decimal(precision: 38, scale: 10)), Field("t", .text), Field("y", .binary),
            Field("d", .date), Field("ts", .timestamp), Field("tz", .timestampTZ),
            Field("u", .uuid), Field("j", .json), Field("l", .list(.list(.float64))),
            Field("s", .structure(inner)), Field("m", .map(key: .text, value: .structure(inner))),
        ])
        let stored = try DeltaSchema(schema)
        let text = stored.json.text
        #expect(try DeltaSchema(parsing: text) == stored)
        #expect(try DeltaSchema(parsing: text).tableSchema() == schema)
        #expect(text.contains(#"{"name":"tz","type":"timestamp","nullable":true,"metadata":{}}"#))
        #expect(
            text.contains(
                #"{"name":"u","type":"string","nullable":true,"metadata":{"weir.type":"uuid"}}"#))
    }

    @Test func `what the format cannot hold is refused with advice`() throws {
        do {
            _ = try DeltaSchema(TableSchema([Field("span", .interval)]))
            Issue.record("an interval was accepted")
        } catch {
            #expect(error.problem.message == "column 'span' of type interval cannot be stored")
            #expect(error.problem.hint == "store seconds: EXTRACT(EPOCH FROM span)")
        }
        for fields in [
            [Field("a", .null)], [Field("a b", .text)], [Field("", .text)], [],
            [Field("a", .text), Field("A", .text)], [Field("a", .decimal(precision: 39, scale: 0))],
        ] {
            #expect(throws: DeltaFailure.self) { try DeltaSchema(TableSchema(fields)) }
        }
    }

    @Test func `unknown metadata of a column is kept`() throws {
        let text =
            #"{"type":"struct","fields":[{"name":"a","type":"byte","nullable":false,"metadata":{"k":[1,{"z":null}]}}]}"#
        let schema = try DeltaSchema(parsing: text)
        #expect(schema.json.text == text)
        #expect(try schema.tableSchema().fields == [Field("a", .int16, isNullable: false)])
    }

    @Test(arguments: [
        "", "[]", "{}", #"{"type":"struct"}"#, #""long""#,
        #"{"type":"struct","fields":[{"name":"a","type":"decimal(40,1)"}]}"#,
        #"{"type":"struct","fields":[{"name":"a","type":"decimal"#,
        #"{"type":"struct","fields":[{"name":"a","type":"geometry"}]}"#,
        #"{"type":"struct","fields":[{"name":"a","type":{"type":"array"}}]}"#,
    ])
    func `malformed schemas are refused`(text: String) {
        #expect(throws: DecodeFailure.self) { try DeltaSchema(parsing: text) }
    }

    @Test func `a local time needs its feature and nothing else does`() throws {
        var random = Random(seed: 1)
        let table = memoryTable()
        let snapshot = try table.create(
            TableSchema([Field("l", .list(.timestamp))]), random: &random, now: start)
        #expect(snapshot.tableProtocol.readerFeatures == ["timestampNtz"])
    }

    @Test func `dates and moments are written and read as ISO 8601`() {
        #expect(CalendarText.date(days: 0) == "1970-01-01")
        #expect(CalendarText.date(days: -719_468) == "0000-03-01")
        #expect(
            CalendarText.timestamp(microseconds: -1, digits: 6, separator: "T")
                == "1969-12-31T23:59:59.999999")
        // What '-infinity' and 'infinity' are stored as.
        #expect(
            CalendarText.timestamp(microseconds: .min, digits: 6, separator: "T")
                == "-290308-12-21T19:59:05.224192")
        #expect(
            CalendarText.timestamp(microseconds: .max, digits: 6, separator: "T")
                == "294247-01-10T04:00:54.775807")
        for moment in [Int64.min, .min + 1, .max] {
            let text = CalendarText.timestamp(microseconds: moment, digits: 6, separator: " ")
            #expect(CalendarText.parseTimestamp(text)?.microseconds == moment)
            #expect(CalendarText.parseTimestamp(text + "Z")?.microseconds == moment)
        }
        for text in ["-290308-12-21 19:59:05.224191", "294247-01-10 04:00:54.775808"] {
            #expect(CalendarText.parseTimestamp(text) == nil)
        }
        for days in [Int32.min, .max] {
            #expect(CalendarText.parseDate(CalendarText.date(days: days)) == days)
        }
        var random = Random(seed: 5)
        for _ in 0..<2000 {
            let days = Int32(random.within(-800_000...3_000_000))
            #expect(CalendarText.parseDate(CalendarText.date(days: days)) == days)
            let moment = Int64(days) * 86_400_000_000 + Int64(random.below(86_400_000_000))
            let text = CalendarText.timestamp(microseconds: moment, digits: 6, separator: " ")
            #expect(CalendarText.parseTimestamp(text)?.microseconds == moment)
        }
        #expect(
            CalendarText.parseTimestamp("2024-01-01T02:00:00.5+02:00")?.microseconds
                == 1_704_067_200_500_000)
        for text in [
            "", "2024", "2023-02-29", "2024-13-01", "2024-01-01T25:00:00", "2024-01-01T00:00:00ZZ",
            "99999999-01-01",
        ] {
            #expect(CalendarText.parseTimestamp(text) == nil)
        }
    }

    @Test func `decimals are exact`() {
        #expect(DecimalText.plain(-5, scale: 2) == "-0.05")
        #expect(DecimalText.plain(12_345, scale: 2) == "123.45")
        #expect(DecimalText.plain(7, scale: 0) == "7")
        #expect(DecimalText.parse("-0.05", scale: 2) == -5)
        #expect(DecimalText.parse("1.5e3", scale: 1) == 15_000)
        #expect(DecimalText.parse("12e-1", scale: 1) == 12)
        #expect(DecimalText.parse("1e-9223372036854775808", scale: 1) == nil)
        #expect(DecimalText.parse("1.234", scale: 2) == nil)
        #expect(DecimalText.parse("0.000", scale: 0) == 0)
        for text in [
            "", "-", ".", "1.2.3", "abc", "1e99999999999", String(repeating: "9", count: 40),
        ] {
            #expect(DecimalText.parse(text, scale: 2) == nil)
        }
    }
}
