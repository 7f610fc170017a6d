// DELETE, UPDATE and MERGE as queries for the rows that change. What comes out is, for each of them,
// its address (see `RowChangePlan`) and what becomes of it; whoever runs the plan changes the table.

import Base
import Columns

/// The rows that a statement changes.
package struct RowChangePlan: Hashable, Sendable {
    /// What becomes of a row.
    package enum Operation: Hashable, Sendable { case delete, update, insert }

    package var target: RelationDescription
    /// The address of a row of the target, NULL for a new one; then, when there is more than one
    /// operation, the number of the one that applies, an `integer`; then, unless all operations are
    /// deletes, the row as it shall be: the target's columns and `newColumns`.
    package var plan: LogicalPlan
    package var operations: [Operation]
    /// Columns that the table is to be given first.
    package var newColumns: [Field] = []
    /// Behind the row the plan then gives the columns of the other tables.
    package var returning: ReturningPlan?
    /// Columns that number the rows, of which the plan gives NULL for new rows.
    package var numberedColumns: [String] = []

    package init(
        target: RelationDescription, plan: LogicalPlan, operations: [Operation],
        newColumns: [Field] = []
    ) {
        self.target = target
        self.plan = plan
        self.operations = operations
        self.newColumns = newColumns
    }

    /// The hidden `bigint` column that a scan of the target has for the addresses of its rows. No
    /// name of this form can be written in SQL without quotes.
    package static let addressColumn = Field("$row", .int64)
    /// Behind the columns that RETURNING of a MERGE reads: `INSERT`, `UPDATE` or `DELETE`.
    package static let actionName = "$action"
}

/// Gives one relation its column of addresses.
private struct AddressedProvider: SchemaProvider {
    let base: any SchemaProvider
    let target: QualifiedName

    func relation(_ name: QualifiedName) throws(Problem) -> RelationDescription? {
        guard var found = try base.relation(name) else { return nil }
        if found.name == target { found.hiddenColumns.append(RowChangePlan.addressColumn) }
        return found
    }

    func columns(
        of name: QualifiedName, at travel: TimeTravel
    ) throws(Problem) -> [Field]? { try base.columns(of: name, at: travel) }

    func identifiedColumns(
        of name: QualifiedName, version: Int64
    ) throws(Problem) -> [IdentifiedColumn]? {
        try base.identifiedColumns(of: name, version: version)
    }

    func relationNames() -> [QualifiedName] { base.relationNames() }
}

extension Binder {
    // MARK: Entrances

    /// The optimized plan of the rows to delete.
    package func plan(_ delete: Delete) throws(Problem) -> RowChangePlan {
        let target = try changeTarget(delete.target, "delete from")
        var binder = addressing(target)
        let keepsRows = !delete.returning.isEmpty
        let plan = try binder.rows(
            of: delete.target, beside: delete.others, where: delete.filter, values: [], [],
            keepsRows: keepsRows)
        var result = RowChangePlan(
            target: target, plan: finished(plan, ordersJoins: false), operations: [.delete])
        if keepsRows {
            result.returning = try binder.returning(
                delete.returning, binder.changedScope(delete.target, delete.others),
                rows: TableSchema(Array(plan.schema.fields.dropFirst())))
        }
        return result
    }

    /// The optimized plan of the rows to update.
    package func plan(_ update: Update) throws(Problem) -> RowChangePlan {
        let target = try changeTarget(update.target, "update")
        for assignment in update.assignments {
            _ = try target.column(assignment.column)
        }
        var binder = addressing(target)
        let values = target.columns.map { field in
            update.assignments.first { $0.column.name == field.name }
        }
        var expressions: [Expression] = []
        for (field, assignment) in zip(target.columns, values) {
            expressions.append(try newValue(field, assignment, of: update.target, target))
        }
        let keepsRows = !update.returning.isEmpty
        var plan = try binder.rows(
            of: update.target, beside: update.others, where: update.filter, values: expressions,
            target.columns, keepsRows: keepsRows)
        plan = try computed(
            plan, target, target.columns, behind: 1, at: update.target.name.position)
        var result = RowChangePlan(
            target: target, plan: finished(plan, ordersJoins: false), operations: [.update])
        if keepsRows {
            result.returning = try binder.returning(
                update.returning,
                binder.changedScope(update.target, update.others),
                rows: TableSchema(Array(plan.schema.fields.dropFirst())))
        }
        return result
    }

