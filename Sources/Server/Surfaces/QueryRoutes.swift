// SQL over HTTP: queries, those that run, and the sessions that they may belong to.

import Base
import Columns
import Engine
import Node
import SQL

/// `POST /query` and what belongs to it.
package struct QueryRoutes: Sendable {
    private let lake: any LakeService
    private let background: Background
    private let now: @Sendable () -> Now
    private let newID: @Sendable () -> UUID128

    /// Values in the JSON of a request: one takes some 40 bytes of memory.
    private static let valuesMax = 1_000_000
    private static let parametersMax = 65_535

    package init(
        lake: any LakeService, background: @escaping Background,
        now: @escaping @Sendable () -> Now, newID: @escaping @Sendable () -> UUID128
    ) {
        self.lake = lake
        self.background = background
        self.now = now
        self.newID = newID
    }

    package var routes: [Route] {
        [
            Route(
                "POST", "/query",
                "Run SQL: {\"sql\": \"SELECT $1\", \"params\": [1], \"limit\": 1000}; Accept chooses"
                    + " JSON, NDJSON, CSV or an Arrow stream"
            ) { request, _, responder in
                query(request, responder)
            },
            .immediate("GET", "/queries/{id}", "A running query: rows, files and bytes so far") {
                _, values throws(Problem) in
                try progress(values[0])
            },
            .immediate("DELETE", "/queries/{id}", "Cancel a running query") {
                _, values throws(Problem) in
                try lake.queries.cancel(values[0])
                return .json(["cancelled": .string(values[0])])
            },
            .immediate(
                "POST", "/complete", "What can follow a piece of SQL: {\"sql\": \"SELECT \"}"
            ) {
                request, _ throws(Problem) in
                try complete(request)
            },
            .immediate("POST", "/sessions", "Begin a session: settings, prepared statements") {
                _, _ throws(Problem) in
                .json(
                    ["session": .string(try lake.sessions.begin(newID(), now: now().monotonic))],
                    status: 201)
            },
            .immediate("DELETE", "/sessions/{id}", "End a session") { _, values in
                lake.sessions.end(values[0])
                return .json(["ended": .string(values[0])])
            },
        ]
    }

    private func progress(_ id: String) throws(Problem) -> HTTPResponse {
        guard let query = lake.queries.running(id) else {
            throw Problem("query.unknown", "no query \"\(id)\" is running")
        }
        let figures = query.figures
        let seconds = Double((now().monotonic - query.started.monotonic).wholeNanoseconds) / 1e9
        return .json([
            "id": .string(id), "text": .string(query.text), "seconds": .double(seconds),
            "rows": .int(figures.rows),
            "files_done": .int(figures.scan.filesDone), "files_read": .int(figures.scan.filesRead),
            "bytes_done": .int(figures.scan.bytesDone), "bytes_read": .int(figures.scan.bytesRead),
            "memory_bytes": .int(figures.memoryBytes),
        ])
    }

    private func complete(_ request: HTTPRequest) throws(Problem) -> HTTPResponse {
        let body: JSONValue
        do {
            body = try JSONValue(parsing: request.body, valuesLimit: 100)
        } catch {
            throw Problem("http.body", "the request body is not valid JSON", notes: ["\(error)"])
        }
        guard let sql = body["sql"]?.stringValue, sql.utf8.count <= 64 << 10 else {
            throw Problem("http.body", "the request body has no \"sql\" of at most 64 KiB")
        }
        let found = lake.completion(of: sql)
        return .json([
            "prefix": .string(found.prefix),
            "candidates": .array(
                found.candidates.map {
                    ["text": .string($0.text), "kind": .string($0.kind.rawValue)]
                }),
        ])
    }

    // MARK: POST /query

    private func query(_ request: HTTPRequest, _ responder: HTTPResponder) {
        let started = now()
        let work: @Sendable () -> Void = {
            do throws(Problem) {
                let form = try QueryForm(of: request)
                answer(try call(request), form, started, responder)
            } catch {
                responder.respond(.problem(error))
            }
        }
        // Who wants to end a query must not wait behind it. A large body is no such wish, and takes
        // longer to read than a thread of the port may.
        if request.body.count < 1024, let call = try? call(request), Self.isCancel(call.sql) {
            work()
        } else {
            background(work)
        }
    }

    private func answer(
        _ call: Call, _ form: QueryForm, _ started: Now, _ responder: HTTPResponder
    ) {
        do throws(Problem) {
            let cursor = try lake.open(script: call.sql, options: call.options)
            let answer = try QueryAnswer(cursor, form, started: started, now: now, in: background)
            responder.respond(try answer.response())
        } catch {
            responder.respond(.problem(error, in: call.sql))
        }
    }

    private static func isCancel(_ sql: String) -> Bool {
        guard sql.utf8.count < 200, let parsed = try? Parser.script(sql), parsed.count == 1 else {
            return false
        }
        switch parsed[0].statement {
        case .cancelQuery: return true
        case .query(let query):
            // SELECT weir.cancel('id'), and nothing that takes longer.
            guard query.commonTables.isEmpty, case .select(let select) = query.body,
                select.from.isEmpty, select.filter == nil, select.items.count == 1,
                case .expression(let item, _) = select.items[0],
                case .function(let call) = item.kind, call.arguments.count == 1,
                call.name.parts.map(\.name) == ["weir", "cancel"],
                case .string = call.arguments[0].kind
            else { return false }
            return true
        default: return false
        }
    }

    private struct Call: Sendable {
        var sql: String
        var options: StatementOptions
    }

    private static let members = [
        "sql", "query", "params", "limit", "timeout", "id", "session", "data",
    ]

    private func call(_ request: HTTPRequest) throws(Problem) -> Call {
        var options = StatementOptions()
        options.isAbandoned = request.isAbandoned
        let type = request.contentType?.split(separator: ";").first?.lowercased() ?? ""
        if type == "application/sql" || type == "text/plain" {
            let sql = String(decoding: request.body.array, as: UTF8.self)
            return Call(sql: sql, options: options)
        }
        let hint = "send {\"sql\": \"SELECT …\"}, or the SQL itself as application/sql"
        let body: JSONValue
        do {
            body = try JSONValue(parsing: request.body, valuesLimit: Self.valuesMax)
        } catch {
            throw Problem(
                "http.body", "the request body is not valid JSON", notes: ["\(error)"], hint: hint)
        }
        guard let members = body.members else {
            throw Problem("http.body", "the request body is no JSON object", hint: hint)
        }
        for member in members where !Self.members.contains(member.key) {
            let near = nearestName(to: member.key, among: Self.members)
            throw Problem(
                "http.body", "the request body has an unknown member \"\(member.key.prefix(100))\"",
                hint: near.map { "did you mean \"\($0)\"?" }
                    ?? "members: " + Self.members.joined(separator: ", "))
        }
        guard let sql = body["sql"]?.stringValue ?? body["query"]?.stringValue else {
            throw Problem("http.body", "the request body has no \"sql\"", hint: hint)
        }
        if let limit = body["limit"], !limit.isNull { options.rowLimit = try Self.limit(limit) }
        if let parameters = body["params"], !parameters.isNull {
            options.parameters = try Self.parameters(parameters)
        }
        if let timeout = body["timeout"], !timeout.isNull {
            options.timeout = try Self.timeout(timeout)
        }
        if let id = body["id"], !id.isNull {
            guard let text = id.stringValue else {
                throw Problem("http.body", "\"id\" must be a string")
            }
            options.queryID = text
        }
        if let data = body["data"], !data.isNull {
            guard let text = data.stringValue else {
                throw Problem("http.body", "\"data\" must be a string: the rows of COPY FROM STDIN")
            }
            options.data = Bytes(utf8: text)
        }
        if let session = body["session"], !session.isNull {
            options.session = try lake.sessions.session(
                session.stringValue ?? "", now: now().monotonic)
        }
        return Call(sql: sql, options: options)
    }

    private static func limit(_ value: JSONValue) throws(Problem) -> Int {
        if value.stringValue?.lowercased() == "all" { return .max }
        guard let count = value.intValue, count >= 0 else {
            throw Problem(
                "http.body", "\"limit\" must be a whole number of rows, or \"all\"",
                notes: ["found \(value.text.prefix(100))"])
        }
        return Int(count)
    }

    private static func parameters(_ value: JSONValue) throws(Problem) -> [Expression] {
        guard let values = value.arrayValue else {
            throw Problem("http.body", "\"params\" must be an array: the first item is $1")
        }
        guard values.count <= parametersMax else {
            throw Problem(
                "54000", "\(values.count) parameters are too many",
                notes: ["at most \(parametersMax)"],
                hint: "send a list as one parameter: … = ANY ($1)")
        }
        return values.map { Expression(parameter: $0) }
    }

    private static func timeout(_ value: JSONValue) throws(Problem) -> Duration {
        guard let seconds = value.doubleValue, seconds > 0, seconds <= 86_400 * 365 else {
            throw Problem(
                "http.body", "\"timeout\" must be a number of seconds",
                notes: ["found \(value.text.prefix(100))"])
        }
        return .nanoseconds(Int64(seconds * 1e9))
    }
}
