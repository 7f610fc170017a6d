import Base
import CPlatform
import Runtime
import WireProtocol

/// Produces single records at a fixed rate and reads them back: from the moment at which a record
/// was due to the moment at which a consumer has it. A late sender counts against the figure.
struct LatencyLoad: Sendable {
    var server: HostPort
    var topic: String
    var topicId: UUID128
    var shape: ProduceTemplate.Shape
    var rate: Int
    var isIdempotent: Bool

    /// `end` from due to consumed, `acknowledged` from due to the producer's answer.
    struct Outcome {
        var end: LoadResult
        var acknowledged: LatencyHistogram
    }

    func run(
        pace: LoadRun.Pace, broker: BrokerProcess, signals: ProcessSignals
    ) throws(Problem) -> Outcome {
        let run = LoadRun()
        let producer = try LoadConnection(to: server)
        let consumer = try LoadConnection(to: server)
        let acknowledged = Monitor(LatencyHistogram())
        let version = try producer.version(of: .produce, atMost: 12)
        var identity: (id: Int64, epoch: Int16)?
        if isIdempotent {
            let answer = try producer.call(
                InitProducerIdRequest(
                    transactionalId: nil, transactionTimeoutMs: .max, producerId: -1,
                    producerEpoch: -1))
            guard answer.errorCode == .none else { throw FetchLoad.refused(answer.errorCode) }
            identity = (answer.producerId, answer.producerEpoch)
        }
        let numbered = identity
        let due = DueTimes()
        let load = self
        let end = try run.measure(
            threads: 3, pace: pace, broker: broker, signals: signals,
            shutDown: {
                producer.shutDown()
                consumer.shutDown()
            }
        ) { (index) throws(Problem) in
            switch index {
            case 0: try load.send(over: producer, version, numbered, due, run)
            case 1: try load.hear(over: producer, version, due, acknowledged, run)
            default: try load.consume(over: consumer, run)
            }
        }
        return Outcome(end: end, acknowledged: acknowledged.withLock { $0 })
    }

    /// When the requests in flight were due, oldest first.
    private final class DueTimes: Sendable {
        private let times = Monitor<(queue: [Int64], first: Int)>(([], 0))

        func add(_ time: Int64) { times.withLock { $0.queue.append(time) } }

        func next() -> Int64? {
            times.withLock { times in
                guard times.first < times.queue.count else { return nil }
                defer {
                    times.first += 1
                    if times.first > 4096 {
                        times.queue.removeFirst(times.first)
                        times.first = 0
                    }
                }
                return times.queue[times.first]
            }
        }
    }

    private func send(
        over connection: LoadConnection, _ version: Int16, _ identity: (id: Int64, epoch: Int16)?,
        _ due: DueTimes, _ run: LoadRun
    ) throws(Problem) {
        var shape = shape
        shape.records = 1
        shape.timestamp = SystemClock.timestamp
        let template = try ProduceTemplate(
            topic: topic, partition: 0, shape: shape, version: version, producer: identity,
            seed: 1)
        guard template.canCarryMoment else {
            throw Problem("usage.value", "records need 8 bytes or more to carry their moment")
        }
        let interval = 1_000_000_000 / Int64(rate)
        run.noteReady()
        var next = weir_monotonic_nanoseconds() + interval
        var number: Int32 = 1
        while !run.isStopping {
            // Sleeping is imprecise by some 60 µs, so the last of them are spent waiting.
            let left = next - weir_monotonic_nanoseconds()
            if left > 100_000 { weir_sleep_nanoseconds(left - 80_000) }
            while weir_monotonic_nanoseconds() < next {}
            due.add(next)
            try connection.enqueue(template.next(correlationId: number, moment: next))
            try connection.flush()
            number = number == .max ? 1 : number + 1
            next += interval
        }
    }

    private func hear(
        over connection: LoadConnection, _ version: Int16, _ due: DueTimes,
        _ acknowledged: Monitor<LatencyHistogram>, _ run: LoadRun
    ) throws(Problem) {
        let answers = ProduceAnswerShape(topic: topic, version: version)
        var latency = LatencyHistogram()
        run.noteReady()
        defer {
            let found = latency
            acknowledged.withLock { $0 = found }
        }
        while !run.isStopping {
            try connection.receive()
            let now = weir_monotonic_nanoseconds()
            while let answer = try connection.nextArrived() {
                guard answers.isSuccess(answer) else { throw answers.problem(answer) }
                if let moment = due.next(), run.isMeasuring { latency.record(now - moment) }
            }
        }
    }

    private func consume(over connection: LoadConnection, _ run: LoadRun) throws(Problem) {
        let version = try connection.version(of: .fetch, atMost: 16)
        var position: Int64 = 0
        var latency = LatencyHistogram()
        run.noteReady()
        defer { run.add(latency) }
        while !run.isStopping {
            var request = FetchRequest()
            request.maxWaitMs = 500
            request.minBytes = 1
            request.maxBytes = 1 << 20
            request.topics = [
                .init(
                    topic: topic, topicId: topicId,
                    partitions: [
                        .init(partition: 0, fetchOffset: position, partitionMaxBytes: 1 << 20)
                    ])
            ]
            let answer = try connection.call(request, version: version)
            let now = weir_monotonic_nanoseconds()
            guard answer.errorCode == .none else { throw FetchLoad.refused(answer.errorCode) }
            for partition in answer.responses.flatMap(\.partitions) {
                guard partition.errorCode == .none else {
                    throw FetchLoad.refused(partition.errorCode)
                }
                do throws(DecodeFailure) {
                    for piece in partition.records {
                        try take(piece, now, &position, &latency, run)
                    }
                } catch {
                    throw Problem("client.failed", "a record can't be read: \(error)")
                }
            }
        }
    }

    private func take(
        _ bytes: Bytes, _ now: Int64, _ position: inout Int64,
        _ latency: inout LatencyHistogram, _ run: LoadRun
    ) throws(DecodeFailure) {
        var batches = RecordBatchSequence(bytes)
        while let batch = try batches.next() {
            guard batch.header.nextOffset.value > position else { continue }
            position = batch.header.nextOffset.value
            var cursor = try batch.records()
            while let record = try cursor.next() {
                guard let value = record.value, value.count >= 8 else { continue }
                var reader = ByteReader(value)
                let moment = try reader.int64()
                if run.isMeasuring { latency.record(now - moment) }
                run.count(records: 1, bytes: batch.bytes.count)
            }
        }
    }
}
