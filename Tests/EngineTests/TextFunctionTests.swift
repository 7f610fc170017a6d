import Base
import Columns
import Engine
import SQL
import Testing

@Suite struct TextFunctionTests {
    private let long = "a text that is longer than twelve bytes"

    @Test func `upper and lower case`() {
        check(.lower, [.text("ABC Ärger")], .text, "abc ärger")
        check(.upper, [.text("straße é")], .text, "STRAßE É")
        check(.initcap, [.text("hello wORLD x2y")], .text, "Hello World X2y")
        check(.lower, [.text(long.uppercased())], .text, long)
    }

    @Test func `lengths count scalars, octets count bytes`() {
        check(.length, [.text("äöü")], .int32, "3")
        check(.length, [.text("")], .int32, "0")
        check(.octetLength, [.text("äöü")], .int32, "6")
        check(.reverse, [.text("aäb")], .text, "bäa")
    }

    @Test func `substring starts at 1, and below it takes from the length`() {
        check(.substring, [.text("hello"), .int(2), .int(3)], .text, "ell")
        check(.substring, [.text("hello"), .int(2)], .text, "ello")
        check(.substring, [.text("hello"), .int(-1), .int(4)], .text, "he")
        check(.substring, [.text("hello"), .int(10)], .text, "")
        check(.substring, [.text("häuser"), .int(2), .int(2)], .text, "äu")
        check(
            .substring, [.text(long), .int(3), .int(30)], .text, "text that is longer than twelv")
        check(.substring, [.text("hello"), .int(1), .int(-1)], .text, "error 22011")
        check(.substring, [.text("x"), .int(2_147_483_647), .int(2_147_483_647)], .text, "")
    }

    @Test func `left and right`() {
        check(.left, [.text("hello"), .int(2)], .text, "he")
        check(.left, [.text("hello"), .int(-2)], .text, "hel")
        check(.left, [.text("hello"), .int(-9)], .text, "")
        check(.right, [.text("hello"), .int(2)], .text, "lo")
        check(.right, [.text("hello"), .int(-2)], .text, "llo")
        check(.right, [.text("äöü"), .int(2)], .text, "öü")
    }

    @Test func `search and replace`() {
        check(.strpos, [.text("häuser"), .text("us")], .int32, "3")
        check(.strpos, [.text("abc"), .text("x")], .int32, "0")
        check(.strpos, [.text("abc"), .text("")], .int32, "1")
        check(.replace, [.text("banana"), .text("an"), .text("x")], .text, "bxxa")
        check(.replace, [.text("banana"), .text(""), .text("x")], .text, "banana")
        check(.translate, [.text("12345"), .text("143"), .text("ax")], .text, "a2x5")
        check(.startsWith, [.text("alphabet"), .text("alph")], .boolean, "t")
        check(.startsWith, [.text("al"), .text("alph")], .boolean, "f")
    }

    @Test func `trimming takes a set of characters`() {
        check(.trimBoth, [.text("  x  "), .text(" ")], .text, "x")
        check(.trimLeading, [.text("xxyx"), .text("x")], .text, "yx")
        check(.trimTrailing, [.text("xyxx"), .text("x")], .text, "xy")
        check(.trimBoth, [.text("äöxöä"), .text("öä")], .text, "x")
        check(.trimBoth, [.text("xxx"), .text("x")], .text, "")
        check(.trimBoth, [.text(" \(long) "), .text(" ")], .text, long)
    }

    @Test func `padding and repeating`() {
        check(.lpad, [.text("hi"), .int(5), .text("xy")], .text, "xyxhi")
        check(.rpad, [.text("hi"), .int(5), .text("xy")], .text, "hixyx")
        check(.lpad, [.text("hello"), .int(2), .text("x")], .text, "he")
        check(.lpad, [.text("hi"), .int(5), .text("")], .text, "hi")
        check(.lpad, [.text("hi"), .int(-5), .text("x")], .text, "")
        check(.repeat, [.text("ab"), .int(3)], .text, "ababab")
        check(.repeat, [.text("ab"), .int(-3)], .text, "")
        check(.repeat, [.text("ab"), .int(2_147_483_647)], .text, "error 54000")
        check(.lpad, [.text("ab"), .int(2_147_483_647), .text("x")], .text, "error 54000")
    }

