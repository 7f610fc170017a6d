// Dead letters (KIP-1191): records that a share group has given up are copied to the topic that its
// settings name, with headers that say where they come from. They count as done when the copy is
// durable, so that none is lost; after a crash in between a copy may be written twice.

import Base
import Coordinator
import Log
import Quorum
import WireProtocol

/// One partition of one share group.
struct SharePlace: Hashable, Sendable {
    var group: String
    var partition: AssignedPartition
}

extension BrokerNode {
    /// Records that are copied with one batch, and their bytes.
    private static let deadLettersPerBatch = 500
    private static let deadLetterBytes = 256 << 10
    /// After a failure that an operator has to mend.
    private static let deadLetterPause: Duration = .seconds(5)

    private struct DeadLetter {
        var run: SharePartition.Run
        var offset: Int64
        var record: Record?
    }

    /// Copies what waits, the oldest first, unless that is going on already.
    mutating func writeDeadLetters(_ place: SharePlace) {
        guard !deadLetterPlaces.contains(place) else { return }
        let runs = shares.deadLetters(place.partition, of: place.group)
        guard let first = runs.first, let last = runs.last else { return }
        let settings = shares.settings(of: place.group)
        guard let name = settings.deadLetterTopic else {
            // Nobody wants them any more.
            return deadLettersDone(place, first.first...last.last)
        }
        guard let source = image.topic(id: place.partition.topicID) else { return }
        deadLetterPlaces.insert(place)
        guard let topic = image.topic(name), allowsDeadLetters(topic) else {
            return postpone(
                place,
                "topic \(name) is not there, or does not say "
                    + "errors.deadletterqueue.group.enable=true")
        }
        let from = TopicPartition(topic: source.name, partition: place.partition.partition)
        let target = TopicPartition(
            topic: name, partition: place.partition.partition % topic.partitionCount)
        do throws(ReadFailure) {
            let (letters, end) = try deadLetters(runs, from, copies: settings.copiesDeadLetters)
            let range = first.first...end
            guard !letters.isEmpty else {
                // The cleaner has taken all of them.
                deadLetterPlaces.remove(place)
                return deadLettersDone(place, range)
            }
            append(letters, from, place, range, to: target)
        } catch {
            postpone(place, "\(from) can't be read: \(error)")
        }
    }

    private func allowsDeadLetters(_ topic: TopicMetadata) -> Bool {
        !topic.isInternal
            && TopicValues(settings: topic.settings, defaults: topicDefaults)
                .value("errors.deadletterqueue.group.enable") == "true"
    }

    /// The records of one batch of copies, and the last offset that it deals with.
    private mutating func deadLetters(
        _ runs: [SharePartition.Run], _ partition: TopicPartition, copies: Bool
    ) throws(ReadFailure) -> (letters: [DeadLetter], end: Int64) {
        var letters: [DeadLetter] = []
        var bytes = 0
        var end = runs[0].first
        let logStart = store.offsets(of: partition)?.logStartOffset.value ?? 0
        for run in runs {
            var next = run.first
            // What retention has taken is told of all the same.
            while next <= run.last, next < logStart, letters.count < Self.deadLettersPerBatch {
                letters.append(DeadLetter(run: run, offset: next, record: nil))
                next += 1
                end = next - 1
            }
            while next <= run.last {
                guard letters.count < Self.deadLettersPerBatch, bytes < Self.deadLetterBytes else {
                    return (letters, end)
                }
                let found = try records(next...run.last, partition)
                for record in found.records {
                    guard letters.count < Self.deadLettersPerBatch, bytes < Self.deadLetterBytes
                    else { return (letters, end) }
                    bytes += (record.key?.count ?? 0) + (record.value?.count ?? 0) + 200
                    letters.append(
                        DeadLetter(
                            run: run, offset: record.offset.value, record: copies ? record : nil))
                    end = record.offset.value
                }
                next = found.end
                end = min(max(end, next - 1), run.last)
            }
        }
        return (letters, end)
    }

