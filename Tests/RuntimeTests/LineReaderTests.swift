import Base
import Runtime
import Testing

@Suite struct LineReaderTests {
    func lines(_ text: String, pieces size: Int, limit: Int = 100) throws -> [String] {
        var rest = Array(text.utf8)[...]
        var reader = LineReader(limit: limit) { () throws(Problem) in
            defer { rest = rest.dropFirst(size) }
            return Bytes(Array(rest.prefix(size)))
        }
        var found: [String] = []
        while let line = try reader.next() { found.append(line.text) }
        return found
    }

    @Test(arguments: [1, 2, 3, 5, 100])
    func `lines come whole, however they arrive`(size: Int) throws {
        #expect(try lines("ab\n\ncd\ne", pieces: size) == ["ab", "", "cd", "e"])
        #expect(try lines("ab\n", pieces: size) == ["ab"])
        #expect(try lines("\n", pieces: size) == [""])
        #expect(try lines("", pieces: size) == [])
    }

    @Test(arguments: [1, 7, 100])
    func `a line without end does not take all memory`(size: Int) {
        #expect(throws: Problem.self) {
            try lines("a\n" + String(repeating: "x", count: 11), pieces: size, limit: 10)
        }
    }
}
