import Base
import Columns

extension Binder {
    /// `table_diff('schema.table', from_version, to_version)`: the rows that one version has and the
    /// other has not, each once with how often: `_change_type`, `_rows`, and the table's columns.
    ///
    /// Only files that one of the two versions lacks are read. Their rows are counted, those of the
    /// newer up and those of the older down: what was only moved to another file cancels out.
    ///
    /// Each version has its own columns. One that was renamed is one column, under its name in the
    /// second version; one that only one version has is NULL in the other's rows.
    mutating func bindVersionDiff(
        _ call: FunctionCall, _ alias: TableAlias?
    ) throws(Problem) -> (LogicalPlan, Scope) {
        let (relation, versions) = try versionArguments(call, counts: 2...2)
        var sides: [[IdentifiedColumn]] = []
        for version in versions {
            sides.append(
                try provider.identifiedColumns(of: relation.name, version: version)
                    ?? relation.columns.map { IdentifiedColumn($0, identity: $0.name) })
        }
        let columns = DiffColumn.matched(
            sides[0], sides[1], versions: (versions[0], versions[1]))
        func side(_ index: Int) throws(Problem) -> LogicalPlan {
            let scan = ScanNode(
                relation: relation.name, kind: relation.kind,
                travel: .difference(of: versions[index], without: versions[1 - index]),
                tableSchema: TableSchema(sides[index].map(\.field)))
            var outputs: [NamedExpression] = []
            for column in columns {
                let type = column.field.type
                var value = BoundExpression.literal(.null, type)
                if let place = column.places[index] {
                    let own = BoundExpression.column(place, sides[index][place].field.type)
                    value = try coerce(own, to: type, at: call.name.position)
                }
                outputs.append(NamedExpression(column.field.name, value))
            }
            return .project(.scan(scan), outputs)
        }
        let visible = commonTables.count
        defer { commonTables.removeSubrange(visible...) }
        commonTables.append(("$to", try side(1)))
        commonTables.append(("$from", try side(0)))
        let names = columns.map { quotedIdentifier($0.field.name) }
        let list = names.joined(separator: ", ")
        // What can't be compared as a value is compared as text.
        let compared = zip(columns.map(\.field), names).map { field, name in
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

/// A column of a comparison of two versions.
private struct DiffColumn {
    var field: Field
    /// Where it is in the first version and in the second.
    var places: [Int?]

    /// The columns of the second version, and behind them those that only the first one has. Types
    /// may have become wider; with types of two kinds they are two columns.
    static func matched(
        _ first: [IdentifiedColumn], _ second: [IdentifiedColumn], versions: (Int64, Int64)
    ) -> [DiffColumn] {
        var columns = second.enumerated().map { place, column in
            var matched = DiffColumn(field: column.field, places: [nil, place])
            if let old = first.firstIndex(where: { $0.identity == column.identity }),
                let type = common(first[old].field.type, column.field.type)
            {
                matched.places[0] = old
                matched.field.type = type
            }
            return matched
        }
        let known = Set(columns.compactMap { $0.places[0] })
        for (place, column) in first.enumerated() where !known.contains(place) {
            var field = column.field
            // Another column took its name.
            if columns.contains(where: { $0.field.name == field.name }) {
                field.name += " (version \(versions.0))"
            }
            columns.append(DiffColumn(field: field, places: [place, nil]))
        }
        return columns
    }
}

/// The type of two that holds the values of both.
private func common(_ first: ColumnType, _ second: ColumnType) -> ColumnType? {
    if first == second { return first }
    func fits(_ type: ColumnType, _ wanted: ColumnType) -> Bool {
        let fitted = try? converted(.column(0, type), to: wanted, .implicit, at: 0)
        return fitted.flatMap { $0 } != nil
    }
    return fits(first, second) ? second : fits(second, first) ? first : nil
}

extension ColumnType {
    fileprivate var isNested: Bool {
        switch self {
        case .list, .structure, .map, .json, .variant: true
        default: false
        }
    }
}
