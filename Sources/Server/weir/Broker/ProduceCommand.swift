import Base
import Runtime
import WeirClient
import WireProtocol

let produceCommands: [RegisteredCommand] = [
    RegisteredCommand(
        spec: CommandSpec(
            "produce", "Writes lines of standard input to a topic",
            details: """
                Each line is the value of one record. With --json each line is an object as
                `weir consume -o ndjson` writes it: key, value, headers, timestamp.
                """,
            arguments: [ArgumentSpec("TOPIC", .one, "The topic", kind: .topic)],
            flags: [
                FlagSpec(
                    "key-separator", "k", value: "TEXT", "What stands between key and value"),
                FlagSpec("key", nil, value: "KEY", "One key for all records"),
                FlagSpec(
                    "header", "H", value: "NAME=VALUE", "A header of all records",
                    isRepeatable: true),
                FlagSpec("json", "j", "Lines are JSON objects"),
                FlagSpec("keep-partitions", nil, "With --json: into the partition of the object"),
                FlagSpec("empty-as-null", "Z", "An empty value becomes no value (a deletion)"),
                FlagSpec("partition", "p", value: "N", "All records into this partition"),
                FlagSpec(
                    "codec", "z", value: "CODEC", "Compression", fallback: "none",
                    choices: ["none", "gzip", "snappy", "lz4", "zstd"]),
                FlagSpec(
                    "acks", "a", value: "WHO", "Who must have a record before it counts",
                    fallback: "all", choices: ["all", "1", "0"]),
                brokerFlag,
            ],
            examples: [
                ("seq 1000 | weir produce numbers", "a thousand records"),
                ("weir consume a -o ndjson --exit | weir produce b --json", "copies a topic"),
            ]),
        run: produce)
]

private func produce(_ context: CommandContext) throws(Problem) -> ExitCode {
    let call = context.invocation
    let source = try RecordSource(call)
    let acknowledgements: Acknowledgements =
        switch call.string("acks") {
        case "0": .none
        case "1": .leader
        default: .all
        }
    let delivered = Monitor(Deliveries())
    let producer = Producer(
        ProducerConfiguration(
            client: try context.clientConfiguration(), acknowledgements: acknowledgements,
            compression: CompressionKind(rawValue: call.string("codec") ?? "none") ?? .none,
            isIdempotent: acknowledgements == .all,
            onDelivery: { delivery in delivered.withLock { $0.add(delivery) } }))
    var problem: Problem?
    do throws(Problem) {
        // How large a record may be is the topic's affair (`max.message.bytes`); the broker says so.
        var lines = LineReader(descriptor: 0, limit: Limits.requestBytes)
        var number = 0
        while let line = try lines.next() {
            number += 1
            let record = try source.record(line, number: number)
            try calling { () throws(ClientFailure) in try producer.enqueue(record) }
        }
    } catch {
        problem = error
    }
    // What was read before a bad line is delivered all the same, and the report says how much.
    do throws(ClientFailure) {
        try producer.closeBlocking()
    } catch {
        problem = problem ?? Problem(error)
    }
    let outcome = delivered.withLock { $0 }
    context.printDeliveries(outcome, topic: call.arguments[0], problem: problem)
    if let problem {
        if !context.isJSON { report(problem, asJSON: false) }
        return ExitCode(for: problem)
    }
    return outcome.failed == 0 ? .ok : .failed
}

/// What arrived where.
private struct Deliveries: Sendable {
    struct Partition: Sendable {
        var count: Int64 = 0
        var first: Int64?
        var last: Int64?
    }
    var partitions: OrderedMap<Int32, Partition> = [:]
    var failed: Int64 = 0
    var failure: ClientFailure?

    mutating func add(_ delivery: BatchDelivery) {
        if let failure = delivery.failure {
            failed += Int64(delivery.recordCount)
            self.failure = self.failure ?? failure
            return
        }
        var partition = partitions[delivery.partition.partition] ?? Partition()
        partition.count += Int64(delivery.recordCount)
        if delivery.baseOffset >= 0 {
            let last = delivery.baseOffset + Int64(delivery.recordCount) - 1
            partition.first = min(partition.first ?? .max, delivery.baseOffset)
            partition.last = max(partition.last ?? 0, last)
        }
        partitions[delivery.partition.partition] = partition
    }

    var count: Int64 { partitions.values.reduce(0) { $0 + $1.count } }
}

