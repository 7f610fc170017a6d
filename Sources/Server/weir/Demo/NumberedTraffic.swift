import Base
import Runtime
import Synchronization
import WeirClient

/// Numbered records on their way into a topic and out of it, by the client library: what was handed
/// over, what was acknowledged, and what a reader sees of it.
final class NumberedTraffic: Sendable {
    /// What the answers to the producer say.
    private struct Answers {
        var acknowledged: [AcknowledgedNumbers]
        /// When a record of the partition was acknowledged last.
        var last: [Instant]
        var longestPause = Duration.zero
        var failed: Int64 = 0
        var problem: String?
        /// Pauses count only while something is sent.
        var isMeasured = true
    }

    struct Counts: Sendable {
        var sent: Int64
        var acknowledged: Int64
        var failed: Int64
        var read: Int64
        var lost: Int64
        var twice: Int64
        var outOfOrder: Int64
        /// Records that are not where they were acknowledged.
        var elsewhere: Int64 = 0

        var isGood: Bool { lost == 0 && twice == 0 && outOfOrder == 0 && elsewhere == 0 }
    }

    let topic: String
    private let partitions: Int
    private let rate: Double
    private let client: ClientConfiguration
    private let answers: Mutex<Answers>
    private let readings: Mutex<[ReadNumbers]>
    private let sent = Atomic<Int64>(0)
    private let isProducing = Atomic<Bool>(true)
    private let isReading = Atomic<Bool>(true)
    private let isAbandoned = Atomic<Bool>(false)
    private let threads = Mutex<(producing: SystemThread?, reading: SystemThread?)>((nil, nil))

    /// Begins at once, `rate` records a second.
    init(_ topic: String, partitions: Int, rate: Double, client: ClientConfiguration) {
        self.topic = topic
        self.partitions = partitions
        self.rate = rate
        self.client = client
        let now = SystemClock.monotonic
        answers = Mutex(
            Answers(
                acknowledged: Array(repeating: AcknowledgedNumbers(), count: partitions),
                last: Array(repeating: now, count: partitions)))
        readings = Mutex(Array(repeating: ReadNumbers(), count: partitions))
        let producing = SystemThread(name: "weir-producing") { [self] in produce() }
        let reading = SystemThread(name: "weir-reading") { [self] in read() }
        threads.withLock { $0 = (producing, reading) }
    }

    private var addresses: [PartitionAddress] {
        (0..<partitions).map { PartitionAddress(topic, Int32($0)) }
    }

    // MARK: Producing

    private func produce() {
        let producer = Producer(
            ProducerConfiguration(
                client: client, acknowledgements: .all, deliveryTimeout: .seconds(60),
                isIdempotent: true))
        let begin = SystemClock.monotonic
        var next = [Int64](repeating: 0, count: partitions)
        var total: Int64 = 0
        while isProducing.load(ordering: .acquiring) {
            let elapsed = Double((SystemClock.monotonic - begin).wholeNanoseconds) / 1e9
            let due = min(Int64(elapsed * rate) - total, 10_000)
            for _ in 0..<max(0, due) {
                let partition = Int(total % Int64(partitions))
                let number = next[partition]
                let record = ProducerRecord(
                    topic: topic, value: Array("\(number)".utf8), partition: Int32(partition))
                do throws(ClientFailure) {
                    try producer.enqueue(record) { [self] result in
                        note(number, of: partition, result)
                    }
                } catch {
                    // Not handed over: the same number again, unless that is in vain.
                    if !error.isRetriable { return fail("producing: \(error)") }
                    break
                }
                next[partition] += 1
                total += 1
                sent.store(total, ordering: .releasing)
            }
            SystemClock.sleep(.milliseconds(2))
        }
        // Without it nothing is waited for: a producer that is dropped ends at once.
        if isAbandoned.load(ordering: .acquiring) { return }
        do throws(ClientFailure) { try producer.closeBlocking() } catch {
            fail("producing: \(error)")
        }
    }

    private func note(
        _ number: Int64, of partition: Int, _ result: Result<RecordMetadata, ClientFailure>
    ) {
        let now = SystemClock.monotonic
        answers.withLock { answers in
            switch result {
            case .success(let place):
                answers.acknowledged[partition].add(number, offset: place.offset)
                if answers.isMeasured {
                    answers.longestPause = max(
                        answers.longestPause, now - answers.last[partition])
                }
                answers.last[partition] = now
            case .failure(let failure):
                answers.failed += 1
                answers.problem = answers.problem ?? "a record was not taken: \(failure)"
            }
        }
    }

    private func fail(_ message: String) {
        answers.withLock { $0.problem = $0.problem ?? message }
    }

    var problem: String? { answers.withLock { $0.problem } }

