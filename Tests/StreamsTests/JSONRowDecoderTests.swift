import Base
import Columns
import Streams
import Testing

@Suite struct JSONRowDecoderTests {
    let fields = [
        Field("id", .text), Field("n", .int32), Field("x", .float64), Field("ok", .boolean),
        Field("at", .timestampTZ), Field("p", .json), Field("d", .decimal(precision: 10, scale: 2)),
        Field("day", .date), Field("big", .int64),
    ]

    func decode(_ payloads: [String?]) -> (rows: [[Value]], errors: [JSONRowDecoder.RowError]) {
        var decoder = JSONRowDecoder(fields: fields)
        for payload in payloads { decoder.append(payload.map { Bytes(utf8: $0) }) }
        let errors = decoder.errors
        let columns = decoder.finish()
        let rows = payloads.indices.map { row in columns.map { $0.value(row) } }
        return (rows, errors)
    }

    @Test func `every declared type is read from JSON`() {
        let (rows, errors) = decode([
            #"{"id":"a long text that is not inline","n":-7,"x":1.5,"ok":true,"#
                + #""at":"2026-02-16T10:30:45.123Z","p":{"b":1,"a":[1,2]},"d":12.345,"#
                + #""day":"2024-02-29","big":9223372036854775807}"#
        ])
        #expect(errors.isEmpty)
        #expect(
            rows[0] == [
                .text("a long text that is not inline"), .int(-7), .float(1.5), .boolean(true),
                .timestampTZ(microseconds: 1_771_237_845_123_000), .json(#"{"a": [1, 2], "b": 1}"#),
                .decimal(unscaled: 1235, scale: 2), .date(days: 19_782), .int(.max),
            ])
    }

    @Test func `missing members, nulls and tombstones are NULL without an error`() {
        let (rows, errors) = decode(["{}", #"{"n":null}"#, nil, #"{"other":[{"n":1}]}"#])
        #expect(errors.isEmpty)
        #expect(rows.flatMap(\.self).filter { !$0.isNull }.isEmpty)
    }

    @Test func `a change of key order changes nothing`() {
        let (rows, errors) = decode([
            #"{"id":"1","n":1}"#, #"{"n":2,"id":"2"}"#, #"{"z":0,"id":"3","n":3}"#,
            #"{ "n" : 4 , "id" : "4" }"#,
        ])
        #expect(errors.isEmpty)
        for (index, row) in rows.enumerated() {
            #expect(row[0] == .text("\(index + 1)"))
            #expect(row[1] == .int(Int64(index + 1)))
        }
    }

    @Test(arguments: [
        "", "[]", "1", "{", #"{"n":1"#, #"{"n":}"#, #"{"n" 1}"#, #"{"n":1}x"#, #"{"n":01}"#,
        #"{"id":"\x"}"#, #"{"id":"\ud800"}"#, "{\"id\":\"\u{1}\"}", #"{"p":[1,}"#,
    ])
    func `a payload that is not a JSON object is a row of NULLs and an error`(payload: String) {
        let (rows, errors) = decode([#"{"id":"before"}"#, payload, #"{"id":"after"}"#])
        #expect(errors.map(\.row) == [1])
        #expect(rows[0][0] == .text("before"))
        #expect(rows[1].filter { !$0.isNull }.isEmpty)
        #expect(rows[2][0] == .text("after"))
    }

    @Test func `a member of another type is NULL and an error, the others are kept`() {
        let (rows, errors) = decode([#"{"id":"k","n":"x","at":"yesterday","ok":1,"d":1e99}"#])
        #expect(rows[0][0] == .text("k"))
        #expect(rows[0].filter { !$0.isNull }.count == 1)
        #expect(errors.count == 4)
        #expect(errors[0].message == "n: invalid input for type integer: x")
    }

    @Test func `of equal keys the last wins`() {
        let (rows, _) = decode([#"{"id":"first value, long enough","id":"b","n":1,"n":null}"#])
        #expect(rows[0][0] == .text("b"))
        #expect(rows[0][1] == .null)
    }

    @Test func `escapes in keys and texts are understood`() {
        let (rows, errors) = decode([
            #"{"\u0069d":"tab\tand \ud83d\ude00 and more","n":5}"#, #"{"id":"plain","n":6}"#,
        ])
        #expect(errors.isEmpty)
        #expect(rows[0][0] == .text("tab\tand 😀 and more"))
        #expect(rows[1][0] == .text("plain"))
    }

    @Test func `invalid UTF-8 is refused`() {
        var decoder = JSONRowDecoder(fields: fields)
        decoder.append(Bytes(Array(#"{"id":""#.utf8) + [0xC3, 0x28] + Array("\"}".utf8)))
        #expect(decoder.errors == [.init(row: 0, message: "the payload is not valid UTF-8")])
    }

    @Test func `nesting is bounded`() {
        let deep = #"{"p":"# + String(repeating: "[", count: 100_000)
        let (_, errors) = decode([deep, #"{"q":"# + String(repeating: "[", count: 100_000)])
        #expect(errors.map(\.row) == [0, 1])
    }

    @Test func `random damage never traps`() {
        var random = Random(seed: 11)
        let whole = Array(
            #"{"id":"text\u00e4","n":1,"x":-2.5e3,"at":"2026-02-16T10:30:45+07:00","p":{"a":[{}]}}"#
                .utf8)
        var decoder = JSONRowDecoder(fields: fields)
        for _ in 0..<5000 {
            var damaged = whole
            for _ in 0...random.below(3) {
                damaged[random.below(damaged.count)] = UInt8(random.below(256))
            }
            decoder.append(Bytes(damaged[..<random.within(0...damaged.count)]))
        }
        #expect(decoder.rowCount == 5000)
        #expect(decoder.finish().filter { $0.count != 5000 }.isEmpty)
    }

    @Test func `jsonb is normalised as PostgreSQL prints it`() {
        func normal(_ text: String) -> Value { decode([#"{"p":"# + text + "}"]).rows[0][5] }
        #expect(normal(#"{"bb":1,"a":2,"bb":3}"#) == .json(#"{"a": 2, "bb": 3}"#))
        #expect(normal(" [ 1 ,2, [ ] , { } ]") == .json("[1, 2, [], {}]"))
        #expect(normal(#""\u0041\n""#) == .json(#""A\n""#))
        #expect(normal("1.50e2") == .json("150"))
        #expect(normal("-1.5e-3") == .json("-0.0015"))
        #expect(normal("-0") == .json("0"))
    }

    @Test func `moments with zones become UTC`() {
        func moment(_ text: String) -> Value {
            decode([#"{"at":""# + text + #""}"#]).rows[0][4]
        }
        let noon = Value.timestampTZ(microseconds: 1_771_243_200_000_000)
        #expect(moment("2026-02-16T12:00:00Z") == noon)
        #expect(moment("2026-02-16 19:00:00+07") == noon)
        #expect(moment("2026-02-16T08:30-03:30") == noon)
        #expect(moment("2026-02-16") == .timestampTZ(microseconds: 1_771_200_000_000_000))
        #expect(moment("2026-02-30T12:00:00Z") == .null)
        #expect(
            moment("2026-02-16T12:00:00.1234567Z")
                == .timestampTZ(microseconds: 1_771_243_200_123_456))
    }
}
