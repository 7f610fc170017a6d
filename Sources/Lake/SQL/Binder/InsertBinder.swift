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
        let indexes = try targetColumns(insert, target)
        let types = indexes.map { target.columns[$0].type }
        var plan = try bindQuery(insert.query, expected: types)
        let fields = plan.schema.fields
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
            guard let source = indexes.firstIndex(of: place), source < fields.count else {
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
        return BoundInsert(target: target, plan: plan)
    }

    /// The positions of the target's columns that the rows fill.
    private func targetColumns(
        _ insert: Insert, _ target: RelationDescription
    ) throws(Problem) -> [Int] {
        guard !insert.columns.isEmpty else { return Array(target.columns.indices) }
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
            indexes.append(index)
        }
        return indexes
    }
}
