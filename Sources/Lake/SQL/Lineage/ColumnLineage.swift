import Columns

/// A column of a relation that values come from.
package struct ColumnSource: Hashable, Comparable, Sendable {
    package var relation: QualifiedName
    package var column: String

    package static func < (left: ColumnSource, right: ColumnSource) -> Bool {
        (left.relation, left.column) < (right.relation, right.column)
    }
}

extension LogicalPlan {
    /// For each output column the columns its values are computed from, in order, each once.
    /// Columns that only decide which rows come out are not among them.
    package var columnSources: [[ColumnSource]] {
        switch self {
        case .scan(let node):
            return node.schema.fields.map {
                [ColumnSource(relation: node.relation, column: $0.name)]
            }
        case .recursion(let node):
            // The step adds rows of rows; what they are made of is in the base and in its own scans.
            return zip(node.base.columnSources, node.step.columnSources).map { ordered($0 + $1) }
        case .values(_, let schema), .working(_, let schema): return schema.fields.map { _ in [] }
        case .project(let input, let columns):
            let below = input.columnSources
            return columns.map { sources([$0.expression], below) }
        case .aggregate(let node):
            let below = node.input.columnSources
            return node.keys.map { sources([$0.expression], below) }
                + node.aggregates.map { sources($0.call.arguments, below) }
                + (node.sets == nil ? [] : [[]])
        case .join(let node):
            let left = node.left.columnSources
            if node.kind == .semi || node.kind == .anti { return left }
            return left + node.right.columnSources
        case .asof(let node): return node.left.columnSources + node.right.columnSources
        case .union(let inputs):
            var result = inputs.first?.columnSources ?? []
            for input in inputs.dropFirst() {
                for (index, more) in input.columnSources.enumerated() {
                    result[index] = ordered(result[index] + more)
                }
            }
            return result
        case .over(let node):
            let below = node.input.columnSources
            return node.keptColumns.map { below[$0] }
                + node.calls.map { sources($0.arguments, below) }
        case .expand(let node):
            let below = node.input.columnSources
            let added = node.calls.flatMap { call in
                call.fields.map { _ in sources(call.arguments, below) }
            }
            return below + added + (node.ordinality == nil ? [] : [[]])
        case .window(let node):
            let below = node.input.columnSources
            return below + [below[node.timeColumn], below[node.timeColumn]]
        case .filter(let input, _), .sort(let input, _, _), .limit(let input, _, _),
            .distinct(let input), .singleRow(let input), .shared(_, let input):
            return input.columnSources
        case .distinctOn(let node): return node.input.columnSources
        }
    }

    private func sources(
        _ expressions: [BoundExpression], _ below: [[ColumnSource]]
    ) -> [ColumnSource] {
        var result: [ColumnSource] = []
        for expression in expressions {
            expression.forEachColumn { result += below[$0] }
        }
        return ordered(result)
    }

    private func ordered(_ sources: [ColumnSource]) -> [ColumnSource] {
        var result: [ColumnSource] = []
        for source in sources.sorted() where result.last != source { result.append(source) }
        return result
    }
}