    /// The longest time in which a partition acknowledged nothing, since `restartPause`.
    var longestPause: Duration {
        let now = SystemClock.monotonic
        return answers.withLock { answers in
            guard answers.isMeasured else { return answers.longestPause }
            return answers.last.reduce(answers.longestPause) { max($0, now - $1) }
        }
    }

    func restartPause() { answers.withLock { $0.longestPause = .zero } }

    /// Sends nothing more, and waits until the fate of all that was sent is known.
    func stopProducing() {
        let pause = longestPause
        answers.withLock { answers in
            answers.longestPause = pause
            answers.isMeasured = false
        }
        isProducing.store(false, ordering: .releasing)
        threads.withLock { threads in
            defer { threads.producing = nil }
            return threads.producing
        }?.join()
    }

    /// Ends without waiting for anybody's answer. Nothing happens when all was stopped before.
    func abandon() {
        isAbandoned.store(true, ordering: .releasing)
        stopProducing()
        stopReading()
    }

    // MARK: Reading

    private func read() {
        var client = client
        client.retryTimeout = .seconds(5)
        let consumer = Consumer(ConsumerConfiguration(client: client, offsetReset: .earliest))
        consumer.assign(addresses)
        while isReading.load(ordering: .acquiring) {
            do throws(ClientFailure) {
                let records = try consumer.pollBlocking(timeout: .milliseconds(100))
                guard !records.isEmpty else { continue }
                readings.withLock { readings in
                    for record in records {
                        // Others don't write here: what is no number would be a damaged record.
                        let number = record.valueText.flatMap { Int64($0) } ?? 0
                        readings[Int(record.partition)].take(number, at: record.offset)
                    }
                }
            } catch {
                // A leader that is away is asked for again; anything else ends the reading.
                if !error.isRetriable {
                    fail("reading: \(error)")
                    break
                }
                SystemClock.sleep(.milliseconds(50))
            }
        }
        consumer.closeBlocking()
    }

    func stopReading() {
        isReading.store(false, ordering: .releasing)
        threads.withLock { threads in
            defer { threads.reading = nil }
            return threads.reading
        }?.join()
    }

    /// So far; what the reader has passed over counts as lost, what it has not reached yet does not.
    var counts: Counts {
        let readings = readings.withLock { $0 }
        return counts(of: readings, isWhole: false)
    }

    private func counts(of readings: [ReadNumbers], isWhole: Bool) -> Counts {
        answers.withLock { answers in
            var counts = Counts(
                sent: sent.load(ordering: .acquiring), acknowledged: 0, failed: answers.failed,
                read: 0, lost: 0, twice: 0, outOfOrder: 0)
            for (reading, acknowledged) in zip(readings, answers.acknowledged) {
                counts.acknowledged += acknowledged.count
                counts.read += reading.read
                counts.lost += reading.lost(acknowledged, isWhole: isWhole)
                counts.twice += reading.twice
                counts.outOfOrder += reading.outOfOrder
                counts.elsewhere += reading.elsewhere
            }
            return counts
        }
    }

    // MARK: The end

    /// Reads everything from the begin with a new consumer, when nothing is produced any more, and
    /// compares it with what was acknowledged.
    func readBack(
        admin: Admin, while goesOn: () -> Bool
    ) throws(ClientFailure) -> Counts {
        let acknowledged = answers.withLock { $0.acknowledged }
        let ends = try admin.endOffsets(topic)
        let consumer = Consumer(ConsumerConfiguration(client: client, offsetReset: .earliest))
        defer { consumer.closeBlocking() }
        consumer.assign(addresses)
        var readings = Array(repeating: ReadNumbers(), count: partitions)
        var positions = [Int64](repeating: 0, count: partitions)
        var last = SystemClock.monotonic
        while goesOn() {
            let isAtEnd = addresses.allSatisfy {
                positions[Int($0.partition)] >= ends[$0] ?? .max
            }
            // Whoever is told an end that is too early, or none, gets some time for the rest.
            let idle = SystemClock.monotonic - last
            if isAtEnd, idle > .seconds(5) || counts(of: readings, isWhole: true).lost == 0 {
                break
            }
            if idle > .seconds(30) { break }
            let records: [ConsumedRecord]
            do throws(ClientFailure) {
                records = try consumer.pollBlocking(timeout: .milliseconds(100))
            } catch {
                if error.isRetriable { continue }
                throw error
            }
            for record in records {
                let partition = Int(record.partition)
                let number = record.valueText.flatMap { Int64($0) } ?? 0
                readings[partition].take(number, at: record.offset, acknowledged[partition])
                positions[partition] = record.offset + 1
            }
            if !records.isEmpty { last = SystemClock.monotonic }
        }
        return counts(of: readings, isWhole: true)
    }
}
