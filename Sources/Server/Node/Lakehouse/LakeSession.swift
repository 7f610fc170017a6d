// What one client has set: how long statements may take, its time zone, and its prepared statements.

import Base
import Columns
import Engine
import SQL
import Synchronization

/// One client's settings and prepared statements. Safe from any thread.
package final class LakeSession: Sendable {
    struct Prepared: Sendable {
        var types: [TypeName]
        var text: String
        var parameterCount: Int
    }

    private struct State: Sendable {
        var settings: OrderedMap<String, String> = [:]
        /// nil for UTC.
        var zone: SessionZone?
        var transaction: LakeTransaction?
        /// What random() gives, once it was seeded.
        var seeded: SeededRandom?
        var prepared: OrderedMap<String, Prepared> = [:]
        var preparedBytes = 0
    }

    private let state = Mutex(State())
    private static let preparedMax = 1000
    private static let preparedBytesMax = 4 << 20

    /// Of a request that belongs to no session: it ends with the request.
    let isOfRequest: Bool

    package init(isOfRequest: Bool = false) { self.isOfRequest = isOfRequest }

    // MARK: Settings

    func setting(_ name: String) -> String? { state.withLock { $0.settings[name] } }

    /// Nil takes the standard value again.
    func set(_ name: String, to value: String?) { state.withLock { $0.settings[name] = value } }

    /// In which moments are shown and read; nil for UTC.
    package var zone: SessionZone? { state.withLock { $0.zone } }

    func set(zone: SessionZone?) {
        state.withLock { state in
            state.zone = zone
            state.settings["timezone"] = zone?.name
        }
    }

    var seeded: SeededRandom? { state.withLock { $0.seeded } }
    func set(seeded: SeededRandom) { state.withLock { $0.seeded = seeded } }

    /// The transaction that is open.
    var transaction: LakeTransaction? { state.withLock { $0.transaction } }

    func set(transaction: LakeTransaction?) { state.withLock { $0.transaction = transaction } }

    /// Undoes what was not committed.
    func end() {
        let open = state.withLock { state in
            defer { state.transaction = nil }
            return state.transaction
        }
        open?.rollBack()
    }

    /// How long a transaction may wait for its next statement; nil = no limit.
    var idleTransactionTimeout: Duration? {
        let name = "idle_in_transaction_session_timeout"
        let text = setting(name) ?? SessionSettings.known.first { $0.name == name }?.value
        guard let text, let limit = try? SessionSettings.milliseconds(text), limit > 0 else {
            return nil
        }
        return .milliseconds(limit)
    }

    /// How long a statement may take; nil = no limit.
    package var statementTimeout: Duration? {
        guard let text = setting("statement_timeout"),
            let limit = try? SessionSettings.milliseconds(text), limit > 0
        else { return nil }
        return .milliseconds(limit)
    }

    /// Whether transactions only read that do not say so themselves, and single statements.
    var isReadOnly: Bool { setting("default_transaction_read_only") == "on" }

    func reset() {
        state.withLock { state in
            state.settings = [:]
            state.zone = nil
            state.seeded = nil
            state.prepared = [:]
            state.preparedBytes = 0
        }
    }

    func resetSettings() {
        state.withLock { state in
            state.settings = [:]
            state.zone = nil
        }
    }

    // MARK: Prepared statements

    func prepare(_ statement: Prepare) throws(Problem) {
        let name = statement.name
        let problem: Problem? = state.withLock { state in
            if state.prepared[name.name] != nil {
                return Problem(
                    "42P05", "prepared statement \"\(name.name)\" already exists",
                    hint: "DEALLOCATE \(name.name), or choose another name",
                    position: name.position)
            }
            let bytes = statement.text.utf8.count
            guard state.prepared.count < Self.preparedMax,
                bytes <= Self.preparedBytesMax - state.preparedBytes
            else {
                return Problem(
                    "53400", "the session has too many prepared statements",
                    hint: "DEALLOCATE those that are not needed any more")
            }
            state.preparedBytes += bytes
            state.prepared[name.name] = Prepared(
                types: statement.types, text: statement.text,
                parameterCount: max(statement.parameterCount, statement.types.count))
            return nil
        }
        if let problem { throw problem }
    }

    func prepared(_ name: Identifier) throws(Problem) -> Prepared {
        let (found, names) = state.withLock { ($0.prepared[name.name], $0.prepared.keys) }
        if let found { return found }
        let near = nearestName(to: name.name, among: names)
        throw Problem(
            "26000", "prepared statement \"\(name.name)\" does not exist",
            hint: near.map { "did you mean \"\($0)\"?" }, position: name.position)
    }

    func deallocate(_ name: Identifier?) throws(Problem) {
        if let name {
            let found = try prepared(name)
            state.withLock { state in
                state.prepared[name.name] = nil
                state.preparedBytes -= found.text.utf8.count
            }
        } else {
            state.withLock { state in
                state.prepared = [:]
                state.preparedBytes = 0
            }
        }
    }
}

