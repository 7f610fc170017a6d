import Base
import Columns
import SQL

/// What is done with the rows of a scan, one operator behind the other, none of which has to see all
/// rows: each part of the scan may have operators of its own.
struct PartPipeline {
    /// An operator above the rows of a part.
    struct Step {
        /// The node whose figures it adds to, and whether its rows are those of the node.
        let node: MeasuredNode?
        let givesRows: Bool
        let make: (any BatchOperator, QueryContext) throws(Problem) -> any BatchOperator
    }

    /// The operator that reads the scan when it is not divided.
    let scan: ScanOperator
    private let scanNode: MeasuredNode?
    private(set) var steps: [Step] = []
    /// The joins among the steps, and who has them read what they keep, from the scan upwards.
    private(set) var joins: [(rows: JoinOperator, reader: any EarlyReader)] = []

    init(_ scan: ScanOperator, _ node: MeasuredNode?) {
        self.scan = scan
        scanNode = node
    }

    /// The pipeline with one more operator; nil when it evaluates what must be evaluated in order.
    func adding(
        _ node: MeasuredNode?, givesRows: Bool = true, evaluating expressions: [BoundExpression],
        _ make: @escaping (any BatchOperator, QueryContext) throws(Problem) -> any BatchOperator
    ) -> PartPipeline? {
        if expressions.contains(where: \.isVolatile) { return nil }
        var result = self
        result.steps.append(Step(node: node, givesRows: givesRows, make: make))
        return result
    }

    /// The same for a join whose other side is kept.
    func joining(
        _ join: JoinOperator, _ plan: JoinNode, _ node: MeasuredNode?, reader: any EarlyReader
    ) -> PartPipeline? {
        guard join.canBeShared else { return nil }
        let keys = plan.keys.flatMap { [$0.left, $0.right] }
        var result = adding(node, evaluating: keys + [plan.residual].compactMap { $0 }) {
            (rows, context) throws(Problem) in
            try join.prober(of: rows, context)
        }
        result?.joins.append((join, reader))
        return result
    }

    /// The operators of one part, and what they do when that is measured. They belong to whoever has
    /// claimed the part.
    func open(
        _ source: any BatchSource, _ context: QueryContext, measuring whole: MeasuredPlan?
    ) throws(Problem) -> OpenPart {
        let measured = whole.map { $0.ofPart(context) }
        var nodes: [(own: MeasuredNode, whole: MeasuredNode, givesRows: Bool)] = []
        func wrapped(
            _ rows: any BatchOperator, _ node: MeasuredNode?, givesRows: Bool
        ) -> any BatchOperator {
            guard let measured, let node else { return rows }
            let own = MeasuredNode(node.plan)
            nodes.append((own, node, givesRows))
            return measured.measuring(own, rows)
        }
        var rows = wrapped(scan.reading(source, context), scanNode, givesRows: true)
        for step in steps {
            rows = wrapped(try step.make(rows, context), step.node, givesRows: step.givesRows)
        }
        return OpenPart(rows: rows, nodes: nodes)
    }
}

/// The operators of a part that is being read.
struct OpenPart {
    let rows: any BatchOperator
    fileprivate let nodes: [(own: MeasuredNode, whole: MeasuredNode, givesRows: Bool)]

    fileprivate init(
        rows: any BatchOperator,
        nodes: [(own: MeasuredNode, whole: MeasuredNode, givesRows: Bool)]
    ) {
        self.rows = rows
        self.nodes = nodes
    }

    /// Adds what the operators did to the nodes of the plan. Called by the query's own thread.
    func addFigures() {
        for node in nodes { node.whole.add(node.own, rows: node.givesRows) }
    }
}