    @Test func `joining and splitting`() {
        check(.textConcat, [.text("a"), .text(long)], .text, "a" + long)
        check(.textConcat, [.text("a"), .null(.text)], .text, "NULL")
        let batch = ColumnBatch(columns: [], rowCount: 1)
        let parts: [BoundExpression] = [
            .literal(.text("-"), .text), .literal(.text("a"), .text), .literal(.null, .text),
            .literal(.text("b"), .text),
        ]
        #expect(evaluate(.call(.concat, parts, .text), batch, row: 0) == "-ab")
        #expect(evaluate(.call(.concatWithSeparator, parts, .text), batch, row: 0) == "a-b")
        check(.splitPart, [.text("a,b,c"), .text(","), .int(2)], .text, "b")
        check(.splitPart, [.text("a,b,c"), .text(","), .int(-1)], .text, "c")
        check(.splitPart, [.text("a,b,c"), .text(","), .int(9)], .text, "")
        check(.splitPart, [.text("a,b"), .text(""), .int(1)], .text, "a,b")
        check(.splitPart, [.text("a"), .text(","), .int(0)], .text, "error 22023")
    }

    @Test func `codes`() {
        check(.ascii, [.text("é")], .int32, "233")
        check(.ascii, [.text("")], .int32, "0")
        check(.chr, [.int(233)], .text, "é")
        check(.chr, [.int(0)], .text, "error 54000")
        check(.chr, [.int(0xD800)], .text, "error 54000")
    }

    @Test func `LIKE`() {
        func like(_ text: String, _ pattern: String, _ expected: Bool) {
            check(.like, [.text(text), .text(pattern)], .boolean, expected ? "t" : "f")
        }
        like("hello", "hello", true)
        like("hello", "h%", true)
        like("hello", "%o", true)
        like("hello", "%ell%", true)
        like("hello", "h_llo", true)
        like("hello", "h_lo", false)
        like("hello", "%l%l%", true)
        like("hello", "%l%l%l%", false)
        like("hello", "", false)
        like("", "%", true)
        like("", "", true)
        like("häuser", "h_user", true)
        like("a%b", #"a\%b"#, true)
        like("axb", #"a\%b"#, false)
        like("hello", "ell", false)
        like("Hello", "h%", false)
        like("aaab", "%a%b", true)
        like("mississippi", "%iss%ip%", true)
        like("mississippi", "m%iss_ss%", true)
        check(.iLike, [.text("HeLLo ÄRGER"), .text("hello ä%")], .boolean, "t")
        check(.like, [.text("a_b"), .text("a#_b"), .text("#")], .boolean, "t")
        check(.like, [.text(#"a\b"#), .text(#"a\b"#), .text("")], .boolean, "t")
        check(.like, [.text("ab"), .text(#"a\"#)], .boolean, "error 22025")
        check(.like, [.text("a"), .text(#"a\"#)], .boolean, "f")
        check(.like, [.text("a"), .text("a"), .text("xy")], .boolean, "error 22019")
    }

    @Test func `a pattern full of percent signs stays linear enough`() {
        let text = String(repeating: "a", count: 2000)
        let pattern = String(repeating: "%a", count: 200) + "b"
        check(.like, [.text(text), .text(pattern)], .boolean, "f")
    }

    @Test func `results of dictionary columns stay dictionaries`() throws {
        guard case .text(let values) = Column(.text, [.text("A"), .text("B")]).data else { return }
        let column = Column(type: .text, data: .dictionary(codes: [0, 1, 0], values: values))
        let batch = ColumnBatch(columns: [column], rowCount: 3)
        let lower = CompiledExpression(.call(.lower, [.column(0, .text)], .text))
        let result = try lower.evaluate(batch, testContext()).column
        guard case .dictionary(let codes, _) = result.data else {
            Issue.record("a dictionary was expected")
            return
        }
        #expect(codes == [0, 1, 0])
        #expect(result.value(1) == .text("b"))
    }

    @Test func `lists`() {
        check(.listElement, [.texts(["a", "b"]), .int(2)], .text, "b")
        check(.listElement, [.texts(["a", "b"]), .int(0)], .text, "NULL")
        check(.listElement, [.texts([nil]), .int(1)], .text, "NULL")
        check(.listLength, [.texts(["a", "b"])], .int32, "2")
        check(.listContains, [.texts(["a", "b"]), .text("b")], .boolean, "t")
        check(.listContains, [.texts(["a", nil]), .text("b")], .boolean, "NULL")
        check(.listContains, [.texts([]), .text("b")], .boolean, "f")
        check(.listToText, [.texts(["a", nil, "b"]), .text(", ")], .text, "a, b")
        check(.textToList, [.text("a,,b"), .text(",")], .list(.text), #"{a,"",b}"#)
        check(.textToList, [.text(""), .text(",")], .list(.text), "{}")
        check(.textToList, [.text("a,b"), .text("")], .list(.text), #"{"a,b"}"#)
        check(.makeList, [.text("x y"), .text("null")], .list(.text), #"{"x y","null"}"#)
        check(.makeList, [.int(1), .int(2)], .list(.int32), "{1,2}")
    }
}
