import Base
import Columns

extension Binder {
    mutating func bindInsert(_ insert: Insert) throws(Problem) -> BoundInsert {
        let target = try relation(insert.target)
        guard target.kind == .table || target.kind == .topic else {
            throw Problem(
                "42809", "cannot insert into \(target.kind.rawValue) \"\(insert.target.text)\"",
                hint: "insert into a table or a topic", position: insert.target.position)
        }
        var insert = insert
        var indexes = try targetColumns(insert, target)
        let defaults = try takeDefaults(of: &insert, indexes, target)
        let types = indexes.map { target.columns[$0].type }
        var plan = try bindQuery(insert.query, expected: insert.isByName ? [] : types)
        let fields = plan.schema.fields
        if insert.isByName {
            indexes = try self.indexes(of: fields, target, at: insert.query.position)
        }
        let fixed = try partitionValues(insert, target)
        let position = insert.query.position
        guard fields.count <= indexes.count else {
            throw Problem(
                "42601", "INSERT has more expressions than target columns",
                notes: [
                    "columns: " + indexes.map { target.columns[$0].name }.joined(separator: ", ")
                ],
                position: position)
        }
        guard insert.columns.isEmpty || fields.count == indexes.count else {
            throw Problem(
                "42601", "INSERT has more target columns than expressions",
                position: insert.columns[fields.count].position)
        }
        var columns: [NamedExpression] = []
        var given: [String] = []
        for (place, field) in target.columns.enumerated() {
            if let value = fixed.first(where: { $0.index == place }) {
                columns.append(NamedExpression(field.name, value.expression))
                given.append(field.name)
                continue
            }
            guard let source = indexes.firstIndex(of: place), source < fields.count,
                !defaults.whole.contains(source)
            else {
                var context = ExpressionContext(scope: Scope(), clause: "DEFAULT")
                context.allowsSubqueries = false
                let value = try bind(
                    target.defaultValue(of: field, at: position), &context)
                columns.append(
                    NamedExpression(
                        field.name, try assigned(value, to: field, at: position)))
                continue
            }
            given.append(field.name)
            if target.identityColumns[field.name] == false {
                throw Problem(
                    "428C9", "cannot insert a non-DEFAULT value into column \"\(field.name)\"",
                    notes: [
                        "Column \"\(field.name)\" is an identity column defined as GENERATED"
                            + " ALWAYS."
                    ], hint: "leave the column out", position: position)
            }
            let value = BoundExpression.column(source, fields[source].type)
            guard let fitting = try converted(value, to: field.type, .assignment, at: position)
            else {
                throw Problem(
                    "42804",
                    "column \"\(field.name)\" is of type \(field.type.plainName) "
                        + "but expression is of type \(fields[source].type.plainName)",
                    hint: "You will need to rewrite or cast the expression.", position: position)
            }
            columns.append(NamedExpression(field.name, fitting))
        }
        plan = try computed(
            .project(plan, columns), target, target.columns, behind: 0, given: given,
            at: insert.target.position)
        let scope = Scope(
            table: insert.alias?.name ?? insert.target.last, schema: nil, fields: target.columns)
        return BoundInsert(
            target: target, plan: plan,
            numberedColumns: target.columns.map(\.name).filter {
                target.identityColumns[$0] != nil
                    && (!given.contains($0) || defaults.numbered.contains($0))
            },
            returning: try returning(
                insert.returning, scope, rows: TableSchema(target.columns)))
    }

    /// Where VALUES say `DEFAULT`: the places of columns that say it in every row, which count as left
    /// out, and the identity columns that say it in some. In the rows something else takes its place.
    private func takeDefaults(
        of insert: inout Insert, _ indexes: [Int], _ target: RelationDescription
    ) throws(Problem) -> (whole: Set<Int>, numbered: Set<String>) {
        var whole: Set<Int> = []
        var numbered: Set<String> = []
        guard case .values(var rows) = insert.query.body, !insert.isByName else {
            return (whole, numbered)
        }
        for place in 0..<min(rows.first?.count ?? 0, indexes.count) {
            let count = rows.count { $0[place].kind == .defaultValue }
            if count == 0 { continue }
            if count == rows.count { whole.insert(place) }
            let column = target.columns[indexes[place]]
            for row in rows.indices where rows[row][place].kind == .defaultValue {
                let position = rows[row][place].position
                if whole.contains(place) {
                    rows[row][place] = Expression(.null, at: position)
                } else if target.identityColumns[column.name] != nil {
                    rows[row][place] = Expression(.null, at: position)
                    numbered.insert(column.name)
                } else if target.generatedTexts[column.name] != nil {
                    throw Problem(
                        "0A000",
                        "DEFAULT of generated column \"\(column.name)\" in some rows only is not"
                            + " supported yet", hint: "leave the column out",
                        position: position)
                } else {
                    rows[row][place] = try target.defaultValue(of: column, at: position)
                }
            }
        }
        insert.query.body = .values(rows)
        return (whole, numbered)
    }

    /// `BY NAME`: where the columns of the query go.
    private func indexes(
        of fields: [Field], _ target: RelationDescription, at position: Int
    ) throws(Problem) -> [Int] {
        var indexes: [Int] = []
        for field in fields {
            let index = try target.column(Identifier(field.name, position: position))
            guard !indexes.contains(index) else {
                throw Problem(
                    "42701", "column \"\(field.name)\" specified more than once",
                    position: position)
            }
            indexes.append(index)
        }
        return indexes
    }

    /// The values that `PARTITION (…)` gives to columns of all rows.
    private mutating func partitionValues(
        _ insert: Insert, _ target: RelationDescription
    ) throws(Problem) -> [(index: Int, expression: BoundExpression)] {
        var values: [(index: Int, expression: BoundExpression)] = []
        for part in insert.partition {
            let index = try target.column(part.column)
            guard let value = part.value else { continue }
            var context = ExpressionContext(scope: Scope(), clause: "PARTITION")
            context.allowsSubqueries = false
            values.append(
                (
                    index,
                    try assigned(
                        bind(value, &context), to: target.columns[index], at: value.position)
                ))
        }
        return values
    }

    /// The positions of the target's columns that the rows fill.
    private func targetColumns(
        _ insert: Insert, _ target: RelationDescription
    ) throws(Problem) -> [Int] {
        guard !insert.columns.isEmpty else {
            let fixed = insert.partition.filter { $0.value != nil }.map(\.column.name)
            return target.columns.indices.filter { !fixed.contains(target.columns[$0].name) }
        }
        var indexes: [Int] = []
        for column in insert.columns {
            guard let index = target.columns.firstIndex(where: { $0.name == column.name }) else {
                throw Problem(
                    "42703",
                    "column \"\(column.name)\" of relation \"\(target.name.name)\" does not exist",
                    hint: columnHint(column.name, target.columns.map(\.name)),
                    position: column.position)
            }
            guard !indexes.contains(index) else {
                throw Problem(
                    "42701", "column \"\(column.name)\" specified more than once",
                    position: column.position)
            }
            if insert.partition.contains(where: {
                $0.value != nil && $0.column.name == column.name
            }) {
                throw Problem(
                    "42701", "column \"\(column.name)\" has its value from PARTITION",
                    position: column.position)
            }
            indexes.append(index)
        }
        return indexes
    }
}
