import Base

/// Rows divided into parts that wait on a disk until each part has its turn.
package struct SpilledRows: Sendable {
    private let types: [ColumnType]
    private let file: ScratchFile
    private var parts: [Part]

    private struct Part: Sendable {
        var pieces: [Range<Int64>] = []
        var rowCount = 0
        var byteCount: Int64 = 0
    }

    /// Rows of columns of `types` in `count` parts.
    package init(
        _ types: [ColumnType], parts count: Int, in space: ScratchSpace
    ) throws(StorageFailure) {
        precondition(count > 0, "at least one part")
        self.types = types
        file = try space.makeFile()
        parts = [Part](repeating: Part(), count: count)
    }

    package var partCount: Int { parts.count }
    package var byteCount: Int64 { file.byteCount }

    package func rowCount(ofPart part: Int) -> Int { parts[part].rowCount }
    package func byteCount(ofPart part: Int) -> Int64 { parts[part].byteCount }

    /// Adds `batch` to a part.
    package mutating func append(_ batch: ColumnBatch, to part: Int) throws(StorageFailure) {
        guard batch.rowCount > 0 else { return }
        let place = try file.append(batch.encoded())
        parts[part].pieces.append(place)
        parts[part].rowCount += batch.rowCount
        parts[part].byteCount += Int64(place.count)
    }

    /// Adds each row of `batch` to the part that `partOf` has for it.
    package mutating func append(
        _ batch: ColumnBatch, dividedBy partOf: [Int32]
    ) throws(StorageFailure) {
        precondition(partOf.count == batch.rowCount, "one part for each row")
        var starts = [Int](repeating: 0, count: parts.count + 1)
        for part in partOf { starts[Int(part) + 1] += 1 }
        for part in parts.indices { starts[part + 1] += starts[part] }
        var next = starts
        var rows = [Int32](repeating: 0, count: batch.rowCount)
        for (row, part) in partOf.enumerated() {
            rows[next[Int(part)]] = Int32(row)
            next[Int(part)] += 1
        }
        for part in parts.indices where starts[part] < starts[part + 1] {
            try append(batch.gather(Array(rows[starts[part]..<starts[part + 1]])), to: part)
        }
    }

    /// The batches of a part in the order in which they were added. `body` is shown one at a time.
    package func forEachBatch<Failure: Error>(
        ofPart part: Int, _ body: (ColumnBatch) throws(Failure) -> Void,
        failing fail: (StorageFailure) -> Failure
    ) throws(Failure) {
        for place in parts[part].pieces {
            let batch: ColumnBatch
            do throws(StorageFailure) {
                batch = try read(place)
            } catch {
                throw fail(error)
            }
            try body(batch)
        }
    }

    /// How many times rows were added to a part.
    package func pieceCount(ofPart part: Int) -> Int { parts[part].pieces.count }

    /// The rows that were added to a part as its piece `number`, counted from 0.
    package func piece(_ number: Int, ofPart part: Int) throws(StorageFailure) -> ColumnBatch {
        try read(parts[part].pieces[number])
    }

    private func read(_ place: Range<Int64>) throws(StorageFailure) -> ColumnBatch {
        let bytes = try file.read(place)
        do throws(DecodeFailure) {
            return try ColumnBatch(decoding: bytes, types: types)
        } catch {
            throw .corrupt(path: file.path, position: place.lowerBound, detail: "\(error)")
        }
    }
}
