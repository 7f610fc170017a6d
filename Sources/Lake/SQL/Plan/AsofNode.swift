/// `a ASOF JOIN b`: pairs each left row with the nearest of the right rows that have equal keys and
/// stand on the wanted side of it. The output is the left columns, then the right ones.
///
/// NULLs match nothing, but in keys that say so. Of right rows that are equally near one is taken.
package struct AsofNode: Hashable, Sendable {
    /// How the left moment has to compare with the right one.
    package enum Comparison: String, Hashable, Sendable {
        case less = "<"
        case lessOrEqual = "<="
        case greater = ">"
        case greaterOrEqual = ">="

        /// The same with the sides exchanged.
        package var mirrored: Comparison {
            switch self {
            case .less: .greater
            case .lessOrEqual: .greaterOrEqual
            case .greater: .less
            case .greaterOrEqual: .lessOrEqual
            }
        }
    }

    package var left: LogicalPlan
    package var right: LogicalPlan
    package var keys: [JoinKey]
    /// What is compared: `left` over the left input, `right` over the right one, both of one type.
    package var moment: JoinKey
    package var comparison: Comparison
    /// A left row without a partner comes out with NULLs.
    package var keepsLeft: Bool

    package init(
        left: LogicalPlan, right: LogicalPlan, keys: [JoinKey], moment: JoinKey,
        comparison: Comparison, keepsLeft: Bool
    ) {
        self.left = left
        self.right = right
        self.keys = keys
        self.moment = moment
        self.comparison = comparison
        self.keepsLeft = keepsLeft
    }

    /// Keys and moments, of both sides.
    package var expressions: [BoundExpression] {
        (keys + [moment]).flatMap { [$0.left, $0.right] }
    }

    /// The same with expressions of the left and the right side replaced.
    package func mapSides(
        left: (BoundExpression) -> BoundExpression, right: (BoundExpression) -> BoundExpression
    ) -> AsofNode {
        func mapped(_ key: JoinKey) -> JoinKey {
            JoinKey(left: left(key.left), right: right(key.right), nullsMatch: key.nullsMatch)
        }
        var node = self
        node.keys = keys.map(mapped)
        node.moment = mapped(moment)
        return node
    }
}
