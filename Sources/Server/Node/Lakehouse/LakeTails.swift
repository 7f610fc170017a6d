// Tail reads: a query sees a streaming table together with the records of its topic that the table
// has not committed yet. See docs/decisions/0019-tail-reads.md.

import Base
import Catalog
import Columns
import Delta
import Engine
import SQL
import Streams
import Synchronization

/// The log as one query sees it.
struct QueryTails: Sendable {
    /// The offset vectors of all topics of the query, taken at one moment.
    var extents: OrderedMap<String, TopicExtent> = [:]
    /// What each streaming table lacks of its topic. Tables that are read alone are missing.
    var ranges: OrderedMap<QualifiedName, TailRange> = [:]
}

extension StatementOptions {
    /// Whether streaming tables are read with the tail of their log: `SET tail_reads = on | off`.
    var readsTails: Bool { session?.setting(SessionSettings.tailReads) != "off" }
}

extension LakeSource {
    /// How often a query looks again when a table and retention overtake it while it begins.
    private static let attempts = 20

    /// Fixes what a plan reads: first the version of every table, then, at one moment, the end of
    /// every topic. A record is below the offsets that a version says or at or above them, and the
    /// offsets never exceed the ends, so table and tail have every record exactly once, and two
    /// tables over one topic have the same records.
    func pin(_ plan: LogicalPlan, readsTails: Bool) throws(Problem) {
        var streams: [(object: CatalogObject, topic: String)] = []
        var topics: [String] = []
        let image = lake.catalog.image
        for scan in plan.scans where scan.travel == nil {
            guard scan.kind == .table || scan.kind == .topic,
                let object = try image.find(scan.relation)
            else { continue }
            if object.kind == .topic {
                topics.append(TopicNames.topic(of: object))
                continue
            }
            guard object.kind.isStored else { continue }
            _ = try snapshot(of: object)
            guard readsTails, object.name != changing, let topic = try topic(feeding: object),
                !streams.contains(where: { $0.object.name == object.name })
            else { continue }
            streams.append((object, topic))
            topics.append(topic)
        }
        guard !topics.isEmpty else { return }
        for attempt in 1... {
            var found = QueryTails()
            found.extents = try lake.reader.extents(of: Array(Set(topics)).sorted())
            var isOvertaken = false
            for (object, topic) in streams {
                // A topic that is gone has no records.
                guard let extent = found.extents[topic] else { continue }
                let snapshot = try snapshot(of: object)
                let range = try TailRange(of: object.name, topic: topic, in: snapshot, extent)
                found.ranges[object.name] = range
                // Records that are gone from the log may be in a newer version; if there is
                // none, the table has lost them, too.
                if range.isBehindRetention, attempt < Self.attempts,
                    try repin(object, behind: snapshot)
                {
                    isOvertaken = true
                }
            }
            if !isOvertaken { return tails.withLock { $0 = found } }
        }
    }

    /// The topic of the records that become rows of a streaming table; nil for tables without one.
    private func topic(feeding object: CatalogObject) throws(Problem) -> String? {
        guard object.kind == .streamingTable, !object.query.isEmpty,
            let source = object.sources.first
        else { return nil }
        return TopicNames.topic(of: try lake.catalog.image.require(source))
    }

    /// Takes the newest version of a table instead of `old`; false when that is the newest.
    private func repin(_ object: CatalogObject, behind old: TableSnapshot) throws(Problem) -> Bool {
        do throws(DeltaFailure) {
            let table = try running { () throws(Problem) in try lake.table(of: object) }
            let newest = try table.snapshot()
            guard newest.version > old.version else { return false }
            pinned.withLock { $0[object.name] = newest }
            return true
        } catch {
            throw error.problem
        }
    }

    /// The rows of a table at `snapshot`, and behind them those of its tail, if it has one.
    func withTail(
        _ rows: any BatchSource, of name: QualifiedName, at snapshot: TableSnapshot,
        _ node: ScanNode, _ context: QueryContext
    ) throws(Problem) -> any BatchSource {
        guard node.travel == nil, let range = tails.withLock({ $0.ranges[name] }), !range.isEmpty
        else { return rows }
        let object = try lake.catalog.image.require(name)
        let tail = try lake.streamingTable(object).tail(
            of: snapshot, range, projection: node.projection, context)
        return TailedBatches(rows, tail, of: name)
    }

    /// The records of a topic that this query sees.
    func range(of topic: String, _ reader: TopicEpochReader) throws(Problem) -> TopicRange {
        let extent: TopicExtent
        if let known = tails.withLock({ $0.extents[topic] }) {
            extent = known
        } else {
            extent = try lake.reader.extents(of: [topic])[topic] ?? TopicExtent()
        }
        return TopicRange(reader, from: extent.starts, until: extent.ends)
    }
}

/// The rows of a table and then those of its tail.
private final class TailedBatches: MeasuredSource, DividedSource {
    private let rows: any BatchSource
    private let tail: StreamTail
    private let name: QualifiedName
    private var isInTail = false

    init(_ rows: any BatchSource, _ tail: StreamTail, of name: QualifiedName) {
        self.rows = rows
        self.tail = tail
        self.name = name
    }

    var figures: SourceFigures {
        var figures = (rows as? any MeasuredSource)?.figures ?? SourceFigures()
        figures.tailRecords = tail.recordCount
        return figures
    }

    func next() throws(Problem) -> ColumnBatch? {
        if !isInTail {
            if let batch = try rows.next() { return batch }
            isInTail = true
        }
        return try nextOfTail()
    }

    fileprivate func nextOfTail() throws(Problem) -> ColumnBatch? {
        do throws(Problem) {
            return try tail.next()
        } catch {
            throw explained(error)
        }
    }

    /// Those of the table, and then the tail: it is decoded with what belongs to the query's thread.
    func parts(rowsWanted: Int64) throws(Problem) -> [SourcePart] {
        guard let parts = try (rows as? any DividedSource)?.parts(rowsWanted: rowsWanted),
            !parts.isEmpty
        else { return [] }
        let tail = OwnTail(self)
        return parts + [
            SourcePart(rowCount: Int64(self.tail.recordCount), isOfQuery: true) { tail.batches() }
        ]
    }

    /// `@unchecked Sendable` is sound: the part is opened and read by the query's thread alone.
    private struct OwnTail: @unchecked Sendable {
        let whole: TailedBatches
        init(_ whole: TailedBatches) { self.whole = whole }
        func batches() -> any BatchSource { TailBatches(whole) }
    }

    private final class TailBatches: BatchSource {
        private let whole: TailedBatches
        init(_ whole: TailedBatches) { self.whole = whole }
        func next() throws(Problem) -> ColumnBatch? { try whole.nextOfTail() }
    }

    /// Says that the table itself can still be read.
    private func explained(_ problem: Problem) -> Problem {
        guard problem.code != QueryExecutor.cancelled.code else { return problem }
        var problem = problem
        problem.notes.append(
            "in records of the log that \(name) has not committed yet; "
                + "SET tail_reads = off reads the table alone")
        return problem
    }
}
