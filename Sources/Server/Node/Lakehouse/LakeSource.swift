import Base
import Catalog
import Columns
import Delta
import Engine
import Parquet
import SQL
import Streams
import Synchronization

/// The relations of one query. Each table is read at one version, however often the query names
/// it; figures of what was read are kept.
final class LakeSource: TableSource {
    private let lake: Lakehouse
    private let pinned = Mutex<OrderedMap<QualifiedName, TableSnapshot>>([:])
    private let seen = Mutex(ScanFigures())
    /// The table whose rows are about to change: scans can give their addresses.
    private let changing: QualifiedName?
    /// The rows of a MERGE's source, once they are known, and what follows for the target.
    private let source = Mutex<(rows: [ColumnBatch], ranges: [ColumnRange])>(([], []))

    /// The name under which a plan reads the rows that `keepSource` was given.
    static let sourceRelation = QualifiedName("$source")

    init(_ lake: Lakehouse) {
        self.lake = lake
        changing = nil
    }

    /// Keeps the rows of a MERGE's source, and the ranges outside of which nothing of the target
    /// matches them.
    func keepSource(_ rows: [ColumnBatch], ranges: [ColumnRange]) {
        source.withLock { $0 = (rows, ranges) }
    }

    /// For a statement that changes `table`, of which `snapshot` is read.
    init(_ lake: Lakehouse, changing table: QualifiedName, at snapshot: TableSnapshot) {
        self.lake = lake
        changing = table
        pinned.withLock { $0[table] = snapshot }
    }

    var figures: ScanFigures { seen.withLock { $0 } }

    func open(_ node: ScanNode, _ context: QueryContext) throws(Problem) -> any BatchSource {
        switch node.kind {
        case .system: return try systemRows(node)
        case .topic: return try topicRows(node)
        case .table: return try tableRows(node, context)
        case .view:
            throw Problem("XX000", "view \(node.relation) was not expanded by the binder")
        }
    }

    /// What a plan reads, in a form that changes when one of the inputs does.
    func versions(of plan: LogicalPlan) throws(Problem) -> [String] {
        var versions: [String] = []
        for scan in plan.scans {
            if let folder = try FolderName(scan.relation, lake.catalog.image) {
                guard folder.format == .delta else {
                    throw Problem(
                        "0A000", "a view over Parquet files is not supported yet",
                        hint: "make a table of them: CREATE TABLE … AS SELECT …")
                }
                let version = try snapshot(
                    of: lake.table(inFolder: folder.path), scan.relation
                ).version
                versions.append("\(scan.relation)@\(version)")
                continue
            }
            let object = try lake.catalog.image.require(scan.relation)
            if scan.kind == .topic {
                versions.append("\(scan.relation)=\(try ends(of: object))")
            } else {
                versions.append(
                    "\(scan.relation)=\(object.oid)@\(try snapshot(of: object).version)")
            }
        }
        return versions
    }

    // MARK: Tables

    private func snapshot(of object: CatalogObject) throws(Problem) -> TableSnapshot {
        try snapshot(of: try lake.table(of: object), object.name)
    }

    /// The version of a table that this query reads.
    private func snapshot(
        of table: DeltaTable, _ name: QualifiedName
    ) throws(Problem) -> TableSnapshot {
        if let known = pinned.withLock({ $0[name] }) { return known }
        do throws(DeltaFailure) {
            let newest = try table.snapshot()
            return pinned.withLock { pinned in
                if let known = pinned[name] { return known }
                pinned[name] = newest
                return newest
            }
        } catch {
            throw error.problem
        }
    }

    private func tableRows(
        _ node: ScanNode, _ context: QueryContext
    ) throws(Problem) -> any BatchSource {
        let table: DeltaTable
        let name: QualifiedName
        if let folder = try FolderName(node.relation, lake.catalog.image) {
            if folder.format == .parquet { return try parquetRows(folder, node) }
            table = lake.table(inFolder: folder.path)
            name = node.relation
        } else {
            let object = try lake.catalog.image.require(node.relation)
            table = try lake.table(of: object)
            name = object.name
        }
        let fields = node.schema.fields
        do throws(DeltaFailure) {
            let snapshot: TableSnapshot
            switch node.travel {
            case .none:
                snapshot = try running { () throws(Problem) in
                    try self.snapshot(of: table, name)
                }
            case .version(let version): snapshot = try table.snapshot(version: version)
            case .timestamp(let expression):
                snapshot = try table.snapshot(at: try moment(expression, context))
            case .changes(let first, let last):
                return ChangeBatches(
                    try ChangeFeed(table, from: first, through: last),
                    projection: node.projection)
            }
            // A count of rows reads no column: the log knows it, if every file says how many it has.
            // A foreign writer may have said something impossible; then the files are asked.
            if fields.isEmpty, let rows = snapshot.rowCount, (0...(1 << 36)).contains(rows) {
                seen.withLock { $0.filesSkipped += snapshot.fileCount }
                return BatchList(
                    rows == 0 ? [] : [ColumnBatch(columns: [], rowCount: Int(rows))])
            }
            let address = RowChangePlan.addressColumn.name
            let addressPlace = fields.firstIndex { $0.name == address }
            var names = fields.map(\.name).filter { $0 != address }
            if names.isEmpty, let first = snapshot.schema.fields.first { names = [first.name] }
            var ranges = ranges(node)
            if addressPlace != nil, changing == name { ranges += source.withLock { $0.ranges } }
            let scan = try DeltaScan(table, snapshot, columns: names, ranges: ranges)
            seen.withLock { figures in
                figures.filesRead += scan.files.count
                figures.filesSkipped += snapshot.fileCount - scan.files.count
                figures.bytesRead += scan.files.reduce(0) { $0 + $1.size }
            }
            if let addressPlace, changing == name {
                return AddressedBatches(
                    scan, place: addressPlace, keepsColumns: fields.count > 1)
            }
            return DeltaBatches(scan, keepsColumns: !fields.isEmpty)
        } catch {
            throw error.problem
        }
    }

