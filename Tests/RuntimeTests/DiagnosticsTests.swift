import Base
import Runtime
import Testing

@Suite struct DiagnosticsTests {
    @Test func `a line for machines is one JSON object`() throws {
        let line = StandardErrorDiagnostics.line(
            .warning, "network", "peer said \"x\"\n", style: .jsonLines,
            wallMicroseconds: 1_767_323_045_678_901)
        let value = try JSONValue(parsing: line)
        #expect(value["ts"] == "2026-01-02T03:04:05.678901Z")
        #expect(value["level"] == "warn")
        #expect(value["logger"] == "network")
        #expect(value["msg"] == "peer said \"x\"\n")
        #expect(line.array.last == 0x0A)
    }

    @Test func `a line for people can't move the cursor`() {
        let line = StandardErrorDiagnostics.line(
            .error, "node", "a\u{1B}[2Jb\nc", style: .human(colour: false), wallMicroseconds: 0)
        #expect(line.text == "00:00:00.000 error node  a\u{FFFD}[2Jb\n    c\n")
    }

    @Test(
        arguments: [
            (0, "1970-01-01"), (-1, "1969-12-31"), (951_782_400_000_000, "2000-02-29"),
            (4_107_542_400_000_000, "2100-03-01"), (-62_135_596_800_000_000, "0001-01-01"),
        ] as [(Int64, String)])
    func `dates are right across leap years`(microseconds: Int64, date: String) {
        #expect(utcText(wallMicroseconds: microseconds).hasPrefix(date))
    }

    @Test func `two seeds of the system differ`() {
        var one = systemRandom()
        var two = systemRandom()
        #expect(one.next() != two.next())
    }
}