    /// Records of the range that one read finds, and where to go on.
    private mutating func records(
        _ range: ClosedRange<Int64>, _ partition: TopicPartition
    ) throws(ReadFailure) -> (records: [Record], end: Int64) {
        let read = try store.read(partition, from: Offset(range.lowerBound), maxBytes: 1 << 20)
        var result: [Record] = []
        var end = range.lowerBound
        for piece in read.batches {
            var batches = RecordBatchSequence(piece)
            do throws(DecodeFailure) {
                while let batch = try batches.next(), end <= range.upperBound {
                    end = max(end, batch.header.nextOffset.value)
                    if batch.header.isControl { continue }
                    var cursor = try batch.records()
                    while let record = try cursor.next() {
                        if range.contains(record.offset.value) { result.append(record) }
                    }
                }
            } catch {
                diagnostics.report(
                    .error, "shares", "a batch of \(partition) can't be understood: \(error)")
            }
        }
        // Nothing behind the last record: all of it is compacted away.
        return (result, end == range.lowerBound ? range.upperBound + 1 : end)
    }

    private mutating func append(
        _ letters: [DeadLetter], _ from: TopicPartition, _ place: SharePlace,
        _ range: ClosedRange<Int64>, to target: TopicPartition
    ) {
        let limit = shares.deliveriesMax(of: place.group)
        var builder = RecordBatchBuilder(capacity: 1024)
        for letter in letters {
            let isWornOut = letter.run.deliveryCount >= limit
            let facts: [(String, String)] = [
                ("topic", from.topic), ("partition", "\(from.partition)"),
                ("offset", "\(letter.offset)"), ("group", place.group),
                ("delivery.count", "\(letter.run.deliveryCount)"),
                (
                    "message",
                    isWornOut ? "delivered as often as allowed" : "rejected by a member"
                ),
            ]
            builder.append(
                key: letter.record?.key, value: letter.record?.value,
                headers: facts.map {
                    RecordHeader(key: "__dlq.errors.\($0.0)", value: Bytes(utf8: $0.1))
                }, timestamp: now.timestamp)
        }
        do throws(AppendFailure) {
            let result = try store.append(finishUncompressed(builder), to: target, now: now)
            whenDurable(
                target, result.lastOffset, .deadLetters(place, range))
        } catch {
            if letters.count > 1, case .messageTooLarge = error {
                // One by one: a large one must not hold up the others.
                let first = letters[0].offset
                return append([letters[0]], from, place, range.lowerBound...first, to: target)
            }
            if letters[0].record != nil, case .messageTooLarge = error {
                // It is told where the record is.
                var bare = letters[0]
                bare.record = nil
                return append([bare], from, place, range, to: target)
            }
            postpone(place, "\(target) can't take them: \(error)")
        }
    }

    /// The copies are durable, or their partition is gone.
    mutating func deadLettersSettled(
        _ place: SharePlace, _ range: ClosedRange<Int64>, isWritten: Bool
    ) {
        guard deadLetterPlaces.contains(place) else { return }
        guard isWritten else {
            return postpone(place, "their topic was deleted while they were written")
        }
        deadLetterPlaces.remove(place)
        deadLettersDone(place, range)
    }

    private mutating func deadLettersDone(_ place: SharePlace, _ range: ClosedRange<Int64>) {
        shares.deadLettersWritten(range, place.partition, of: place.group)
        perform(shares.commit(place.group, nil, now: now))
        writeDeadLetters(place)
    }

    private mutating func postpone(_ place: SharePlace, _ reason: String) {
        diagnostics.report(
            .warning, "shares",
            "dead letters of share group \(place.group) wait, and with them their places in the "
                + "partition: \(reason)")
        deadLetterRetries.push(now.monotonic + Self.deadLetterPause, place)
    }

    /// Tries again what could not be written.
    mutating func retryDeadLetters() {
        while let (_, place) = deadLetterRetries.popDue(now.monotonic) {
            deadLetterPlaces.remove(place)
            writeDeadLetters(place)
        }
    }

    /// After a start, and when the settings of a group changed.
    mutating func resumeDeadLetters(of group: String) {
        for partition in shares.partitions(of: group) {
            writeDeadLetters(SharePlace(group: group, partition: partition))
        }
    }
}
