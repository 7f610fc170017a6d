import Base
import Compression
import WireProtocol

/// A Produce request with one batch, made once and sent again and again: only its correlation id,
/// its sequence, its checksum and, if wanted, eight bytes of its value change.
package final class ProduceTemplate {
    private let frame: ByteStorage
    private let batchStart: Int
    private let batchCount: Int
    private let recordCount: Int32
    /// Where the value of the first record begins, in the frame; nil when it is compressed.
    private let valueStart: Int?
    private var sequence: Int32 = 0
    private let isIdempotent: Bool

    /// Bytes of the batch as it travels.
    package var batchBytes: Int { batchCount }
    package var records: Int { Int(recordCount) }

    /// What the batches of a load look like.
    package struct Shape: Sendable {
        package var records = 1
        package var valueBytes = 1024
        package var codec = Codec.none
        package var acknowledgements: Int16 = -1
        package var timestamp = Timestamp(milliseconds: 0)

        package init() {}
    }

    /// `producer` numbers the batches; nil leaves idempotence out.
    package init(
        topic: String, partition: Int32, shape: Shape, version: Int16,
        producer: (id: Int64, epoch: Int16)?, seed: UInt64
    ) throws(Problem) {
        var random = Random(seed: seed)
        var builder = RecordBatchBuilder(capacity: shape.records * (shape.valueBytes + 16) + 128)
        var firstValue: Bytes?
        for _ in 0..<shape.records {
            let value = Self.text(shape.valueBytes, &random)
            if firstValue == nil { firstValue = value }
            builder.append(key: nil, value: value, timestamp: shape.timestamp)
        }
        var properties = RecordBatchBuilder.Properties(codec: shape.codec)
        if let producer {
            properties.producerId = producer.id
            properties.producerEpoch = producer.epoch
            properties.baseSequence = 0
        }
        isIdempotent = producer != nil
        recordCount = builder.recordCount
        let batch: Bytes
        do {
            batch = try builder.finish(properties)
        } catch {
            throw Problem("client.failed", "a batch can't be compressed: \(error)")
        }
        var request = ProduceRequest()
        request.acks = shape.acknowledgements
        request.timeoutMs = 30_000
        request.topicData = [
            .init(name: topic, partitionData: [.init(index: partition, records: [batch])])
        ]
        let pieces = request.frame(
            version: version, correlationId: 0, clientId: LoadConnection.clientId)
        let whole = Bytes.joined(pieces)
        let storage = ByteStorage(count: whole.count)
        whole.withUnsafeBytes { source in
            UnsafeMutableRawBufferPointer(start: storage.base, count: source.count)
                .copyMemory(from: source)
        }
        frame = storage
        // The batch is spliced into the frame behind the first piece.
        batchStart = pieces[0].count
        batchCount = batch.count
        if shape.codec == .none, let firstValue, !firstValue.isEmpty {
            // Length, attributes, two deltas of 0 and a null key stand before the value's length.
            let count = shape.valueBytes
            let lengthBytes = Self.varintBytes(count)
            let start =
                batchStart + RecordBatchHeader.byteCount
                + Self.varintBytes(4 + lengthBytes + count + 1) + 4 + lengthBytes
            let found = whole[start..<start + min(count, 16)]
            valueStart = found == firstValue[0..<min(count, 16)] ? start : nil
        } else {
            valueStart = nil
        }
    }

    /// Text that compresses as events do: words of a small vocabulary, drawn at random.
    private static func text(_ count: Int, _ random: inout Random) -> Bytes {
        var value: [UInt8] = []
        value.reserveCapacity(count + 16)
        while value.count < count {
            value += vocabulary[random.below(vocabulary.count)]
            value.append(0x20)
        }
        return Bytes(value[..<count])
    }

    private static let vocabulary: [[UInt8]] = {
        var random = Random(seed: 1)
        return (0..<256).map { _ in
            (0..<random.within(3...12)).map { _ in 0x61 + UInt8(random.below(26)) }
        }
    }()

    private static func varintBytes(_ value: Int) -> Int {
        var zigzag = UInt64(value) << 1
        var count = 1
        while zigzag >= 0x80 {
            zigzag >>= 7
            count += 1
        }
        return count
    }

    /// Whether the value has room for a moment.
    package var canCarryMoment: Bool { valueStart != nil }

    /// The request to send now. `moment` becomes the begin of the first value.
    package func next(correlationId: Int32, moment: Int64? = nil) -> UnsafeRawBufferPointer {
        let base = frame.base
        base.storeBytes(of: correlationId.bigEndian, toByteOffset: 8, as: Int32.self)
        var isChanged = false
        if isIdempotent {
            base.storeBytes(of: sequence.bigEndian, toByteOffset: batchStart + 53, as: Int32.self)
            sequence = Int32((Int64(sequence) + Int64(recordCount)) & 0x7FFF_FFFF)
            isChanged = true
        }
        if let moment, let valueStart {
            base.storeBytes(of: moment.bigEndian, toByteOffset: valueStart, as: Int64.self)
            isChanged = true
        }
        if isChanged {
            let from = RecordBatchHeader.checksummedFrom
            let sum = crc32c(
                UnsafeRawBufferPointer(start: base + batchStart + from, count: batchCount - from))
            base.storeBytes(of: sum.bigEndian, toByteOffset: batchStart + 17, as: UInt32.self)
        }
        return UnsafeRawBufferPointer(start: base, count: frame.count)
    }
}

/// Finds the error code in answers to `ProduceTemplate` without decoding them: for one topic and
/// one partition it always stands in the same place.
package struct ProduceAnswerShape: Sendable {
    private let errorPosition: Int
    private let version: Int16

    package init(topic: String, version: Int16) {
        func answer(_ code: ErrorCode) -> Bytes {
            var response = ProduceResponse()
            response.responses = [
                .init(name: topic, partitionResponses: [.init(index: 0, errorCode: code)])
            ]
            return Bytes.joined(response.frame(version: version, correlationId: 0))
        }
        let fine = answer(.none)
        // Every bit of the code is set, so its first byte differs too.
        let wrong = answer(.unknownServerError)
        var position = 0
        while position < fine.count, fine[position] == wrong[position] { position += 1 }
        // The answer is looked at behind its length.
        errorPosition = position - 4
        self.version = version
    }

    /// Whether the batch was stored.
    package func isSuccess(_ answer: UnsafeRawBufferPointer) -> Bool {
        answer.count >= errorPosition + 2 && answer[errorPosition] == 0
            && answer[errorPosition + 1] == 0
    }

    /// Why it was not.
    package func problem(_ answer: UnsafeRawBufferPointer) -> Problem {
        do throws(DecodeFailure) {
            var reader = ByteReader(Bytes(answer))
            _ = try ResponseHeader(from: &reader, apiKey: .produce, version: version)
            let response = try ProduceResponse(from: &reader, version: version)
            let partition = response.responses.first?.partitionResponses.first
            let code = partition?.errorCode ?? .unknownServerError
            return Problem(
                "broker." + code.publishedName.lowercased(),
                "a batch was refused: \(code.publishedName)",
                notes: partition?.errorMessage.map { [$0] } ?? [])
        } catch {
            return Problem("client.failed", "an answer to Produce can't be read: \(error)")
        }
    }
}
