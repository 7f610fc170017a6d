// What the process itself asks of the node; see `NodeCommand`.

import Base
import Coordinator
import Log
import Quorum
import Replica
import WireProtocol

extension BrokerNode {
    mutating func run(_ command: NodeCommand, _ id: CommandID) {
        if !spreads(command, id) { runHere(command, id) }
    }

    /// Does what this node is responsible for: in a cluster a part of what somebody wants.
    mutating func runHere(_ command: NodeCommand, _ id: CommandID) {
        switch command {
        case .append(let topic, let records): append(records, to: topic, id)
        case .createTopic(let name, let partitions, let configs):
            createTopic(name, partitions, configs, id)
        case .deleteTopic(let name): deleteTopic(name, id)
        case .describeTopics(let names): describeTopics(names, id)
        case .read(let partition, let from, let maxBytes):
            read(partition, from: from, maxBytes: maxBytes, id)
        case .changeObjects(let changes, let expected): change(changes, expected, id)
        case .write(let batches): write(batches, of: nil, id)
        case .describePartitions(let partitions):
            finish(id, .success(.partitions(partitions.map { describe($0) })))
        case .listObjects(let prefix):
            let objects = image.objects(prefix: prefix).map {
                StoredObject(name: $0.name, content: $0.content)
            }
            finish(id, .success(.objects(objects)))
        case .catchUp: finish(id, .success(.done))
        case .statistics: finish(id, .success(.statistics(statistics)))
        }
    }

    mutating func finish(_ id: CommandID, _ result: Result<NodeAnswer, Problem>) {
        output.append(.commandFinished(id, result))
    }

    mutating func fail(_ id: CommandID, _ problem: Problem) { finish(id, .failure(problem)) }

    /// Why this node can't serve a partition to the process itself; nil when it can.
    private func leadershipProblem(_ partition: TopicPartition) -> Problem? {
        guard cluster != nil, let topic = image.topic(partition.topic),
            partition.partition < topic.partitionCount,
            leadershipError(topic, partition.partition) != nil
        else { return nil }
        let leader = image.leadership(of: topic, partition.partition).leader
        return Problem(
            Self.notLeader,
            "\(partition) is led by "
                + (leader.map { "node \($0.value)" } ?? "nobody at the moment"),
            hint: "ask that node, or use a Kafka client, which finds it")
    }

    private func problem(_ refusal: ReplicaRefusal) -> Problem {
        if case .append(let failure) = refusal { return problem(failure) }
        return Problem(
            "cluster.replicas", refusal.description, hint: "try again in a moment")
    }

    private func problem(_ failure: AppendFailure) -> Problem {
        switch failure {
        case .notController:
            Problem(
                Self.notController, "this node is not the controller of the cluster",
                notes: [controllerID < 0 ? "there is none" : "node \(controllerID) is"],
                hint: "ask that node, or use weir topic, which finds it")
        case .messageTooLarge, .recordListTooLarge, .invalidRecord, .invalidTimestamp:
            Problem("record.invalid", failure.description, notes: failure.records.map(\.message))
        case .noSpace, .journalFull:
            Problem("storage.full", failure.description, hint: "try again in a moment")
        default: Problem("storage.failed", failure.description)
        }
    }

    // MARK: Records

    private mutating func append(_ records: [NewRecord], to name: String, _ id: CommandID) {
        do throws(Problem) {
            let cut = try cut(records, for: name)
            write(cut.batches, of: cut, id)
        } catch {
            fail(id, error)
        }
    }

