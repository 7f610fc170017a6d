// Of row_number() that has to be 1 only the first row of each partition is looked for: it can be kept
// while the rows come, and nothing is sorted.

import Columns

enum FirstRows {
    static func apply(_ plan: LogicalPlan) -> LogicalPlan {
        let plan = plan.mapInputs(apply)
        guard case .filter(.over(var node), let condition) = plan,
            !node.partitionBy.isEmpty, node.calls.count == 1,
            node.calls[0].function == .rowNumber
        else { return plan }
        let place = node.keptColumns.count
        guard condition.conjuncts.contains(where: { isFirst($0, place) }) else { return plan }
        node.keepsFirst = true
        // The condition stays: it costs next to nothing, and may say more.
        return .filter(.over(node), condition)
    }

    /// Whether `condition` is true of no number above 1.
    private static func isFirst(_ condition: BoundExpression, _ place: Int) -> Bool {
        guard case .call(let comparison, let operands, _) = condition, operands.count == 2 else {
            return false
        }
        let (left, right) = (operands[0], operands[1])
        if case .column(place, _) = left, let number = number(right) {
            return comparison == .equal && number <= 1
                || comparison == .lessOrEqual && number <= 1
                || comparison == .less && number <= 2
        }
        if case .column(place, _) = right, let number = number(left) {
            return comparison == .equal && number <= 1
                || comparison == .greaterOrEqual && number <= 1
                || comparison == .greater && number <= 2
        }
        return false
    }

    private static func number(_ expression: BoundExpression) -> Int64? {
        switch expression {
        case .literal(.int(let number), _): number
        case .cast(.literal(.int(let number), _), let type, _)
        where [.int16, .int32, .int64].contains(type): number
        default: nil
        }
    }
}
