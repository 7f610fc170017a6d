import Base
import Columns
import Parquet

/// Rows of files on their way into an order along a curve.
///
/// A first look at the columns of the order alone takes a sample, which gives the curve and the
/// places where it is cut into parts of about the same size. Then all rows go by and each to its
/// part on a disk; at last one part after the other is read, sorted and handed on. Memory is that of
/// one part. What fits into it at once skips the disk.
struct RowOrdering {
    private let table: DeltaTable
    private let snapshot: TableSnapshot
    private let kind: SpaceCurve.Kind
    /// Places of the columns of the order among the table's.
    private let keyColumns: [Int]
    private let memoryBytesMax: Int64
    private let scratch: ScratchSpace?
    private let types: [ColumnType]
    /// Rows that are handed on at a time.
    private let sliceRows: Int

    /// Parts of one order; with more the rows of a batch for each get few.
    private static let partsMax = 512

    init(
        _ table: DeltaTable, _ snapshot: TableSnapshot, by columns: [String],
        _ kind: SpaceCurve.Kind, memoryBytesMax: Int64, scratch: ScratchSpace?, sliceRows: Int
    ) throws(DeltaFailure) {
        self.table = table
        self.snapshot = snapshot
        self.kind = kind
        var places: [Int] = []
        for name in columns {
            guard let place = snapshot.schema.index(of: name) else {
                throw .invalid("the table has no column '\(name)'")
            }
            places.append(place)
        }
        keyColumns = places
        self.memoryBytesMax = max(memoryBytesMax, 1)
        self.scratch = scratch
        self.sliceRows = max(1, sliceRows)
        types =
            snapshot.schema.fields.map(\.type)
            + (snapshot.metadata.keepsRowNumbers ? RowMark.fields.map(\.type) : [])
    }

    /// Hands all rows of `files` on in order, with their marks when rows are tracked.
    func run(
        _ files: [AddFile], _ receive: (ColumnBatch) throws(DeltaFailure) -> Void
    ) throws(DeltaFailure) {
        let scan = try DeltaScan(
            table, snapshot, columns: DeltaScan.columnsWithMarks(snapshot), files: files)
        var bytes: Int64 = 0
        var rowCount: Int64 = 0
        for file in files {
            let reader = try scan.openFile(file)
            rowCount += reader.rowCount
            bytes += reader.memoryBytes
        }
        guard bytes > memoryBytesMax else {
            return try sortInMemory(scan, rowCount, receive)
        }
        guard let scratch else {
            // Without a disk to spill to, runs that fit into the memory are ordered one by one.
            return try sortRuns(scan, rowCount, receive)
        }
        let (order, places) = try order(bySampling: files, rowCount)
        let wanted = Int(clamping: bytes / memoryBytesMax + 1)
        let cuts = Self.cuts(places, parts: min(wanted, Self.partsMax))
        var spilled: SpilledRows
        do throws(StorageFailure) {
            spilled = try SpilledRows(types + [.int64], parts: cuts.count + 1, in: scratch)
        } catch {
            throw .storage(error)
        }
        var source = scan
        while let batch = try source.next() {
            let places = order.places(batch)
            var parts = [Int32](repeating: 0, count: places.count)
            for row in places.indices { parts[row] = Self.part(of: places[row], cuts) }
            let keys = Column(
                type: .int64, data: .int64(places.map { Int64(bitPattern: $0) }))
            let rows = ColumnBatch(columns: batch.columns + [keys], rowCount: batch.rowCount)
            do throws(StorageFailure) {
                try spilled.append(rows, dividedBy: parts)
            } catch {
                throw .storage(error)
            }
        }
        for part in 0..<spilled.partCount {
            var held = HeldRows(types)
            try spilled.forEachBatch(
                ofPart: part,
                { (batch) throws(DeltaFailure) in
                    guard case .int64(let places)? = batch.columns.last?.data else { return }
                    held.append(
                        ColumnBatch(
                            columns: Array(batch.columns.dropLast()), rowCount: batch.rowCount),
                        places.map { UInt64(bitPattern: $0) })
                    // Many rows at one place make a part that is too large.
                    if held.memoryBytes > 2 * memoryBytesMax {
                        try held.drain(by: sliceRows, receive)
                    }
                }, failing: { .storage($0) })
            try held.drain(by: sliceRows, receive)
        }
    }

    // MARK: In memory

    private func sortInMemory(
        _ scan: DeltaScan, _ rowCount: Int64, _ receive: (ColumnBatch) throws(DeltaFailure) -> Void
    ) throws(DeltaFailure) {
        var batches: [ColumnBatch] = []
        var sample = Sample(keyColumns.map { types[$0] }, rowCount)
        var source = scan
        while let batch = try source.next() {
            sample.add(keyColumns.map { batch.columns[$0] }, batch.rowCount)
            batches.append(batch)
        }
        let order = Order(kind, keyColumns, sample)
        var held = HeldRows(types)
        for batch in batches { held.append(batch, order.places(batch)) }
        try held.drain(by: sliceRows, receive)
    }

    private func sortRuns(
        _ scan: DeltaScan, _ rowCount: Int64, _ receive: (ColumnBatch) throws(DeltaFailure) -> Void
    ) throws(DeltaFailure) {
        let (order, _) = try order(bySampling: scan.files, rowCount)
        var held = HeldRows(types)
        var source = scan
        while let batch = try source.next() {
            held.append(batch, order.places(batch))
            if held.memoryBytes > memoryBytesMax { try held.drain(by: sliceRows, receive) }
        }
        try held.drain(by: sliceRows, receive)
    }

    // MARK: The curve

