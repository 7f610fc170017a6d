import Base
import Columns
import Engine
import SQL

/// What one statement gives, batch by batch as it is asked for. Ends its query when it is dropped.
///
/// `@unchecked Sendable` is sound because one thread uses it at a time: it is handed on together
/// with the turn to work, through a lock.
package final class StatementCursor: @unchecked Sendable {
    package let query: RunningQuery
    /// Empty for statements that return no rows.
    package let columns: [Field]
    /// Things that the user should know and that are no errors.
    package let notices: [String]
    package private(set) var rowCount = 0
    /// Whether there were more rows than the limit.
    package private(set) var isTruncated = false
    /// In which moments are shown; nil for UTC.
    private let zone: SessionZone?
    private let registry: QueryRegistry
    private let clock: @Sendable () -> Now
    private let source: () throws(Problem) -> ColumnBatch?
    private let figures: () -> RunningQuery.Figures
    private let fixedTag: String?
    private var left: Int
    private var isAtEnd = false
    private var isClosed = false

    /// A query that is still to run.
    init(
        _ query: RunningQuery, _ registry: QueryRegistry, _ clock: @escaping @Sendable () -> Now,
        columns: [Field], notices: [String], limit: Int, zone: SessionZone? = nil,
        figures: @escaping () -> RunningQuery.Figures,
        source: @escaping () throws(Problem) -> ColumnBatch?
    ) {
        self.query = query
        self.registry = registry
        self.clock = clock
        self.columns = columns
        self.notices = notices
        self.zone = zone
        self.figures = figures
        self.source = source
        fixedTag = nil
        left = limit
    }

    /// A statement that has run.
    init(
        _ query: RunningQuery, _ registry: QueryRegistry, _ clock: @escaping @Sendable () -> Now,
        answer: StatementAnswer, zone: SessionZone? = nil
    ) {
        self.zone = zone
        self.query = query
        self.registry = registry
        self.clock = clock
        columns = answer.columns
        notices = answer.notices
        fixedTag = answer.tag
        left = .max
        isTruncated = answer.isTruncated
        let list = BatchList(answer.batches)
        source = { () throws(Problem) in try list.next() }
        var figures = query.figures
        figures.scan = answer.scan
        let known = figures
        self.figures = { known }
    }

    /// The command tag: `SELECT 5`, `CREATE TOPIC`. Of a query it counts the rows so far.
    package var tag: String { fixedTag ?? "SELECT \(rowCount)" }
    /// What reading the tables took so far.
    package var scan: ScanFigures { query.figures.scan }

    /// The next rows, at least one; nil at the end. After an error the statement is over.
    package func next() throws(Problem) -> ColumnBatch? {
        guard !isAtEnd else { return nil }
        do throws(Problem) {
            // What waits in a queue between two batches has to hear it, too.
            if query.mustStop(at: clock().monotonic) { throw QueryExecutor.cancelled }
            var batch = try source()
            while let empty = batch, empty.rowCount == 0 { batch = try source() }
            guard var rows = batch else {
                finish(nil)
                return nil
            }
            if rows.rowCount > left {
                isTruncated = true
                rows = rows.slice(0..<left)
            }
            left -= rows.rowCount
            rowCount += rows.rowCount
            report()
            if isTruncated, fixedTag == nil {
                finish(nil)
                return rows.rowCount > 0 ? rows : nil
            }
            return rows
        } catch {
            let explained = query.explained(error)
            finish(explained)
            throw explained
        }
    }

    /// Rows with their moments as the session's clock shows them: as PostgreSQL writes them, or as
    /// JSON has them.
    package func shown(_ batch: ColumnBatch, asISO: Bool) -> ColumnBatch {
        zone?.shown(batch, asISO: asISO) ?? batch
    }

    private func report() {
        let known = figures()
        query.report { figures in
            figures.rows = Int64(rowCount)
            figures.scan = known.scan
            figures.memoryBytes = max(figures.memoryBytes, known.memoryBytes)
        }
    }

    private func finish(_ problem: Problem?) {
        isAtEnd = true
        guard !isClosed else { return }
        isClosed = true
        report()
        registry.finish(query, problem, now: clock().monotonic)
    }

    /// Nobody wants the rest.
    package func close() {
        guard !isClosed else { return }
        query.end(because: .abandoned)
        finish(query.explained(QueryExecutor.cancelled))
    }

    deinit { close() }
}
