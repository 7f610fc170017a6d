import Base
import Columns
import SQL

/// What a statement changes in the catalog, checked against an image.
package struct CatalogChange: Sendable {
    /// New or replaced objects.
    package var put: [CatalogObject] = []
    /// In the order in which they must go: dependents first.
    package var removed: [CatalogObject] = []

    package var isEmpty: Bool { put.isEmpty && removed.isEmpty }

    /// The names that nobody else may change meanwhile.
    var names: [QualifiedName] { (put + removed).map(\.name) }
}

/// What CREATE does when the name is taken.
package enum CreateMode: Hashable, Sendable {
    case create
    case ifNotExists
    case orReplace
}

extension CatalogImage {
    // MARK: Create

    /// Checks `object` and gives it its number. The change is empty when IF NOT EXISTS finds the
    /// name taken. A replaced object keeps number, owner, comment, tags and creation time.
    package func creating(
        _ object: CatalogObject, _ mode: CreateMode = .create
    ) throws(Problem) -> CatalogChange {
        if object.kind == .schema { return try creatingSchema(object, mode) }
        var object = object
        object.name = Self.full(object.name)
        let schemaName = object.name.schema ?? CatalogNames.defaultSchema
        try checkNotSystem(schemaName)
        guard schema(schemaName) != nil else { throw missingSchema(schemaName) }
        try checkColumns(object)
        if let existing = self.object(object.name) {
            switch mode {
            case .ifNotExists: return CatalogChange()
            case .create:
                throw Problem(
                    "42P07", "relation \"\(object.name.name)\" already exists",
                    notes: ["\(existing.name) is a \(existing.kind.words)"],
                    hint: "drop it first, or write CREATE … IF NOT EXISTS")
            case .orReplace: break
            }
            guard existing.kind == object.kind else { throw wrongKind(existing, object.kind) }
            object.oid = existing.oid
            object.owner = existing.owner
            object.comment = object.comment ?? existing.comment
            object.tags = existing.tags
            object.created = existing.created
        } else {
            object.oid = nextOID
        }
        if let cycle = pathBack(to: object.name, from: object.sources) {
            throw Problem(
                "42P17", "\(object.name) would read itself",
                notes: [cycle.map(\.description).joined(separator: " ← ")])
        }
        return CatalogChange(put: [object])
    }

    private func creatingSchema(
        _ object: CatalogObject, _ mode: CreateMode
    ) throws(Problem) -> CatalogChange {
        try checkNotSystem(object.name.name)
        if schema(object.name.name) != nil {
            if mode == .ifNotExists { return CatalogChange() }
            throw Problem("42P06", "schema \"\(object.name.name)\" already exists")
        }
        var object = object
        object.oid = nextOID
        return CatalogChange(put: [object])
    }

    private func checkNotSystem(_ schema: String) throws(Problem) {
        if CatalogNames.systemSchemas.contains(schema) || schema.hasPrefix("pg_") {
            throw Problem(
                "42501", "schema \"\(schema)\" belongs to the system",
                hint: "choose another schema")
        }
    }

    private func missingSchema(_ name: String) -> Problem {
        let near = nearestName(to: name, among: schemas.map(\.name.name))
        return Problem(
            "3F000", "schema \"\(name)\" does not exist",
            hint: near.map { "did you mean \($0)?" } ?? "CREATE SCHEMA \(quotedIdentifier(name))")
    }

    private func checkColumns(_ object: CatalogObject) throws(Problem) {
        var seen: Set<String> = []
        for column in object.columns where !seen.insert(column.name).inserted {
            throw Problem("42701", "column \"\(column.name)\" specified more than once")
        }
        let lists = [object.partitionColumns, object.clusterColumns, object.keyColumns]
        for name in lists.joined() where !seen.contains(name) {
            let near = nearestName(to: name, among: object.columns.map(\.name))
            throw Problem(
                "42703", "column \"\(name)\" does not exist",
                hint: near.map { "did you mean \($0)?" })
        }
    }

    /// A way through the sources back to `target`, which would make a circle.
    private func pathBack(
        to target: QualifiedName, from sources: [QualifiedName]
    ) -> [QualifiedName]? {
        let upstream = upstreamNames(of: sources)
        guard upstream.contains(target) else { return nil }
        return [target]
            + sources.map(Self.full).filter { source in
                source == target || upstreamNames(of: [source]).contains(target)
            }.prefix(1) + [target]
    }

    // MARK: Drop

    /// Checks that `names` can go and lists them with their dependents (CASCADE), dependents first.
    package func dropping(
        _ names: [QualifiedName], kind: CatalogKind, ifExists: Bool = false, cascade: Bool = false
    ) throws(Problem) -> CatalogChange {
        var doomed: [CatalogObject] = []
        for name in names {
            if kind == .schema {
                guard let schema = schema(name.name) else {
                    if ifExists { continue }
                    throw missingSchema(name.name)
                }
                if name.name == CatalogNames.defaultSchema {
                    throw Problem("42501", "schema \"\(name.name)\" cannot be dropped")
                }
                doomed += relations(in: name.name) + [schema]
                continue
            }
            guard let object = object(name) else {
                if ifExists { continue }
                throw missing(name)
            }
            guard Self.matches(object.kind, dropOf: kind) else { throw wrongKind(object, kind) }
            doomed.append(object)
        }
        return try removing(doomed, asked: kind, cascade: cascade)
    }

