// ALTER TABLE … COLUMN: the columns of a Delta table change, its files stay as they are.

import Base
import Catalog
import Columns
import Delta
import Engine
import SQL

extension Lakehouse {
    // MARK: ADD, DROP, RENAME

    func addColumns(
        _ name: ObjectName, _ additions: [ColumnAddition], ifNotExists: Bool
    ) throws(Problem) {
        let changed = try changedTable(name, "alter")
        try requireOwnColumns(changed)
        var fields: [(addition: ColumnAddition, field: DeltaField)] = []
        for addition in additions {
            let definition = addition.column
            if let value = definition.value {
                throw Problem(
                    "0A000",
                    "a default or generated value of a new column is not supported",
                    notes: [
                        "the table's rows have NULL in a column that comes later: the format keeps"
                            + " no other value for them"
                    ],
                    hint: "add the column, ALTER COLUMN … SET DEFAULT, then UPDATE",
                    position: value.position)
            }
            fields.append((addition, try deltaField(definition)))
        }
        try changeMetadata(changed, "ADD COLUMNS", readsRows: true) { metadata throws(Problem) in
            for (addition, field) in fields {
                let column = addition.column.name
                if metadata.schema.fields.contains(where: {
                    $0.name.lowercased() == field.name.lowercased()
                }) {
                    if ifNotExists { continue }
                    throw Problem(
                        "42701", "column \"\(field.name)\" of \(changed.name) already exists",
                        position: column.position)
                }
                if !field.isNullable, try hasRows(changed) {
                    throw Problem(
                        "23502", "column \"\(field.name)\" would be NULL in the rows of the table",
                        hint: "add it without NOT NULL, UPDATE, then ALTER COLUMN … SET NOT NULL",
                        position: column.position)
                }
                switch addition.place {
                case .last: metadata.schema.fields.append(field)
                case .first: metadata.schema.fields.insert(field, at: 0)
                case .after(let other):
                    metadata.schema.fields.insert(field, at: try metadata.index(of: other) + 1)
                }
            }
        }
    }

    private func deltaField(_ definition: ColumnDefinition) throws(Problem) -> DeltaField {
        let field = Field(
            definition.name.name, try columnType(definition.type),
            isNullable: !definition.isNotNull)
        do throws(DeltaFailure) {
            guard let stored = try DeltaSchema(TableSchema([field])).fields.first else {
                throw .invalid("no column")
            }
            return definition.comment.map { stored.setting(DeltaField.commentKey, $0) } ?? stored
        } catch {
            var problem = error.problem
            problem.position = definition.name.position
            throw problem
        }
    }

    private func hasRows(_ changed: ChangedTable) throws(Problem) -> Bool {
        do throws(DeltaFailure) {
            let snapshot = try changed.table.snapshot()
            return snapshot.rowCount.map { $0 > 0 } ?? (snapshot.fileCount > 0)
        } catch {
            throw error.statementProblem
        }
    }

    func dropColumns(
        _ name: ObjectName, _ columns: [Identifier], ifExists: Bool
    ) throws(Problem) {
        let changed = try changedTable(name, "alter")
        try requireOwnColumns(changed)
        try changeMetadata(changed, "DROP COLUMNS") { metadata throws(Problem) in
            var isMapped = false
            for column in columns {
                if ifExists, metadata.schema.field(named: column.name) == nil { continue }
                let index = try metadata.index(of: column)
                if !isMapped { try requireMapping(metadata, "DROP COLUMN", column) }
                isMapped = true
                if metadata.partitionColumns.contains(column.name) {
                    throw Problem(
                        "0A000", "partition column \"\(column.name)\" cannot be dropped",
                        hint: "make a new table: CREATE OR REPLACE TABLE … AS SELECT …",
                        position: column.position)
                }
                metadata.schema.fields.remove(at: index)
                metadata.forgetStatistics(of: column.name, renamedTo: nil)
            }
            guard metadata.storedFields.count > 0 else {
                throw Problem(
                    "42P16", "a table must keep a column that is no partition column",
                    position: columns[0].position)
            }
            try requireBindable(metadata, columns[0], "dropped")
        }
    }

