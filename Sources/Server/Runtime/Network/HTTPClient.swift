import Base

/// What a server answered over HTTP.
package struct HTTPAnswer: Sendable {
    package var status: Int
    /// Names in lower case.
    package var headers: [(name: String, value: String)]
    package var body: Bytes

    package func header(_ name: String) -> String? {
        headers.first { $0.name == name }?.value
    }
}

/// A blocking HTTP/1.1 client: one connection a request, bounded answers, no redirects. It serves
/// the command line, which talks to a Weir server and nothing else.
package struct HTTPClient: Sendable {
    package let server: HostPort
    package var timeout: Duration

    package init(server: HostPort, timeout: Duration = .seconds(300)) {
        self.server = server
        self.timeout = timeout
    }

    /// Sends a request and waits for the whole answer, whatever its status.
    package func request(
        _ method: String, _ path: String, headers: [(String, String)] = [], body: Bytes? = nil
    ) throws(Problem) -> HTTPAnswer {
        let socket: ClientSocket
        do {
            socket = try ClientSocket(to: server, timeout: timeout)
        } catch {
            var problem = error
            problem.hint = "is it running? weir serve --http \(server.text)"
            throw problem
        }
        var head = "\(method) \(path) HTTP/1.1\r\nHost: \(server.text)\r\n"
        head += "Connection: close\r\nUser-Agent: weir\r\n"
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        if let body { head += "Content-Length: \(body.count)\r\n" }
        var pieces = [Bytes(utf8: head + "\r\n")]
        if let body { pieces.append(body) }
        try socket.send(Bytes.joined(pieces))
        var reader = HTTPAnswerReader { () throws(Problem) in try socket.receive() }
        return try reader.answer(to: method)
    }

    /// The JSON that the server answers; an error answer becomes its problem.
    package func json(
        _ method: String, _ path: String, body: JSONValue? = nil
    ) throws(Problem) -> JSONValue {
        var headers = [("Accept", "application/json")]
        if body != nil { headers.append(("Content-Type", "application/json")) }
        let answer = try request(method, path, headers: headers, body: body?.serialized())
        let value: JSONValue
        do {
            value = try JSONValue(parsing: answer.body)
        } catch {
            throw Problem(
                "http.answer", "\(server.text) did not answer with JSON",
                notes: ["status \(answer.status)", "\(error)"],
                hint: "is this the HTTP port of a Weir server?")
        }
        if answer.status >= 400 {
            throw Problem(json: value)
                ?? Problem("http.status", "\(server.text) answered with status \(answer.status)")
        }
        return value
    }
}

/// Reads one answer from the pieces in which it arrives.
///
///     HTTP/1.1 200 OK ⏎ name: value ⏎ … ⏎ ⏎ body
///
/// The body ends by `Content-Length`, by the last chunk, or with the connection.
package struct HTTPAnswerReader {
    private static let headBytes = 64 << 10
    private static let bodyBytes = 1 << 30

    /// The next piece; empty when the server has closed.
    private let receive: () throws(Problem) -> Bytes
    private var buffer: [UInt8] = []
    private var at = 0

    package init(receive: @escaping () throws(Problem) -> Bytes) { self.receive = receive }

    package mutating func answer(to method: String) throws(Problem) -> HTTPAnswer {
        var answer = try head()
        // An interim answer (100 Continue) comes before the real one.
        while answer.status < 200 { answer = try head() }
        if method == "HEAD" || answer.status == 204 || answer.status == 304 { return answer }
        if answer.header("transfer-encoding")?.lowercased() == "chunked" {
            answer.body = try chunks()
        } else if let text = answer.header("content-length") {
            guard let count = Int(text), count >= 0, count <= Self.bodyBytes else {
                throw malformed("its Content-Length is \"\(text)\"")
            }
            answer.body = Bytes(try take(count))
        } else {
            while try more() {
                if buffer.count - at > Self.bodyBytes { throw malformed("it is too long") }
            }
            answer.body = Bytes(buffer[at...])
        }
        return answer
    }

    private func malformed(_ how: String) -> Problem {
        Problem(
            "http.answer", "the server's answer is not HTTP", notes: [how],
            hint: "is this the HTTP port of a Weir server?")
    }

    private mutating func more() throws(Problem) -> Bool {
        let piece = try receive()
        if piece.isEmpty { return false }
        if at > 1 << 20 {
            buffer.removeFirst(at)
            at = 0
        }
        piece.withUnsafeBytes { buffer.append(contentsOf: $0) }
        return true
    }

    private mutating func take(_ count: Int) throws(Problem) -> ArraySlice<UInt8> {
        while buffer.count - at < count {
            guard try more() else {
                throw Problem("network.closed", "the server closed in the middle of its answer")
            }
        }
        defer { at += count }
        return buffer[at..<(at + count)]
    }

    /// One line without its end.
    private mutating func line() throws(Problem) -> String {
        var scanned = at
        while true {
            while scanned < buffer.count {
                if buffer[scanned] == 0x0A {
                    var end = scanned
                    if end > at, buffer[end - 1] == 0x0D { end -= 1 }
                    let text = String(decoding: buffer[at..<end], as: UTF8.self)
                    at = scanned + 1
                    return text
                }
                scanned += 1
            }
            if scanned - at > Self.headBytes { throw malformed("a line of it has no end") }
            let offset = scanned - at
            guard try more() else {
                throw Problem("network.closed", "the server closed without an answer")
            }
            scanned = at + offset
        }
    }

    private mutating func head() throws(Problem) -> HTTPAnswer {
        let status = try line()
        let parts = status.split(separator: " ", maxSplits: 2)
        guard parts.count >= 2, parts[0].utf8.starts(with: "HTTP/1.".utf8),
            let code = Int(parts[1]),
            (100...999).contains(code)
        else { throw malformed("it begins with \"\(cut(printable(status), toWidth: 40))\"") }
        var answer = HTTPAnswer(status: code, headers: [], body: .empty)
        while true {
            let text = try line()
            if text.isEmpty { return answer }
            if answer.headers.count == 256 { throw malformed("it has too many headers") }
            guard let colon = text.firstIndex(of: ":") else { continue }
            let value = text[text.index(after: colon)...].drop { $0 == " " }
            answer.headers.append((text[..<colon].lowercased(), String(value)))
        }
    }

    private mutating func chunks() throws(Problem) -> Bytes {
        var body: [UInt8] = []
        while true {
            let size = try line().split(separator: ";").first.map(String.init) ?? ""
            guard let count = Int(size.filter { $0 != " " }, radix: 16), count >= 0 else {
                throw malformed("it has a chunk of size \"\(cut(printable(size), toWidth: 20))\"")
            }
            guard count <= Self.bodyBytes - body.count else {
                throw Problem(
                    "http.answer", "the answer is longer than \(Self.bodyBytes >> 20) MiB",
                    hint:
                        "ask for fewer rows, or write them to a file: \\copy (SELECT …) TO 'file',"
                        + " weir table export")
            }
            if count == 0 {
                while try !line().isEmpty {}
                return Bytes(body)
            }
            body += try take(count)
            _ = try line()
        }
    }
}