/// The sessions of clients that have no connection of their own: of HTTP. Safe from any thread.
package final class LakeSessions: Sendable {
    private struct Open: Sendable {
        var session: LakeSession
        var lastUsed: Instant
    }

    private let open = Mutex<OrderedMap<String, Open>>([:])
    private static let openMax = 10_000
    /// One that was not used for so long may go when there are too many.
    private static let idle = Duration.seconds(3600)

    package init() {}

    /// A new session, under a name that nobody can guess.
    package func begin(_ id: UUID128, now: Instant) throws(Problem) -> String {
        let name = id.description
        var gone: [LakeSession] = []
        defer { for session in gone { session.end() } }
        let isFull = open.withLock { open in
            if open.count >= Self.openMax {
                for (name, session) in open where now - session.lastUsed > Self.idle {
                    gone.append(session.session)
                    open[name] = nil
                }
            }
            guard open.count < Self.openMax else { return true }
            open[name] = Open(session: LakeSession(), lastUsed: now)
            return false
        }
        guard !isFull else {
            throw Problem(
                "53300", "too many sessions: \(Self.openMax) are open",
                hint: "end those that are not needed: DELETE /sessions/{id}")
        }
        return name
    }

    package func session(_ id: String, now: Instant) throws(Problem) -> LakeSession {
        let found = open.withLock { open in
            open[id]?.lastUsed = now
            return open[id]?.session
        }
        guard let found else {
            throw Problem(
                "session.unknown", "there is no session \"\(id.prefix(64))\"",
                notes: ["the server was started again, or the session was ended"],
                hint: "begin a new one: POST /sessions")
        }
        return found
    }

    package func end(_ id: String) {
        let session = open.withLock { open in
            defer { open[id] = nil }
            return open[id]?.session
        }
        session?.end()
    }

    /// Rolls transactions back that have waited for too long.
    func endIdleTransactions(now: Instant) {
        for open in open.withLock({ $0.values }) {
            guard let transaction = open.session.transaction,
                let limit = open.session.idleTransactionTimeout,
                transaction.isIdle(for: limit, now: now)
            else { continue }
            // The session hears of it at its next statement.
            transaction.rollBack()
        }
    }
}

extension StatementOptions {
    /// The most threads that work on a query: `SET query_threads = …`.
    var threadsMax: Int {
        let wish = session?.setting(SessionSettings.queryThreads).flatMap { Int($0) } ?? 0
        return wish > 0 ? wish : .max
    }
}

/// The settings that SET, SHOW and RESET know.
enum SessionSettings {
    /// With their standard values; those with a type can be changed in a session.
    static let known: [(name: String, value: String, words: String)] = [
        ("application_name", "", "Sets the name that the client gives itself."),
        ("client_encoding", "UTF8", "Sets the client's character set encoding."),
        ("client_min_messages", "notice", "Sets the message levels that are sent to the client."),
        ("datestyle", "ISO, MDY", "Sets the display format for date and time values."),
        ("default_transaction_read_only", "off", "Whether new transactions only read."),
        ("extra_float_digits", "1", "Sets the number of digits displayed for floats."),
        (
            "idle_in_transaction_session_timeout", "10min",
            "Sets the time that a transaction waits for its next statement; 0 = any."
        ),
        ("integer_datetimes", "on", "Whether dates and times are whole numbers."),
        ("intervalstyle", "postgres", "Sets the display format for interval values."),
        ("max_identifier_length", "63", "Shows the maximum identifier length."),
        ("max_index_keys", "32", "Shows the maximum number of index keys."),
        (
            queryThreads, "0",
            "Sets the most threads that work on a query; 0 = as many as the server has for it."
        ),
        ("search_path", "\"$user\", public", "Sets the schemas that names without one are in."),
        ("server_encoding", "UTF8", "Shows the character set of the database."),
        ("server_version", "15.0", "Shows the version of PostgreSQL that the dialect follows."),
        ("server_version_num", "150000", "Shows that version as an integer."),
        ("standard_conforming_strings", "on", "Whether '...' treats backslashes literally."),
        ("statement_timeout", "0", "Sets the time that a statement may take; 0 = any."),
        (tailReads, "on", "Whether streaming tables are read with the tail of their log."),
        ("timezone", "UTC", "Sets the time zone of time stamps."),
        ("transaction_isolation", "read committed", "Shows the current isolation level."),
        ("transaction_read_only", "off", "Whether the current transaction only reads."),
    ]

    /// Those whose value does something, or is only shown again.
    static let changeable = [
        "application_name", "statement_timeout", "extra_float_digits", "client_min_messages",
        "timezone", "idle_in_transaction_session_timeout",
        tailReads, queryThreads, "default_transaction_read_only", "transaction_read_only",
    ]
    static let tailReads = "tail_reads"
    static let queryThreads = "query_threads"