    private func parquetRows(
        _ folder: FolderName, _ node: ScanNode
    ) throws(Problem) -> any BatchSource {
        if node.travel != nil {
            throw Problem("0A000", "Parquet files have no earlier versions")
        }
        let files = try ParquetFolder(store: lake.store, path: folder.path)
        seen.withLock { $0.filesRead += files.files.count }
        return ParquetBatches(files, node.schema)
    }

    /// What a plan reads of the table that it changes: the conditions on its rows, or nothing when it
    /// is read in more than one place.
    func readRanges(of plan: LogicalPlan) -> [ColumnRange] {
        let scans = plan.scans.filter { $0.relation == changing }
        guard scans.count == 1, let scan = scans.first, scan.travel == nil else { return [] }
        return ranges(scan) + source.withLock { $0.ranges }
    }

    private func moment(
        _ expression: BoundExpression, _ context: QueryContext
    ) throws(DeltaFailure) -> Timestamp {
        do throws(Problem) {
            let one = LogicalPlan.values(
                [[expression]], TableSchema([Field("moment", .timestampTZ)]))
            let value = try QueryExecutor.execute(one, NoTables(), context).rows.first?.first
            guard case .timestampTZ(let microseconds)? = value else {
                throw Problem("22004", "the time of AS OF must not be null")
            }
            return Timestamp(milliseconds: microseconds / 1000)
        } catch {
            throw .invalid(error.message)
        }
    }

    /// Bounds that all wanted rows keep, from simple comparisons with constants. They only skip
    /// files; the engine checks every row.
    private func ranges(_ node: ScanNode) -> [ColumnRange] {
        node.predicates.compactMap { Self.range($0, node.schema.fields) }
    }

    /// What a comparison of a column with a constant says; nil for anything else.
    static func range(_ predicate: BoundExpression, _ fields: [Field]) -> ColumnRange? {
        guard case .call(let function, let arguments, _) = predicate, arguments.count == 2,
            case .column(let index, let type) = arguments[0],
            case .literal(let value, let literalType) = arguments[1], !value.isNull,
            type == literalType, type != .json
        else { return nil }
        let column = fields[index].name
        switch function {
        case .equal: return ColumnRange(column: column, lower: value, upper: value)
        case .less, .lessOrEqual: return ColumnRange(column: column, upper: value)
        case .greater, .greaterOrEqual: return ColumnRange(column: column, lower: value)
        default: return nil
        }
    }

    // MARK: Topics and system tables

    private func ends(of object: CatalogObject) throws(Problem) -> String {
        let topic = TopicNames.topic(of: object)
        guard case .topics(let found) = try lake.port.call(.describeTopics([topic])) else {
            throw unexpectedAnswer("describeTopics")
        }
        return found.first?.partitions.map { "\($0.highWatermark)" }.joined(separator: ",") ?? ""
    }

    private func topicRows(_ node: ScanNode) throws(Problem) -> any BatchSource {
        let object = try lake.catalog.image.require(node.relation)
        if node.travel != nil {
            throw Problem(
                "0A000", "a topic cannot be read as of an earlier version",
                hint: "filter by _offset or _timestamp")
        }
        let declaration = TopicDeclaration(
            topic: TopicNames.topic(of: object), columns: object.columns.map(\.field))
        return TopicBatches(
            TopicEpochReader(
                reader: lake.reader, declaration: declaration,
                content: TopicContent(readBy: node.projection, of: declaration)),
            projection: node.projection)
    }