    /// The optimized plan of the rows that a MERGE changes.
    package func plan(_ merge: Merge) throws(Problem) -> RowChangePlan {
        let target = try changeTarget(merge.target, "merge into")
        var binder = addressing(target)
        var result = try binder.bindMerge(merge, target)
        result.plan = finished(result.plan, ordersJoins: false)
        return result
    }

    // MARK: Targets

    private func addressing(_ target: RelationDescription) -> Binder {
        Binder(
            provider: AddressedProvider(base: provider, target: target.name), context: context)
    }

    private func changeTarget(
        _ target: ChangeTarget, _ verb: String
    ) throws(Problem) -> RelationDescription {
        let found = try relation(target.name)
        guard found.kind == .table else {
            throw Problem(
                "42809", "cannot \(verb) \(found.kind.rawValue) \"\(target.name.text)\"",
                hint: found.kind == .topic
                    ? "records of a topic stay; a topic with keys may be compacted"
                    : "change the rows of a table", position: target.name.position)
        }
        return found
    }

    /// Addresses and values of the target's rows that fulfil `filter`, perhaps together with rows of
    /// `others`; each row of the target once, whichever of its partners it was found with. With
    /// `keepsRows` the columns of all tables follow, those of the target only when there are no
    /// values.
    private mutating func rows(
        of target: ChangeTarget, beside others: [FromItem], where filter: Expression?,
        values: [Expression], _ columns: [Field], keepsRows: Bool
    ) throws(Problem) -> LogicalPlan {
        let position = target.name.position
        var select = Select(position: position)
        select.items = ([target.addressReference] + values).map { .expression($0, alias: nil) }
        select.from = [.table(target.reference)] + others
        select.filter = filter
        if keepsRows { select.items.append(.star(qualifier: nil, position: position)) }
        if !others.isEmpty { select.distinct = .on([target.addressReference]) }
        let query = Query(body: .select(select), position: position)
        let plan = try bindQuery(
            query, expected: [RowChangePlan.addressColumn.type] + columns.map(\.type))
        let fields = plan.schema.fields
        var outputs = [NamedExpression("$row", .column(0, .int64))]
        for (index, column) in columns.enumerated() {
            let given = BoundExpression.column(index + 1, fields[index + 1].type)
            outputs.append(
                NamedExpression(
                    column.name,
                    try assigned(given, to: column, at: values[index].position)))
        }
        if keepsRows {
            let first = columns.isEmpty ? 1 : 1 + 2 * columns.count
            for (index, field) in fields.enumerated().dropFirst(first) {
                outputs.append(NamedExpression(field.name, .column(index, field.type)))
            }
        }
        return .project(plan, outputs)
    }

    /// The columns of changed rows by their names: those of the target, then those of `others`.
    private func changedScope(
        _ target: ChangeTarget, _ others: [FromItem]
    ) throws(Problem) -> Scope {
        var binder = Binder(provider: provider, context: context)
        let (_, scope) = try binder.bindFrom([.table(target.reference)] + others, outer: [])
        var changed = Scope()
        changed.tables = scope.tables
        changed.entries = scope.star(table: nil, schema: nil)
        for index in changed.entries.indices {
            changed.entries[index].expression = .column(
                index, changed.entries[index].expression.type)
        }
        return changed
    }

    /// The expression of a column after an UPDATE.
    private func newValue(
        _ field: Field, _ assignment: Assignment?, of target: ChangeTarget,
        _ relation: RelationDescription
    ) throws(Problem) -> Expression {
        if relation.generatedTexts[field.name] != nil, let assignment, assignment.value != nil {
            throw Problem(
                "428C9", "column \"\(field.name)\" can only be updated to DEFAULT",
                notes: ["Column \"\(field.name)\" is a generated column."],
                position: assignment.column.position)
        }
        if let assignment { try relation.requireNoIdentity(assignment.column, isUpdate: true) }
        guard let assignment else { return target.reference(to: field.name) }
        if let value = assignment.value { return value }
        return try relation.defaultValue(of: field, at: assignment.column.position)
    }

