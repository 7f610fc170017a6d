import Base
import Compression
import Runtime
import Testing
import WireProtocol

@Suite struct LatencyHistogramTests {
    @Test func `percentiles are at most one bucket too large`() {
        var histogram = LatencyHistogram()
        for value in Int64(1)...100_000 { histogram.record(value * 1000) }
        for (share, exact) in [(0.5, 50_000_000.0), (0.9, 90_000_000), (0.99, 99_000_000)] {
            let found = Double(histogram.percentile(share))
            #expect(found >= exact && found <= exact * 1.016)
        }
        #expect(histogram.count == 100_000)
        #expect(histogram.percentile(1) == 100_000_000)
        #expect(histogram.maximum == 100_000_000)
        #expect(abs(histogram.mean - 50_000_500) < 1)
    }

    @Test(arguments: [0, 1, 63, 64, 65, 127, 128, 1 << 40, Int64.max] as [Int64])
    func `one value is every percentile`(value: Int64) {
        var histogram = LatencyHistogram()
        histogram.record(value)
        for share in [0.0, 0.5, 1] { #expect(histogram.percentile(share) == value) }
    }

    @Test func `a clock that went back counts as no time`() {
        var histogram = LatencyHistogram()
        histogram.record(-5)
        #expect(histogram.percentile(1) == 0 && histogram.count == 1)
    }

    @Test func `merged histograms count everything once`() {
        var one = LatencyHistogram()
        var two = LatencyHistogram()
        for value in Int64(0)..<1000 { one.record(value) }
        for value in Int64(1000)..<3000 { two.record(value) }
        one.merge(two)
        #expect(one.count == 3000 && one.minimum == 0 && one.maximum == 2999)
        #expect(one.percentile(0.5) >= 1499 && one.percentile(0.5) <= 1525)
        #expect(LatencyHistogram().percentile(0.5) == 0)
    }
}

@Suite struct ProcessUsageTests {
    private let status =
        "Name:\tx\nVmHWM:\t   2048 kB\nVmRSS:\t    1024 kB\nRssAnon:\t     512 kB\n"

    @Test func `a name with spaces and parentheses does not shift the fields`() throws {
        let stat = "42 (a (b) c) S 1 42 42 0 -1 4194560 500 0 0 0 150 50 0 0 20 0 4 0 100 1 2 3"
        let usage = try #require(ProcessUsage(stat: stat, status: status, ticksPerSecond: 100))
        #expect(usage.userSeconds == 1.5 && usage.systemSeconds == 0.5 && usage.cpuSeconds == 2)
        #expect(usage.residentBytes == 1 << 20 && usage.peakResidentBytes == 2 << 20)
        #expect(usage.anonymousBytes == 512 << 10)
    }

    @Test(arguments: ["", "42", "42 (x) S 1", "42 (x) S 1 1 1 1 1 1 1 1 1 1 y z"])
    func `text of another form is not understood`(stat: String) {
        #expect(ProcessUsage(stat: stat, status: status, ticksPerSecond: 100) == nil)
    }

    @Test func `this process is found, and another number is not`() throws {
        let usage = try #require(ProcessUsage.own)
        #expect(usage.residentBytes > 1 << 20)
        #expect(ProcessUsage(of: Int32.max) == nil)
    }

    @Test func `metrics tell CPU time and memory`() throws {
        let text = """
            # HELP weir_process_cpu_seconds CPU time used
            weir_process_cpu_seconds_total 12.5
            weir_process_resident_memory_bytes 4096
            """
        let usage = try #require(ProcessUsage(metrics: text))
        #expect(usage.cpuSeconds == 12.5 && usage.residentBytes == 4096)
        #expect(ProcessUsage(metrics: "other 1") == nil)
    }

    @Test func `listening sockets are found by port`() {
        let table = """
              sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
               0: 0100007F:2384 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 777 1
               1: 0100007F:2384 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 778 1
               2: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 779 1
            """
        #expect(listeningSockets(table, port: 9092) == ["777"])
        #expect(listeningSockets("", port: 9092).isEmpty)
    }
}

@Suite struct ProduceTemplateTests {
    private func shape(_ records: Int, _ bytes: Int, _ codec: Codec = .none)
        -> ProduceTemplate.Shape
    {
        var shape = ProduceTemplate.Shape()
        shape.records = records
        shape.valueBytes = bytes
        shape.codec = codec
        shape.timestamp = Timestamp(milliseconds: 1_700_000_000_000)
        return shape
    }

    private func decoded(_ frame: UnsafeRawBufferPointer) throws -> (RequestHeader, ProduceRequest)
    {
        var reader = ByteReader(Bytes(frame))
        #expect(Int(try reader.int32()) == frame.count - 4)
        let header = try RequestHeader(from: &reader, table: .all)
        return (header, try ProduceRequest(from: &reader, version: header.apiVersion))
    }

    @Test(arguments: [1, 9, 50, 100, 130, 8000], [Codec.none, .lz4])
    func `every request is whole, numbered and has a right checksum`(
        bytes: Int, codec: Codec
    ) throws {
        let template = try ProduceTemplate(
            topic: "t", partition: 3, shape: shape(10, bytes, codec), version: 9,
            producer: (7, 2), seed: 1)
        for round in Int32(0)..<3 {
            let (header, request) = try decoded(template.next(correlationId: 100 + round))
            #expect(header.correlationId == 100 + round)
            #expect(request.topicData[0].partitionData[0].index == 3)
            let batch = try RecordBatchView(
                Bytes.joined(request.topicData[0].partitionData[0].records))
            try batch.checkChecksum()
            #expect(batch.header.baseSequence == round * 10)
            #expect(batch.header.producerId == 7 && batch.header.producerEpoch == 2)
            #expect(batch.header.recordCount == 10)
            #expect(batch.bytes.count == template.batchBytes)
        }
    }

    @Test(arguments: [8, 9, 47, 54, 55, 56, 57, 63, 64, 65, 120, 1024, 9000])
    func `a moment stands at the begin of the value`(bytes: Int) throws {
        let template = try ProduceTemplate(
            topic: "t", partition: 0, shape: shape(1, bytes), version: 9, producer: nil, seed: 1)
        #expect(template.canCarryMoment)
        let (_, request) = try decoded(template.next(correlationId: 1, moment: 0x0102_0304_0506))
        let batch = try RecordBatchView(
            Bytes.joined(request.topicData[0].partitionData[0].records))
        try batch.checkChecksum()
        var cursor = try batch.records()
        let value = try #require(try cursor.next()?.value)
        #expect(value.count == bytes)
        #expect(value[0..<8].array == [0, 0, 1, 2, 3, 4, 5, 6])
    }

    @Test(arguments: Int16(3)...12)
    func `an answer's error is seen in every version`(version: Int16) throws {
        let shape = ProduceAnswerShape(topic: "orders", version: version)
        for code in [ErrorCode.none, .notLeaderOrFollower, .messageTooLarge, .unknownServerError] {
            var response = ProduceResponse()
            response.responses = [
                .init(
                    name: "orders",
                    partitionResponses: [
                        .init(index: 5, errorCode: code, baseOffset: 77, errorMessage: "no")
                    ])
            ]
            let frame = Bytes.joined(response.frame(version: version, correlationId: 9))
            frame[4..<frame.count].withUnsafeBytes { answer in
                #expect(shape.isSuccess(answer) == (code == .none))
                if code != .none {
                    #expect(shape.problem(answer).message.contains(code.publishedName))
                }
            }
        }
    }
}
