// What the operators of a plan do while it runs: EXPLAIN ANALYZE. One wrapper measures all of them.

import Base
import Columns
import SQL

/// What a scan read.
package struct SourceFigures: Hashable, Sendable {
    package var files = 0
    /// Ruled out by statistics or partitions.
    package var filesSkipped = 0
    package var rowGroups = 0
    package var rowGroupsSkipped = 0
    /// As stored.
    package var bytes: Int64 = 0
    /// Records of the log behind the table; nil when it was read alone.
    package var tailRecords: Int?

    package init() {}
}

/// A source that knows what it has read.
package protocol MeasuredSource: BatchSource {
    var figures: SourceFigures { get }
}

/// One node of a plan and what its operators did: several, when it belongs to the step of a recursion.
package final class MeasuredNode {
    package let plan: LogicalPlan
    /// Empty for what is shared and stands elsewhere already.
    package let inputs: [MeasuredNode]
    package fileprivate(set) var rows = 0
    package fileprivate(set) var batches = 0
    /// Without its inputs.
    package fileprivate(set) var time = Duration.zero
    /// The most that its operators held of the query's memory, inputs not counted; nil = nothing.
    package fileprivate(set) var memoryBytes = 0
    fileprivate var heldBytes = 0
    fileprivate var sources: [any MeasuredSource] = []

    fileprivate init(_ plan: LogicalPlan, _ inputs: [MeasuredNode]) {
        self.plan = plan
        self.inputs = inputs
    }

    /// What operators of a part do for a node of `plan`.
    init(_ plan: LogicalPlan) {
        self.plan = plan
        inputs = []
    }

    /// Adds what was done for a part; `rows`: its rows are those of the node.
    func add(_ part: MeasuredNode, rows isOutput: Bool) {
        if isOutput {
            rows += part.rows
            batches += part.batches
        }
        time += part.time
        memoryBytes = max(memoryBytes, part.memoryBytes)
    }

    /// What it read, if it is a scan of files.
    package var figures: SourceFigures? {
        guard !sources.isEmpty else { return nil }
        return sources.reduce(into: SourceFigures()) { sum, source in
            let one = source.figures
            sum.files += one.files
            sum.filesSkipped += one.filesSkipped
            sum.rowGroups += one.rowGroups
            sum.rowGroupsSkipped += one.rowGroupsSkipped
            sum.bytes &+= one.bytes
            if let records = one.tailRecords { sum.tailRecords = (sum.tailRecords ?? 0) + records }
        }
    }
}

/// A plan that has run, with what each of its nodes did. Belongs to one thread.
package final class MeasuredPlan {
    package let root: MeasuredNode
    package internal(set) var elapsed = Duration.zero
    /// For each number of a shared plan the node where it stands first.
    private(set) var shared: [Int: MeasuredNode]
    private let context: QueryContext
    private let clock: @Sendable () -> Instant
    /// What the calls within the one that is measured took, and what they took of memory.
    private var innerTime = Duration.zero
    private var innerBytes = 0

    /// The most memory that all operators held at a time.
    package var memoryBytes: Int { context.memory.peak }
    /// What waited on the scratch disk, in bytes.
    package var spilledBytes: Int64 { context.memory.spilledBytes }

    init(
        _ plan: LogicalPlan, _ context: QueryContext, _ clock: @escaping @Sendable () -> Instant
    ) {
        var shared: [Int: MeasuredNode] = [:]
        root = Self.node(plan, &shared)
        self.shared = shared
        self.context = context
        self.clock = clock
    }

    private init(ofPart context: QueryContext, of whole: MeasuredPlan) {
        root = MeasuredNode(whole.root.plan)
        shared = [:]
        self.context = context
        clock = whole.clock
    }

    /// Measures operators of a part, on any thread: their nodes are added up later.
    func ofPart(_ context: QueryContext) -> MeasuredPlan {
        MeasuredPlan(ofPart: context, of: self)
    }

    /// `rows`, measured as an operator of `node`.
    func measuring(_ node: MeasuredNode, _ rows: any BatchOperator) -> any BatchOperator {
        MeasuredOperator(rows, node, self)
    }

    private static func node(
        _ plan: LogicalPlan, _ shared: inout [Int: MeasuredNode]
    ) -> MeasuredNode {
        if case .shared(let number, _) = plan, shared[number] != nil {
            return MeasuredNode(plan, [])
        }
        let node = MeasuredNode(plan, plan.inputs.map { Self.node($0, &shared) })
        if case .shared(let number, _) = plan { shared[number] = node }
        return node
    }

    /// The operator that `make` makes, measured as one of `node`.
    func measuring(
        _ node: MeasuredNode, _ make: () throws(Problem) -> BuiltPlan
    ) throws(Problem) -> BuiltPlan {
        // Opening tables is work, too.
        var built = try measure(node, make)
        built.rows = MeasuredOperator(built.rows, node, self)
        return built
    }

    /// Counts the time and memory of `body` for `node`, without those of calls inside of it that are
    /// measured themselves.
    func measure<Result>(
        _ node: MeasuredNode, _ body: () throws(Problem) -> Result
    ) throws(Problem) -> Result {
        let (outerTime, outerBytes) = (innerTime, innerBytes)
        (innerTime, innerBytes) = (.zero, 0)
        let (began, held) = (clock(), context.memory.own)
        defer {
            let (elapsed, grown) = (clock() - began, context.memory.own - held)
            node.time += elapsed - innerTime
            node.heldBytes += grown - innerBytes
            node.memoryBytes = max(node.memoryBytes, node.heldBytes)
            innerTime = outerTime + elapsed
            innerBytes = outerBytes + grown
        }
        return try body()
    }
}

/// What reads early, measured as a part of `node`.
final class MeasuredReader: EarlyReader {
    private let reader: any EarlyReader
    private let node: MeasuredNode
    private let plan: MeasuredPlan

    init(_ reader: any EarlyReader, _ node: MeasuredNode, _ plan: MeasuredPlan) {
        self.reader = reader
        self.node = node
        self.plan = plan
    }

    func begin() throws(Problem) {
        try plan.measure(node) { () throws(Problem) in try reader.begin() }
    }
}

private final class MeasuredOperator: BatchOperator {
    private let input: any BatchOperator
    private let node: MeasuredNode
    private let plan: MeasuredPlan

    init(_ input: any BatchOperator, _ node: MeasuredNode, _ plan: MeasuredPlan) {
        self.input = input
        self.node = node
        self.plan = plan
    }

    func next() throws(Problem) -> ColumnBatch? {
        let batch = try plan.measure(node) { () throws(Problem) in try input.next() }
        if let batch {
            node.rows += batch.rowCount
            node.batches += 1
        }
        return batch
    }
}

/// Tables of one scan, whose source is asked later what it has read.
struct MeasuredTables: TableSource {
    private let tables: any TableSource
    private let node: MeasuredNode

    init(_ tables: any TableSource, _ node: MeasuredNode) {
        self.tables = tables
        self.node = node
    }

    func open(
        _ scan: ScanNode, _ context: QueryContext
    ) throws(Problem) -> any BatchSource {
        measured(try tables.open(scan, context))
    }

    func open(
        _ scan: ScanNode, filters: [ScanFilter], _ context: QueryContext
    ) throws(Problem) -> any BatchSource {
        measured(try tables.open(scan, filters: filters, context))
    }

    private func measured(_ source: any BatchSource) -> any BatchSource {
        if let measured = source as? any MeasuredSource { node.sources.append(measured) }
        return source
    }
}
