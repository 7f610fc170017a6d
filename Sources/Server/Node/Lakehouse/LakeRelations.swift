// Relations as the binder of a statement sees them: those of the catalog, and folders by their path.

import Base
import Catalog
import Columns
import Delta
import SQL

/// `delta.'path'`, `parquet.'path'` and so on: what lies at a path and has no catalog entry.
struct FolderName: Hashable, Sendable {
    let format: FolderFormat
    let path: String

    /// Nil when `name` is no such name; 42501 when its path leads out of the lake.
    init?(_ name: QualifiedName, of lake: Lakehouse) throws(Problem) {
        guard let schema = name.schema, let format = FolderFormat(rawValue: schema),
            lake.catalog.image.schema(schema) == nil
        else { return nil }
        self.format = format
        // What was uploaded has no path of its own.
        path =
            LakeUploads.isName(name.name) && format != .delta
            ? name.name : try lake.resolved(name.name)
    }

    init(_ format: FolderFormat, _ path: String, of lake: Lakehouse) throws(Problem) {
        self.format = format
        self.path = LakeUploads.isName(path) ? path : try lake.resolved(path)
    }
}

/// The catalog, with folders beside it. Belongs to one statement.
struct LakeRelations: SchemaProvider {
    let lake: Lakehouse
    /// Whose state of the tables is meant; nil for the newest.
    var transaction: LakeTransaction?
    /// Also says what columns default to, which takes a look into the table.
    var describesDefaults = false
    /// What COPY reads, if the statement is one.
    var copied: CopiedFile?
    /// The columns of `LakeSource.sourceRelation`, when the statement has put rows there.
    var replacing: [Field]?

    func relation(_ name: QualifiedName) throws(Problem) -> RelationDescription? {
        if let copied, name == CopiedFile.relation {
            return RelationDescription(name: name, kind: .system, columns: copied.fields)
        }
        if let replacing, name == LakeSource.sourceRelation {
            return RelationDescription(name: name, kind: .system, columns: replacing)
        }
        if let folder = try FolderName(name, of: lake) {
            return try describe(folder, name)
        }
        guard var found = try lake.catalog.image.relation(name) else { return nil }
        guard found.kind == .table else { return found }
        let object = try lake.catalog.image.require(found.name)
        let table = try seen(lake.table(of: object))
        // Others may have changed the columns of a table that is not made by a query of ours.
        if object.kind == .table || object.kind == .externalTable,
            let snapshot = try? table.snapshot()
        {
            if transaction == nil { lake.takeColumnsInPassing(of: object, from: snapshot) }
            found.columns = snapshot.schema.fields
            found.hiddenColumns = Self.hiddenColumns(snapshot)
        }
        if describesDefaults { try addDefaults(&found, table) }
        return found
    }

    func relationNames() -> [QualifiedName] { lake.catalog.image.relationNames() }

    /// The columns of an earlier version: they may have been replaced, dropped or renamed since.
    func columns(
        of name: QualifiedName, at travel: TimeTravel
    ) throws(Problem) -> [Field]? {
        guard let table = try table(name) else { return nil }
        do throws(DeltaFailure) {
            switch travel {
            case .version(let version):
                return try table.snapshot(version: version).schema.fields
            case .timestamp(let expression):
                let context = lake.queryContext(StatementOptions())
                let moment = try LakeSource.moment(expression, context)
                return try table.snapshot(at: moment).schema.fields
            case .changes(let first, _):
                // Those of the whole range: a version that changes them ends it with an error.
                return try table.snapshot(version: first).schema.fields
            case .difference: return nil
            }
        } catch {
            throw error.problem
        }
    }

    func rowCount(of name: QualifiedName) -> Int64? {
        if let folder = try? FolderName(name, of: lake), folder.format == .parquet {
            return (try? FolderFiles(folder, of: lake))?.rowCount
        }
        return try? table(name)?.snapshot().rowCount
    }

    /// Files know a column by its name in them, which it keeps.
    func identifiedColumns(
        of name: QualifiedName, version: Int64
    ) throws(Problem) -> [IdentifiedColumn]? {
        guard let table = try table(name) else { return nil }
        do throws(DeltaFailure) {
            let snapshot = try table.snapshot(version: version)
            return snapshot.schema.fields.map {
                IdentifiedColumn($0, identity: snapshot.metadata.physicalName(of: $0.name))
            }
        } catch {
            throw error.problem
        }
    }

    /// The Delta table behind a name; nil when it is something else.
    private func table(_ name: QualifiedName) throws(Problem) -> DeltaTable? {
        if let folder = try FolderName(name, of: lake) {
            return folder.format == .delta ? try seen(lake.table(inFolder: folder.path)) : nil
        }
        let object = try lake.catalog.image.require(name)
        return object.kind.isStored ? try seen(lake.table(of: object)) : nil
    }

    /// The table as the transaction sees it.
    private func seen(_ table: DeltaTable) throws(Problem) -> DeltaTable {
        try transaction?.table(table) ?? table
    }

    private func describe(
        _ folder: FolderName, _ name: QualifiedName
    ) throws(Problem) -> RelationDescription {
        switch folder.format {
        case .delta:
            let table = try seen(lake.table(inFolder: folder.path))
            do throws(DeltaFailure) {
                let snapshot = try table.snapshot()
                var found = RelationDescription(
                    name: name, kind: .table, columns: snapshot.schema.fields,
                    hiddenColumns: Self.hiddenColumns(snapshot))
                do throws(Problem) {
                    if describesDefaults { try addDefaults(&found, table) }
                } catch {
                    throw DeltaFailure.invalid(error.message)
                }
                return found
            } catch {
                throw error.problem
            }
        case .parquet, .csv, .json:
            let files = try FolderFiles(folder, of: lake)
            return RelationDescription(
                name: name, kind: .table, columns: try files.columns(now: lake.clock()))
        }
    }

    /// What rows of a tracked table have beside their columns.
    private static func hiddenColumns(_ snapshot: TableSnapshot) -> [Field] {
        snapshot.tracksRows ? RowMark.fields : []
    }

    private func addDefaults(
        _ relation: inout RelationDescription, _ table: DeltaTable
    ) throws(Problem) {
        do throws(DeltaFailure) {
            for field in try table.snapshot().metadata.schema.fields {
                relation.defaultTexts[field.name] = field.defaultExpression
                relation.generatedTexts[field.name] = field.generationExpression
                relation.identityColumns[field.name] = try field.identity()?.allowsValues
            }
        } catch {
            throw error.problem
        }
    }
}
