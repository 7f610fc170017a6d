import Base
import Catalog
import Columns
import Delta
import Engine
import Parquet
import RowFiles
import SQL
import Streams
import Synchronization

/// The relations of one query. Each table is read at one version, however often the query names
/// it; figures of what was read are kept.
final class LakeSource: TableSource, Sendable {
    let lake: Lakehouse
    /// Whose state of the tables is read; nil for the newest.
    let transaction: LakeTransaction?
    let pinned = Mutex<OrderedMap<QualifiedName, TableSnapshot>>([:])
    /// What topics held when the query began, and what its tables lack of it.
    let tails = Mutex(QueryTails())
    private let seen = Mutex(ScanFigures())
    /// The table whose rows are about to change: scans can give their addresses.
    let changing: QualifiedName?
    /// What COPY reads.
    private let copied: CopiedFile?
    /// The rows of a MERGE's source, once they are known, and what follows for the target.
    private let source = Mutex(MergePart())

    /// The name under which a plan reads the rows that `take` was given.
    static let sourceRelation = QualifiedName("$source")

    init(_ lake: Lakehouse, in transaction: LakeTransaction? = nil) {
        self.lake = lake
        self.transaction = transaction
        copied = nil
        changing = nil
    }

    /// Keeps rows of a MERGE's source, in place of those before, and what they say about the target.
    func take(_ part: MergePart) { source.withLock { $0 = part } }

    /// For a statement that changes `table`, of which `snapshot` is read.
    init(
        _ lake: Lakehouse, changing table: QualifiedName, at snapshot: TableSnapshot,
        in transaction: LakeTransaction? = nil, copying copied: CopiedFile? = nil
    ) {
        self.lake = lake
        self.transaction = transaction
        self.copied = copied
        changing = table
        pinned.withLock { $0[table] = snapshot }
    }

    var figures: ScanFigures { seen.withLock { $0 } }

    /// Files of a scan were read to their ends.
    func noteDone(files: Int, bytes: Int64) {
        seen.withLock { figures in
            figures.filesDone += files
            figures.bytesDone += bytes
        }
    }

    func open(_ node: ScanNode, _ context: QueryContext) throws(Problem) -> any BatchSource {
        try open(node, filters: [], context)
    }

    func open(
        _ node: ScanNode, filters: [ScanFilter], _ context: QueryContext
    ) throws(Problem) -> any BatchSource {
        switch node.kind {
        case .system: return try systemRows(node)
        case .topic: return try topicRows(node)
        case .table:
            return try tableRows(
                node, filters.map { NamedTest(node.schema.fields[$0.column].name, $0.test) },
                context)
        case .view:
            throw Problem("XX000", "view \(node.relation) was not expanded by the binder")
        }
    }