    func renameColumn(
        _ name: ObjectName, _ column: Identifier, to newName: Identifier
    ) throws(Problem) {
        let changed = try changedTable(name, "alter")
        try requireOwnColumns(changed)
        try changeMetadata(
            changed, "RENAME COLUMN",
            parameters: [
                JSONMember("oldColumnPath", .string(column.name)),
                JSONMember("newColumnPath", .string(newName.name)),
            ]
        ) { metadata throws(Problem) in
            let index = try metadata.index(of: column)
            try requireMapping(metadata, "RENAME COLUMN", column)
            if metadata.schema.fields.enumerated().contains(where: {
                $0.offset != index && $0.element.name.lowercased() == newName.name.lowercased()
            }) {
                throw Problem(
                    "42701", "column \"\(newName.name)\" of \(changed.name) already exists",
                    position: newName.position)
            }
            metadata.schema.fields[index].name = newName.name
            metadata.partitionColumns = metadata.partitionColumns.map {
                $0 == column.name ? newName.name : $0
            }
            metadata.forgetStatistics(of: column.name, renamedTo: newName.name)
            try requireBindable(metadata, column, "renamed")
        }
        guard let object = changed.object else { return }
        try catalog.alter(object.name, now: clock().timestamp) { object throws(Problem) in
            object.partitionColumns = object.partitionColumns.map {
                $0 == column.name ? newName.name : $0
            }
        }
    }

    /// Without column mapping the names of columns are those in the files, which stay.
    private func requireMapping(
        _ metadata: TableMetadata, _ statement: String, _ column: Identifier
    ) throws(Problem) {
        guard metadata.columnMapping == .none else { return }
        throw Problem(
            "55000", "\(statement) needs column mapping, which this table does not have",
            notes: ["without it the names of columns are those in the table's files"],
            hint: "ALTER TABLE … SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name'), which"
                + " raises the table's protocol: older readers and Polars cannot read it then",
            position: column.position)
    }

    /// Throws when constraints or generated columns speak of a column that is there no more.
    private func requireBindable(
        _ metadata: TableMetadata, _ column: Identifier, _ verb: String
    ) throws(Problem) {
        do throws(DeltaFailure) {
            _ = try RowConditions(metadata, clock: clock, zones: timeZones)
        } catch {
            let problem = error.problem
            throw Problem(
                "2BP01",
                "column \"\(column.name)\" cannot be \(verb): the table's conditions use it",
                notes: [problem.message] + problem.notes,
                hint: "drop the constraint or the generated column first",
                position: column.position)
        }
    }

    /// The columns of a streaming table or a view come from its query.
    private func requireOwnColumns(_ changed: ChangedTable) throws(Problem) {
        guard let object = changed.object, object.kind != .table, object.kind != .externalTable
        else { return }
        throw Problem(
            "42809", "the columns of \(object.kind.words) \"\(object.name)\" come from its query",
            hint: "drop it and create it with another query")
    }

    // MARK: ALTER COLUMN