    /// Cuts records into batches for the partitions of a topic.
    mutating func cut(_ records: [NewRecord], for name: String) throws(Problem) -> CutRecords {
        guard let topic = image.topic(name) else {
            throw Self.unknownTopic(name, among: image.topics.keys)
        }
        if topic.isInternal {
            throw Problem("topic.internal", "\(name) belongs to the brokers")
        }
        let limit = partitionSettings(of: topic).maxMessageBytes
        var plan = AppendPlan(topic: topic, limit: limit)
        var next = roundRobin[name] ?? 0
        for (index, record) in records.enumerated() {
            let target: Int32
            if let key = record.key {
                target = partition(forKey: key, partitionCount: topic.partitionCount)
            } else {
                target = next % topic.partitionCount
                next = (target + 1) % topic.partitionCount
            }
            if let bytes = plan.add(record, index: index, to: target) {
                throw Problem(
                    "record.too.large",
                    "record \(index) has about \(bytes) bytes, \(name) takes up to \(limit)",
                    notes: ["nothing was appended"],
                    hint: "raise max.message.bytes of the topic")
            }
        }
        roundRobin[name] = next
        var cut = CutRecords(count: records.count)
        for batch in plan.batches {
            var builder = RecordBatchBuilder(capacity: batch.bytes)
            for (place, index) in batch.records.enumerated() {
                let record = records[index]
                builder.append(
                    key: record.key, value: record.value,
                    headers: record.headers.map { RecordHeader(key: $0.key, value: $0.value) },
                    timestamp: record.timestamp ?? now.timestamp)
                cut.places[index] = (cut.batches.count, Int64(place))
            }
            cut.batches.append(
                PartitionBatch(
                    partition: TopicPartition(topic: name, partition: batch.partition),
                    batch: finishUncompressed(builder)))
        }
        return cut
    }

    /// Appends batches, and answers when all of them are durable. One whose partition has no leader here
    /// that may append is left out, with -1 as its offset.
    private mutating func write(_ batches: [PartitionBatch], of cut: CutRecords?, _ id: CommandID) {
        var offsets: [Offset] = []
        var waits: [(TopicPartition, AppendedBatch)] = []
        for batch in batches {
            do throws(ReplicaRefusal) {
                let appended = try append(batch.batch, to: batch.partition)
                let result = appended.result
                counters.producedBytes += Int64(batch.batch.count)
                counters.producedRecords += result.lastOffset.value - result.baseOffset.value + 1
                offsets.append(result.baseOffset)
                waits.append((batch.partition, appended))
            } catch {
                guard case .append(let failure) = error else {
                    offsets.append(-1)
                    continue
                }
                var problem = problem(failure)
                if !waits.isEmpty {
                    problem.notes.append(
                        "\(waits.count) of \(batches.count) batches were appended all the same")
                }
                return fail(id, problem)
            }
        }
        appends[id] = ParkedAppend(offsets: offsets, cut: cut, open: waits.count)
        if waits.isEmpty { return finishAppend(id) }
        for (target, batch) in waits { whenDurable(target, batch, .append(id)) }
    }

    /// One batch of an append command is durable, or there was none.
    mutating func finishAppend(_ id: CommandID) {
        appends[id]?.open -= 1
        guard let parked = appends[id], parked.open <= 0 else { return }
        appends[id] = nil
        finish(id, .success(parked.answer))
    }

    private mutating func read(
        _ partition: TopicPartition, from offset: Offset, maxBytes: Int, _ id: CommandID
    ) {
        guard let topic = image.topic(partition.topic), partition.partition >= 0,
            partition.partition < topic.partitionCount
        else {
            return fail(id, Self.unknownTopic("\(partition)", among: image.topics.keys))
        }
        if let problem = leadershipProblem(partition) { return fail(id, problem) }
        if let error = readError(partition, from: offset) {
            return fail(
                id,
                Problem(
                    Self.notReadable,
                    "\(partition) can't be read at the moment: \(error.publishedName)",
                    hint: "try again in a moment"))
        }
        do throws(ReadFailure) {
            let result = try store.read(
                partition, from: offset, maxBytes: max(maxBytes, 0), isolation: .readCommitted)
            counters.fetchedBytes += Int64(result.bytes)
            finish(
                id,
                .success(
                    .batches(
                        ReadResult(
                            batches: result.batches, logStartOffset: result.logStartOffset,
                            lastStableOffset: result.lastStableOffset, aborted: result.aborted))))
        } catch {
            switch error {
            case .offsetOutOfRange(let requested, let start, let end):
                if requested < start, let offsets = store.offsets(of: partition) {
                    // Retention was there first: the reader sees where the log begins now.
                    return finish(
                        id,
                        .success(
                            .batches(
                                ReadResult(
                                    batches: [], logStartOffset: start,
                                    lastStableOffset: offsets.lastStableOffset, aborted: []))))
                }
                fail(
                    id,
                    Problem(
                        "offset.out.of.range", "offset \(requested) of \(partition) is not there",
                        notes: ["the log has offsets \(start) to \(end)"]))
            case .unknownPartition: fail(id, Self.unknownTopic("\(partition)"))
            case .damaged(let damage):
                fail(id, Problem("storage.damaged", damage.description))
            case .storage(let failure):
                fail(id, Problem("storage.failed", failure.description))
            }
        }
    }