    /// What a plan reads, in a form that changes when one of the inputs does.
    func versions(of plan: LogicalPlan) throws(Problem) -> [String] {
        var versions: [String] = []
        for scan in plan.scans {
            if let folder = try FolderName(scan.relation, of: lake) {
                guard folder.format == .delta else {
                    throw Problem(
                        "0A000",
                        "a materialized view over \(folder.format.rawValue) files is not supported yet",
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

    func snapshot(of object: CatalogObject) throws(Problem) -> TableSnapshot {
        let table = try lake.table(of: object)
        return try snapshot(of: try transaction?.table(table) ?? table, object.name)
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

    /// `tests` are those of joins above.
    private func tableRows(
        _ node: ScanNode, _ tests: [NamedTest], _ context: QueryContext
    ) throws(Problem) -> any BatchSource {
        var table: DeltaTable
        let name: QualifiedName
        if let folder = try FolderName(node.relation, of: lake) {
            if folder.format != .delta { return try fileRows(folder, node, tests, context) }
            table = lake.table(inFolder: folder.path)
            name = node.relation
        } else {
            let object = try lake.catalog.image.require(node.relation)
            table = try lake.table(of: object)
            name = object.name
        }
        if let transaction { table = try transaction.table(table) }
        let fields = node.schema.fields
        do throws(DeltaFailure) {
            let snapshot: TableSnapshot
            var only: [AddFile]?
            switch node.travel {
            case .none:
                snapshot = try running { () throws(Problem) in
                    try self.snapshot(of: table, name)
                }
            case .version(let version): snapshot = try table.snapshot(version: version)
            case .timestamp(let expression):
                snapshot = try table.snapshot(at: try Self.moment(expression, context))
            case .difference(let version, let other):
                snapshot = try table.snapshot(version: version)
                only = snapshot.files(notIn: try table.snapshot(version: other))
            case .changes(let first, let last):
                return ChangeBatches(
                    try ChangeFeed(table, from: first, through: last),
                    projection: node.projection)
            }
            // A count of rows reads no column: the log knows it, if every file says how many it has.
            // A foreign writer may have said something impossible; then the files are asked.
            if fields.isEmpty, only == nil, let rows = snapshot.rowCount,
                (0...(1 << 36)).contains(rows)
            {
                seen.withLock { $0.filesSkipped += snapshot.fileCount }
                let count = BatchList(
                    rows == 0 ? [] : [ColumnBatch(columns: [], rowCount: Int(rows))])
                return try running { () throws(Problem) in
                    try withTail(count, of: name, at: snapshot, node, context)
                }
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
                tests: self.tests(node) + part.tests + tests, files: only,
                batchRowsMax: Limits.batchRows)
            seen.withLock { figures in
                figures.filesRead += scan.files.count
                figures.filesSkipped += snapshot.fileCount - scan.files.count
                figures.bytesRead += scan.files.reduce(0) { $0 + $1.size }
            }
            if let addressPlace, changing == name {
                return AddressedBatches(
                    scan, place: addressPlace, keepsColumns: fields.count > 1, owner: part.owner)
            }
            let batches = DeltaBatches(
                scan, keepsColumns: !fields.isEmpty,
                filesSkipped: snapshot.fileCount - scan.files.count, self)
            return try running { () throws(Problem) in
                try withTail(batches, of: name, at: snapshot, node, context)
            }
        } catch {
            throw error.problem
        }
    }

    private func fileRows(
        _ folder: FolderName, _ node: ScanNode, _ tests: [NamedTest], _ context: QueryContext
    ) throws(Problem) -> any BatchSource {
        if node.travel != nil {
            throw Problem(
                "0A000", "\(folder.format.rawValue) files have no earlier versions",
                hint: "a Delta table has: delta.'path'")
        }
        let files = try FolderFiles(folder, of: lake)
        let wanted = files.wanted(ranges(node))
        seen.withLock { figures in
            figures.filesRead += wanted.count
            figures.filesSkipped += files.files.count - wanted.count
            figures.bytesRead += wanted.reduce(0) { $0 + files.files[$1].size }
        }
        return files.batches(
            node.schema, of: wanted, ranges(node), self.tests(node) + tests, now: context.now)
    }

    /// What a plan reads of the table that it changes: the conditions on its rows, with what is known
    /// beside; nothing when it is read in more than one place.
    func readRanges(of plan: LogicalPlan, _ known: [ColumnRange] = []) -> [ColumnRange] {
        let scans = plan.scans.filter { $0.relation == changing }
        guard scans.count == 1, let scan = scans.first, scan.travel == nil else { return [] }
        return ranges(scan) + known
    }

    static func moment(
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
        let reader = TopicEpochReader(
            reader: lake.reader, declaration: declaration,
            content: TopicContent(readBy: node.projection, of: declaration))
        return TopicBatches(
            try range(of: declaration.topic, reader), projection: node.projection)
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
        if let copied, node.relation == CopiedFile.relation {
            return try copied.batches(projection: node.projection, now: lake.clock())
        }
        if let table = PostgresTable(node.relation) {
            let rows = table.rows(lake.catalog.image, live: liveRows(of: table))
            return BatchList([
                ColumnBatch(
                    columns: node.projection.map { rows.columns[$0] }, rowCount: rows.rowCount)
            ])
        }
        guard let table = SystemTable(node.relation) else {
            throw Problem("42P01", "relation \"\(node.relation)\" does not exist")
        }
        let rows =
            table == .queries
            ? table.batch(lake.queries.rows(now: lake.clock()))
            : table.rows(lake.catalog.image, now: lake.clock().timestamp)
        let columns = node.projection.map { rows.columns[$0] }
        return BatchList([ColumnBatch(columns: columns, rowCount: rows.rowCount)])
    }
}

extension LakeSource {
    /// Rows of PostgreSQL's catalogs that are not the catalog's.
    private func liveRows(of table: PostgresTable) -> [PostgresRow] {
        switch table {
        case .settings:
            return SessionSettings.known.map { setting in
                let canChange = SessionSettings.changeable.contains(setting.name)
                return PostgresRow([
                    "name": .text(setting.name), "setting": .text(setting.value),
                    "category": .text("Client Connection Defaults"),
                    "short_desc": .text(setting.words),
                    "context": .text(canChange ? "user" : "internal"),
                    "vartype": .text("string"), "source": .text("default"),
                    "boot_val": .text(setting.value), "reset_val": .text(setting.value),
                    "pending_restart": .boolean(false),
                ])
            }
        case .activity:
            return lake.queries.allRunning.enumerated().map { number, query in
                let started = Value.timestampTZ(microseconds: query.started.wallMicroseconds)
                return PostgresRow([
                    "datid": .int(5), "datname": .text(SystemTable.database),
                    "pid": .int(Int64(number + 1)), "usesysid": .int(10),
                    "usename": .text(query.user), "application_name": .text(""),
                    "backend_start": started, "query_start": started, "state_change": started,
                    "state": .text("active"), "query_id": .text(query.id),
                    "query": .text(query.text), "backend_type": .text("client backend"),
                ])
            }
        default: return []
        }
    }
}

/// The rows of a Delta scan.
private final class DeltaBatches: MeasuredSource, DividedSource {
    private var scan: DeltaScan
    private let keepsColumns: Bool
    private let filesSkipped: Int
    private let owner: LakeSource
    private var filesDone = 0
    /// What its parts have read, which other threads may do.
    private let progressOfParts = ProgressOfParts()

    init(_ scan: DeltaScan, keepsColumns: Bool, filesSkipped: Int, _ owner: LakeSource) {
        self.scan = scan
        self.keepsColumns = keepsColumns
        self.filesSkipped = filesSkipped
        self.owner = owner
    }

    var figures: SourceFigures {
        var figures = SourceFigures()
        let ofParts = progressOfParts.sum
        figures.files = scan.files.count
        figures.filesSkipped = filesSkipped
        figures.rowGroups = scan.progress.rowGroupsRead + ofParts.rowGroupsRead
        figures.rowGroupsSkipped = scan.progress.rowGroupsSkipped + ofParts.rowGroupsSkipped
        figures.bytes = scan.progress.bytes &+ ofParts.bytes
        return figures
    }

    func parts(rowsWanted: Int64) throws(Problem) -> [SourcePart] {
        do throws(DeltaFailure) {
            return try scan.parts(rowsWanted: rowsWanted).map { part in
                SourcePart(rowCount: part.rowCount) { [keepsColumns, owner, progressOfParts] in
                    DeltaPartBatches(
                        part.scan, keepsColumns: keepsColumns, owner, progressOfParts)
                }
            }
        } catch {
            throw error.problem
        }
    }

    private func noteProgress() {
        guard scan.progress.filesDone > filesDone else { return }
        let done = scan.files[filesDone..<scan.progress.filesDone]
        filesDone += done.count
        owner.noteDone(files: done.count, bytes: done.reduce(0) { $0 + $1.size })
    }

    func next() throws(Problem) -> ColumnBatch? {
        do throws(DeltaFailure) {
            let next = try scan.next()
            noteProgress()
            guard let batch = next else { return nil }
            return keepsColumns ? batch : ColumnBatch(columns: [], rowCount: batch.rowCount)
        } catch {
            throw error.problem
        }
    }
}

/// What the parts of a scan have read. Safe from any thread.
private final class ProgressOfParts: Sendable {
    private let progress = Mutex(ScanProgress())

    var sum: ScanProgress { progress.withLock { $0 } }

    func add(_ part: ScanProgress) {
        progress.withLock { sum in
            sum.filesDone += part.filesDone
            sum.rowGroupsRead += part.rowGroupsRead
            sum.rowGroupsSkipped += part.rowGroupsSkipped
            sum.bytes &+= part.bytes
        }
    }
}

/// The rows of a part of a Delta scan.
private final class DeltaPartBatches: MeasuredSource {
    private var scan: DeltaScan
    private let keepsColumns: Bool
    private let owner: LakeSource
    private let whole: ProgressOfParts
    private var isDone = false

    init(_ scan: DeltaScan, keepsColumns: Bool, _ owner: LakeSource, _ whole: ProgressOfParts) {
        self.scan = scan
        self.keepsColumns = keepsColumns
        self.owner = owner
        self.whole = whole
    }

    var figures: SourceFigures {
        var figures = SourceFigures()
        figures.rowGroups = scan.progress.rowGroupsRead
        figures.rowGroupsSkipped = scan.progress.rowGroupsSkipped
        return figures
    }

    func next() throws(Problem) -> ColumnBatch? {
        if isDone { return nil }
        do throws(DeltaFailure) {
            guard let batch = try scan.next() else {
                isDone = true
                whole.add(scan.progress)
                owner.noteDone(files: scan.progress.filesDone, bytes: scan.bytesDone)
                return nil
            }
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

/// The records of a topic that were there when the query began: those that arrive while it runs are
/// not waited for.
private final class TopicBatches: BatchSource {
    private let range: TopicRange
    private let projection: [Int]

    init(_ range: TopicRange, projection: [Int]) {
        self.range = range
        self.projection = projection
    }

    func next() throws(Problem) -> ColumnBatch? {
        guard let batch = try range.next() else { return nil }
        return ColumnBatch(
            columns: projection.map { batch.columns[$0] }, rowCount: batch.rowCount)
    }
}
