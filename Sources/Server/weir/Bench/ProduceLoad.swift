import Base
import Compression
import CPlatform
import Runtime
import WireProtocol

/// Threads that produce as fast as the broker takes it, each over a connection of its own with a
/// fixed number of requests in flight.
struct ProduceLoad: Sendable {
    var server: HostPort
    var topic: String
    var partitions: Int32
    var shape: ProduceTemplate.Shape
    var inFlight: Int
    var connections: Int
    var isIdempotent: Bool

    /// Runs until the pace is over; `latency` of the result is that of single requests.
    func run(
        pace: LoadRun.Pace, broker: BrokerProcess, signals: ProcessSignals
    ) throws(Problem) -> LoadResult {
        let run = LoadRun()
        let load = self
        return try run.measure(
            threads: connections, pace: pace, broker: broker, signals: signals
        ) { (index) throws(Problem) in
            try load.produce(index, run)
        }
    }

    private func produce(_ index: Int, _ run: LoadRun) throws(Problem) {
        let connection = try LoadConnection(to: server, receiveBytes: 64 << 10)
        let version = try connection.version(of: .produce, atMost: 12)
        let templates = try makeTemplates(index, connection, version)
        let answers = ProduceAnswerShape(topic: topic, version: version)
        run.noteReady()
        if shape.acknowledgements == 0 {
            return try send(templates, connection, run)
        }
        // Requests in flight, oldest first, as a ring.
        var moments = [Int64](repeating: 0, count: inFlight)
        var sizes = [(records: Int, bytes: Int)](repeating: (0, 0), count: inFlight)
        var sent = 0
        var answered = 0
        var latency = LatencyHistogram()
        while true {
            if !run.isStopping, sent - answered < inFlight {
                var now = weir_monotonic_nanoseconds()
                while sent - answered < inFlight {
                    let template = templates[sent % templates.count]
                    moments[sent % inFlight] = now
                    sizes[sent % inFlight] = (template.records, template.batchBytes)
                    let correlation = Int32(truncatingIfNeeded: sent & 0x7FFF_FFFF)
                    try connection.enqueue(template.next(correlationId: correlation))
                    sent += 1
                    // A large request takes its time to leave.
                    if template.batchBytes > 32 << 10 { now = weir_monotonic_nanoseconds() }
                }
                try connection.flush()
            }
            if sent == answered { break }
            try connection.receive()
            let now = weir_monotonic_nanoseconds()
            let measures = run.isMeasuring
            var records = 0
            var bytes = 0
            var requests = 0
            while let answer = try connection.nextArrived() {
                guard answers.isSuccess(answer) else { throw answers.problem(answer) }
                let size = sizes[answered % inFlight]
                records += size.records
                bytes += size.bytes
                requests += 1
                if measures { latency.record(now - moments[answered % inFlight]) }
                answered += 1
            }
            run.count(records: records, bytes: bytes, requests: requests)
        }
        run.add(latency)
    }

    /// Without acknowledgements: what the socket takes counts as sent.
    private func send(
        _ templates: [ProduceTemplate], _ connection: LoadConnection, _ run: LoadRun
    ) throws(Problem) {
        var sent = 0
        while !run.isStopping {
            let template = templates[sent % templates.count]
            let correlation = Int32(truncatingIfNeeded: sent & 0x7FFF_FFFF)
            try connection.enqueue(template.next(correlationId: correlation))
            run.count(records: template.records, bytes: template.batchBytes)
            sent += 1
        }
        try connection.flush()
        // Its answer means that everything before it was read.
        _ = try connection.call(MetadataRequest(topics: []), atMost: 9)
    }

    private func makeTemplates(
        _ index: Int, _ connection: LoadConnection, _ version: Int16
    ) throws(Problem) -> [ProduceTemplate] {
        var producer: (id: Int64, epoch: Int16)?
        if isIdempotent, shape.acknowledgements == -1 {
            let answer = try connection.call(
                InitProducerIdRequest(
                    transactionalId: nil, transactionTimeoutMs: .max, producerId: -1,
                    producerEpoch: -1))
            guard answer.errorCode == .none else {
                throw Problem(
                    "broker." + answer.errorCode.publishedName.lowercased(),
                    "no producer id: \(answer.errorCode.publishedName)")
            }
            producer = (answer.producerId, answer.producerEpoch)
        }
        var shape = shape
        shape.timestamp = SystemClock.timestamp
        // Each connection begins with another partition, so that they don't move in step.
        return try (0..<partitions).map { (number) throws(Problem) in
            try ProduceTemplate(
                topic: topic, partition: (number + Int32(index)) % partitions, shape: shape,
                version: version, producer: producer, seed: UInt64(index * 65_536) + UInt64(number)
            )
        }
    }
}
