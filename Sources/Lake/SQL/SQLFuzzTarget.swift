import Base
import Columns

/// Everything that untrusted SQL text reaches before it runs: lexer, parser, binder, optimizer and
/// lineage. For the fuzzer and the replay of its corpus; must return for any bytes.
package func exerciseSQL(_ bytes: Bytes) {
    guard let script = try? Parser.script(bytes.array) else { return }
    for parsed in script {
        var context = BinderContext()
        context.parameters = ["1", nil]
        var binder = Binder(provider: FuzzCatalog(), context: context)
        switch parsed.statement {
        case .query(let query): exercise(query, &binder)
        case .explain(let explain): exercise(explain.query, &binder)
        case .createView(let view): exercise(view.query, &binder)
        case .createMaterializedView(let view): exercise(view.query, &binder)
        case .insert(let insert): _ = try? binder.plan(insert)
        case .createStreamingTable(let table):
            let schema = TableSchema(FuzzCatalog.columns)
            for expectation in table.expectations {
                _ = try? binder.condition(expectation.condition, over: schema, table: "t")
            }
            if let query = table.query { exercise(query, &binder) }
        default: break
        }
    }
}

private func exercise(_ query: Query, _ binder: inout Binder) {
    _ = upstreamRelations(of: query)
    guard let plan = try? binder.plan(query) else { return }
    let sources = plan.columnSources
    precondition(sources.count == plan.schema.fields.count, "a column has no lineage")
}

/// Every name with an odd length is a table, a few are views of each other.
private struct FuzzCatalog: SchemaProvider {
    static let columns = [
        Field("a", .int32), Field("b", .text), Field("c", .float64), Field("d", .date),
        Field("n", .decimal(precision: 12, scale: 2)), Field("ts", .timestampTZ),
        Field("ok", .boolean), Field("j", .json), Field("list", .list(.int64)),
    ]

    func relation(_ name: QualifiedName) throws(Problem) -> RelationDescription? {
        if name.name == "v" || name.name == "w" {
            let below = name.name == "v" ? "w" : "t"
            return RelationDescription(
                name: name, kind: .view, columns: FuzzCatalog.columns,
                viewText: "SELECT x.* FROM \(below) x JOIN \(below) y ON x.a = y.a")
        }
        guard name.name.utf8.count % 2 == 1 else { return nil }
        return RelationDescription(
            name: name, kind: .table, columns: FuzzCatalog.columns,
            hiddenColumns: [Field("_offset", .int64)])
    }

    func relationNames() -> [QualifiedName] { [QualifiedName("t"), QualifiedName("v")] }
}
