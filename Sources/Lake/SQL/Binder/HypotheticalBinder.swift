// Aggregates of a row that is not there: `rank(5) WITHIN GROUP (ORDER BY x)` is the rank that 5 would
// have among the values of x. They are made of counts of the rows that come before it.

import Base
import Columns

extension Binder {
    static let hypotheticalNames: Set<String> = ["rank", "dense_rank", "percent_rank", "cume_dist"]

    /// What the call means, in counts.
    func hypothetical(_ call: FunctionCall) throws(Problem) -> Expression {
        let position = call.name.position
        let count = call.orderBy.count
        guard !call.isStar, !call.isDistinct, call.over == nil else {
            throw Problem(
                "42601",
                "\(call.name.last) WITHIN GROUP takes values, and neither DISTINCT nor OVER",
                position: position)
        }
        guard call.arguments.count == count, count <= 64 else {
            throw Problem(
                "42883",
                "function \(call.name.last) of \(call.arguments.count) values among rows that are"
                    + " ordered by \(count) does not exist",
                hint: "To use the hypothetical-set aggregate \(call.name.last), the number of"
                    + " hypothetical direct arguments (here \(call.arguments.count)) must match the"
                    + " number of ordering columns (here \(count)).", position: position)
        }
        // $1 … are the keys, then come the values, and then the condition.
        var before = "false"
        var equal = "true"
        for index in (1...count).reversed() {
            let item = call.orderBy[index - 1]
            let (key, value) = ("$\(index)", "$\(count + index)")
            let nullsFirst = item.nullsFirst ?? item.isDescending
            let (early, late) = nullsFirst ? (key, value) : (value, key)
            let isBefore =
                "(\(key) \(item.isDescending ? ">" : "<") \(value)"
                + " OR \(early) IS NULL AND \(late) IS NOT NULL)"
            let isEqual = "\(key) IS NOT DISTINCT FROM \(value)"
            before = "(\(isBefore) OR \(isEqual) AND \(before))"
            equal = "(\(isEqual) AND \(equal))"
        }
        let also = call.filter == nil ? "" : " AND ($\(2 * count + 1))"
        let among = call.filter == nil ? "" : " FILTER (WHERE $\(2 * count + 1))"
        let earlier = "count(*) FILTER (WHERE \(before)\(also))"
        let all = "count(*)\(among)"
        let text: String
        switch call.name.last {
        case "rank": text = "\(earlier) + 1"
        case "dense_rank":
            let keys = (1...count).map { "$\($0)" }.joined(separator: ", ")
            text = "count(DISTINCT ROW(\(keys))) FILTER (WHERE \(before)\(also)) + 1"
        case "percent_rank":
            text =
                "CASE WHEN \(all) = 0 THEN 0 ELSE (\(earlier))::float8 / (\(all)) END"
        default:
            text =
                "(count(*) FILTER (WHERE (\(before) OR \(equal))\(also)) + 1)::float8"
                + " / (\(all) + 1)"
        }
        let values =
            call.orderBy.map(\.expression) + call.arguments + (call.filter.map { [$0] } ?? [])
        return try Parser.expression(text, parameters: values)
    }
}
