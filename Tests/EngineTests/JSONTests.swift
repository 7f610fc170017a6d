import Base
import Columns
import Engine
import SQL
import Testing

@Suite struct JSONTests {
    @Test func `jsonb has one normal form`() {
        func normal(_ text: String, _ expected: String) {
            #expect(cast(.text(text), .json) == expected, "\(text)")
        }
        normal(#" {"b":1,"a":[1 , 2],"b":2} "#, #"{"a": [1, 2], "b": 2}"#)
        normal(#"{"bb":1,"a":2,"ab":3}"#, #"{"a": 2, "ab": 3, "bb": 1}"#)
        normal("{}", "{}")
        normal("[]", "[]")
        normal("[[],{}]", "[[], {}]")
        normal("null", "null")
        normal("1.0", "1.0")
        normal("1e2", "100")
        normal("1.50e1", "15.0")
        normal("1E-3", "0.001")
        normal("-0", "0")
        normal("-0.0", "0.0")
        normal("123e-2", "1.23")
        normal(#""\u0041\/\n\u00e9\ud83d\ude00""#, #""A/\né😀""#)
        normal(#""\u001f\"\\""#, #""\u001f\"\\""#)
        normal(#"{"\u0061":1}"#, #"{"a": 1}"#)
    }

    @Test func `what is not JSON is refused`() {
        for text in [
            "", "{", "}", "[1,]", "{\"a\"}", "{\"a\":}", "{a:1}", "01", "1.", ".5", "+1", "tru",
            "truex", "\"a", "\"\\x\"", "\"\t\"", "[1 2]", "1 2", "{\"a\":1,}", "\"\\ud800\"",
            "\"\\udc00\"", "nul", "-", "1e", "\"\\u12\"",
        ] {
            #expect(cast(.text(text), .json) == "error 22P02", "\(text)")
        }
        #expect(cast(.text(#""\u0000""#), .json) == "error 22P05")
        #expect(cast(.text("1e100000"), .json) == "error 22003")
        let deep = String(repeating: "[", count: 100_000)
        #expect(cast(.text(deep), .json) == "error 54001")
        #expect(cast(.text(deep), .json, mode: .nullOnFailure) == "NULL")
    }

    private let document = Argument.json(
        #"{"name": "Ada", "n": 12.50, "ok": true, "none": null, "tags": ["x", "y y", 3],"#
            + #" "deep": {"list": [{"k": "found in the depth of it"}]}, "a\"b": "q", "e": "l\n1"}"#)

    @Test func `members and elements`() {
        check(.jsonField, [document, .text("name")], .json, #""Ada""#)
        check(.jsonFieldText, [document, .text("name")], .text, "Ada")
        check(.jsonFieldText, [document, .text("n")], .text, "12.50")
        check(.jsonFieldText, [document, .text("ok")], .text, "true")
        check(.jsonField, [document, .text("none")], .json, "null")
        check(.jsonFieldText, [document, .text("none")], .text, "NULL")
        check(.jsonFieldText, [document, .text("missing")], .text, "NULL")
        check(.jsonFieldText, [document, .text("tags")], .text, #"["x", "y y", 3]"#)
        check(.jsonFieldText, [document, .text("a\"b")], .text, "q")
        check(.jsonFieldText, [document, .text("e")], .text, "l\n1")
        check(.jsonFieldText, [document, .text("")], .text, "NULL")
        check(.jsonFieldText, [.json("[1]"), .text("a")], .text, "NULL")
        check(.jsonElement, [.json("[1, [2]]"), .int(1)], .json, "[2]")
        check(.jsonElementText, [.json(#"["a", "b"]"#), .int(-1)], .text, "b")
        check(.jsonElementText, [.json(#"["a", "b"]"#), .int(-3)], .text, "NULL")
        check(.jsonElementText, [.json(#"["a"]"#), .int(1)], .text, "NULL")
        check(.jsonElementText, [.json(#"{"a": 1}"#), .int(0)], .text, "NULL")
    }

    @Test func `paths`() {
        check(
            .jsonPathText, [document, .texts(["deep", "list", "0", "k"])], .text,
            "found in the depth of it")
        check(.jsonPath, [document, .texts(["tags", "-1"])], .json, "3")
        check(.jsonPath, [document, .texts([])], .json, document.description)
        check(.jsonPath, [document, .texts(["tags", "x"])], .json, "NULL")
        check(.jsonPath, [document, .texts(["name", "x"])], .json, "NULL")
        check(.jsonPath, [document, .texts(["tags", nil])], .json, "NULL")
    }

    @Test func `questions`() {
        check(.jsonHasKey, [document, .text("name")], .boolean, "t")
        check(.jsonHasKey, [document, .text("nam")], .boolean, "f")
        check(.jsonHasKey, [.json(#"["a", "b"]"#), .text("b")], .boolean, "t")
        check(.jsonHasKey, [.json(#""b""#), .text("b")], .boolean, "t")
        check(.jsonHasKey, [.json("1"), .text("1")], .boolean, "f")
        check(.jsonContains, [document, .json(#"{"n": 12.5, "tags": ["x"]}"#)], .boolean, "t")
        check(.jsonContains, [document, .json(#"{"tags": ["z"]}"#)], .boolean, "f")
        check(.jsonContains, [.json("[1, 2]"), .json("1")], .boolean, "t")
        check(.jsonContains, [.json("1"), .json("[1]")], .boolean, "f")
        check(.jsonContains, [.json("{}"), .json("[]")], .boolean, "f")
        for (text, name) in [
            ("{}", "object"), ("[]", "array"), (#""a""#, "string"), ("1", "number"),
            ("true", "boolean"), ("null", "null"),
        ] {
            check(.jsonTypeof, [.json(text)], .text, name)
        }
        check(.jsonArrayLength, [.json("[1, [2, 3]]")], .int32, "2")
        check(.jsonArrayLength, [.json("[]")], .int32, "0")
        check(.jsonArrayLength, [.json("{}")], .int32, "error 22023")
    }

    @Test func `changes`() {
        check(
            .jsonConcat, [.json(#"{"a": 1, "b": 2}"#), .json(#"{"b": 3}"#)], .json,
            #"{"a": 1, "b": 3}"#)
        check(.jsonConcat, [.json("[1]"), .json(#"{"a": 2}"#)], .json, #"[1, {"a": 2}]"#)
        check(.jsonConcat, [.json("1"), .json("2")], .json, "[1, 2]")
        check(.jsonDeleteKey, [.json(#"{"a": 1, "b": 2}"#), .text("a")], .json, #"{"b": 2}"#)
        check(.jsonDeleteKey, [.json(#"["a", "b"]"#), .text("a")], .json, #"["b"]"#)
        check(.jsonDeleteKey, [.json("1"), .text("a")], .json, "error 22023")
    }

    @Test func `building`() {
        check(
            .jsonBuildObject,
            [
                .text("bb"), .int(1), .text("a"), .float(1.5), .text("c"), .boolean(true),
                .text("d"), .timestampTZ("2024-02-29 13:14:15Z"), .text("e"), .null(.text),
                .text("f"), .text("q\"x"),
            ], .json,
            #"{"a": 1.5, "c": true, "d": "2024-02-29T13:14:15+00:00", "e": null, "f": "q\"x", "bb": 1}"#,
            withNulls: false)
        check(.jsonBuildArray, [.int(1), .text("x"), .null(.int32)], .json, #"[1, "x", null]"#)
        check(.toJSON, [.texts(["a", nil])], .json, #"["a", null]"#)
        check(.toJSON, [.float(.nan)], .json, #""NaN""#)
        check(.toJSON, [.float(1e20)], .json, "100000000000000000000")
        check(.toJSON, [.decimal("1.50", 10, 2)], .json, "1.50")
        check(.toJSON, [.date("2024-02-29")], .json, #""2024-02-29""#)
        check(.toJSON, [.json(#"{"a": 1}"#)], .json, #"{"a": 1}"#)
        check(.jsonBuildObject, [.null(.text), .int(1)], .json, "error 22023")
    }

    @Test func `malformed documents in a column are answered, not trusted`() {
        // A foreign file may hold anything in a column that is declared as JSON.
        for text in [
            "", "{", #"{"a"#, #"{"a":"#, #"{"a": "x"#, "[1,", #"{"a": [1, {"b""#, "\\", "{]",
        ] {
            guard case .text(let texts) = Column(.text, [.text(text)]).data else { continue }
            let batch = ColumnBatch(
                columns: [Column(type: .json, data: .text(texts))], rowCount: 1)
            let column = BoundExpression.column(0, .json)
            let key = BoundExpression.literal(.text("a"), .text)
            let path = BoundExpression.literal(.list([.text("a"), .text("0")]), .list(.text))
            for expression: BoundExpression in [
                .call(.jsonFieldText, [column, key], .text),
                .call(.jsonElement, [column, .literal(.int(-1), .int32)], .json),
                .call(.jsonPath, [column, path], .json),
                .call(.jsonHasKey, [column, key], .boolean),
                .call(.jsonTypeof, [column], .text), .call(.jsonArrayLength, [column], .int32),
                .call(.jsonContains, [column, column], .boolean),
                .call(.jsonConcat, [column, column], .json),
            ] {
                _ = evaluate(expression, batch, row: 0)
            }
        }
    }

    @Test func `random mutations of a document never trap`() {
        var random = Random(seed: 11)
        let source = Array(document.description.utf8)
        for _ in 0..<2000 {
            var bytes = source
            for _ in 0...random.below(4) where !bytes.isEmpty {
                switch random.below(3) {
                case 0: bytes[random.below(bytes.count)] = UInt8(random.below(128))
                case 1: bytes.remove(at: random.below(bytes.count))
                default: bytes = Array(bytes.prefix(1 + random.below(bytes.count)))
                }
            }
            let text = String(decoding: bytes, as: UTF8.self)
            guard case .text(let texts) = Column(.text, [.text(text)]).data else { continue }
            let batch = ColumnBatch(
                columns: [
                    Column(type: .json, data: .text(texts)),
                    Column(type: .text, data: .text(texts)),
                ], rowCount: 1)
            let key = BoundExpression.literal(.text("deep"), .text)
            _ = evaluate(
                .call(.jsonField, [.column(0, .json), key], .json), batch, row: 0)
            _ = evaluate(.cast(.column(1, .text), to: .json, .strict), batch, row: 0)
        }
    }
}
