// ALTER TABLE: settings and constraints of a Delta table.

import Base
import Catalog
import Columns
import Delta
import Engine
import SQL

extension Lakehouse {
    /// `ALTER TABLE … SET (…)`: settings of the Delta table.
    func setTableSettings(
        _ name: ObjectName, _ options: [StatementOption]
    ) throws(Problem) {
        let changed = try changedTable(name, "alter")
        try changeMetadata(changed, "SET TBLPROPERTIES") { metadata throws(Problem) in
            let before = metadata
            for option in options {
                metadata.configuration[try Self.settingName(option)] = option.text
            }
            try Self.requireReadableFiles(before, metadata, at: name.position)
        }
    }

    /// Throws when the files that are there could not be read any more: they have the names of column
    /// mapping.
    private static func requireReadableFiles(
        _ before: TableMetadata, _ after: TableMetadata, at position: Int
    ) throws(Problem) {
        guard before.columnMapping != .none, after.columnMapping != before.columnMapping else {
            return
        }
        throw Problem(
            "0A000", "column mapping cannot be taken back or changed",
            notes: ["the columns have other names in the files of the table"],
            hint: "copy the rows: CREATE TABLE … AS SELECT …", position: position)
    }

    /// Settings that a table keeps about itself: without them its files mean something else.
    private static func isOwnRecord(_ key: String) -> Bool {
        key.hasPrefix("delta.rowTracking.") || key == "delta.columnMapping.maxColumnId"
            || key.hasPrefix("delta.inCommitTimestampEnablement")
    }

    /// `ALTER TABLE … CLUSTER BY (…)`; files are put in order by the next OPTIMIZE.
    func setClustering(_ name: ObjectName, _ columns: [Identifier]) throws(Problem) {
        let changed = try changedTable(name, "alter")
        do throws(DeltaFailure) {
            var random = withRandom { $0.fork() }
            var transaction = try changed.table.begin(random: &random)
            try running { () throws(Problem) in
                try requireColumns(columns, transaction.snapshot.schema)
            }
            let names = columns.map(\.name)
            guard try names != transaction.snapshot.clusteringColumns() else { return }
            try transaction.setClustering(names)
            let list = JSONValue.array(names.map { .string($0) })
            _ = try transaction.commit(
                CommitOperation(
                    "CLUSTER BY",
                    parameters: [JSONMember("newClusteringColumns", .string(list.text))]),
                now: clock())
        } catch {
            throw error.statementProblem
        }
        noteChange(changed)
    }

    /// Throws when one of `columns` is not there.
    func requireColumns(_ columns: [Identifier], _ schema: TableSchema) throws(Problem) {
        for column in columns where schema.index(of: column.name) == nil {
            let names = schema.fields.map(\.name)
            throw Problem(
                "42703", "column \"\(column.name)\" does not exist",
                hint: nearestName(to: column.name, among: names).map {
                    "did you mean \"\($0)\"?"
                } ?? "columns: " + names.joined(separator: ", "), position: column.position)
        }
    }

    /// `ALTER TABLE … UNSET TBLPROPERTIES (…)`
    func unsetTableSettings(
        _ name: ObjectName, _ names: [Identifier], ifExists: Bool
    ) throws(Problem) {
        let changed = try changedTable(name, "alter")
        try changeMetadata(changed, "UNSET TBLPROPERTIES") { metadata throws(Problem) in
            let before = metadata
            for wanted in names {
                let key = metadata.configuration.keys.first {
                    $0.lowercased() == wanted.name.lowercased()
                }
                guard let key else {
                    if ifExists { continue }
                    throw Problem(
                        "42704", "the table has no setting \"\(wanted.name)\"",
                        notes: ["settings: " + metadata.configuration.keys.joined(separator: ", ")],
                        position: wanted.position)
                }
                guard !Self.isOwnRecord(key) else {
                    throw Problem(
                        "42501", "the setting \"\(key)\" belongs to the table itself",
                        notes: ["without it, what its files hold could not be told"],
                        position: wanted.position)
                }
                metadata.configuration[key] = nil
            }
            try Self.requireReadableFiles(before, metadata, at: name.position)
        }
    }

