// What the fuzzers run. Each function must return for every input, and traps when an invariant
// breaks: what was accepted once must be accepted again, and be the same.

import Base

/// Reads `bytes` as record batches, as a fetch answer or a produce request has them.
package func exerciseRecordBatch(_ bytes: Bytes) {
    var sequence = RecordBatchSequence(bytes)
    // A batch takes 61 bytes, so the count of steps is bounded by the input.
    while let batch = (try? sequence.next()) ?? nil {
        let limit = 1 << 20
        _ = try? batch.validate(order: .ascending, limit: limit)
        // Few inputs have the right checksum: look at the records without it too.
        let facts = try? batch.validateRecords(limit: limit)
        guard var cursor = try? batch.records(limit: limit) else {
            precondition(facts == nil, "a batch that is valid must be readable")
            continue
        }
        var count = 0
        while let record = (try? cursor.next()) ?? nil {
            count += 1
            let headers = try? record.headers()
            precondition((headers?.count ?? 0) <= record.rawHeaders.count)
            if batch.header.isControl { _ = try? ControlRecord(record) }
        }
        guard facts != nil else { continue }
        precondition(count == Int(batch.header.recordCount), "a valid batch has all its records")
        let stamped = batch.stampedCopy(
            baseOffset: 77, leaderEpoch: 5, appendTime: Timestamp(milliseconds: 99))
        precondition((try? stamped.validate(limit: limit)) != nil, "a stamped batch stays valid")
    }
}

/// Reads `bytes` as one request without its length, as the broker does.
package func exerciseRequest(_ bytes: Bytes) {
    var reader = ByteReader(bytes)
    guard let header = try? RequestHeader(from: &reader, table: .all), let kind = header.kind,
        ApiVersionTable.all.serves(kind, version: header.apiVersion)
    else { return }
    let version = header.apiVersion
    guard let request = try? BrokerRequest(from: &reader, apiKey: kind, version: version) else {
        return
    }
    if case .produce(let produce) = request {
        for topic in produce.topicData {
            for partition in topic.partitionData {
                for records in partition.records { exerciseRecordBatch(records) }
            }
        }
    }
    var writer = ByteWriter()
    request.write(to: &writer, version: version)
    var again = ByteReader(writer.finish())
    let second = try? BrokerRequest(from: &again, apiKey: kind, version: version)
    precondition(second == request, "what was read and written must read the same")
    precondition(again.isAtEnd, "what was written must be read whole")
}
