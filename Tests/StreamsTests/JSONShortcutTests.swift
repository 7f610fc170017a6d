import Base
import Columns
import Streams
import Testing

/// The decoder's shortcuts against the long way, over records that are generated and then damaged.
struct JSONShortcutTests {
    static let fields = [
        Field("id", .text), Field("n", .int32), Field("x", .float64), Field("ok", .boolean),
        Field("at", .timestampTZ), Field("p", .json), Field("d", .decimal(precision: 10, scale: 2)),
        Field("day", .date), Field("big", .int64), Field("u", .uuid), Field("local", .timestamp),
        Field("s", .int16), Field("f", .float32), Field("event_type", .text),
    ]

    /// Makes records as producers send them: the same shape again and again, with exceptions.
    private struct Producer {
        var random: Random
        var order = Array(JSONShortcutTests.fields.map(\.name).enumerated().map(\.element))
        var space = ""

        mutating func one(of choices: [String]) -> String { choices[random.below(choices.count)] }

        mutating func text() -> String {
            switch random.below(40) {
            case 0: #"with \"quotes\" and \\ and \u00e4\ud83d\ude00"#
            case 1: "ünïcode 漢字 😀"
            case 2: #"nul \u0000 inside"#
            case 3: "\u{1}"
            case 4: ""
            case 5: #"\u12"#
            default:
                String("abcdefghijklmnopqrstuvwxyz0123456789".prefix(random.below(36)))
            }
        }

        mutating func number() -> String {
            // What is no number at all makes the whole record worthless, so it is rare.
            if random.below(30) == 0 { return one(of: ["01", "-", "1.", ".5", "12a", "1e", "+1"]) }
            return one(of: [
                "0", "-0", "7", "-12", "123456789012345678", "1234567890123456789012", "1.5",
                "-0.25", "3.0", "1e3", "1E-2", "32767", "32768",
                "-2147483648", "2147483648", "9223372036854775807", "9223372036854775808",
                "0.1234567890123456789", "1e400",
            ])
        }

        mutating func moment() -> String {
            one(of: [
                "2026-11-19T00:00:00Z", "2026-11-19T23:59:59.999Z", "2026-11-19T12:30:45.123456Z",
                "2026-11-19T12:30:45.1234567Z", "2026-11-19T24:00:60Z", "2026-11-19T25:00:00Z",
                "2026-13-19T00:00:00Z", "2024-02-29T00:00:00.5Z", "2023-02-29T00:00:00Z",
                "2026-11-19 10:00:00+07", "2026-11-19", "2026-11-19T10:00", "yesterday",
                "2026-11-19T1a:00:00Z", "2026-11-19T10:00:00.Z", "0001-01-01T00:00:00Z",
                "2026-11-19T10:00:00z", "2026-11-19T10;00:00Z",
            ])
        }

        mutating func json(_ depth: Int) -> String {
            switch random.below(depth > 3 ? 5 : 8) {
            case 0: return number()
            case 1: return "\"\(text())\""
            case 2:
                let last = random.below(9) == 0 ? "nul" : "true"
                return one(of: ["true", "false", "null", last])
            case 3: return one(of: ["{}", "[]", "[ ]", "{ }"])
            case 4: return "\"plain\""
            case 5:
                return "["
                    + (0...random.below(3)).map { _ in json(depth + 1) }
                    .joined(separator: one(of: [",", " , "])) + "]"
            default:
                let keys = ["page", "price", "a", "bb", "a", "k\\u0041", "long_key_of_some_length"]
                return "{"
                    + (0...random.below(4)).map { _ in
                        "\"\(one(of: keys))\"\(one(of: [":", ": ", " :"]))\(json(depth + 1))"
                    }.joined(separator: ",") + "}"
            }
        }

        mutating func value(_ name: String) -> String {
            if random.below(12) == 0 {
                return one(of: ["null", "true", number(), json(0), "\"\(moment())\""])
            }
            switch name {
            case "id", "event_type": return "\"\(text())\""
            case "p": return json(0)
            case "ok": return one(of: ["true", "false"])
            case "at", "local", "day": return "\"\(moment())\""
            case "u":
                return one(of: [
                    #""3f2504e0-4f89-11d3-9a0c-0305e82c3301""#,
                    #""3F2504E04F8911D39A0C0305E82C3301""#, #""no uuid""#,
                ])
            default:
                let digits = number()
                return random.below(5) == 0 ? "\"\(digits)\"" : digits
            }
        }

