import Base
import Columns
import SQL

/// Reads a scan and what stands above it in parts, with the help of other threads, or as a whole where
/// that is not worth it. The rows are the same, in the same order.
final class DividedOperator: BatchOperator {
    /// What there is to do when the scan is read as a whole.
    private var whole: (any BatchOperator)?
    private let pipeline: PartPipeline
    /// What is done with the rows of all parts.
    private let combine: (any BatchOperator) throws(Problem) -> any BatchOperator
    private let workers: any QueryWorkers
    private let measured: MeasuredPlan?
    private let context: QueryContext
    private var chosen: (any BatchOperator)?

    /// nil when the query has no helpers.
    init?(
        _ whole: any BatchOperator, _ pipeline: PartPipeline, _ context: QueryContext,
        _ measured: MeasuredPlan?,
        combine: @escaping (any BatchOperator) throws(Problem) -> any BatchOperator = { $0 }
    ) {
        guard let workers = context.workers, context.threadsMax > 1 else { return nil }
        self.whole = whole
        self.pipeline = pipeline
        self.context = context
        self.workers = workers
        self.measured = measured
        self.combine = combine
    }

    func next() throws(Problem) -> ColumnBatch? {
        if let chosen { return try chosen.next() }
        let chosen = try choose()
        self.chosen = chosen
        whole = nil
        return try chosen.next()
    }

    private func choose() throws(Problem) -> any BatchOperator {
        guard let whole else { preconditionFailure("chosen once") }
        // From the top down, as rows would be asked for.
        for join in pipeline.joins.reversed() {
            try join.reader.begin()
            // What did not fit was divided by keys, together with the rows that stream by.
            guard join.rows.isShared else { return whole }
        }
        guard let parts = try pipeline.scan.parts(), parts.count > 1,
            parts.reduce(0, { $0 &+ $1.rowCount }) >= context.dividedFromRows
        else { return whole }
        var rows: any BatchOperator = PartsOperator(parts, pipeline, context, workers, measured)
        // The time of parts is that of their nodes: it must not count for whoever asks for the rows.
        if let measured { rows = measured.measuring(MeasuredNode(measured.root.plan), rows) }
        return try combine(rows)
    }
}

/// The rows of all parts, in their order.
private final class PartsOperator: BatchOperator {
    private let pipeline: PartPipeline
    private let queue: PartQueue
    private let assignment: any HelperAssignment
    /// The part that the query's own thread reads.
    private var own: (number: Int, open: OpenPart)?
    private var hasHelpers = false
    private var isDone = false

    init(
        _ parts: [SourcePart], _ pipeline: PartPipeline, _ context: QueryContext,
        _ workers: any QueryWorkers, _ measured: MeasuredPlan?
    ) {
        let threads = min(context.threadsMax, parts.count)
        let start = HelperStart()
        let queue = PartQueue(
            parts.map { start.watching($0) }, pipeline, context, threads: threads, workers, measured
        )
        self.pipeline = pipeline
        self.queue = queue
        // Who helps must not keep what the parts hold: that ends with this operator.
        let assignment = workers.assign(threads - 1) { [weak queue] in queue?.help() ?? false }
        self.assignment = assignment
        start.begin { assignment.wake() }
    }

    deinit { end() }

    func next() throws(Problem) -> ColumnBatch? {
        assignment.turn()
        do throws(Problem) {
            return try nextInOrder()
        } catch {
            end()
            throw error
        }
    }

    private func nextInOrder() throws(Problem) -> ColumnBatch? {
        while !isDone {
            if let (number, open) = own {
                if let batch = try open.rows.next() { return batch }
                own = nil
                queue.finish(number, open)
            }
            switch try queue.next({ assignment.wake() }) {
            case .rows(let batch): return batch
            case .part(let number, let open): own = (number, try queue.opened(number, open))
            case .end: end()
            }
        }
        return nil
    }

    private func end() {
        guard !isDone else { return }
        isDone = true
        own = nil
        queue.stop()
        assignment.end()
        queue.clear()
        for join in pipeline.joins { join.rows.endProbing() }
    }
}
