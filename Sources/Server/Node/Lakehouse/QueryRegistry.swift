// The requests that run SQL, and the last ones that did: `weir.queries`.

import Base
import Columns
import Synchronization

/// One request that runs SQL. Safe from any thread; the thread that runs it reports to it and asks
/// it, at every batch, whether to go on.
package final class RunningQuery: Sendable {
    /// Why a query has to end.
    package enum Stop: Int, Sendable {
        case none = 0, cancelled, timedOut, abandoned, stopping
    }

    /// What is known of it while it runs.
    package struct Figures: Sendable {
        package var rows: Int64 = 0
        package var scan = ScanFigures()
        /// The most that its operators have held.
        package var memoryBytes: Int64 = 0
    }

    package let id: String
    /// The beginning of the SQL text.
    package let text: String
    package let user: String
    package let started: Now
    private let stop = Atomic<Int>(0)
    /// Monotonic nanoseconds.
    private let deadline = Atomic<Int64>(.max)
    private let figuresLock = Mutex(Figures())
    /// Longer texts are cut: a thousand of them are kept.
    static let textBytes = 4096

    init(id: String, text: String, user: String, started: Now) {
        self.id = id
        self.user = user
        self.started = started
        let bytes = text.utf8
        self.text =
            bytes.count <= Self.textBytes
            ? text : String(decoding: bytes.prefix(Self.textBytes), as: UTF8.self) + "…"
    }

    package var figures: Figures { figuresLock.withLock { $0 } }

    func report(_ change: (inout Figures) -> Void) { figuresLock.withLock { change(&$0) } }

    /// Ends the query at its next batch. The first reason counts.
    package func end(because reason: Stop) {
        _ = stop.compareExchange(
            expected: Stop.none.rawValue, desired: reason.rawValue, ordering: .acquiringAndReleasing
        )
    }

    /// Sets when the time is up; nil = never.
    func limit(until moment: Instant?) {
        deadline.store(moment?.nanoseconds ?? .max, ordering: .relaxed)
    }

    /// Whether the query has to end.
    package func mustStop(at now: Instant) -> Bool {
        if stop.load(ordering: .relaxed) != Stop.none.rawValue { return true }
        guard now.nanoseconds >= deadline.load(ordering: .relaxed) else { return false }
        end(because: .timedOut)
        return true
    }

    package var reason: Stop { Stop(rawValue: stop.load(ordering: .acquiring)) ?? .none }

    /// `problem` as the user should read it: a cancelled query says why it was.
    func explained(_ problem: Problem) -> Problem {
        guard problem.code == "57014" else { return problem }
        switch reason {
        case .none, .cancelled: return problem
        case .timedOut:
            return Problem(
                "57014", "canceling statement due to statement timeout", notes: problem.notes,
                hint: "give it more time: SET statement_timeout = '10 min', 0 for no limit")
        case .abandoned:
            return Problem("57014", "canceling statement because its client has gone")
        case .stopping:
            return Problem("57P01", "terminating statement: the server is stopping")
        }
    }
}

/// All requests that run SQL, and the last ones that did. Safe from any thread.
package final class QueryRegistry: Sendable {
    private struct Ended: Sendable {
        var query: RunningQuery
        var state: String
        var ended: Instant
        var problem: Problem?
    }

    private struct State: Sendable {
        var running: OrderedMap<String, RunningQuery> = [:]
        /// Oldest first.
        var recent: [Ended] = []
    }

    private let state = Mutex(State())
    /// Queries may hold a gigabyte each, and slow readers keep theirs open.
    package static let runningMax = 100
    static let recentMax = 1000

    package init() {}

    /// Registers a request. `id` is the client's own choice or nil.
    func start(
        id: String?, text: String, user: String, now: Now, newID: () -> String
    ) throws(Problem) -> RunningQuery {
        if let id {
            let isName = id.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte)
                    || (0x61...0x7A).contains(byte) || byte == 0x2D || byte == 0x5F
            }
            guard isName, (1...64).contains(id.utf8.count) else {
                throw Problem(
                    "22023", "the id of a query has 1 to 64 letters, digits, - and _")
            }
        }
        let query = RunningQuery(id: id ?? newID(), text: text, user: user, started: now)
        let problem: Problem? = state.withLock { state in
            if state.running[query.id] != nil {
                return Problem(
                    "42710", "a query with the id \"\(query.id)\" is running already",
                    hint: "choose another id, or none")
            }
            if state.running.count >= Self.runningMax {
                return Problem(
                    "53300", "too many queries: \(Self.runningMax) are running",
                    hint: "try again in a moment; SELECT * FROM weir.queries shows them")
            }
            state.running[query.id] = query
            return nil
        }
        if let problem { throw problem }
        return query
    }

    func finish(_ query: RunningQuery, _ problem: Problem?, now: Instant) {
        let state =
            problem == nil
            ? "finished" : query.reason != .none ? "cancelled" : "failed"
        self.state.withLock { all in
            guard all.running.removeValue(forKey: query.id) != nil else { return }
            all.recent.append(Ended(query: query, state: state, ended: now, problem: problem))
            // Removing one by one from the front of an array would cost each time.
            if all.recent.count >= 2 * Self.recentMax {
                all.recent.removeFirst(all.recent.count - Self.recentMax)
            }
        }
    }

    /// The running query of this id.
    package func running(_ id: String) -> RunningQuery? { state.withLock { $0.running[id] } }

    var allRunning: [RunningQuery] { state.withLock { $0.running.values } }

    /// Ends a query at its next batch; an error when there is none of this id.
    package func cancel(_ id: String) throws(Problem) {
        let (found, ended) = state.withLock { state in
            (state.running[id], state.recent.contains { $0.query.id == id })
        }
        if let found { return found.end(because: .cancelled) }
        throw Problem(
            "query.unknown",
            ended ? "query \"\(id)\" has ended already" : "there is no query \"\(id)\"",
            hint: "SELECT id, text FROM weir.queries WHERE state = 'running' shows those that run")
    }

    /// Ends all: the server stops.
    package func cancelAll() {
        for query in state.withLock({ $0.running.values }) { query.end(because: .stopping) }
    }

    // MARK: weir.queries

    /// The rows of `weir.queries`: running ones first, then the others, youngest first.
    func rows(now: Now) -> [[Value]] {
        let (running, recent) = state.withLock { state in
            (state.running.values, state.recent.suffix(Self.recentMax))
        }
        return running.map { Self.row($0, "running", now.monotonic, nil) }
            + recent.reversed().map { Self.row($0.query, $0.state, $0.ended, $0.problem) }
    }

    private static func row(
        _ query: RunningQuery, _ state: String, _ until: Instant, _ problem: Problem?
    ) -> [Value] {
        let figures = query.figures
        let seconds = Double((until - query.started.monotonic).wholeNanoseconds) / 1e9
        return [
            .text(query.id), .text(query.text), .text(query.user), .text(state),
            .timestampTZ(microseconds: query.started.wallMicroseconds),
            .float((seconds * 1e6).rounded() / 1e6), .int(figures.rows),
            .int(Int64(figures.scan.filesRead)), .int(figures.scan.bytesRead),
            .int(figures.memoryBytes), problem.map { .text($0.code) } ?? .null,
            problem.map { .text($0.message) } ?? .null,
        ]
    }
}
