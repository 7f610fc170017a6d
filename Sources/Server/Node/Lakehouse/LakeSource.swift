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
    private let source = Mutex(MergePart())

    /// The name under which a plan reads the rows that `take` was given.
    static let sourceRelation = QualifiedName("$source")

    init(_ lake: Lakehouse) {
        self.lake = lake
        changing = nil
    }

    /// Keeps rows of a MERGE's source, in place of those before, and what they say about the target.
    func take(_ part: MergePart) { source.withLock { $0 = part } }

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
            var part = MergePart()
            if addressPlace != nil, changing == name { part = source.withLock { $0 } }
            ranges += part.ranges
            let scan = try DeltaScan(
                table, snapshot, columns: names, ranges: ranges,
                tests: tests(node) + part.tests)
            seen.withLock { figures in
                figures.filesRead += scan.files.count
                figures.filesSkipped += snapshot.fileCount - scan.files.count
                figures.bytesRead += scan.files.reduce(0) { $0 + $1.size }
            }
            if let addressPlace, changing == name {
                return AddressedBatches(
                    scan, place: addressPlace, keepsColumns: fields.count > 1, owner: part.owner)
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
        return FolderBatches(files, node.schema, ranges(node), tests(node))
    }

    /// What a plan reads of the table that it changes: the conditions on its rows, with what is known
    /// beside; nothing when it is read in more than one place.
    func readRanges(of plan: LogicalPlan, _ known: [ColumnRange]) -> [ColumnRange] {
        let scans = plan.scans.filter { $0.relation == changing }
        guard scans.count == 1, let scan = scans.first, scan.travel == nil else { return [] }
        return ranges(scan) + known
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

    /// What a condition says about the range of one column; nil when it says nothing of that kind.
    static func range(_ predicate: BoundExpression, _ fields: [Field]) -> ColumnRange? {
        switch predicate {
        case .isNotNull(.column(let index, _)): return ColumnRange(column: fields[index].name)
        case .inList(.column(let index, let type), let items, isNegated: false):
            guard let values = constants(items, type), type.hasHashes, type != .binary else {
                return nil
            }
            var range = ColumnRange(column: fields[index].name)
            for value in values {
                if range.lower.flatMap({ order(of: value, $0) }) ?? -1 < 0 { range.lower = value }
                if range.upper.flatMap({ order(of: value, $0) }) ?? 1 > 0 { range.upper = value }
            }
            return range
        case .call(.like, let arguments, _): return prefixRange(arguments, fields)
        default: return comparison(predicate, fields)
        }
    }

    /// The values of a list of constants of one type, without NULL; nil when there are others.
    private static func constants(_ items: [BoundExpression], _ wanted: ColumnType) -> [Value]? {
        var values: [Value] = []
        for item in items {
            guard case .literal(let value, let type) = item, type == wanted || value.isNull else {
                return nil
            }
            if !value.isNull { values.append(value) }
        }
        return values.isEmpty ? nil : values
    }

    /// `column LIKE 'prefix%'` as the range of texts with the prefix.
    private static func prefixRange(
        _ arguments: [BoundExpression], _ fields: [Field]
    ) -> ColumnRange? {
        guard arguments.count == 2, case .column(let index, .text) = arguments[0],
            case .literal(.text(let pattern), .text) = arguments[1]
        else { return nil }
        var prefix = Array(
            pattern.utf8.prefix { $0 != UInt8(ascii: "%") && $0 != UInt8(ascii: "_") })
        guard !prefix.isEmpty, !prefix.contains(UInt8(ascii: "\\")) else { return nil }
        var range = ColumnRange(
            column: fields[index].name, lower: .text(String(decoding: prefix, as: UTF8.self)))
        // The next letter of ASCII ends the range; behind others nothing simple does.
        if let last = prefix.last, last < 0x7F {
            prefix[prefix.count - 1] = last + 1
            range.upper = .text(String(decoding: prefix, as: UTF8.self))
        }
        return range
    }

    /// `column IN (…)` of many rows at once.
    private func tests(_ node: ScanNode) -> [NamedTest] {
        node.predicates.compactMap { predicate in
            guard
                case .inList(.column(let index, let type), let items, isNegated: false) = predicate,
                items.count > 1, type.hasHashes, let values = Self.constants(items, type),
                let set = KeySet([Column(type, values)])
            else { return nil }
            return NamedTest(node.schema.fields[index].name, set)
        }
    }

    /// What a comparison of a column with a constant says; nil for anything else.
    static func comparison(
        _ predicate: BoundExpression, _ fields: [Field]
    ) -> ColumnRange? {
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
            TopicEpochReader(reader: lake.reader, declaration: declaration),
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

/// The rows of a Delta scan with their addresses; with an `owner` only those that pass its test.
private final class AddressedBatches: BatchSource {
    private var scan: DeltaScan
    private let place: Int
    private let keepsColumns: Bool
    private let owner: (column: Int, test: any ColumnTest)?

    init(_ scan: DeltaScan, place: Int, keepsColumns: Bool, owner: NamedTest?) {
        self.scan = scan
        self.place = place
        self.keepsColumns = keepsColumns
        self.owner = owner.flatMap { owner in
            scan.schema.index(of: owner.column).map { ($0, owner.test) }
        }
    }

    func next() throws(Problem) -> ColumnBatch? {
        do throws(DeltaFailure) {
            while let (batch, addresses) = try scan.nextAddressed() {
                let numbers = Column(type: .int64, data: .int64(addresses))
                var columns = keepsColumns ? batch.columns : []
                columns.insert(numbers, at: place)
                let rows = ColumnBatch(columns: columns, rowCount: batch.rowCount)
                guard let owner, let places = owner.test.rows(of: batch.columns[owner.column])
                else { return rows }
                if !places.isEmpty { return rows.gather(places) }
            }
            return nil
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

/// The rows of Parquet files that may fulfil conditions, page by page.
private final class FolderBatches: BatchSource {
    private let folder: ParquetFolder
    private let schema: TableSchema
    private let conditions: [ColumnCondition]
    private let tests: [NamedTest]
    private var fileIndex = 0
    private var open: (file: ParquetFile, path: String, group: Int)?
    private var batches: ParquetBatches?

    init(
        _ folder: ParquetFolder, _ schema: TableSchema, _ ranges: [ColumnRange],
        _ tests: [NamedTest]
    ) {
        self.folder = folder
        self.schema = schema
        conditions = ranges.map {
            ColumnCondition($0.column, ValueRange(lower: $0.lower, upper: $0.upper))
        }
        self.tests = tests
    }

    func next() throws(Problem) -> ColumnBatch? {
        while true {
            if let open {
                do throws(ParquetFailure) {
                    if let rows = try batches?.next() { return rows.batch }
                    batches = nil
                    if open.group < open.file.rowGroups.count {
                        self.open?.group += 1
                        batches = try open.file.batches(
                            rowGroup: open.group, columns: schema.fields.map(\.name),
                            where: conditions, tests: tests)
                        continue
                    }
                } catch {
                    throw DeltaFailure(error, path: open.path).problem
                }
            }
            guard fileIndex < folder.files.count else { return nil }
            let path = folder.files[fileIndex]
            fileIndex += 1
            let file = try ParquetFolder.open(folder.store, path)
            try checkColumns(of: file, path)
            open = (file, path, 0)
        }
    }

    private func checkColumns(of file: ParquetFile, _ path: String) throws(Problem) {
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
    }
}

/// All records of a topic, epoch after epoch, up to the end that the first look saw.
private final class TopicBatches: BatchSource {
    private let reader: TopicEpochReader
    private let projection: [Int]
    private var next_: OrderedMap<Int32, Offset> = [:]
    private var waiting: [ColumnBatch] = []
    private var isAtEnd = false

    init(_ reader: TopicEpochReader, projection: [Int]) {
        self.reader = reader
        self.projection = projection
    }

    func next() throws(Problem) -> ColumnBatch? {
        while waiting.isEmpty {
            if isAtEnd { return nil }
            let epoch = try reader.next(from: next_)
            for (partition, offset) in epoch.nextOffsets { next_[partition] = offset }
            waiting = epoch.batches.reversed()
            // Records that arrive while the query runs are not waited for.
            isAtEnd = !epoch.hasMore
        }
        guard let batch = waiting.popLast() else { return nil }
        return ColumnBatch(
            columns: projection.map { batch.columns[$0] }, rowCount: batch.rowCount)
    }
}