extension CommandContext {
    fileprivate func printDeliveries(_ outcome: Deliveries, topic: String, problem: Problem?) {
        let failure = problem ?? outcome.failure.map { Problem($0) }
        let json = outcome.partitions.map { partition, figures -> JSONValue in
            [
                "partition": .int(partition), "count": .int(figures.count),
                "first_offset": figures.first.map { .int($0) } ?? .null,
                "last_offset": figures.last.map { .int($0) } ?? .null,
            ]
        }
        if isJSON {
            var members = [
                JSONMember("topic", .string(topic)), JSONMember("delivered", .int(outcome.count)),
                JSONMember("failed", .int(outcome.failed)), JSONMember("partitions", .array(json)),
            ]
            if let failure { members += failure.json.members ?? [] }
            print(.object(members))
            return
        }
        let table = TextTable(
            [
                .init("PART", isNumber: true), .init("RECORDS", isNumber: true),
                .init("FIRST", isNumber: true), .init("LAST", isNumber: true),
            ],
            rows: outcome.partitions.map { partition, figures in
                [
                    "\(partition)", numbers.count(figures.count),
                    figures.first.map { numbers.count($0) }, figures.last.map { numbers.count($0) },
                ]
            })
        if !outcome.partitions.isEmpty { printTable(table, json: .null) }
        say("\(grouped(outcome.count)) records delivered to \(topic)")
        if outcome.failed > 0 { say("\(grouped(outcome.failed)) records failed") }
    }
}

/// Makes records of lines.
private struct RecordSource {
    let topic: String
    let separator: [UInt8]
    let key: Bytes?
    let headers: [RecordHeader]
    let isJSON: Bool
    let keepsPartitions: Bool
    let emptyIsNull: Bool
    let partition: Int32?

    init(_ call: Invocation) throws(Problem) {
        topic = call.arguments[0]
        separator = Array((call.string("key-separator") ?? "").utf8)
        key = call.string("key").map { Bytes(utf8: $0) }
        isJSON = call.isSet("json")
        keepsPartitions = call.isSet("keep-partitions")
        emptyIsNull = call.isSet("empty-as-null")
        partition = try call.integer("partition", in: 0...2_147_483_647).map { Int32($0) }
        var parsed: [RecordHeader] = []
        for text in call.strings("header") {
            guard let equals = text.firstIndex(of: "=") else {
                throw Problem(
                    "usage.value", "\"\(text)\" is not a header", notes: ["expected NAME=VALUE"])
            }
            let value = String(text[text.index(after: equals)...])
            parsed.append(RecordHeader(key: String(text[..<equals]), value: Bytes(utf8: value)))
        }
        headers = parsed
        if isJSON, !separator.isEmpty {
            throw Problem("usage.value", "--json and --key-separator exclude each other")
        }
    }

    func record(_ line: Bytes, number: Int) throws(Problem) -> ProducerRecord {
        if isJSON { return try recordOfJSON(line, number: number) }
        var value: Bytes? = line
        var ownKey = key
        if !separator.isEmpty {
            guard let at = position(of: separator, in: line) else {
                throw Problem(
                    "produce.line", "line \(number) has no key separator",
                    notes: ["expected KEY\(String(decoding: separator, as: UTF8.self))VALUE"])
            }
            ownKey = line[0..<at]
            value = line[(at + separator.count)..<line.count]
        }
        if emptyIsNull, value?.isEmpty == true { value = nil }
        return ProducerRecord(
            topic: topic, keyBytes: ownKey, valueBytes: value, headers: headers,
            partition: partition)
    }

    private func position(of separator: [UInt8], in line: Bytes) -> Int? {
        line.withUnsafeBytes { buffer in
            guard buffer.count >= separator.count else { return nil }
            for start in 0...(buffer.count - separator.count)
            where buffer[start] == separator[0]
                && buffer[start..<(start + separator.count)].elementsEqual(separator)
            {
                return start
            }
            return nil
        }
    }

    private func recordOfJSON(_ line: Bytes, number: Int) throws(Problem) -> ProducerRecord {
        let object: JSONValue
        do {
            object = try JSONValue(parsing: line)
        } catch {
            throw Problem("produce.line", "line \(number) is not JSON", notes: ["\(error)"])
        }
        guard object.members != nil else {
            throw Problem("produce.line", "line \(number) is not a JSON object")
        }
        var allHeaders = headers
        for header in object["headers"]?.arrayValue ?? [] {
            guard let name = header["key"]?.stringValue else {
                throw Problem("produce.line", "line \(number) has a header without a key")
            }
            allHeaders.append(
                RecordHeader(key: name, value: try content(header, "value", number)))
        }
        var own = partition
        if keepsPartitions, own == nil, let text = object["partition"] {
            guard let value = text.intValue, let index = Int32(exactly: value), index >= 0 else {
                throw Problem("produce.line", "line \(number) has a partition that is no number")
            }
            own = index
        }
        return ProducerRecord(
            topic: topic, keyBytes: try content(object, "key", number) ?? key,
            valueBytes: try content(object, "value", number), headers: allHeaders, partition: own,
            timestamp: object["timestamp"]?.intValue)
    }

    /// The member `name` as text, `name_base64` as bytes; other JSON values as their own text.
    private func content(
        _ object: JSONValue, _ name: String, _ number: Int
    ) throws(Problem) -> Bytes? {
        if let coded = object[name + "_base64"]?.stringValue {
            guard let decoded = bytes(base64: coded) else {
                throw Problem("produce.line", "line \(number): \(name)_base64 is not Base64")
            }
            return decoded
        }
        guard let value = object[name], !value.isNull else { return nil }
        return value.stringValue.map { Bytes(utf8: $0) } ?? value.serialized()
    }
}
