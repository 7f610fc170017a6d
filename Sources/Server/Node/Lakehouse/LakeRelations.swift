// Relations as the binder of a statement sees them: those of the catalog, and folders by their path.

import Base
import Catalog
import Columns
import Delta
import Parquet
import SQL

/// `delta.'path'` or `parquet.'path'`: a folder that no catalog entry names.
struct FolderName: Hashable, Sendable {
    let format: FolderFormat
    let path: String

    /// Nil when `name` is no such name; 42501 when its path leads out of the lake.
    init?(_ name: QualifiedName, of lake: Lakehouse) throws(Problem) {
        guard let schema = name.schema, let format = FolderFormat(rawValue: schema),
            lake.catalog.image.schema(schema) == nil
        else { return nil }
        self.format = format
        path = try lake.paths.resolved(name.name)
    }
}

/// The catalog, with folders beside it. Belongs to one statement.
struct LakeRelations: SchemaProvider {
    let lake: Lakehouse
    /// Also says what columns default to, which takes a look into the table.
    var describesDefaults = false

    func relation(_ name: QualifiedName) throws(Problem) -> RelationDescription? {
        if let folder = try FolderName(name, of: lake) {
            return try describe(folder, name)
        }
        guard var found = try lake.catalog.image.relation(name) else { return nil }
        guard found.kind == .table else { return found }
        let object = try lake.catalog.image.require(found.name)
        let table = try lake.table(of: object)
        // Others may have changed the columns of a table that is not made by a query of ours.
        if object.kind == .table || object.kind == .externalTable,
            let snapshot = try? table.snapshot()
        {
            found.columns = snapshot.schema.fields
        }
        if describesDefaults { try addDefaults(&found, table) }
        return found
    }

    func relationNames() -> [QualifiedName] { lake.catalog.image.relationNames() }

    /// The columns of an earlier version: they may have been replaced, dropped or renamed since.
    func columns(
        of name: QualifiedName, at travel: TimeTravel
    ) throws(Problem) -> [Field]? {
        let table: DeltaTable
        if let folder = try FolderName(name, of: lake) {
            guard folder.format == .delta else { return nil }
            table = lake.table(inFolder: folder.path)
        } else {
            let object = try lake.catalog.image.require(name)
            guard object.kind.isStored else { return nil }
            table = try lake.table(of: object)
        }
        do throws(DeltaFailure) {
            switch travel {
            case .version(let version):
                return try table.snapshot(version: version).schema.fields
            case .timestamp(let expression):
                let context = lake.queryContext(StatementOptions())
                let moment = try LakeSource.moment(expression, context)
                return try table.snapshot(at: moment).schema.fields
            case .changes: return nil
            }
        } catch {
            throw error.problem
        }
    }

    private func describe(
        _ folder: FolderName, _ name: QualifiedName
    ) throws(Problem) -> RelationDescription {
        switch folder.format {
        case .delta:
            let table = lake.table(inFolder: folder.path)
            do throws(DeltaFailure) {
                var found = RelationDescription(
                    name: name, kind: .table, columns: try table.snapshot().schema.fields)
                do throws(Problem) {
                    if describesDefaults { try addDefaults(&found, table) }
                } catch {
                    throw DeltaFailure.invalid(error.message)
                }
                return found
            } catch {
                throw error.problem
            }
        case .parquet:
            let files = try ParquetFolder(of: lake, path: folder.path)
            return RelationDescription(name: name, kind: .table, columns: files.schema.fields)
        }
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

/// Parquet files that are no table: one file, or all of a folder in the order of their names. They
/// must have the columns of the first.
struct ParquetFolder: Sendable {
    let store: any ObjectStore
    let files: [String]
    let schema: TableSchema

    init(of lake: Lakehouse, path: String) throws(Problem) {
        store = lake.store
        do throws(StorageFailure) {
            if path.hasSuffix(".parquet"), let size = try? store.size(path), size >= 0 {
                files = [path]
            } else {
                files = try store.list(path, recursive: true).map(\.path).filter {
                    $0.hasSuffix(".parquet") && !Self.isHidden($0.dropFirst(path.utf8.count))
                }
            }
        } catch {
            throw Problem("42P01", "there is no folder '\(path)'", hint: lake.paths.hint)
        }
        guard let first = files.first else {
            throw Problem(
                "42P01", "there are no Parquet files at '\(path)'",
                hint: lake.paths.hint)
        }
        schema = try Self.open(store, first).schema
    }

    private static func isHidden(_ path: Substring) -> Bool {
        path.split(separator: "/").contains { $0.hasPrefix("_") || $0.hasPrefix(".") }
    }

    static func open(_ store: any ObjectStore, _ path: String) throws(Problem) -> ParquetFile {
        do throws(ParquetFailure) {
            let size: Int64
            do throws(StorageFailure) { size = try store.size(path) } catch {
                throw ParquetFailure.storage(error)
            }
            return try ParquetFile(size: size) { (position, count) throws(StorageFailure) in
                try store.get(path, range: position..<(position &+ Int64(count)))
            }
        } catch {
            throw DeltaFailure(error, path: path).problem
        }
    }
}