    /// The order that a sample gives, and where the sampled rows are in it.
    private func order(
        bySampling files: [AddFile], _ rowCount: Int64
    ) throws(DeltaFailure) -> (Order, [UInt64]) {
        let names = keyColumns.map { snapshot.schema.fields[$0].name }
        var scan = try DeltaScan(table, snapshot, columns: names, files: files)
        var sample = Sample(keyColumns.map { types[$0] }, rowCount)
        while let batch = try scan.next() { sample.add(batch.columns, batch.rowCount) }
        let order = Order(kind, keyColumns, sample)
        return (order, order.places(of: sample.columns))
    }

    /// Where the curve is cut: each part begins at its cut.
    private static func cuts(_ places: [UInt64], parts: Int) -> [UInt64] {
        let sorted = places.sorted()
        var cuts: [UInt64] = []
        guard let least = sorted.first, parts > 1 else { return cuts }
        for part in 1..<parts {
            let cut = sorted[part * sorted.count / parts]
            if cut > cuts.last ?? least { cuts.append(cut) }
        }
        return cuts
    }

    private static func part(of place: UInt64, _ cuts: [UInt64]) -> Int32 {
        var (low, high) = (0, cuts.count)
        while low < high {
            let middle = (low + high) / 2
            if cuts[middle] <= place { low = middle + 1 } else { high = middle }
        }
        return Int32(low)
    }

    /// Some of the rows, evenly from all of them.
    private struct Sample {
        private var builders: [[Column]]
        private let types: [ColumnType]
        private let stride: Int
        private var next = 0

        init(_ types: [ColumnType], _ rowCount: Int64) {
            self.types = types
            builders = types.map { _ in [] }
            stride = max(1, Int(clamping: rowCount / Int64(SpaceCurve.sampleRowsMax)))
        }

        mutating func add(_ columns: [Column], _ count: Int) {
            var rows: [Int32] = []
            while next < count {
                rows.append(Int32(next))
                next += stride
            }
            next -= count
            if rows.isEmpty { return }
            for (place, column) in columns.enumerated() {
                // Copied, so that a few rows do not keep whole pages.
                var builder = ColumnBuilder(types[place])
                let picked = column.gather(rows).flattened
                for row in 0..<picked.count { builder.append(picked.value(row)) }
                builders[place].append(builder.finish())
            }
        }

        var columns: [Column] {
            builders.enumerated().map { place, parts in
                parts.isEmpty ? Column(types[place], []) : Column.concatenation(parts)
            }
        }
    }

    /// A curve and how columns become its keys.
    private struct Order {
        private let curve: SpaceCurve
        private let columns: [Int]
        private let prefixes: [[UInt8]]

        init(_ kind: SpaceCurve.Kind, _ columns: [Int], _ sample: Sample) {
            self.columns = columns
            let sampled = sample.columns
            let prefixes = sampled.map { SpaceCurve.commonPrefix($0) }
            self.prefixes = prefixes
            curve = SpaceCurve(
                kind,
                sample: zip(sampled, prefixes).map { SpaceCurve.keys($0, behind: $1) })
        }

        func places(_ batch: ColumnBatch) -> [UInt64] {
            places(of: columns.map { batch.columns[$0] })
        }

        func places(of keys: [Column]) -> [UInt64] {
            curve.places(zip(keys, prefixes).map { SpaceCurve.keys($0, behind: $1) })
        }
    }

    /// Rows in memory with their places on the curve.
    private struct HeldRows {
        private let types: [ColumnType]
        private var columns: [[Column]]
        private var places: [UInt64] = []
        private(set) var memoryBytes: Int64 = 0

        init(_ types: [ColumnType]) {
            self.types = types
            columns = types.map { _ in [] }
        }

        mutating func append(_ batch: ColumnBatch, _ places: [UInt64]) {
            for (place, column) in batch.columns.enumerated() {
                columns[place].append(column)
                memoryBytes += Int64(column.heldBytes)
            }
            self.places += places
        }

        /// Hands all rows on in order and forgets them.
        mutating func drain(
            by sliceRows: Int, _ receive: (ColumnBatch) throws(DeltaFailure) -> Void
        ) throws(DeltaFailure) {
            if places.isEmpty { return }
            let order = SpaceCurve.order(places)
            var whole: [Column] = []
            for place in columns.indices {
                whole.append(Column.concatenation(columns[place].map(\.flattened)))
                // Each column once, not once in parts and once as a whole.
                columns[place] = []
            }
            places = []
            memoryBytes = 0
            let batch = ColumnBatch(columns: whole, rowCount: order.count)
            for start in stride(from: 0, to: order.count, by: sliceRows) {
                let end = min(start + sliceRows, order.count)
                try receive(batch.gather(Array(order[start..<end])))
            }
        }
    }
}

extension Column {
    /// About what the rows take in memory, the bytes of long texts included.
    fileprivate var heldBytes: Int {
        switch data {
        case .boolean(let values): values.count
        case .int32(let values): values.count * 4
        case .int64(let values): values.count * 8
        case .float64(let values): values.count * 8
        case .int128(let values): values.count * 16
        case .interval(let values): values.count * 16
        case .text(let values):
            values.views.reduce(0) { $0 + 16 + ($1.isInline ? 0 : $1.count) }
        case .dictionary(let codes, _): codes.count * 16
        case .list(let offsets, let element): offsets.count * 4 + element.heldBytes
        case .map(let offsets, let key, let value):
            offsets.count * 4 + key.heldBytes + value.heldBytes
        case .structure(let members): members.reduce(0) { $0 + $1.heldBytes }
        case .null: 8
        }
    }
}
