import Base
import Columns
import SQL

/// The query of a streaming table: one row out for at most one row in, so that each row out can
/// carry the place of its record. Only such queries can be kept exactly once by offsets alone.
package struct StreamingPlan: Sendable {
    /// The query with two more columns at the end: partition (integer) and offset (bigint).
    package let plan: LogicalPlan
    /// The topic that it reads.
    package let source: QualifiedName
    /// The columns of the query itself.
    package let schema: TableSchema

    /// Checks `plan` and adds the two columns. Throws 0A000 with the reason when the query is more
    /// than filters and projections over one `STREAM(topic)`.
    package init(_ plan: LogicalPlan) throws(Problem) {
        let scans = plan.scans
        guard scans.count == 1, let scan = scans.first else {
            throw Self.refusal(
                "it reads \(scans.count) relations",
                hint: "a streaming table reads exactly one STREAM(topic)")
        }
        guard scan.kind == .topic else {
            throw Self.refusal(
                "\(scan.relation) is not a topic",
                hint: "streaming from tables is not built yet: use CREATE MATERIALIZED VIEW … "
                    + "REFRESH POLICY FULL")
        }
        guard scan.isStream else {
            throw Self.refusal(
                "it reads \(scan.relation) as a table", hint: "write FROM STREAM(\(scan.relation))")
        }
        source = scan.relation
        schema = plan.schema
        self.plan = try Self.withPlaces(plan).plan
    }

    private static func refusal(_ reason: String, hint: String) -> Problem {
        Problem("0A000", "this query cannot feed a streaming table: \(reason)", hint: hint)
    }

    /// `plan` with partition and offset behind its columns, and where they are.
    private static func withPlaces(
        _ plan: LogicalPlan
    ) throws(Problem) -> (plan: LogicalPlan, partition: Int, offset: Int) {
        switch plan {
        case .scan(var node):
            guard let partition = node.tableSchema.index(of: TopicColumns.partition),
                let offset = node.tableSchema.index(of: TopicColumns.offset)
            else {
                throw refusal("\(node.relation) has no record places", hint: "read a topic")
            }
            node.projection += [partition, offset]
            let count = node.projection.count
            return (.scan(node), count - 2, count - 1)
        case .filter(let input, let condition):
            let inner = try withPlaces(input)
            // The places stand behind the input's own columns, so the condition stays as it is.
            return (.filter(inner.plan, condition), inner.partition, inner.offset)
        case .project(let input, let columns):
            let inner = try withPlaces(input)
            let places = [
                NamedExpression(TopicColumns.partition, .column(inner.partition, .int32)),
                NamedExpression(TopicColumns.offset, .column(inner.offset, .int64)),
            ]
            return (.project(inner.plan, columns + places), columns.count, columns.count + 1)
        case .expand(var node):
            let width = node.input.schema.fields.count
            let inner = try withPlaces(node.input)
            node.input = inner.plan
            let expanded = LogicalPlan.expand(node)
            let fields = expanded.schema.fields
            // The places stand between the input's columns and the new ones: they move behind.
            let order =
                Array(0..<width) + Array((width + 2)..<fields.count)
                + [inner.partition, inner.offset]
            return (expanded.columns(order), fields.count - 2, fields.count - 1)
        case .aggregate: throw stateful("GROUP BY and aggregates")
        case .join, .asof: throw stateful("joins")
        case .distinct, .distinctOn: throw stateful("DISTINCT")
        case .sort, .limit: throw stateful("ORDER BY and LIMIT")
        case .union: throw stateful("UNION")
        case .window: throw stateful("window functions in FROM")
        case .over: throw stateful("window functions")
        case .values, .singleRow, .shared, .recursion, .working:
            throw stateful("rows that are not of a topic")
        }
    }

    private static func stateful(_ what: String) -> Problem {
        refusal(
            "\(what) would need state between epochs, which is not built yet",
            hint: "keep the streaming table simple and put it in a materialized view over it: "
                + "CREATE MATERIALIZED VIEW … REFRESH POLICY FULL AS …")
    }
}

/// The columns of a topic that come from the record and not from its payload; `*` leaves them out.
package enum TopicColumns {
    package static let partition = "_partition"
    package static let offset = "_offset"
    package static let timestamp = "_timestamp"
    package static let key = "_key"
    package static let value = "_value"
    package static let error = "_error"

    /// In the order in which they stand behind the declared columns.
    package static let fields: [Field] = [
        Field(partition, .int32, isNullable: false),
        Field(offset, .int64, isNullable: false),
        // The record's timestamp.
        Field(timestamp, .timestampTZ),
        // Key and payload as text; NULL when absent or not UTF-8.
        Field(key, .text),
        Field(value, .text),
        // Why the payload could not be read as declared; NULL when it could.
        Field(error, .text),
    ]
}