    /// `ALTER TABLE … ADD CONSTRAINT … CHECK (…)`: all rows must keep it already.
    func addConstraint(
        _ name: ObjectName, _ constraint: Identifier, _ condition: String, _ position: Int
    ) throws(Problem) {
        let changed = try changedTable(name, "alter")
        try changeMetadata(changed, "ADD CONSTRAINT", readsRows: true) { metadata throws(Problem) in
            let key = "delta.constraints." + constraint.name.lowercased()
            guard metadata.configuration[key] == nil else {
                throw Problem(
                    "42710", "constraint \"\(constraint.name)\" exists already",
                    position: constraint.position)
            }
            metadata.configuration[key] = condition
            do throws(DeltaFailure) {
                let rules = try RowConditions(metadata, clock: clock, zones: timeZones)
                var scan = try DeltaScan(changed.table, try changed.table.snapshot())
                while let batch = try scan.next() { try rules.check(batch) }
            } catch {
                throw error.statementProblem
            }
        }
    }

    func dropConstraint(
        _ name: ObjectName, _ constraint: Identifier, ifExists: Bool
    ) throws(Problem) {
        let changed = try changedTable(name, "alter")
        try changeMetadata(changed, "DROP CONSTRAINT") { metadata throws(Problem) in
            let key = "delta.constraints." + constraint.name.lowercased()
            guard metadata.configuration[key] != nil || ifExists else {
                throw Problem(
                    "42704", "constraint \"\(constraint.name)\" does not exist",
                    position: constraint.position)
            }
            metadata.configuration[key] = nil
        }
    }

    func changeMetadata(
        _ changed: ChangedTable, _ operation: String, parameters: [JSONMember] = [],
        readsRows: Bool = false, _ change: (inout TableMetadata) throws(Problem) -> Void
    ) throws(Problem) {
        try repeating { () throws(DeltaFailure) in
            var random = withRandom { $0.fork() }
            var transaction = try changed.table.begin(random: &random)
            if readsRows { transaction.markAsReading() }
            var metadata = transaction.metadata
            try running { () throws(Problem) in try change(&metadata) }
            guard metadata != transaction.metadata else { return }
            try transaction.setMetadata(metadata)
            _ = try transaction.commit(
                CommitOperation(operation, parameters: parameters), now: clock())
        }
        noteChange(changed)
    }

    /// The name of a table setting. Names of Delta keep their upper case letters, which SQL folds
    /// when they are not in quotes.
    static func settingName(_ option: StatementOption) throws(Problem) -> String {
        let known = [
            "delta.appendOnly", "delta.checkpoint.writeStatsAsJson",
            "delta.checkpoint.writeStatsAsStruct", "delta.checkpointInterval",
            "delta.checkpointPolicy", "delta.columnMapping.mode",
            "delta.dataSkippingNumIndexedCols", "delta.dataSkippingStatsColumns",
            "delta.deletedFileRetentionDuration",
            "delta.enableChangeDataFeed", "delta.enableDeletionVectors",
            "delta.enableInCommitTimestamps", "delta.enableRowTracking",
            "delta.enableTypeWidening",
            "delta.isolationLevel", "delta.logRetentionDuration",
        ]
        if let exact = known.first(where: { $0.lowercased() == option.name.lowercased() }) {
            return exact
        }
        let isFree =
            option.name.hasPrefix("delta.feature.")
            || !option.name.lowercased().hasPrefix("delta.") && option.name.contains(".")
        if isFree { return option.name }
        throw Problem(
            "22023", "a table has no setting \"\(option.name)\"",
            notes: ["settings: " + known.joined(separator: ", ")],
            hint: nearestName(to: option.name, among: known).map { "did you mean \"\($0)\"?" },
            position: option.position)
    }
}
