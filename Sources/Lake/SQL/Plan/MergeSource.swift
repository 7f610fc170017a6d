import Columns

/// The join inside of the plan of a MERGE: once the source's rows are known, only rows of the target
/// with one of their keys can match, and a source that is too large can be divided by its keys.
package struct MergeSource: Sendable {
    /// The rows of the source.
    package var plan: LogicalPlan
    /// Names of columns of the target, and what of the source they must equal: expressions over the
    /// columns of `plan`. NULL equals nothing.
    package var keys: [NamedExpression]
    /// Rows of the target without a partner do not matter.
    package var ignoresUnmatched: Bool

    /// The join of `change`, if it is one by columns of the target.
    package init?(_ change: RowChangePlan) {
        guard let node = Self.join(in: change.plan),
            let scan = Self.scan(node.left), scan.relation == change.target.name
        else { return nil }
        ignoresUnmatched = node.kind == .inner || node.kind == .right
        plan = node.right
        keys = []
        let fields = node.left.schema.fields
        for key in node.keys {
            guard case .column(let index, let type) = key.left, key.right.type == type,
                !key.nullsMatch
            else { continue }
            keys.append(NamedExpression(fields[index].name, key.right))
        }
        if keys.isEmpty { return nil }
    }

    /// The plan of the keys of the source's rows, in the order of `keys`.
    package func keyPlan(over source: LogicalPlan) -> LogicalPlan { .project(source, keys) }

    /// `change` with another plan in the place of its source, which gives the same rows.
    package static func replacing(
        _ change: RowChangePlan, with source: LogicalPlan
    ) -> LogicalPlan {
        replacing(in: change.plan, with: source)
    }

    private static func replacing(
        in plan: LogicalPlan, with source: LogicalPlan
    ) -> LogicalPlan {
        switch plan {
        case .project(let input, let columns):
            return .project(replacing(in: input, with: source), columns)
        case .filter(let input, let condition):
            return .filter(replacing(in: input, with: source), condition)
        case .join(let node):
            var changed = node
            changed.right = source
            return .join(changed)
        default: return plan
        }
    }

    private static func join(in plan: LogicalPlan) -> JoinNode? {
        switch plan {
        case .project(let input, _), .filter(let input, _): join(in: input)
        case .join(let node): node
        default: nil
        }
    }

    private static func scan(_ plan: LogicalPlan) -> ScanNode? {
        switch plan {
        case .scan(let node): node
        case .filter(let input, _): scan(input)
        default: nil
        }
    }
}
