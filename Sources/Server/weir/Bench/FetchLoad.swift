import Base
import CPlatform
import Runtime
import WireProtocol

/// Threads that read all partitions of a topic again and again, each over a connection of its own,
/// as fast as the broker answers.
struct FetchLoad: Sendable {
    var server: HostPort
    var topic: String
    var topicId: UUID128
    /// Begin and end of each partition, by its number.
    var ranges: [(begin: Int64, end: Int64)]
    var connections: Int
    var partitionBytes: Int
    var answerBytes: Int
    /// Checks the checksum of every batch and steps over every record.
    var readsRecords: Bool

    func run(
        pace: LoadRun.Pace, broker: BrokerProcess, signals: ProcessSignals
    ) throws(Problem) -> LoadResult {
        let run = LoadRun()
        let load = self
        return try run.measure(
            threads: connections, pace: pace, broker: broker, signals: signals
        ) { (index) throws(Problem) in
            try load.fetch(index, run)
        }
    }

    private func fetch(_ index: Int, _ run: LoadRun) throws(Problem) {
        let connection = try LoadConnection(to: server, receiveBytes: 4 << 20)
        let version = try connection.version(of: .fetch, atMost: 16)
        var positions = ranges.map(\.begin)
        var latency = LatencyHistogram()
        var turn = index
        run.noteReady()
        while !run.isStopping {
            let request = request(positions, turn: turn, version: version)
            turn += 1
            let start = weir_monotonic_nanoseconds()
            let answer = try connection.call(request, version: version)
            let elapsed = weir_monotonic_nanoseconds() - start
            guard answer.errorCode == .none else { throw Self.refused(answer.errorCode) }
            var records = 0
            var bytes = 0
            for topic in answer.responses {
                for partition in topic.partitions {
                    guard partition.errorCode == .none else {
                        throw Self.refused(partition.errorCode)
                    }
                    let number = Int(partition.partitionIndex)
                    guard positions.indices.contains(number) else { continue }
                    for piece in partition.records {
                        do throws(DecodeFailure) {
                            records += try take(piece, &positions[number])
                        } catch {
                            throw Problem(
                                "client.failed", "partition \(number) can't be read: \(error)")
                        }
                        bytes += piece.count
                    }
                    if positions[number] >= ranges[number].end {
                        positions[number] = ranges[number].begin
                    }
                }
            }
            run.count(records: records, bytes: bytes)
            if run.isMeasuring { latency.record(elapsed) }
        }
        run.add(latency)
    }

    private func request(_ positions: [Int64], turn: Int, version: Int16) -> FetchRequest {
        var request = FetchRequest()
        request.maxWaitMs = 100
        request.minBytes = 1
        request.maxBytes = Int32(clamping: answerBytes)
        var asked = FetchRequest.FetchTopic(topic: topic, topicId: topicId)
        // Another partition comes first each time, so that none starves.
        for step in positions.indices {
            let number = (step + turn) % positions.count
            if ranges[number].begin == ranges[number].end { continue }
            asked.partitions.append(
                .init(
                    partition: Int32(number), fetchOffset: positions[number],
                    partitionMaxBytes: Int32(clamping: partitionBytes)))
        }
        request.topics = [asked]
        return request
    }

    /// Counts the records that came, and moves behind them.
    private func take(_ bytes: Bytes, _ position: inout Int64) throws(DecodeFailure) -> Int {
        var count = 0
        var batches = RecordBatchSequence(bytes)
        while let batch = try batches.next() {
            position = max(position, batch.header.nextOffset.value)
            guard readsRecords else {
                count += Int(batch.header.recordCount)
                continue
            }
            try batch.checkChecksum()
            var cursor = try batch.records()
            while try cursor.next() != nil { count += 1 }
        }
        return count
    }

    static func refused(_ code: ErrorCode) -> Problem {
        Problem(
            "broker." + code.publishedName.lowercased(),
            "a fetch was refused: \(code.publishedName)")
    }
}