    // MARK: Topics

    private mutating func createTopic(
        _ name: String, _ partitions: Int32?, _ configs: [TopicSetting], _ id: CommandID
    ) {
        if draft.topic(name) != nil {
            // It may still be on its way to the disk: then so is the answer.
            if image.topic(name) != nil { return finish(id, .success(.done)) }
            return afterPendingChanges(.command(id, .done))
        }
        if let complaint = TopicName.complaint(about: name) {
            return fail(id, Problem("topic.name", complaint))
        }
        if TopicName.isReserved(name) {
            return fail(id, Problem("topic.internal", "\(name) belongs to the brokers"))
        }
        if let other = draft.topicColliding(with: name) {
            return fail(
                id,
                Problem("topic.name", "\(name) and \(other) differ only in \".\" and \"_\""))
        }
        let count = partitions ?? configuration.partitionsDefault
        let budget = configuration.partitionsMax - draft.partitionCount
        if let complaint = complaint(aboutCount: count, budget: budget) {
            return fail(id, Problem("topic.partitions", complaint))
        }
        var settings: OrderedMap<String, String> = [:]
        for config in configs { settings[config.name] = config.value }
        if let complaint = TopicSettings.complaint(about: settings, defaults: topicDefaults) {
            return fail(id, Problem("topic.setting", complaint))
        }
        let topic = TopicMetadata(
            id: newTopicID(), name: name, partitionCount: count, settings: settings)
        guard let records = recordsPlacing([topic]) else {
            return fail(id, Problem("cluster.brokers", "no broker is alive"))
        }
        if let failure = change(records, .command(id, .done)) { fail(id, problem(failure)) }
    }

    private mutating func deleteTopic(_ name: String, _ id: CommandID) {
        guard let topic = draft.topic(name) else {
            return fail(id, Self.unknownTopic(name, among: draft.topics.keys))
        }
        if topic.isInternal {
            return fail(id, Problem("topic.internal", "\(name) belongs to the brokers"))
        }
        if let failure = change([.topicRemoved(topic.id)], .command(id, .done)) {
            fail(id, problem(failure))
        }
    }

    private mutating func describeTopics(_ names: [String]?, _ id: CommandID) {
        var topics: [TopicMetadata] = []
        for name in names ?? image.topics.keys {
            guard let topic = image.topic(name) else {
                return fail(id, Self.unknownTopic(name, among: image.topics.keys))
            }
            topics.append(topic)
        }
        finish(id, .success(.topics(topics.map { describe($0) })))
    }

    /// Without where its partitions begin and end when nobody here can say.
    func describe(_ topic: TopicMetadata) -> TopicDescription {
        TopicDescription(
            name: topic.name, id: topic.id, isInternal: topic.isInternal,
            settings: topic.settings.map { TopicSetting($0.key, $0.value) },
            partitions: topic.partitions.map { describe($0) })
    }