    static func value(_ name: String, _ session: LakeSession?) throws(Problem) -> String {
        guard let standard = known.first(where: { $0.name == name })?.value else {
            // `SHOW tabels` means no setting.
            let lists = ["tables", "views", "topics", "schemas", "all"]
            let near = nearestName(to: name, among: lists + known.map(\.name))
            throw Problem(
                "42704", "unrecognized configuration parameter \"\(name)\"",
                hint: near.map { "did you mean \($0)?" })
        }
        if name == "transaction_read_only", let session {
            return session.transaction?.isReadOnly ?? session.isReadOnly ? "on" : "off"
        }
        return session?.setting(name) ?? standard
    }

    /// `SET name = …`; what changes nothing gives a notice, if it asked for something else.
    static func set(
        _ name: String, _ values: [String], _ session: LakeSession?,
        _ zones: any TimeZoneSource, position: Int
    ) throws(Problem) -> [String] {
        guard changeable.contains(name) else {
            // Drivers set what we have not; PostgreSQL's own names of unknown use are let pass.
            guard let standard = known.first(where: { $0.name == name })?.value,
                let wanted = values.first,
                wanted.lowercased()
                    != standard.lowercased().split(separator: ",").first.map(
                        String.init)
            else { return [] }
            return ["\(name) stays \(standard): Weir has no other value"]
        }
        guard let session else { return [] }
        let notices =
            session.isOfRequest
            ? ["\(name) is kept for this request only: it belongs to no session (POST /sessions)"]
            : []
        if name == "timezone" {
            session.set(zone: try zone(values, zones, position: position))
            return notices
        }
        guard let value = values.first else {
            session.set(name, to: nil)
            return notices
        }
        if name == "statement_timeout" || name == "idle_in_transaction_session_timeout" {
            guard let limit = try? milliseconds(value) else {
                throw Problem(
                    "22023", "invalid value for parameter \"\(name)\": \"\(value)\"",
                    hint: "milliseconds, or a number with us, ms, s, min, h or d: '30 s'",
                    position: position)
            }
            session.set(name, to: text(milliseconds: limit))
        } else if [tailReads, "default_transaction_read_only"].contains(name) {
            session.set(name, to: try isOn(name, value, position) ? "on" : "off")
        } else if name == "transaction_read_only" {
            let isReadOnly = try isOn(name, value, position)
            guard let transaction = session.transaction else {
                return notices + ["SET TRANSACTION can only be used in transaction blocks"]
            }
            try transaction.set(readOnly: isReadOnly, position: position)
        } else if name == queryThreads {
            guard let count = Int(value), (0...1024).contains(count) else {
                throw Problem(
                    "22023", "invalid value for parameter \"\(name)\": \"\(value)\"",
                    hint: "a whole number from 0 to 1024", position: position)
            }
            session.set(name, to: "\(count)")
        } else {
            session.set(name, to: String(value.prefix(200)))
        }
        return notices
    }

    private static func isOn(
        _ name: String, _ value: String, _ position: Int
    ) throws(Problem) -> Bool {
        guard let isOn = truth(value) else {
            throw Problem(
                "22023", "parameter \"\(name)\" requires a Boolean value", hint: "on or off",
                position: position)
        }
        return isOn
    }

    /// `'Europe/Berlin'`, `-7`, or the word interval and a text; nil for the standard.
    private static func zone(
        _ values: [String], _ zones: any TimeZoneSource, position: Int
    ) throws(Problem) -> SessionZone? {
        guard let text = values.first else { return nil }
        let found: SessionZone?
        if text == "interval", values.count == 2 {
            let value = try parseValue(
                values[1], as: .interval, now: Now(monotonic: .zero, wallMicroseconds: 0))
            if case .interval(let interval) = value {
                found = SessionZone(east: interval)
            } else {
                found = nil
            }
        } else {
            found = try SessionZone(text, zones)
        }
        guard let found else {
            throw Problem(
                "22023", "invalid value for parameter \"TimeZone\": \"\(values.last ?? "")\"",
                hint: "a name such as Europe/Berlin, hours to the east, or an interval of hours",
                position: position)
        }
        return found.name == "UTC" ? nil : found
    }

    private static func truth(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "on", "true", "yes", "1": true
        case "off", "false", "no", "0": false
        default: nil
        }
    }

    /// `5000`, `5s`, `10 min` in milliseconds.
    static func milliseconds(_ text: String) throws(Problem) -> Int64 {
        let trimmed = text.filter { $0 != " " }
        let digits = trimmed.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let factor: Double? =
            switch trimmed.dropFirst(digits.count) {
            case "", "ms": 1
            case "us": 0.001
            case "s": 1000
            case "min": 60_000
            case "h": 3_600_000
            case "d": 86_400_000
            default: nil
            }
        guard let number = Double(String(digits)), let factor,
            number * factor <= Double(Int32.max)
        else { throw Problem("22023", "\"\(text)\" is no time") }
        return Int64((number * factor).rounded(.up))
    }

    /// As PostgreSQL shows it: in the largest unit that leaves no rest.
    private static func text(milliseconds: Int64) -> String {
        if milliseconds == 0 { return "0" }
        for (size, unit) in [
            (86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s"),
        ] as [(Int64, String)] where milliseconds % size == 0 {
            return "\(milliseconds / size)\(unit)"
        }
        return "\(milliseconds)ms"
    }
}
