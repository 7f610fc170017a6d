import Base
import CEdit
import CPlatform
import Glibc
import Runtime

/// Statements of one shell: in a session of the server, ended by Ctrl-C, with a bar when they take
/// long, and once more when the server has gone before it heard of them.
struct StatementCaller {
    private let service: any QueryService
    /// The same for short questions beside a statement.
    private let aside: any QueryService
    private var session: String?
    /// Whether a transaction was begun and has not ended.
    private var isInTransaction = false
    private var random = systemRandom()
    /// Whether progress is shown.
    private let showsProgress: Bool

    private static let progressAfter = Duration.milliseconds(500)
    private static let reconnectFor = Duration.seconds(15)

    init(_ service: any QueryService) {
        self.service = service
        if var client = service as? HTTPClient {
            client.timeout = .seconds(5)
            aside = client
        } else {
            aside = service
        }
        showsProgress = weir_is_terminal(2) == 1
        beginSession()
    }

    private mutating func beginSession() {
        // Without one, settings are not kept; statements say so.
        session = QueryAnswer.beginSession(on: service)
    }

    func end() {
        if let session { QueryAnswer.endSession(session, on: service) }
    }

    /// Runs one statement. Error 57014 when Ctrl-C has ended it.
    mutating func run(_ statement: String, limit: Int64?) throws(Problem) -> QueryAnswer {
        // Once for a server that was not there, once for one that does not know the session.
        for _ in 0..<2 {
            do throws(Problem) {
                return try attempt(statement, limit)
            } catch {
                try prepareAgain(error, statement)
            }
        }
        return try attempt(statement, limit)
    }

    /// Does what is needed before the statement can be sent again; throws when it can't be.
    private mutating func prepareAgain(
        _ problem: Problem, _ statement: String
    ) throws(Problem) {
        switch problem.code {
        case "network.unreachable": try waitForServer(problem)
        case "session.unknown":
            beginSession()
            guard session != nil else { throw problem }
            standardError(
                "notice: the server was started again: settings and prepared statements of this"
                    + " session are gone\n")
            guard isInTransaction else { return }
            isInTransaction = false
            // What was meant to be a part of a transaction would be one of its own.
            let word = statement.prefix { $0.isLetter }.lowercased()
            guard ["begin", "start", "rollback", "abort"].contains(word) else {
                throw Problem(
                    "08006", "the transaction is gone with the server that it was open on",
                    notes: ["nothing of it is kept, and this statement was not run"],
                    hint: "begin again: BEGIN")
            }
        case "network.closed", "network.broken":
            var problem = problem
            problem.notes.append(
                "the server may have carried the statement out, or not: look before you run it"
                    + " again")
            throw problem
        default: throw problem
        }
    }

    /// The server does not listen: it may be about to start.
    private func waitForServer(_ problem: Problem) throws(Problem) {
        standardError(
            "notice: \(problem.message); trying again for"
                + " \(Self.reconnectFor.wholeMilliseconds / 1000) s, Ctrl-C stops\n")
        let end = SystemClock.monotonic + Self.reconnectFor
        while SystemClock.monotonic < end {
            usleep(200_000)
            if weir_edit_was_interrupted() == 1 { throw problem }
            if (try? aside.json("GET", "/livez")) != nil || isThere() {
                standardError("notice: connected again\n")
                return
            }
        }
        throw problem
    }

    private func isThere() -> Bool {
        do throws(Problem) {
            _ = try aside.json("GET", "/health")
            return true
        } catch {
            return !error.code.hasPrefix("network.")
        }
    }

    /// ROLLBACK TO, which goes on with the transaction and answers as ROLLBACK does.
    private static func isToSavepoint(_ statement: String) -> Bool {
        statement.lowercased().split(whereSeparator: \.isWhitespace).contains("to")
    }

    // MARK: One attempt

