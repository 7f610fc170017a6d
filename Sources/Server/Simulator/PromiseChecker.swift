import Base
import WireProtocol

/// Compares what a log serves with what was promised to producers and readers.
struct PromiseChecker {
    /// What one walk over a partition found.
    struct Walk {
        /// Checksums by base offset.
        var batches: OrderedMap<Int64, UInt32> = [:]
        var records: [(offset: Int64, key: String?, text: String)] = []
        var hasGap = false
        var next: Offset

        init(from offset: Offset) { next = offset }
    }

    var partitions: [PartitionModel] = []
    private(set) var anomalies: [String] = []
    /// Producers whose batches must be there once and without gaps, by id.
    var isIdempotent: [Bool] = []

    mutating func anomaly(_ text: String) { anomalies.append(text) }

    /// Checks one batch that was served when records from `walk.next` on were asked for. False when
    /// it can't be followed any further.
    mutating func observe(
        _ bytes: Bytes, of index: Int, highWatermark: Offset, sync: Int?, walk: inout Walk
    ) -> Bool {
        let name = partitions[index].name
        guard let view = try? RecordBatchView(bytes), (try? view.checkChecksum()) != nil else {
            anomaly("\(name) served a corrupt batch at offset \(walk.next)")
            return false
        }
        let header = view.header
        if header.lastOffset < walk.next || header.lastOffset >= highWatermark {
            anomaly(
                "\(name) served offsets \(header.baseOffset) to \(header.lastOffset) at "
                    + "\(walk.next), high watermark \(highWatermark)")
        }
        if partitions[index].isCompacted {
            return observeRecords(view, of: index, walk: &walk)
        }
        if partitions[index].sent[header.crc] == nil {
            anomaly("\(name) served a batch at \(header.baseOffset) that nobody sent")
        }
        if let sync {
            partitions[index].served[header.baseOffset.value] = PartitionModel.Promise(
                checksum: header.crc, lastOffset: header.lastOffset.value, sync: sync)
        }
        let isFirst = walk.batches.isEmpty
        if isFirst ? header.baseOffset > walk.next : header.baseOffset != walk.next {
            walk.hasGap = true
        }
        walk.batches[header.baseOffset.value] = header.crc
        walk.next = header.nextOffset
        return true
    }

    private mutating func observeRecords(
        _ view: RecordBatchView, of index: Int, walk: inout Walk
    ) -> Bool {
        let name = partitions[index].name
        walk.batches[view.header.baseOffset.value] = view.header.crc
        walk.next = view.header.nextOffset
        do {
            _ = try view.validateRecords(order: .ascending)
            var cursor = try view.records()
            while let record = try cursor.next() {
                let text = record.value?.text ?? ""
                if !partitions[index].sentTexts.contains(text) {
                    anomaly("\(name) served a record at \(record.offset) that nobody sent")
                }
                walk.records.append((record.offset.value, record.key?.text, text))
            }
            return true
        } catch {
            anomaly("\(name) served a malformed batch at \(view.header.baseOffset): \(error)")
            return false
        }
    }

    /// Checks a walk over the whole partition against every promise.
    mutating func verify(
        _ walk: Walk, of index: Int, logStart: Offset, highWatermark: Offset
    ) {
        let name = partitions[index].name
        if logStart.value < partitions[index].deletedBelow {
            anomaly(
                "\(name) starts at \(logStart), deleted below \(partitions[index].deletedBelow)")
        }
        if walk.hasGap { anomaly("\(name) has a gap") }
        if walk.next != highWatermark {
            anomaly("\(name) ends at \(walk.next), its high watermark is \(highWatermark)")
        }
        if partitions[index].isCompacted {
            verifyKeys(walk, of: index)
        } else {
            let promises = partitions[index]
            verify(promises.acknowledged, walk, index, logStart.value, "acknowledged")
            verify(promises.served, walk, index, logStart.value, "served")
            verifySequences(walk, of: index)
        }
        forgetUnproven(walk, index)
    }

    private mutating func verify(
        _ promises: OrderedMap<Int64, PartitionModel.Promise>, _ walk: Walk, _ index: Int,
        _ logStart: Int64, _ kind: String
    ) {
        for (base, promise) in promises where promise.lastOffset >= logStart {
            let found = walk.batches[base]
            if found == promise.checksum { continue }
            if let unproven = partitions[index].unprovenSync, promise.sync >= unproven { continue }
            let what = found == nil ? "is missing" : "is another batch"
            return anomaly("\(partitions[index].name): the batch \(kind) at \(base) \(what)")
        }
    }

    /// Batches of one producer are in the order of sending; those of an idempotent one once each
    /// and without gaps.
    private mutating func verifySequences(_ walk: Walk, of index: Int) {
        var last: [Int: Int] = [:]
        for (base, checksum) in walk.batches {
            guard let batch = partitions[index].sent[checksum] else { continue }
            let previous = last[batch.producer]
            last[batch.producer] = batch.number
            guard let previous else { continue }
            let isRight =
                isIdempotent[batch.producer]
                ? batch.number == previous + 1 : batch.number > previous
            if !isRight {
                anomaly(
                    "\(partitions[index].name): batch \(batch.number) of producer "
                        + "\(batch.producer) at \(base) follows batch \(previous)")
            }
        }
    }

    /// Each key has its last acknowledged value or a later one, and no record has moved.
    private mutating func verifyKeys(_ walk: Walk, of index: Int) {
        let partition = partitions[index]
        var promised: [Int64: String] = [:]
        var lastPromised: OrderedMap<String, Int64> = [:]
        for (base, promise) in partition.acknowledged {
            if let unproven = partition.unprovenSync, promise.sync >= unproven { continue }
            guard let batch = partition.sent[promise.checksum] else { continue }
            for (position, row) in batch.rows.enumerated() {
                let offset = base + Int64(position)
                promised[offset] = row.text
                if let key = row.key { lastPromised[key] = offset }
            }
        }
        var lastFound: [String: Int64] = [:]
        for record in walk.records {
            if let text = promised[record.offset], text != record.text {
                anomaly("\(partition.name): the record at \(record.offset) is another one")
            }
            if let key = record.key { lastFound[key] = record.offset }
        }
        for (key, offset) in lastPromised where lastFound[key] ?? -1 < offset {
            return anomaly("\(partition.name): key \(key) lost its value at \(offset)")
        }
    }

    /// What was lost legitimately must not be asked for again.
    private mutating func forgetUnproven(_ walk: Walk, _ index: Int) {
        guard let unproven = partitions[index].unprovenSync else { return }
        partitions[index].unprovenSync = nil
        for promises in [\PartitionModel.acknowledged, \PartitionModel.served] {
            for (base, promise) in partitions[index][keyPath: promises]
            where promise.sync >= unproven && walk.batches[base] != promise.checksum {
                partitions[index][keyPath: promises][base] = nil
            }
        }
    }
}
