import Base
import CPlatform
import Runtime
import WeirClient

/// The commands that speak with the broker.
let brokerCommands =
    clusterCommands + reassignCommands + topicCommands + produceCommands + consumeCommands
    + groupCommands
    + configCommands
    + aclCommands + userCommands + quotaCommands + transactionCommands

extension CommandContext {
    /// How to reach the broker. Asks at once whether anybody listens, so that a server that is not
    /// running is told now and not after the client's retries.
    func clientConfiguration() throws(Problem) -> ClientConfiguration {
        let server = try broker()
        do {
            _ = try ClientSocket(to: server, timeout: .seconds(5))
        } catch {
            var problem = error
            problem.hint = "is it running? weir serve --kafka \(server.text)"
            throw problem
        }
        let settings = try clientSettings()
        return ClientConfiguration(
            bootstrapServers: [server.text], clientId: settings.clientId,
            connectTimeout: .seconds(5), requestTimeout: .seconds(30),
            retryTimeout: .seconds(15), security: try settings.security())
    }

    func clientSettings() throws(Problem) -> ClientSettings {
        try ClientSettings(invocation, file: environment("WEIR_CLIENT_CONFIG"))
    }

    /// Runs `body` with an administration client.
    func withAdmin<Value>(
        _ body: (Admin) throws(Problem) -> Value
    ) throws(Problem) -> Value {
        let admin = Admin(try clientConfiguration())
        defer { admin.close() }
        return try body(admin)
    }
}

/// Runs a call of the client library, its failure as a problem of ours.
func calling<Value>(
    _ body: () throws(ClientFailure) -> Value
) throws(Problem) -> Value {
    do {
        return try body()
    } catch {
        throw Problem(error)
    }
}

extension Problem {
    /// The published error codes of the broker under our own names.
    init(_ failure: ClientFailure) {
        let code: String
        switch failure.codeName {
        case "UNKNOWN_TOPIC_OR_PARTITION": code = "topic.unknown"
        case "TOPIC_ALREADY_EXISTS": code = "topic.exists"
        case "INVALID_TOPIC_EXCEPTION": code = "topic.name"
        case "INVALID_PARTITIONS": code = "topic.partitions"
        case "INVALID_REPLICATION_FACTOR": code = "topic.replication"
        case "INVALID_CONFIG": code = "topic.config"
        case "GROUP_ID_NOT_FOUND": code = "group.unknown"
        case "NON_EMPTY_GROUP": code = "group.active"
        case "REQUEST_TIMED_OUT": code = "server.timeout"
        case "SASL_AUTHENTICATION_FAILED": code = "security.refused"
        case "UNSUPPORTED_SASL_MECHANISM": code = "security.mechanism"
        case .some(let name) where name.hasSuffix("_AUTHORIZATION_FAILED"): code = "security.denied"
        case "MESSAGE_TOO_LARGE", "RECORD_LIST_TOO_LARGE": code = "record.tooLarge"
        case .some(let name):
            code = "broker." + name.lowercased()
        case nil:
            code = failure.isRetriable ? "network.unreachable" : "client.failed"
        }
        // `what was tried: CODE (what the broker says)`: people read what the broker says.
        let parts = failure.codeName.flatMap { split(failure.message, ": \($0) (") }
        guard let (tried, says) = parts, says.last == ")" else {
            self.init(code, failure.message)
            return
        }
        let detail = String(says.dropLast())
        let (message, hint) = split(detail, "; did you mean ") ?? (detail, "")
        self.init(
            code, message, notes: ["while trying to \(tried)"],
            hint: hint.isEmpty ? nil : "did you mean " + hint)
    }