    /// The same rows with the generated columns computed from the others. `given` are columns whose
    /// values stay as they are; the row begins behind `offset` columns.
    func computed(
        _ plan: LogicalPlan, _ target: RelationDescription, _ columns: [Field],
        behind offset: Int, given: [String] = [], at position: Int
    ) throws(Problem) -> LogicalPlan {
        let names = columns.map(\.name).filter {
            target.generatedTexts[$0] != nil && !given.contains($0)
        }
        guard !names.isEmpty else { return plan }
        let inputs = plan.schema.fields
        var outputs = inputs.enumerated().map {
            NamedExpression($1.name, .column($0, $1.type))
        }
        var binder = Binder(provider: provider, context: context.ofTable)
        for (index, column) in columns.enumerated() where names.contains(column.name) {
            let expression = try RelationDescription.stored(
                target.generatedTexts[column.name] ?? "", "the generated column", at: position)
            do throws(Problem) {
                let bound = try binder.expression(
                    expression, over: TableSchema(columns), table: target.name.name)
                let value = try assigned(
                    bound.mapColumns { $0 + offset }, to: column, at: position)
                outputs[index + offset].expression =
                    ZonedExpressions(context.ofTable.clock).expression(value)
            } catch {
                var problem = error
                problem.position = position
                problem.notes.append("in the generated column \"\(column.name)\"")
                throw problem
            }
        }
        return .project(plan, outputs)
    }

    func assigned(
        _ value: BoundExpression, to column: Field, at position: Int
    ) throws(Problem) -> BoundExpression {
        if let fitting = try converted(value, to: column.type, .assignment, at: position) {
            return fitting
        }
        throw Problem(
            "42804",
            "column \"\(column.name)\" is of type \(column.type.plainName) "
                + "but expression is of type \(value.type.plainName)",
            hint: "You will need to rewrite or cast the expression.", position: position)
    }

    // MARK: MERGE

    private mutating func bindMerge(
        _ merge: Merge, _ target: RelationDescription
    ) throws(Problem) -> RowChangePlan {
        let (left, leftScope) = try bindMergeTarget(merge.target, target)
        let (source, sourceScope) = try bindFrom([merge.source], outer: [])
        for table in sourceScope.tables where leftScope.hasTable(table.name) {
            throw Problem(
                "42712", "name \"\(table.name)\" specified more than once",
                notes: ["The name is used both as MERGE target table and data source."],
                hint: "give the source an alias", position: merge.source.position)
        }
        // A column that tells rows of the source from the NULLs of an outer join.
        let sourceFields = source.schema.fields
        let right = LogicalPlan.project(
            source,
            sourceFields.enumerated().map {
                NamedExpression($1.name, .column($0, $1.type))
            } + [NamedExpression("$present", .literal(.boolean(true), .boolean))])
        let width = left.schema.fields.count
        let scope = leftScope.joined(with: sourceScope, width: width)
        var node = JoinNode(kind: Self.joinKind(merge.clauses), left: left, right: right)
        try bindOn(merge.condition, scope, [], &node)
        // Without equalities every pair is tried, which kinds with unmatched rows allow, too.
        let joined = LogicalPlan.join(node)
        let address = BoundExpression.column(width - 1, .int64)
        let present = BoundExpression.column(width + sourceFields.count, .boolean)

        var result = RowChangePlan(
            target: target, plan: joined, operations: [],
            newColumns: try merge.evolvesSchema
                ? newColumns(merge.clauses, target, sourceScope) : [])
        let columns = target.columns + result.newColumns
        var branches: [BoundExpression.Branch] = []
        var rows: [[BoundExpression]?] = []
        for clause in merge.clauses {
            let side: BoundExpression
            switch clause.kind {
            case .matched: side = .and([.isNotNull(address), .isNotNull(present)])
            case .notMatched: side = .isNull(address)
            case .notMatchedBySource: side = .isNull(present)
            }
            let visible = clause.kind.scope(leftScope, scope, width: width, sourceScope)
            let condition = try clause.condition.map { condition throws(Problem) in
                try mergeCondition(condition, visible, clause.kind)
            }
            branches.append(
                BoundExpression.Branch(
                    condition: .all(of: [side] + (condition.map { [$0] } ?? [])) ?? side,
                    value: .literal(.int(Int64(rows.count)), .int32)))
            var row = try mergeRow(
                clause, target, columns, visible, MergeSides(sourceScope, width: width))
            if row.operation == .delete, !merge.returning.isEmpty {
                // What is deleted is given back as it was.
                row.values = columns.enumerated().map { index, column in
                    index < target.columns.count
                        ? .column(index, column.type) : .literal(.null, column.type)
                }
            }
            rows.append(row.values)
            result.operations.append(row.operation ?? .delete)
            if row.operation == nil {
                // DO NOTHING: no number, and so no row.
                branches[branches.count - 1].value = .literal(.null, .int32)
            }
        }
        let shown = merge.returning.isEmpty ? [] : sourceScope.star(table: nil, schema: nil)
        let others = shown.map { entry in
            NamedExpression(
                entry.name, entry.expression.mapColumns { $0 < 0 ? $0 : $0 + width })
        }
        let placed = try place(
            branches.map(\.condition) + rows.flatMap { $0 ?? [] }, over: joined, at: merge.position)
        var next = placed.expressions[...]
        for index in branches.indices { branches[index].condition = next.removeFirst() }
        rows = rows.map { row in row.map { $0.map { _ in next.removeFirst() } } }
        result.plan = mergeOutput(placed.plan, address, branches, rows, columns, others)
        result.returning = try mergeReturning(
            merge, (target: leftScope, source: sourceScope), shown, columns)
        if rows.contains(where: { $0 != nil }) {
            result.plan = try computed(
                result.plan, target, columns, behind: 2, at: merge.position)
        }
        // Rows that bring no number get one; NULL stands for that in a MERGE.
        result.numberedColumns = target.columns.map(\.name).filter {
            target.identityColumns[$0] != nil
        }
        return result
    }

