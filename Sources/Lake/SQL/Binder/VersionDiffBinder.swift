import Base
import Columns

extension Binder {
    /// `table_diff('schema.table', from_version, to_version)`: the rows that one version has and the
    /// other has not, each once with how often: `_change_type`, `_rows`, and the table's columns.
    ///
    /// Only files that one of the two versions lacks are read. Their rows are counted, those of the
    /// newer up and those of the older down: what was only moved to another file cancels out.
    mutating func bindVersionDiff(
        _ call: FunctionCall, _ alias: TableAlias?
    ) throws(Problem) -> (LogicalPlan, Scope) {
        let (relation, versions) = try versionArguments(call, counts: 2...2)
        func scan(_ version: Int64, without other: Int64) -> LogicalPlan {
            .scan(
                ScanNode(
                    relation: relation.name, kind: relation.kind,
                    travel: .difference(of: version, without: other),
                    tableSchema: TableSchema(relation.columns)))
        }
        let visible = commonTables.count
        defer { commonTables.removeSubrange(visible...) }
        commonTables.append(("$to", scan(versions[1], without: versions[0])))
        commonTables.append(("$from", scan(versions[0], without: versions[1])))
        let names = relation.columns.map { quotedIdentifier($0.name) }
        let list = names.joined(separator: ", ")
        // What can't be compared as a value is compared as text.
        let compared = zip(relation.columns, names).map { field, name in
            field.type.isNested ? "CAST(\(name) AS text) AS \(name)" : name
        }.joined(separator: ", ")
        let query = try Parser.query(
            """
            SELECT CASE WHEN "$n" > 0 THEN 'insert' ELSE 'delete' END AS _change_type,
              abs("$n") AS _rows, \(list)
            FROM (SELECT \(list), sum("$n") AS "$n"
              FROM (SELECT \(compared), 1 AS "$n" FROM "$to"
                UNION ALL SELECT \(compared), -1 AS "$n" FROM "$from") AS sides
              GROUP BY \(list)) AS counted
            WHERE "$n" <> 0
            """)
        return try aliased(
            bindQuery(query, outer: []), alias, defaultName: call.name.last)
    }

    /// The table and the versions in the arguments of a function over versions.
    mutating func versionArguments(
        _ call: FunctionCall, counts: ClosedRange<Int>
    ) throws(Problem) -> (relation: RelationDescription, versions: [Int64]) {
        let function = call.name.last
        guard (counts.lowerBound + 1...counts.upperBound + 1).contains(call.arguments.count),
            case .string(let text) = call.arguments[0].kind
        else {
            throw Problem(
                "42883", "wrong arguments of \(function)",
                hint: "write \(function)('schema.table', first_version, last_version)",
                position: call.name.position)
        }
        let parts = text.split(separator: ".", maxSplits: 1).map {
            Identifier(String($0), position: call.arguments[0].position)
        }
        guard !parts.isEmpty else {
            throw Problem(
                "42602", "\(function) needs the name of a table", position: call.name.position)
        }
        let relation = try relation(ObjectName(parts))
        guard relation.kind == .table else {
            throw Problem(
                "42809", "\"\(text)\" is no table with versions",
                position: call.arguments[0].position)
        }
        var context = ExpressionContext(scope: Scope(), clause: function)
        context.allowsSubqueries = false
        var versions: [Int64] = []
        for argument in call.arguments.dropFirst() {
            let value = try coerce(
                bind(argument, &context), to: .int64, .assignment, at: argument.position)
            guard case .literal(.int(let version), _) = value, version >= 0 else {
                throw Problem(
                    "42804", "a table version must be a whole number, not below 0",
                    hint: "DESCRIBE HISTORY \(relation.name) lists them",
                    position: argument.position)
            }
            versions.append(version)
        }
        return (relation, versions)
    }
}

extension ColumnType {
    fileprivate var isNested: Bool {
        switch self {
        case .list, .structure, .map, .json, .variant: true
        default: false
        }
    }
}
