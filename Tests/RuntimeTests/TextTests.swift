import Base
import Runtime
import Testing

@Suite struct TextTests {
    @Test func `numbers are grouped by thousands`() {
        #expect(grouped(0) == "0")
        #expect(grouped(999) == "999")
        #expect(grouped(-1000) == "-1,000")
        #expect(grouped(Int64.min) == "-9,223,372,036,854,775,808")
        #expect(grouped(1_204_511) == "1,204,511")
    }

    @Test(
        arguments: [
            (0.25, 1, "0.3"), (-0.04, 1, "0.0"), (-1.5, 0, "-2"), (12.3456, 3, "12.346"),
            (1e300, 2, "1e+300"),
            (0.05, 2, "0.05"), (.nan, 1, "nan"),
        ] as [(Double, Int, String)])
    func `decimals are rounded`(value: Double, digits: Int, text: String) {
        #expect(fixed(value, digits) == text)
    }

    @Test func `sizes and times are short`() {
        #expect(byteText(0) == "0 B")
        #expect(byteText(999) == "999 B")
        #expect(byteText(1234) == "1.2 kB")
        #expect(byteText(999_999) == "1.0 MB")
        #expect(byteText(Int64.max) == "9223 PB")
        #expect(shortCount(6100) == "6.1k")
        #expect(durationText(seconds: 0.00042) == "0.42 ms")
        #expect(durationText(seconds: 0.4) == "0.4 s")
        #expect(durationText(seconds: 112) == "1 m 52 s")
        #expect(durationText(seconds: 12_000) == "3 h 20 m")
        #expect(durationText(seconds: 190_000) == "2 d 4 h")
    }

    @Test func `a list aligns its columns`() {
        let table = TextTable(
            [.init("NAME"), .init("LAG", isNumber: true)],
            rows: [["a", "1"], ["日本", "1,000"], [nil, nil]])
        #expect(table.plain() == "NAME    LAG\na         1\n日本  1,000\n-         -\n")
    }

    @Test func `many rows are shown from both ends`() {
        let table = TextTable(
            [.init("n", isNumber: true)], rows: (1...1041).map { ["\($0)"] }, missing: "NULL")
        let lines = table.ruled().split(separator: "\n")
        #expect(lines.count == 2 + 20 + 1 + 20 + 1)
        #expect(lines[21] == "   20")
        #expect(lines[22] == " … 1,001 rows not shown …")
        #expect(lines[23] == " 1022")
        #expect(lines.last == "(1,041 rows)")
        #expect(table.expanded().contains("─[ 1041 ]"))
    }

    @Test func `cells can't break the layout`() {
        let table = TextTable(
            [.init("a"), .init("b")], rows: [["x\ny\u{1B}[0m", String(repeating: "z", count: 99)]])
        let text = table.ruled(maxCellWidth: 10)
        #expect(text.contains("x\\ny\\x1b[…"))
        #expect(text.contains("zzzzzzzzz…"))
    }

    @Test func `formats for programs quote what they must`() {
        let table = TextTable(
            [.init("a,b"), .init("c")], rows: [["x \"y\"", nil], ["", "t\tu"], ["p|q", "1"]])
        #expect(table.csv() == "\"a,b\",c\n\"x \"\"y\"\"\",\n\"\",t\tu\np|q,1\n")
        #expect(table.tsv() == "x \"y\"\t-\n-\tt\\tu\np|q\t1\n")
        #expect(table.markdown().contains("| p\\|q | 1 |"))
    }

    @Test func `bars are proportional and small values are seen`() {
        let text = renderBars([("mobile", 800), ("web", 400), ("none", 0), ("few", 1)], width: 30)
        let lines = text.split(separator: "\n").map(String.init)
        func eighths(_ line: String) -> Int {
            line.reduce(0) { sum, character in
                guard let value = character.unicodeScalars.first?.value,
                    (0x2588...0x258F).contains(value)
                else { return sum }
                return sum + (8 - Int(value - 0x2588))
            }
        }
        #expect(abs(eighths(lines[0]) - 2 * eighths(lines[1])) <= 1)
        #expect(eighths(lines[2]) == 0)
        #expect(eighths(lines[3]) == 1)
        #expect(Set(lines.map(displayWidth)).count == 1)
        #expect(renderBars([]) == "")
        #expect(sparkline([0, 1, 2, 3]) == "▁▃▆█")
        #expect(sparkline([]) == "")
    }