        mutating func record() -> String {
            if random.below(40) == 0 {
                order.swapAt(random.below(order.count), random.below(order.count))
            }
            if random.below(40) == 0 { space = one(of: ["", " ", "\n", "  "]) }
            var members: [String] = []
            for name in order where random.below(15) != 0 {
                members.append("\"\(name)\":\(space)\(value(name))")
            }
            if random.below(10) == 0 {
                members.insert(
                    "\"\(one(of: ["other", "id", "n", "p", "\\u0069d", "", "x"]))\":\(json(0))",
                    at: random.below(members.count + 1))
            }
            return space + "{" + members.joined(separator: "," + space) + "}"
                + one(of: ["", "", "", " ", random.below(9) == 0 ? "x" : ""])
        }

        /// The record's bytes, some of them damaged.
        mutating func payload() -> Bytes? {
            if random.below(50) == 0 { return nil }
            var bytes = Array(record().utf8)
            if random.below(6) == 0 {
                for _ in 0...random.below(3) where !bytes.isEmpty {
                    let place = random.below(bytes.count)
                    switch random.below(4) {
                    case 0: bytes[place] = UInt8(random.below(256))
                    case 1: bytes.remove(at: place)
                    case 2: bytes.insert(Array(#"{}[]",:\0-. "#.utf8)[random.below(12)], at: place)
                    default: bytes.removeLast(bytes.count - place)
                    }
                }
            }
            return Bytes(bytes)
        }
    }

    @Test(arguments: 0..<4) func `shortcuts change no value and no error`(seed: Int) {
        var producer = Producer(random: Random(seed: UInt64(seed) + 1))
        var quick = JSONRowDecoder(fields: Self.fields)
        var careful = JSONRowDecoder(fields: Self.fields, takesShortcuts: false)
        for _ in 0..<10 {
            var payloads: [Bytes?] = []
            for _ in 0..<100 {
                let payload = producer.payload()
                payloads.append(payload)
                quick.append(payload)
                careful.append(payload)
            }
            let pairs = zip(quick.errors, careful.errors)
            if let (mine, wanted) = pairs.first(where: { $0.0 != $0.1 }) {
                Issue.record(
                    """
                    \(mine) instead of \(wanted) in
                    \(payloads[min(mine.row, wanted.row)]?.text ?? "nothing")
                    """)
                return
            }
            #expect(quick.errors.count == careful.errors.count)
            let (left, right) = (quick.finish(), careful.finish())
            for (field, pair) in zip(Self.fields, zip(left, right)) {
                for row in payloads.indices
                where !Self.isSame(pair.0.value(row), pair.1.value(row)) {
                    Issue.record(
                        """
                        \(field.name): \(pair.0.value(row)) instead of \(pair.1.value(row)) in
                        \(payloads[row]?.text ?? "nothing")
                        """)
                    return
                }
            }
        }
    }

    private static func isSame(_ left: Value, _ right: Value) -> Bool {
        if case .float(let a) = left, case .float(let b) = right {
            return a.bitPattern == b.bitPattern
        }
        return left == right
    }

    @Test func `a gap of one place does not open an object in another`() {
        var decoder = JSONRowDecoder(fields: [Field("a", .int32), Field("b", .int32)])
        for payload in [
            #"{"a":1,"b":2}"#, #"{"b":1,"a":2}"#, #"{"b":1{"a":2}"#, #","a":1}"#,
            #"{"a":1,"b":2"#, #"{"a":1,"b":2}}"#,
        ] {
            decoder.append(Bytes(utf8: payload))
        }
        #expect(decoder.errors.map(\.row) == [2, 3, 4, 5])
        let columns = decoder.finish()
        #expect(
            (0..<6).map { columns[0].value($0) } == [
                .int(1), .int(2), .null, .null, .null, .null,
            ])
    }

    @Test func `more columns than bits of a word are told apart`() {
        let fields = (0..<150).map { Field("c\($0)", .int64) }
        var decoder = JSONRowDecoder(fields: fields)
        func record(_ row: Int) -> Bytes {
            let members = (0..<150).filter { ($0 + row) % 3 != 0 }.map { "\"c\($0)\":\($0 * row)" }
            return Bytes(utf8: "{" + members.joined(separator: ",") + "}")
        }
        for row in 0..<10 { decoder.append(record(row)) }
        #expect(decoder.errors.isEmpty)
        let columns = decoder.finish()
        for row in 0..<10 {
            for column in 0..<150 {
                let wanted: Value = (column + row) % 3 != 0 ? .int(Int64(column * row)) : .null
                #expect(columns[column].value(row) == wanted)
            }
        }
    }
}