    /// Which rows without a partner are wanted. The target streams by, the source is kept.
    private static func joinKind(_ clauses: [MergeClause]) -> JoinKind {
        let keepsSource = clauses.contains { $0.kind == .notMatched }
        let keepsTarget = clauses.contains { $0.kind == .notMatchedBySource }
        if keepsSource { return keepsTarget ? .full : .right }
        return keepsTarget ? .left : .inner
    }

    private mutating func bindMergeTarget(
        _ target: ChangeTarget, _ relation: RelationDescription
    ) throws(Problem) -> (LogicalPlan, Scope) {
        try bindFrom([.table(target.reference)], outer: [])
    }

    private mutating func mergeCondition(
        _ condition: Expression, _ scope: Scope, _ kind: MergeClause.Kind
    ) throws(Problem) -> BoundExpression {
        var context = ExpressionContext(scope: scope, clause: "MERGE WHEN conditions")
        return try boolean(
            bind(condition, &context), of: "\(kind.rawValue) AND", at: condition.position)
    }

    /// The address, the number of the clause that applies, and the row that comes of it; rows for
    /// which no clause applies are left out.
    private func mergeOutput(
        _ joined: LogicalPlan, _ address: BoundExpression, _ branches: [BoundExpression.Branch],
        _ rows: [[BoundExpression]?], _ columns: [Field], _ others: [NamedExpression]
    ) -> LogicalPlan {
        let inputs = joined.schema.fields
        let number = BoundExpression.column(inputs.count, .int32)
        let numbered = LogicalPlan.project(
            joined,
            inputs.enumerated().map { NamedExpression($1.name, .column($0, $1.type)) } + [
                NamedExpression("$clause", .conditional(branches, otherwise: nil, .int32))
            ])
        var outputs = [NamedExpression("$row", address), NamedExpression("$clause", number)]
        if rows.contains(where: { $0 != nil }) {
            for (index, column) in columns.enumerated() {
                var values: [BoundExpression.Branch] = []
                for (clause, row) in rows.enumerated() {
                    guard let row else { continue }
                    values.append(
                        BoundExpression.Branch(
                            condition: .call(
                                .equal, [number, .literal(.int(Int64(clause)), .int32)],
                                .boolean), value: row[index]))
                }
                outputs.append(
                    NamedExpression(
                        column.name, .conditional(values, otherwise: nil, column.type)))
            }
        }
        return .project(.filter(numbered, .isNotNull(number)), outputs + others)
    }