    private func removing(
        _ doomed: [CatalogObject], asked kind: CatalogKind, cascade: Bool
    ) throws(Problem) -> CatalogChange {
        let named = Set(doomed.map(\.name))
        var order: [CatalogObject] = []
        var blockers: [String] = []
        for object in doomed {
            if object.kind == .schema { continue }
            for dependent in downstream(of: object.name) {
                guard let found = self.object(dependent), !named.contains(dependent) else {
                    continue
                }
                blockers.append(
                    "\(found.kind.words) \(found.name) depends on \(object.kind.words)"
                        + " \(object.name)")
                if !order.contains(where: { $0.name == found.name }) { order.append(found) }
            }
        }
        let schemas = doomed.filter { $0.kind == .schema }
        if kind == .schema, !cascade {
            for object in doomed where object.kind != .schema {
                blockers.append(
                    "\(object.kind.words) \(object.name) depends on schema"
                        + " \(object.name.schema ?? "")")
            }
        }
        if !blockers.isEmpty, !cascade {
            let target = kind == .schema ? schemas.first : doomed.first
            let name = target.map { "\($0.kind.words) \($0.name)" } ?? kind.words
            throw Problem(
                "2BP01", "cannot drop \(name) because other objects depend on it",
                notes: blockers, hint: "use DROP … CASCADE to drop the dependent objects too")
        }
        let relations = order + doomed.filter { $0.kind != .schema }
        return CatalogChange(removed: dependentsFirst(relations) + schemas)
    }

    /// Orders objects so that each comes before what it reads.
    private func dependentsFirst(_ objects: [CatalogObject]) -> [CatalogObject] {
        var left = objects
        var ordered: [CatalogObject] = []
        while !left.isEmpty {
            let names = left.map(\.name)
            let isFree: (CatalogObject) -> Bool = { object in
                let readers = self.directDownstream(of: object.name)
                return !readers.contains { $0 != object.name && names.contains($0) }
            }
            // There is no circle, so somebody is free; should there be one, take the first.
            let next = left.firstIndex(where: isFree) ?? 0
            ordered.append(left.remove(at: next))
        }
        return ordered
    }

    private static func matches(_ kind: CatalogKind, dropOf asked: CatalogKind) -> Bool {
        // DROP TABLE takes every kind of table but no materialized view, as in PostgreSQL.
        if asked == .table {
            return kind == .table || kind == .externalTable || kind == .streamingTable
        }
        return kind == asked
    }

    private func wrongKind(_ object: CatalogObject, _ asked: CatalogKind) -> Problem {
        Problem(
            "42809", "\"\(object.name.name)\" is not a \(asked.words)",
            notes: ["\(object.name) is a \(object.kind.words)"],
            hint: "use DROP \(object.kind.words.uppercased()) to remove it")
    }

    // MARK: Alter

    /// Changes what is said about an object: owner, comment, tags, properties, column comments.
    package func altering(
        _ name: QualifiedName, kind: CatalogKind? = nil, now: Timestamp,
        _ change: (inout CatalogObject) throws(Problem) -> Void
    ) throws(Problem) -> CatalogChange {
        var object: CatalogObject
        if kind == .schema {
            guard let found = schema(name.name) else { throw missingSchema(name.name) }
            object = found
        } else {
            guard let found = self.object(name) else { throw missing(name) }
            object = found
        }
        let before = object
        try change(&object)
        precondition(
            object.name == before.name && object.oid == before.oid,
            "ALTER does not change name and number")
        if object == before { return CatalogChange() }
        object.changed = now
        return CatalogChange(put: [object])
    }

    /// Gives an object another name in its schema. Refused while others read it by the old one.
    package func renaming(
        _ name: QualifiedName, to newName: String, now: Timestamp
    ) throws(Problem) -> CatalogChange {
        guard var object = object(name) else { throw missing(name) }
        let old = object
        let target = QualifiedName(schema: object.name.schema, newName)
        if self.object(target) != nil {
            throw Problem("42P07", "relation \"\(newName)\" already exists")
        }
        let readers = directDownstream(of: object.name)
        if !readers.isEmpty {
            throw Problem(
                "2BP01", "cannot rename \(object.name) because other objects read it",
                notes: readers.map { "\($0) reads it" }, hint: "drop or change those first")
        }
        object.name = target
        object.changed = now
        return CatalogChange(put: [object], removed: [old])
    }

    /// Objects whose number another one has, too, which was changed later: a rename that did not end.
    var renamedObjects: [CatalogObject] {
        var newest: [UInt32: CatalogObject] = [:]
        func isOlder(_ left: CatalogObject, _ right: CatalogObject) -> Bool {
            (left.changed.milliseconds, left.name.description)
                < (right.changed.milliseconds, right.name.description)
        }
        for object in relations {
            if let known = newest[object.oid], !isOlder(known, object) { continue }
            newest[object.oid] = object
        }
        return relations.filter { old in
            guard let object = newest[old.oid] else { return false }
            return object.name != old.name && object.path == old.path
        }
    }

    /// The image after `change`.
    package func applying(_ change: CatalogChange) -> CatalogImage {
        var image = self
        for object in change.removed { image.remove(object) }
        for object in change.put { image.put(object) }
        return image
    }
}
