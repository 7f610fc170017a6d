import Base

/// Transactions as readers of a partition see them.
extension PartitionLog {
    /// One past the last offset that a reader may see.
    func visibleEnd(_ isolation: Isolation) -> Int64 {
        isolation == .readCommitted ? lastStableOffset : highWatermark
    }

    /// The aborted transactions with records from `offset` on, below `end`; by first offset.
    mutating func abortedTransactions(
        from offset: Int64, below end: Int64
    ) throws(ReadFailure) -> [AbortedTransaction] {
        let first = segments.lastIndex { $0.baseOffset <= offset } ?? 0
        var found: [AbortedTransaction] = []
        search: for index in first..<segments.count where !segments[index].aborted.isEmpty {
            do throws(StorageFailure) {
                try loadAborted(index)
            } catch {
                throw .storage(error)
            }
            for transaction in segments[index].aborted.entries {
                if transaction.lastOffset.value >= offset, transaction.firstOffset.value < end {
                    found.append(transaction)
                }
                // All that ended later began at or above this place.
                if transaction.lastStableOffset.value >= end { break search }
            }
        }
        return found.sorted {
            $0.firstOffset != $1.firstOffset
                ? $0.firstOffset < $1.firstOffset : $0.producerID < $1.producerID
        }
    }

    /// Brings the aborted transactions of segment `index` into memory.
    mutating func loadAborted(_ index: Int) throws(StorageFailure) {
        let path = segments[index].path(".txnindex")
        if try segments[index].aborted.load(from: path, disk: disk) { return }
        try rebuildAborted(through: index)
    }

    /// Finds the aborted transactions of all segments up to `last` by reading the batches.
    private mutating func rebuildAborted(through last: Int) throws(StorageFailure) {
        var table = ProducerTable()
        for index in 0...last {
            var entries: [AbortedTransaction] = []
            var scannedEnd = segments[index].baseOffset
            let file = try segments[index].handle(disk)
            // Of batches that are not in the file yet the entries are in memory.
            let written = segments[index].writtenBytes
            var scanner = BatchScanner(file: file, from: 0, to: written)
            while let item = try scanner.next() {
                scannedEnd = item.header.lastOffset + 1
                guard item.header.isTransactional else { continue }
                let batch = item.header.isControl ? try scanner.bytes(of: item) : .empty
                let marker = TransactionMarker(item.header, batch)
                let ended = table.record(item.header, marker: marker, now: 0)
                table.makeVisible(below: item.header.lastOffset + 1)
                guard let ended, ended.isAborted else { continue }
                entries.append(
                    AbortedTransaction(
                        producerID: ended.producerID, firstOffset: Offset(ended.firstOffset),
                        lastOffset: Offset(ended.markerOffset),
                        lastStableOffset: Offset(
                            table.firstOpenOffset ?? item.header.lastOffset + 1)))
            }
            if !segments[index].aborted.isLoaded {
                segments[index].aborted.replace(with: entries, below: scannedEnd)
            }
        }
    }

    /// Builds the state of the producers, and the aborted transactions of the last segment, from
    /// the batches alone.
    mutating func rebuildProducers(now: Int64) throws(StorageFailure) {
        producers.removeAll()
        for index in segments.indices {
            let isLast = index + 1 == segments.count
            if isLast { segments[index].aborted = AbortedIndex() }
            let file = try segments[index].handle(disk)
            var scanner = BatchScanner(file: file, from: 0, to: segments[index].bytes)
            while let item = try scanner.next() {
                guard item.header.producerID >= 0 else { continue }
                let batch = item.header.isControl ? try scanner.bytes(of: item) : .empty
                let marker = TransactionMarker(item.header, batch)
                let ended = producers.record(item.header, marker: marker, now: now)
                guard isLast, let ended, ended.isAborted else { continue }
                segments[index].aborted.add(
                    AbortedTransaction(
                        producerID: ended.producerID, firstOffset: Offset(ended.firstOffset),
                        lastOffset: Offset(ended.markerOffset),
                        lastStableOffset: Offset(
                            producers.firstOpenOffset ?? item.header.lastOffset + 1)))
            }
        }
        producers.removeBelow(logStart)
        producers.makeVisible(below: highWatermark)
    }
}