    /// What RETURNING gives back: of the columns of the target, behind them those of the source that
    /// are `shown`, and at last what was done. As in PostgreSQL, `*` has the source's columns first.
    private mutating func mergeReturning(
        _ merge: Merge, _ scopes: (target: Scope, source: Scope), _ shown: [Scope.Entry],
        _ columns: [Field]
    ) throws(Problem) -> ReturningPlan? {
        guard !merge.returning.isEmpty else { return nil }
        let action = Field(RowChangePlan.actionName, .text)
        let others = shown.map { Field($0.name, $0.expression.type) }
        var scope = Scope()
        scope.tables = scopes.source.tables + scopes.target.tables
        for (index, entry) in shown.enumerated() {
            var own = entry
            own.expression = .column(columns.count + index, entry.expression.type)
            scope.entries.append(own)
        }
        let table = scopes.target.tables.first
        for (index, column) in columns.enumerated() {
            scope.entries.append(
                Scope.Entry(
                    name: column.name, table: table?.name, schema: table?.schema,
                    expression: .column(index, column.type)))
        }
        var binder = Binder(provider: provider, context: context)
        binder.mergeAction = .column(columns.count + others.count, .text)
        return try binder.returning(
            merge.returning, scope, rows: TableSchema(columns + others + [action]))
    }

    /// Columns of the source that the table lacks, when a clause takes all columns.
    private func newColumns(
        _ clauses: [MergeClause], _ target: RelationDescription, _ source: Scope
    ) throws(Problem) -> [Field] {
        guard clauses.contains(where: { $0.action == .updateAll || $0.action == .insertAll })
        else { return [] }
        var fields: [Field] = []
        for entry in source.star(table: nil, schema: nil) {
            let name = entry.name
            if target.columns.contains(where: { $0.name.lowercased() == name.lowercased() }) {
                continue
            }
            guard entry.expression.type != .null else {
                throw Problem(
                    "42P16", "column \"\(name)\" of the source has no type",
                    hint: "cast it: NULL::text")
            }
            fields.append(Field(name, entry.expression.type))
        }
        return fields
    }

    /// What a clause makes of a row: nil values for a delete, a nil operation for nothing.
    private mutating func mergeRow(
        _ clause: MergeClause, _ target: RelationDescription, _ columns: [Field],
        _ scope: Scope, _ sides: MergeSides
    ) throws(Problem) -> (operation: RowChangePlan.Operation?, values: [BoundExpression]?) {
        var context = ExpressionContext(scope: scope, clause: "MERGE")
        func own(_ index: Int) -> BoundExpression {
            index < target.columns.count
                ? .column(index, target.columns[index].type)
                : .literal(.null, columns[index].type)
        }
        switch clause.action {
        case .doNothing: return (nil, nil)
        case .delete: return (.delete, nil)
        case .update(let assignments):
            for assignment in assignments {
                _ = try target.column(assignment.column)
                try target.requireNoIdentity(assignment.column, isUpdate: true)
            }
            var values: [BoundExpression] = []
            for (index, column) in columns.enumerated() {
                guard let found = assignments.first(where: { $0.column.name == column.name })
                else {
                    values.append(own(index))
                    continue
                }
                let expression: Expression
                if let value = found.value {
                    expression = value
                } else {
                    expression = try target.defaultValue(of: column, at: found.column.position)
                }
                values.append(
                    try assigned(
                        bind(expression, &context), to: column, at: expression.position))
            }
            return (.update, values)
        case .updateAll, .insertAll:
            let isUpdate = clause.action == .updateAll
            var values: [BoundExpression] = []
            for (index, column) in columns.enumerated() {
                // Numbers of rows stay, and new rows get theirs, where they may not bring one.
                if let allowsValues = target.identityColumns[column.name],
                    isUpdate || !allowsValues
                {
                    values.append(isUpdate ? own(index) : .literal(.null, column.type))
                    continue
                }
                guard let given = sides.source(column.name) else {
                    // A column that the source does not have.
                    if index < target.columns.count, target.isRequiredOfSource(column) {
                        throw Problem(
                            "42703", "the source has no column \"\(column.name)\"",
                            notes: ["\(isUpdate ? "UPDATE SET *" : "INSERT *") needs all columns"],
                            hint: "write the columns and their values", position: clause.position)
                    }
                    values.append(isUpdate ? own(index) : .literal(.null, column.type))
                    continue
                }
                values.append(try assigned(given, to: column, at: clause.position))
            }
            return (isUpdate ? .update : .insert, values)
        case .insert(let names, let given):
            return (
                .insert,
                try insertedRow(clause, names, given, target, columns, &context)
            )
        }
    }