    @Test func `an error in a statement points at its place`() {
        let problem = Problem(
            "42703", "column \"event_typ\" does not exist",
            notes: ["columns: event_type, total_events"], hint: "did you mean \"event_type\"?",
            position: 7)
        let text = problem.text(statement: "SELECT event_typ, count(*)\nFROM gold.event_metrics")
        #expect(
            text == """
                error[42703]: column "event_typ" does not exist
                  SELECT event_typ, count(*)
                         ^^^^^^^^^ did you mean "event_type"?
                  = columns: event_type, total_events

                """)
    }

    @Test(arguments: [0, 5, 6, 300, 599, 600, 601, -1, Int.max])
    func `any position is survived`(position: Int) {
        let statement = "SELECT " + String(repeating: "ä", count: 290) + "\n tail"
        let problem = Problem("42601", "x", position: position)
        for line in problem.text(statement: statement).split(separator: "\n") {
            #expect(displayWidth(String(line)) <= 110)
        }
    }

    @Test func `a problem travels as JSON in both forms`() throws {
        let problem = Problem("topic.unknown", "no", notes: ["n"], hint: "h", position: 3)
        #expect(Problem(json: problem.json) == problem)
        let details = try JSONValue(
            parsing: #"{"type":"/errors/x","title":"no","status":404,"code":"x","hint":"h"}"#)
        #expect(Problem(json: details) == Problem("x", "no", hint: "h"))
        #expect(Problem(json: ["a": 1]) == nil)
        #expect(ExitCode(for: Problem("network.unreachable", "")) == .unreachable)
        #expect(ExitCode(for: problem) == .failed)
    }
}

@Suite struct HTTPClientTests {
    func read(_ pieces: [String], method: String = "GET") throws -> HTTPAnswer {
        var left = pieces[...]
        var reader = HTTPAnswerReader { () throws(Problem) in
            left.popFirst().map { Bytes(utf8: $0) } ?? .empty
        }
        return try reader.answer(to: method)
    }

    @Test func `an answer with a length is read in any pieces`() throws {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A:  b\r\n\r\nhello"
        for size in [1, 2, 7, 100] {
            var pieces: [String] = []
            var rest = text.unicodeScalars.map { String($0) }[...]
            while !rest.isEmpty {
                pieces.append(rest.prefix(size).joined())
                rest = rest.dropFirst(size)
            }
            let answer = try read(pieces)
            #expect(answer.status == 200)
            #expect(answer.body.text == "hello")
            #expect(answer.header("x-a") == "b")
        }
    }

    @Test func `chunks, interim answers and endings by close are understood`() throws {
        let chunked =
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        #expect(
            try read([chunked, "3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\n\r\n"]).body.text == "abcde"
        )
        #expect(try read(["HTTP/1.0 404 Not\r\n\r\nall", " of it"]).body.text == "all of it")
        #expect(try read(["HTTP/1.1 204 No\r\n\r\n"]).body.isEmpty)
        #expect(
            try read(["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"], method: "HEAD").body.isEmpty)
    }

    @Test(arguments: [
        "", "garbage\r\n\r\n", "HTTP/1.1 xx\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\n",
    ])
    func `broken answers are refused`(text: String) {
        #expect(throws: Problem.self) { try read([text]) }
    }

    @Test func `an answer that is too long for the client is told as that`() {
        let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3ffffffe\r\n"
        let problem = #expect(throws: Problem.self) { try read([text]) }
        #expect(problem?.message == "the answer is longer than 1024 MiB")
        #expect(problem?.hint?.contains("fewer rows") == true)
    }

    @Test func `nobody listening is told with a hint`() throws {
        let port = try Listener(binding: HostPort(host: "127.0.0.1", port: 0)).port
        do throws(Problem) {
            _ = try HTTPClient(server: HostPort(host: "127.0.0.1", port: port)).json("GET", "/")
            Issue.record("nobody listens there")
        } catch {
            #expect(error.code == "network.unreachable")
            #expect(error.hint?.contains("weir serve") == true)
        }
    }
}