    func alterColumn(
        _ name: ObjectName, _ column: Identifier, _ change: ColumnChange
    ) throws(Problem) {
        if case .comment(let text) = change {
            try commentOnColumn(column, of: name, text)
            return
        }
        let changed = try changedTable(name, "alter")
        try requireOwnColumns(changed)
        let readsRows = change == .setNotNull
        try changeMetadata(
            changed, "CHANGE COLUMN", readsRows: readsRows
        ) { metadata throws(Problem) in
            let index = try metadata.index(of: column)
            let field = metadata.schema.fields[index]
            switch change {
            case .comment: break
            case .dropNotNull:
                if try identity(field) != nil {
                    throw Problem(
                        "55000", "column \"\(column.name)\" is an identity column",
                        position: column.position)
                }
                metadata.schema.fields[index].isNullable = true
            case .setNotNull:
                try requireNoNulls(changed, column)
                metadata.schema.fields[index].isNullable = false
            case .dropDefault:
                metadata.schema.fields[index] = field.setting(DeltaField.defaultKey, nil)
            case .setDefault(let text, let position):
                if try identity(field) != nil || field.generationExpression != nil {
                    throw Problem(
                        "42601", "column \"\(column.name)\" has a generated value",
                        position: column.position)
                }
                try check(default: text, of: engineType(field), at: position)
                metadata.schema.fields[index] = field.setting(DeltaField.defaultKey, text)
            case .type(let type):
                metadata.schema.fields[index] = try widened(field, to: type, metadata, column)
                try requireBindable(metadata, column, "changed")
            }
        }
    }

    private func identity(_ field: DeltaField) throws(Problem) -> IdentityColumn? {
        do throws(DeltaFailure) { return try field.identity() } catch { throw error.problem }
    }

    private func engineType(_ field: DeltaField) throws(Problem) -> ColumnType {
        do throws(DeltaFailure) {
            return try DeltaSchema(fields: [field]).tableSchema().fields[0].type
        } catch {
            throw error.problem
        }
    }

    private func requireNoNulls(
        _ changed: ChangedTable, _ column: Identifier
    ) throws(Problem) {
        do throws(DeltaFailure) {
            var scan = try DeltaScan(
                changed.table, try changed.table.snapshot(), columns: [column.name])
            while let batch = try scan.next() {
                guard batch.columns[0].nullCount == 0 else {
                    throw .statement(
                        Problem(
                            "23502",
                            "column \"\(column.name)\" of \(changed.name) contains null values",
                            position: column.position))
                }
            }
        } catch {
            throw error.statementProblem
        }
    }

    private func widened(
        _ field: DeltaField, to type: TypeName, _ metadata: TableMetadata, _ column: Identifier
    ) throws(Problem) -> DeltaField {
        let wanted = try deltaField(ColumnDefinition(name: column, type: type))
        if wanted.type == field.type,
            wanted.metadataValue(DeltaField.declaredTypeKey)
                == field.metadataValue(DeltaField.declaredTypeKey)
        {
            return field
        }
        guard field.type.widens(to: wanted.type) else {
            throw Problem(
                "42804", "column \"\(column.name)\" cannot become \(type.name)",
                notes: [
                    "files stay as they are, so the new type must hold every value of the old:"
                        + " wider integers and decimals, double for integer and real, timestamp for"
                        + " date"
                ],
                hint: "add a column, UPDATE, drop the old one", position: type.position)
        }
        if try identity(field) != nil || field.generationExpression != nil {
            throw Problem(
                "0A000", "the type of a generated column cannot change", position: column.position)
        }
        if field.type == .date, metadata.partitionColumns.contains(column.name) {
            throw Problem(
                "0A000", "a partition column of type date keeps its type",
                position: column.position)
        }
        guard metadata.flag("delta.enableTypeWidening") else {
            throw Problem(
                "55000", "ALTER COLUMN … TYPE needs type widening, which this table does not have",
                hint: "ALTER TABLE … SET TBLPROPERTIES ('delta.enableTypeWidening' = true), which"
                    + " raises the table's protocol: delta-rs and Polars cannot read it then",
                position: type.position)
        }
        return field.widened(to: wanted.type)
    }
}

extension TableMetadata {
    /// Changes or removes a column in the list of those that have statistics.
    fileprivate mutating func forgetStatistics(of column: String, renamedTo newName: String?) {
        let key = "delta.dataSkippingStatsColumns"
        guard let list = configuration[key] else { return }
        let names = list.split(separator: ",").map {
            String($0.drop { $0 == " " })
        }
        let kept = names.compactMap { $0 == column ? newName : $0 }
        configuration[key] = kept.isEmpty ? nil : kept.joined(separator: ",")
    }
}