    private mutating func insertedRow(
        _ clause: MergeClause, _ names: [Identifier], _ given: [Expression?],
        _ target: RelationDescription, _ columns: [Field], _ context: inout ExpressionContext
    ) throws(Problem) -> [BoundExpression] {
        var places: [Int] = []
        for name in names {
            let place = try target.column(name)
            guard !places.contains(place) else {
                throw Problem(
                    "42701", "column \"\(name.name)\" specified more than once",
                    position: name.position)
            }
            places.append(place)
        }
        if names.isEmpty { places = Array(target.columns.indices) }
        guard given.count == places.count else {
            throw Problem(
                "42601",
                given.count > places.count
                    ? "INSERT has more expressions than target columns"
                    : "INSERT has more target columns than expressions",
                position: clause.position)
        }
        var values: [BoundExpression] = []
        for (index, column) in columns.enumerated() {
            let expression: Expression
            if let place = places.firstIndex(of: index), let value = given[place] {
                try target.requireNoIdentity(
                    Identifier(column.name, position: value.position), isUpdate: false)
                expression = value
            } else {
                expression = try target.defaultValue(of: column, at: clause.position)
            }
            values.append(
                try assigned(bind(expression, &context), to: column, at: expression.position))
        }
        return values
    }
}

/// Where the columns of a MERGE's source are.
private struct MergeSides {
    private let sourceScope: Scope
    private let width: Int

    init(_ source: Scope, width: Int) {
        sourceScope = source
        self.width = width
    }

    func source(_ name: String) -> BoundExpression? {
        let found = sourceScope.star(table: nil, schema: nil).filter { $0.name == name }
        guard found.count == 1 else { return nil }
        return found[0].expression.mapColumns { $0 < 0 ? $0 : $0 + width }
    }
}

extension MergeClause.Kind {
    /// The columns that a clause may name: those of the side that is there.
    fileprivate func scope(_ target: Scope, _ both: Scope, width: Int, _ source: Scope) -> Scope {
        switch self {
        case .matched: both
        case .notMatchedBySource: target
        case .notMatched: Scope().joined(with: source, width: width)
        }
    }
}

extension ChangeTarget {
    /// The name by which expressions reach the target.
    private var scopeName: String { alias?.name ?? name.last }

    fileprivate var reference: TableReference {
        var table = TableReference(name: name)
        table.alias = alias.map { TableAlias(name: $0, columns: []) }
        return table
    }

    fileprivate func reference(to column: String) -> Expression {
        let position = name.position
        return Expression(
            .column(
                ObjectName([
                    Identifier(scopeName, position: position),
                    Identifier(column, position: position),
                ])), at: position)
    }

    fileprivate var addressReference: Expression {
        reference(to: RowChangePlan.addressColumn.name)
    }
}

extension RelationDescription {
    /// The place of a column, or the error that there is none.
    package func column(_ wanted: Identifier) throws(Problem) -> Int {
        if let index = columns.firstIndex(where: { $0.name == wanted.name }) { return index }
        throw Problem(
            "42703", "column \"\(wanted.name)\" of relation \"\(name.name)\" does not exist",
            hint: columnHint(wanted.name, columns.map(\.name)), position: wanted.position)
    }

    /// What `DEFAULT` stands for in a column; NULL where nothing else was said.
    func defaultValue(of column: Field, at position: Int) throws(Problem) -> Expression {
        guard let text = defaultTexts[column.name] else { return Expression(.null, at: position) }
        return try Self.stored(text, "the default of column \"\(column.name)\"", at: position)
    }

    /// An expression that the table keeps as text.
    static func stored(
        _ text: String, _ what: String, at position: Int
    ) throws(Problem) -> Expression {
        do throws(Problem) {
            return try Parser.expression(text)
        } catch {
            throw Problem(
                "0A000", "\(what) cannot be computed: \(text)", notes: [error.message],
                position: position)
        }
    }

    /// Throws when statements may not give a value to an identity column.
    func requireNoIdentity(_ column: Identifier, isUpdate: Bool) throws(Problem) {
        guard let allowsValues = identityColumns[column.name], isUpdate || !allowsValues else {
            return
        }
        throw Problem(
            "428C9",
            isUpdate
                ? "column \"\(column.name)\" cannot be updated"
                : "cannot insert a non-DEFAULT value into column \"\(column.name)\"",
            notes: ["Column \"\(column.name)\" is an identity column."],
            position: column.position)
    }

    func isRequiredOfSource(_ column: Field) -> Bool {
        !column.isNullable && defaultTexts[column.name] == nil
            && identityColumns[column.name] == nil
    }
}
