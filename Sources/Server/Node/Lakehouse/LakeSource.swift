import Base
import Catalog
import Columns
import Delta
import Engine
import SQL
import Streams
import Synchronization

/// The relations of one query. Each table is read at one version, however often the query names
/// it; figures of what was read are kept.
final class LakeSource: TableSource {
    private let lake: Lakehouse
    private let pinned = Mutex<OrderedMap<QualifiedName, TableSnapshot>>([:])
    private let seen = Mutex(ScanFigures())

    init(_ lake: Lakehouse) { self.lake = lake }

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
        if let known = pinned.withLock({ $0[object.name] }) { return known }
        let table = try lake.table(of: object)
        do throws(DeltaFailure) {
            let newest = try table.snapshot()
            return pinned.withLock { pinned in
                if let known = pinned[object.name] { return known }
                pinned[object.name] = newest
                return newest
            }
        } catch {
            throw error.problem
        }
    }

    private func tableRows(
        _ node: ScanNode, _ context: QueryContext
    ) throws(Problem) -> any BatchSource {
        let object = try lake.catalog.image.require(node.relation)
        let table = try lake.table(of: object)
        let fields = node.schema.fields
        do throws(DeltaFailure) {
            let snapshot: TableSnapshot
            switch node.travel {
            case .none: snapshot = try pinnedSnapshot(object)
            case .version(let version): snapshot = try table.snapshot(version: version)
            case .timestamp(let expression):
                snapshot = try table.snapshot(at: try moment(expression, context))
            }
            // A count of rows reads no column: the log knows it, if every file says how many it has.
            // A foreign writer may have said something impossible; then the files are asked.
            if fields.isEmpty, let rows = snapshot.rowCount, (0...(1 << 36)).contains(rows) {
                seen.withLock { $0.filesSkipped += snapshot.fileCount }
                return BatchList(
                    rows == 0 ? [] : [ColumnBatch(columns: [], rowCount: Int(rows))])
            }
            var names = fields.map(\.name)
            if names.isEmpty, let first = snapshot.schema.fields.first { names = [first.name] }
            let scan = try DeltaScan(
                table, snapshot, columns: names, ranges: ranges(node))
            seen.withLock { figures in
                figures.filesRead += scan.files.count
                figures.filesSkipped += snapshot.fileCount - scan.files.count
                figures.bytesRead += scan.files.reduce(0) { $0 + $1.size }
            }
            return DeltaBatches(scan, keepsColumns: !fields.isEmpty)
        } catch {
            throw error.problem
        }
    }

    private func pinnedSnapshot(_ object: CatalogObject) throws(DeltaFailure) -> TableSnapshot {
        do throws(Problem) {
            return try snapshot(of: object)
        } catch {
            throw .invalid(error.message)
        }
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
        node.predicates.compactMap { predicate in
            guard case .call(let function, let arguments, _) = predicate, arguments.count == 2,
                case .column(let index, let type) = arguments[0],
                case .literal(let value, let literalType) = arguments[1], !value.isNull,
                type == literalType, type != .json
            else { return nil }
            let column = node.schema.fields[index].name
            switch function {
            case .equal: return ColumnRange(column: column, lower: value, upper: value)
            case .less, .lessOrEqual: return ColumnRange(column: column, upper: value)
            case .greater, .greaterOrEqual: return ColumnRange(column: column, lower: value)
            default: return nil
            }
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