    private func describe(_ partition: TopicPartition) -> TopicDescription.PartitionDescription {
        var result = TopicDescription.PartitionDescription(
            partition: partition.partition, logStartOffset: -1, highWatermark: -1,
            lastStableOffset: -1, bytes: 0)
        // Who asks wants to know it from somebody who leads for sure, and knows what was committed before.
        guard leadershipProblem(partition) == nil,
            readError(partition, from: Offset(.max)) == nil,
            replicas == nil || replicas?.leader(of: partition)?.knowsCommitted == true,
            let offsets = store.offsets(of: partition)
        else {
            result.isKnown = cluster == nil
            return result
        }
        result.logStartOffset = offsets.logStartOffset
        result.highWatermark = offsets.highWatermark
        result.lastStableOffset = offsets.lastStableOffset
        result.bytes = store.bytes(of: partition) ?? 0
        return result
    }

    // MARK: Objects and figures

    private mutating func change(
        _ changes: [ObjectChange], _ expected: [ObjectChange], _ id: CommandID
    ) {
        let limit = NodeStart.metadataBatchBytesMax - 4096
        var bytes = 0
        for change in changes {
            bytes += change.name.utf8.count + (change.content?.count ?? 0) + 32
            if change.name.utf8.count > 1024 || bytes > limit {
                return fail(
                    id,
                    Problem(
                        "object.too.large",
                        "a stored object has a name of up to 1024 bytes, those of a change have up to"
                            + " \(limit) bytes",
                        notes: [
                            "\(change.name.prefix(100)) has \(change.content?.count ?? 0) bytes"
                        ]))
            }
        }
        // Against what is on its way, too: of two changes that expect the same one is refused.
        for object in expected where draft.object(object.name) != object.content {
            let problem = Problem(
                "object.changed", "\(object.name) is not what it is expected to be")
            // Whoever reads it then finds what it is.
            if hasPendingChanges { return afterPendingChanges(.refusal(id, problem)) }
            return fail(id, problem)
        }
        let records: [MetadataRecord] = changes.map { change in
            if let content = change.content {
                .object(name: change.name, content: content.compacted())
            } else {
                .objectRemoved(name: change.name)
            }
        }
        if let failure = self.change(records, .command(id, .done)) { fail(id, problem(failure)) }
    }

    private var statistics: NodeStatistics {
        var result = counters
        result.connections = connections.count
        result.topics = image.topics.count
        result.partitions = image.partitionCount
        let log = store.statistics
        result.logBytes = log.logBytes
        result.damagedPartitions = log.damagedPartitions
        result.scrubbedBytes = log.scrubbedBytes
        result.scrubRounds = log.scrubRounds
        result.cluster = clusterStatistics
        result.groups = coordinator.groupCount
        return result
    }
}

/// Which records of a command go into which batch.
private struct AppendPlan {
    struct Batch {
        var partition: Int32
        var records: [Int] = []
        var bytes: Int
    }

    let topic: TopicMetadata
    let limit: Int
    private(set) var batches: [Batch] = []
    /// The batch that is being filled, by partition.
    private var open: [Int32: Int] = [:]

    init(topic: TopicMetadata, limit: Int) {
        self.topic = topic
        self.limit = limit
    }

    /// Adds a record; its size when no batch could hold it.
    mutating func add(_ record: NewRecord, index: Int, to partition: Int32) -> Int? {
        var bytes = RecordBatchBuilder.upperBound(key: record.key, value: record.value)
        for header in record.headers {
            bytes += 10 + header.key.utf8.count + (header.value?.count ?? 0)
        }
        if bytes + RecordBatchHeader.byteCount > limit { return bytes }
        if let place = open[partition], batches[place].bytes + bytes <= limit,
            batches[place].records.count < Limits.recordsPerBatch
        {
            batches[place].records.append(index)
            batches[place].bytes += bytes
            return nil
        }
        open[partition] = batches.count
        batches.append(
            Batch(
                partition: partition, records: [index],
                bytes: RecordBatchHeader.byteCount + bytes))
        return nil
    }
}
