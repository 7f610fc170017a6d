// Lists and descriptions of what the lakehouse has.

import Base
import Catalog
import Columns
import Delta
import SQL

extension Lakehouse {
    package func completion(of text: String) -> Completion {
        let own = catalog.image.relations.map { object in
            (name: object.name, columns: object.columns.map(\.name))
        }
        let system = SystemTable.allCases.map { table in
            (name: table.name, columns: table.schema.fields.map(\.name))
        }
        return Completion(
            of: text, relations: own + system, settings: SessionSettings.known.map(\.name))
    }

    package func tables(layer: String?) throws(Problem) -> [TableReport] {
        try refreshCatalog()
        let image = catalog.image
        if let layer, image.schema(layer) == nil {
            let near = nearestName(to: layer, among: image.schemas.map(\.name.name))
            throw Problem(
                "3F000", "there is no layer \"\(layer)\"",
                hint: near.map { "did you mean \($0)?" }
                    ?? "layers: " + image.schemas.map(\.name.name).joined(separator: ", "))
        }
        return image.relations(
            in: layer, kinds: [.streamingTable, .materializedView, .view, .table, .externalTable]
        ).map { report(of: $0, in: image) }
    }

    package func table(_ name: String) throws(Problem) -> TableReport {
        try refreshCatalog()
        let image = catalog.image
        let object = try image.require(text: name)
        var report = report(of: object, in: image)
        if object.kind == .view, report.columns.isEmpty {
            report.columns = try plan(Parser.query(object.query)).schema.fields
        }
        return report
    }

    package func history(_ name: String, limit: Int) throws(Problem) -> [VersionReport] {
        try refreshCatalog()
        let table = try table(of: catalog.image.require(text: name))
        do throws(DeltaFailure) {
            return try table.history(limit: limit).map {
                VersionReport(
                    version: $0.version, timestamp: $0.timestamp, operation: $0.operation,
                    metrics: $0.metrics)
            }
        } catch {
            throw error.problem
        }
    }

    package func lineage(_ name: String) throws(Problem) -> JSONValue {
        try refreshCatalog()
        return try catalog.image.lineageReport(of: name)
    }

    package func catalogReport() throws(Problem) -> JSONValue {
        try refreshCatalog()
        return catalog.image.report(now: clock().timestamp)
    }

    /// The snapshot that the last commit left, which is newer than what the job of a table has
    /// reported. A table that was found in a folder is read for it.
    private func reportedSnapshot(_ object: CatalogObject) throws(Problem) -> TableSnapshot? {
        guard object.kind.isStored else { return nil }
        let table = try table(of: object)
        if let known = table.cachedSnapshot { return known }
        guard object.columns.isEmpty else { return nil }
        do throws(DeltaFailure) { return try table.snapshot() } catch { throw error.problem }
    }

    private func report(of object: CatalogObject, in image: CatalogImage) -> TableReport {
        var report = TableReport(
            schema: object.name.schema ?? "", name: object.name.name, kind: object.kind.words)
        report.owner = object.owner
        report.comment = object.comment
        report.columns = object.columns.map(\.field)
        report.partitionColumns = object.partitionColumns
        report.path = object.path
        report.sources = object.sources.map { "\($0)" }
        report.settings = object.properties.map { TopicSetting($0.key, $0.value) }
        report.tags = object.tags.map { TopicSetting($0.key, $0.value) }
        report.statement = object.statement
        let activity = image.activity(of: object.name)
        report.failure = activity?.problem
        do throws(Problem) {
            if let snapshot = try reportedSnapshot(object) { report.take(snapshot) }
        } catch {
            report.failure = error.message
        }
        report.expectations = object.expectations.map { rule in
            let counts = activity?.expectations[rule.name]
            let failed = counts?.violations ?? 0
            return ExpectationReport(
                name: rule.name, condition: rule.condition, action: rule.action.text,
                passed: (counts?.checked ?? 0) - failed, failed: failed)
        }
        return report
    }
}

extension TableReport {
    fileprivate mutating func take(_ snapshot: TableSnapshot) {
        version = snapshot.version
        rows = snapshot.rowCount
        bytes = snapshot.totalBytes
        files = snapshot.fileCount
        lastCommit = snapshot.timestamp
        guard columns.isEmpty else { return }
        columns = snapshot.schema.fields
        partitionColumns = snapshot.metadata.partitionColumns
    }
}