    /// The same problem with the topic that was probably meant.
    func suggesting(_ name: String, among admin: Admin) -> Problem {
        guard code == "topic.unknown" else { return self }
        var copy = Problem("topic.unknown", "there is no topic \"\(name)\"")
        guard let topics = try? admin.listTopics() else { return copy }
        if let near = nearestName(to: name, among: topics.map(\.name)) {
            copy.hint = "did you mean \"\(near)\"?"
        } else {
            copy.hint = "weir topic list"
        }
        return copy
    }
}

/// `NAME=VALUE` of `--config` and the like.
func splitSetting(_ text: String) throws(Problem) -> (name: String, value: String) {
    guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
        throw Problem(
            "usage.value", "\"\(text)\" is not a setting", notes: ["expected NAME=VALUE"])
    }
    return (String(text[..<equals]), String(text[text.index(after: equals)...]))
}

/// Asks at a terminal; elsewhere `--yes` must have been said.
func confirm(_ question: String) throws(Problem) {
    guard weir_is_terminal(0) == 1, weir_is_terminal(2) == 1 else {
        throw Problem("usage.confirm", "this deletes data and needs --yes")
    }
    standardError(question + " [y/N] ")
    var lines = LineReader(descriptor: 0, limit: 1000)
    guard let answer = try lines.next(), ["y", "yes"].contains(answer.text.lowercased()) else {
        throw Problem("cancelled", "nothing was deleted")
    }
}

/// The topic with its partitions; a name that is missing gets the nearest one as a suggestion.
func describeTopic(_ name: String, _ admin: Admin) throws(Problem) -> TopicInfo {
    do throws(ClientFailure) {
        return try admin.describeTopics([name])[0]
    } catch {
        throw Problem(error).suggesting(name, among: admin)
    }
}

/// The partitions that `--partition` names, or all.
func chosenPartitions(
    _ call: Invocation, of topic: TopicInfo
) throws(Problem) -> [PartitionAddress] {
    let all = topic.partitions.map(\.partition)
    guard call.isSet("partition") else { return all.map { PartitionAddress(topic.name, $0) } }
    var chosen: [PartitionAddress] = []
    for text in call.strings("partition") {
        guard let number = Int32(text), all.contains(number) else {
            throw Problem(
                "topic.partition", "\(topic.name) has no partition \"\(text)\"",
                notes: ["it has \(all.count), from 0"])
        }
        chosen.append(PartitionAddress(topic.name, number))
    }
    return chosen
}

/// What stands before and behind the first `separator`.
private func split(_ text: String, _ separator: String) -> (String, String)? {
    let bytes = Array(text.utf8)
    let wanted = Array(separator.utf8)
    guard bytes.count >= wanted.count else { return nil }
    for start in 0...(bytes.count - wanted.count)
    where bytes[start..<(start + wanted.count)].elementsEqual(wanted) {
        return (
            String(decoding: bytes[..<start], as: UTF8.self),
            String(decoding: bytes[(start + wanted.count)...], as: UTF8.self)
        )
    }
    return nil
}

/// What became of one item of a command that takes several.
struct ItemOutcome {
    var name: String
    var problem: Problem?

    func json(_ what: String) -> JSONValue {
        var members = [JSONMember(what, .string(name))]
        members.append(JSONMember("error", problem.map { .string($0.code) } ?? .null))
        members.append(JSONMember("message", problem.map { .string($0.message) } ?? .null))
        return .object(members)
    }
}

extension CommandContext {
    /// Reports each item; failed if any has failed.
    func finish(_ outcomes: [ItemOutcome], _ what: String, done: String) -> ExitCode {
        if isJSON {
            print(.object([JSONMember(what + "s", .array(outcomes.map { $0.json(what) }))]))
        } else {
            for outcome in outcomes {
                if let problem = outcome.problem {
                    report(problem, asJSON: false)
                } else {
                    say("\(done) \(outcome.name)")
                }
            }
        }
        let problems = outcomes.compactMap(\.problem)
        return problems.first.map { ExitCode(for: $0) == .unreachable ? .unreachable : .failed }
            ?? .ok
    }
}