    private mutating func attempt(
        _ statement: String, _ limit: Int64?
    ) throws(Problem) -> QueryAnswer {
        let id = random.uuid().description
        var members = [JSONMember("sql", .string(statement)), JSONMember("id", .string(id))]
        if let limit { members.append(JSONMember("limit", .int(limit))) }
        if let session { members.append(JSONMember("session", .string(session))) }
        let body = JSONValue.object(members)
        let outcome = Monitor<Result<JSONValue, Problem>?>(nil)
        let service = service
        let thread = SystemThread(name: "weir-query") {
            let result: Result<JSONValue, Problem>
            do throws(Problem) {
                result = .success(try service.json("POST", "/query", body: body))
            } catch {
                result = .failure(error)
            }
            outcome.change { $0 = result }
        }
        var bar = ProgressBar(aside, id, isShown: showsProgress)
        var isCancelled = false
        while true {
            let now = SystemClock.monotonic
            if let result = outcome.wait(until: now + .milliseconds(40), for: { $0 }) {
                thread.join()
                bar.clear()
                let answer = QueryAnswer(try result.get())
                switch answer.command {
                case "BEGIN", "START TRANSACTION": isInTransaction = true
                case "COMMIT" where !Self.isToSavepoint(statement),
                    "ROLLBACK" where !Self.isToSavepoint(statement):
                    isInTransaction = false
                default: break
                }
                return answer
            }
            if weir_edit_was_interrupted() == 1 {
                bar.clear()
                if isCancelled {
                    // The thread waits on for an answer that nobody wants.
                    throw Problem(
                        "57014", "the statement was left alone: the server did not end it in time",
                        notes: ["it may still run there"],
                        hint: "SELECT id, text FROM weir.queries WHERE state = 'running'")
                }
                isCancelled = true
                // The statement may have ended, or not have begun, in this moment.
                _ = try? aside.json("DELETE", "/queries/" + id)
            }
            if !isCancelled { bar.update() }
        }
    }
}

/// How far a statement is: `▕███████   ▏ 62 % · 41/66 files · 1.9 GB/s · 3 s left`.
private struct ProgressBar {
    private let service: any QueryService
    private let id: String
    private let isShown: Bool
    private let began = SystemClock.monotonic
    private var nextLook: Instant
    private var wasShown = false

    init(_ service: any QueryService, _ id: String, isShown: Bool) {
        self.service = service
        self.id = id
        self.isShown = isShown
        nextLook = began + .milliseconds(500)
    }

    mutating func update() {
        let now = SystemClock.monotonic
        guard isShown, now >= nextLook else { return }
        nextLook = now + .milliseconds(200)
        guard let state = try? service.json("GET", "/queries/" + id) else { return }
        wasShown = true
        let seconds = Double((now - began).wholeNanoseconds) / 1e9
        standardError("\r" + Self.line(state, seconds) + "\u{1B}[K")
    }

    mutating func clear() {
        if wasShown { standardError("\r\u{1B}[K") }
        wasShown = false
    }

    private static func line(_ state: JSONValue, _ seconds: Double) -> String {
        func number(_ name: String) -> Double { state[name]?.doubleValue ?? 0 }
        var parts: [String] = []
        let (done, all) = (number("bytes_done"), number("bytes_read"))
        if all > 0, number("files_read") > 1 {
            let share = min(1, done / all)
            let width = 20
            let full = Int((share * Double(width)).rounded())
            parts.append(
                "▕" + String(repeating: "█", count: full)
                    + String(repeating: " ", count: width - full) + "▏ \(Int(share * 100)) %")
            parts.append(
                "\(grouped(Int64(number("files_done"))))/\(grouped(Int64(number("files_read")))) files"
            )
            parts.append("\(byteText(Int64(done / max(seconds, 0.001))))/s")
            if share > 0.05, share < 1 {
                parts.append("\(durationText(seconds: seconds / share * (1 - share))) left")
            }
        } else {
            parts.append("running for \(durationText(seconds: seconds.rounded()))")
        }
        let rows = Int64(number("rows"))
        if rows > 0 { parts.append("\(grouped(rows)) row\(rows == 1 ? "" : "s")") }
        if number("memory_bytes") > 0 {
            parts.append(byteText(Int64(number("memory_bytes"))) + " of memory")
        }
        return parts.joined(separator: " · ") + " · Ctrl-C cancels"
    }
}
