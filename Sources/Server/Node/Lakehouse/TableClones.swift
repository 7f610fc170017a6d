// CREATE TABLE … SHALLOW CLONE: a table that begins with the files of another one.

import Base
import Catalog
import Columns
import Delta
import SQL

/// What a clone is made of.
struct CloneInput {
    var table: DeltaTable
    var snapshot: TableSnapshot
    /// The source as the history of the clone names it.
    var name: String
    var settings: OrderedMap<String, String>
}

extension Lakehouse {
    func clone(
        _ source: CloneSource, _ table: CreateTable, _ text: String, _ options: StatementOptions
    ) throws(Problem) -> StatementAnswer {
        let from = try changedTable(source.name, "clone")
        if let object = from.object, object.kind == .materializedView {
            throw Problem(
                "0A000", "a shallow clone of materialized view \"\(object.name)\" would not last",
                notes: ["each refresh replaces all files, and old ones are soon deleted"],
                hint: "copy the rows: CREATE TABLE … AS SELECT * FROM \(object.name)",
                position: source.name.position)
        }
        var settings: OrderedMap<String, String> = [:]
        for option in table.options { settings[try Self.settingName(option)] = option.text }
        let version = try source.travel.map { travel throws(Problem) in
            try self.version(travel, of: from.table, options)
        }
        let input: CloneInput
        do throws(DeltaFailure) {
            var snapshot = try from.table.snapshot()
            if let version { snapshot = try from.table.snapshot(version: version) }
            input = CloneInput(
                table: from.table, snapshot: snapshot,
                name: from.object.map { "\($0.name)" } ?? "delta.`\(from.table.path)`",
                settings: settings)
        } catch {
            throw error.statementProblem
        }
        let tag = "CREATE TABLE"
        var object = CatalogObject(
            .table, table.name.qualified, statement: text, query: "", owner: Self.owner,
            now: clock().timestamp)
        let metadata = input.snapshot.metadata
        object.columns = metadata.schema.fields.enumerated().map { index, field in
            var column = CatalogColumn(input.snapshot.schema.fields[index])
            column.comment = field.metadataValue(DeltaField.commentKey)?.stringValue
            return column
        }
        object.partitionColumns = metadata.partitionColumns
        object.properties = metadata.configuration
        for (key, value) in settings { object.properties[key] = value }
        object.comment = metadata.comment
        guard table.orReplace, let known = catalog.image.object(object.name) else {
            return try createStored(
                object, ifNotExists: table.ifNotExists, cloning: input, tag)
        }
        // Checks kind and columns before anything happens.
        _ = try catalog.image.creating(object, .orReplace)
        let target = try self.table(of: known)
        _ = try repeating { () throws(DeltaFailure) in
            var random = withRandom { $0.fork() }
            return try target.clone(
                input.table, at: input.snapshot, named: input.name, name: object.name.name,
                settings: input.settings, replaces: true, random: &random, now: clock())
        }
        object.path = known.path
        let stored = try catalog.create(object, .orReplace) ?? object
        updateActivity(of: stored)
        return done(tag)
    }
}
