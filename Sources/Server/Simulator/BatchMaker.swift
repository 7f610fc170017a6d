import Base
import Compression
import WireProtocol

extension ProducerModel {
    /// The producer's next batch: a few records whose values occur nowhere else.
    mutating func nextBatch(
        _ random: inout Random, keyed: Bool, at time: Timestamp
    ) -> (InFlight, PartitionModel.Batch)? {
        let count = random.within(1...4)
        var rows: [PartitionModel.Row] = []
        var builder = RecordBatchBuilder()
        for record in 0..<count {
            var text = "p\(id) n\(nextNumber) r\(record) "
            let length = random.below(random.chance(1, in: 8) ? 600 : 90)
            text += String(repeating: "x", count: length)
            let key = keyed ? "k\(random.below(8))" : nil
            rows.append(PartitionModel.Row(key: key, text: text))
            builder.append(
                key: key.map { Bytes(utf8: $0) }, value: Bytes(utf8: text), timestamp: time)
        }
        var properties = RecordBatchBuilder.Properties(
            codec: random.chance(1, in: 8) ? .lz4 : .none)
        if isIdempotent {
            properties.producerId = producerID
            properties.producerEpoch = 0
            properties.baseSequence = nextSequence
        }
        guard let bytes = try? builder.finish(properties),
            let header = try? RecordBatchHeader(bytes)
        else { return nil }
        let batch = PartitionModel.Batch(producer: id, number: nextNumber, rows: rows)
        let entry = InFlight(number: nextNumber, bytes: bytes, checksum: header.crc)
        nextNumber += 1
        nextSequence += Int32(count)
        return (entry, batch)
    }
}
