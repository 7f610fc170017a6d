import Base
import Columns
import SQL

/// A catalog of a few relations, for the binder's tests.
struct TestCatalog: SchemaProvider {
    var relations: [RelationDescription] = [
        table(
            "public", "t",
            [
                Field("a", .int32), Field("b", .text), Field("c", .float64), Field("d", .date),
                Field("n", .decimal(precision: 12, scale: 2)), Field("ts", .timestampTZ),
                Field("ok", .boolean), Field("j", .json), Field("big", .int64),
                Field("id", .uuid), Field("small", .int16), Field("list", .list(.text)),
                Field("s", .structure([Field("x", .int32), Field("y", .text)])),
                Field("plain", .timestamp), Field("span", .interval),
            ]),
        table("public", "u", [Field("a", .int64), Field("b", .text), Field("e", .int32)]),
        table(
            "gold", "event_metrics",
            [
                Field("metric_hour", .int32), Field("event_type", .text), Field("app_type", .text),
                Field("total_events", .int64), Field("unique_users", .int64),
            ]),
        RelationDescription(
            name: QualifiedName(schema: "public", "topic_app_events"), kind: .topic,
            columns: [
                Field("event_id", .uuid), Field("user_id", .text), Field("timestamp", .timestampTZ),
                Field("properties", .json),
            ],
            hiddenColumns: [Field("_partition", .int32), Field("_offset", .int64)]),
        view("v", ["x", "y"], "SELECT a, b FROM t WHERE a > 1"),
        view("broken", ["x"], "SELECT nope FROM t"),
        view("selfish", ["x"], "SELECT * FROM selfish"),
    ]

    static func table(_ schema: String, _ name: String, _ fields: [Field]) -> RelationDescription {
        RelationDescription(
            name: QualifiedName(schema: schema, name), kind: .table, columns: fields)
    }

    static func view(_ name: String, _ columns: [String], _ text: String) -> RelationDescription {
        RelationDescription(
            name: QualifiedName(schema: "public", name), kind: .view,
            columns: columns.map { Field($0, .text) }, viewText: text)
    }

    func relation(_ name: QualifiedName) throws(Problem) -> RelationDescription? {
        relations.first { $0.name.name == name.name && $0.name.schema == name.schema ?? "public" }
    }

    func relationNames() -> [QualifiedName] { relations.map(\.name) }
}

/// The plan of a query, not optimized when `optimized` is false.
func plan(
    _ text: String, catalog: TestCatalog = TestCatalog(), parameters: [String?] = []
) throws(Problem) -> LogicalPlan {
    var context = BinderContext()
    context.parameters = parameters
    var binder = Binder(provider: catalog, context: context)
    return try binder.plan(Parser.query(text))
}

/// The plan as EXPLAIN shows it, lines joined by " / ".
func explained(_ text: String) throws(Problem) -> String {
    var lines: [String] = []
    for line in try plan(text).explanation {
        let indent = line.prefix { $0 == " " }.count / 2
        lines.append(String(repeating: ">", count: indent) + line.dropFirst(indent * 2))
    }
    return lines.joined(separator: "\n")
}