    private func systemRows(_ node: ScanNode) throws(Problem) -> any BatchSource {
        if node.relation == Self.sourceRelation {
            return BatchList(
                source.withLock { source in
                    source.rows.map { batch in
                        ColumnBatch(
                            columns: node.projection.map { batch.columns[$0] },
                            rowCount: batch.rowCount)
                    }
                })
        }
        guard let table = SystemTable(node.relation) else {
            throw Problem("42P01", "relation \"\(node.relation)\" does not exist")
        }
        let rows = table.rows(lake.catalog.image, now: lake.clock().timestamp)
        let columns = node.projection.map { rows.columns[$0] }
        return BatchList([ColumnBatch(columns: columns, rowCount: rows.rowCount)])
    }
}

/// The rows of a Delta scan.
private final class DeltaBatches: BatchSource {
    private var scan: DeltaScan
    private let keepsColumns: Bool

    init(_ scan: DeltaScan, keepsColumns: Bool) {
        self.scan = scan
        self.keepsColumns = keepsColumns
    }

    func next() throws(Problem) -> ColumnBatch? {
        do throws(DeltaFailure) {
            guard let batch = try scan.next() else { return nil }
            return keepsColumns ? batch : ColumnBatch(columns: [], rowCount: batch.rowCount)
        } catch {
            throw error.problem
        }
    }
}

/// The rows of a Delta scan with their addresses.
private final class AddressedBatches: BatchSource {
    private var scan: DeltaScan
    private let place: Int
    private let keepsColumns: Bool

    init(_ scan: DeltaScan, place: Int, keepsColumns: Bool) {
        self.scan = scan
        self.place = place
        self.keepsColumns = keepsColumns
    }

    func next() throws(Problem) -> ColumnBatch? {
        do throws(DeltaFailure) {
            guard let (batch, addresses) = try scan.nextAddressed() else { return nil }
            var columns = keepsColumns ? batch.columns : []
            columns.insert(Column(type: .int64, data: .int64(addresses)), at: place)
            return ColumnBatch(columns: columns, rowCount: batch.rowCount)
        } catch {
            throw error.problem
        }
    }
}

/// The rows that changed in some versions of a table.
private final class ChangeBatches: BatchSource {
    private var feed: ChangeFeed
    private let projection: [Int]

    init(_ feed: ChangeFeed, projection: [Int]) {
        self.feed = feed
        self.projection = projection
    }

    func next() throws(Problem) -> ColumnBatch? {
        do throws(DeltaFailure) {
            guard let batch = try feed.nextBatch() else { return nil }
            return ColumnBatch(
                columns: projection.map { batch.columns[$0] }, rowCount: batch.rowCount)
        } catch {
            throw error.problem
        }
    }
}

/// The rows of Parquet files, row group by row group.
private final class ParquetBatches: BatchSource {
    private let folder: ParquetFolder
    private let schema: TableSchema
    private var fileIndex = 0
    private var open: (file: ParquetFile, path: String, group: Int)?

    init(_ folder: ParquetFolder, _ schema: TableSchema) {
        self.folder = folder
        self.schema = schema
    }

    func next() throws(Problem) -> ColumnBatch? {
        while true {
            if let (file, path, group) = open, group < file.rowGroups.count {
                open = (file, path, group + 1)
                return try read(file, path, group)
            }
            guard fileIndex < folder.files.count else { return nil }
            let path = folder.files[fileIndex]
            fileIndex += 1
            open = (try ParquetFolder.open(folder.store, path), path, 0)
        }
    }

    private func read(
        _ file: ParquetFile, _ path: String, _ group: Int
    ) throws(Problem) -> ColumnBatch {
        for field in schema.fields {
            guard let index = file.schema.index(of: field.name),
                file.schema.fields[index].type == field.type
            else {
                throw Problem(
                    "42804",
                    "\(path) has no column \"\(field.name)\" of type"
                        + " \(field.type.sqlName)",
                    notes: ["the files of a folder must have the columns of its first file"])
            }
        }
        do throws(ParquetFailure) {
            return try file.read(rowGroup: group, columns: schema.fields.map(\.name))
        } catch {
            throw DeltaFailure(error, path: path).problem
        }
    }
}

/// All records of a topic, epoch after epoch, up to the end that the first look saw.
private final class TopicBatches: BatchSource {
    private let reader: TopicEpochReader
    private let projection: [Int]
    private var next_: OrderedMap<Int32, Offset> = [:]
    private var run: TopicEpochRun?
    private var isAtEnd = false

    init(_ reader: TopicEpochReader, projection: [Int]) {
        self.reader = reader
        self.projection = projection
    }

    func next() throws(Problem) -> ColumnBatch? {
        while true {
            if run == nil {
                if isAtEnd { return nil }
                run = try reader.begin(from: next_)
            }
            if let batch = try run?.next() {
                return ColumnBatch(
                    columns: projection.map { batch.columns[$0] }, rowCount: batch.rowCount)
            }
            let epoch = run?.epoch ?? TopicEpoch()
            for (partition, offset) in epoch.nextOffsets { next_[partition] = offset }
            // Records that arrive while the query runs are not waited for.
            isAtEnd = !epoch.hasMore
            run = nil
        }
    }
}
