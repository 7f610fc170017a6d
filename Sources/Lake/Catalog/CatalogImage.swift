import Base
import Columns
import SQL

/// Everything that is declared, at one moment. A value: readers keep theirs while statements go on.
///
/// Invariants: every object but the schemas lies in a schema that exists; numbers are unique.
package struct CatalogImage: Sendable {
    /// Ordered by name.
    private var schemaMap: OrderedMap<String, CatalogObject> = [:]
    private var relationMap: OrderedMap<QualifiedName, CatalogObject> = [:]
    private var activityMap: OrderedMap<QualifiedName, CatalogActivity> = [:]

    /// The catalog of a new lake: the default schema and nothing in it.
    package init() {
        schemaMap[CatalogNames.defaultSchema] = CatalogObject(
            .schema, QualifiedName(CatalogNames.defaultSchema), oid: 2200, statement: "",
            owner: "weir", now: Timestamp(milliseconds: 0))
    }

    // MARK: Content

    /// All schemas by name.
    package var schemas: [CatalogObject] { schemaMap.values }

    /// All topics, tables and views by schema and name.
    package var relations: [CatalogObject] { relationMap.values }

    /// Tables and views of `schema` (nil = all) by name.
    package func relations(
        in schema: String? = nil, kinds: [CatalogKind] = CatalogKind.allCases
    ) -> [CatalogObject] {
        relationMap.values.filter {
            (schema == nil || $0.name.schema == schema) && kinds.contains($0.kind)
        }
    }

    package func schema(_ name: String) -> CatalogObject? { schemaMap[name] }

    /// The object with exactly this name; one without a schema is in the default schema.
    package func object(_ name: QualifiedName) -> CatalogObject? {
        relationMap[Self.full(name)]
    }

    package func activity(of name: QualifiedName) -> CatalogActivity? {
        activityMap[Self.full(name)]
    }

    /// The object with this number.
    package func object(oid: UInt32) -> CatalogObject? {
        relationMap.values.first { $0.oid == oid } ?? schemaMap.values.first { $0.oid == oid }
    }

    /// The lowest number above all that are in use.
    package var nextOID: UInt32 {
        var highest = CatalogNames.firstOID - 1
        for object in schemaMap.values + relationMap.values { highest = max(highest, object.oid) }
        return highest &+ 1
    }

    static func full(_ name: QualifiedName) -> QualifiedName {
        name.schema == nil
            ? QualifiedName(schema: CatalogNames.defaultSchema, name.name) : name
    }

    // MARK: Finding by what people write

    /// The object that `name` means: exactly this name; else, without a schema, the alias
    /// `table_layer` of `layer.table`, or the only object of that name in any schema. Nil when
    /// there is none; an error when there are several.
    package func find(_ name: QualifiedName) throws(Problem) -> CatalogObject? {
        if let exact = object(name) { return exact }
        guard name.schema == nil else { return nil }
        if let aliased = aliased(name.name) { return aliased }
        let candidates = relationMap.values.filter { $0.name.name == name.name }
        if candidates.count > 1 {
            let names = candidates.map { "\($0.name)" }
            throw Problem(
                "42P09", "relation name \"\(name.name)\" is ambiguous",
                notes: ["it could be " + names.joined(separator: ", ")],
                hint: "write the schema: \(names[0])")
        }
        return candidates.first
    }

    /// `app_events_bronze` → bronze.app_events: the names that the seeds use.
    private func aliased(_ name: String) -> CatalogObject? {
        for layer in CatalogNames.layers where name.hasSuffix("_" + layer) {
            let table = String(name.dropLast(layer.count + 1))
            if let object = relationMap[QualifiedName(schema: layer, table)] { return object }
        }
        return nil
    }

    /// The object that `name` means, or error 42P01 with a suggestion.
    package func require(_ name: QualifiedName) throws(Problem) -> CatalogObject {
        if let object = try find(name) { return object }
        throw missing(name)
    }

    /// The object that a name of a statement means; errors say where the name stands.
    package func require(_ name: ObjectName) throws(Problem) -> CatalogObject {
        do throws(Problem) {
            return try require(name.qualified)
        } catch {
            var problem = error
            if problem.position == nil { problem.position = name.position }
            throw problem
        }
    }

    /// `schema.table` or `table`, as people write it outside of SQL.
    package func require(text: String) throws(Problem) -> CatalogObject {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return try require(QualifiedName(text)) }
        return try require(QualifiedName(schema: String(parts[0]), String(parts[1])))
    }

    /// Error 42P01 for `name`, with the most similar name that exists.
    package func missing(_ name: QualifiedName) -> Problem {
        let full = relationNames().map(\.description)
        let bare = relationMap.values.map(\.name.name)
        let suggestion: String?
        if name.schema == nil {
            let near = nearestName(to: name.name, among: bare)
            suggestion = near.flatMap { near in
                relationMap.values.first { $0.name.name == near }?.name.description
            }
        } else {
            suggestion =
                nearestName(to: name.description, among: full)
                ?? relationMap.values.first { $0.name.name == name.name }?.name.description
        }
        return Problem(
            "42P01", "relation \"\(name)\" does not exist",
            hint: suggestion.map { "did you mean \($0)?" })
    }

    /// The columns of the object that `name` means; nil when there is none.
    package func columns(of name: QualifiedName) throws(Problem) -> [Field]? {
        try relation(name)?.columns
    }

    // MARK: Changing the value

    /// With what `other` knows of the objects that are the same here.
    func keepingActivity(of other: CatalogImage) -> CatalogImage {
        var image = self
        for (name, activity) in other.activityMap
        where relationMap[name]?.oid == other.relationMap[name]?.oid && relationMap[name] != nil {
            image.activityMap[name] = activity
        }
        return image
    }

    mutating func put(_ object: CatalogObject) {
        if object.kind == .schema {
            schemaMap[object.name.name] = object
        } else {
            relationMap[object.name] = object
        }
    }

    mutating func remove(_ object: CatalogObject) {
        if object.kind == .schema {
            schemaMap[object.name.name] = nil
        } else {
            relationMap[object.name] = nil
            activityMap[object.name] = nil
        }
    }

    mutating func setActivity(_ activity: CatalogActivity, of name: QualifiedName) {
        activityMap[Self.full(name)] = activity
    }
}

// MARK: For the binder

extension CatalogImage: SchemaProvider {
    package func relation(_ name: QualifiedName) throws(Problem) -> RelationDescription? {
        if let table = SystemTable(name) {
            return RelationDescription(
                name: table.name, kind: .system, columns: table.schema.fields)
        }
        if let table = PostgresTable(name), name.schema != nil || object(name) == nil {
            return RelationDescription(
                name: table.name, kind: .system, columns: table.schema.fields)
        }
        guard let object = try find(name) else { return nil }
        let kind: RelationKind
        switch object.kind {
        case .topic: kind = .topic
        case .view: kind = .view
        case .streamingTable, .materializedView, .table, .externalTable: kind = .table
        case .schema: return nil
        }
        return RelationDescription(
            name: object.name, kind: kind, columns: object.columns.map(\.field),
            hiddenColumns: object.hiddenColumns,
            viewText: object.kind == .view ? object.query : nil)
    }

    package func relationNames() -> [QualifiedName] {
        // A name in the default schema is written without it.
        let names = relationMap.keys.map { name in
            name.schema == CatalogNames.defaultSchema ? QualifiedName(name.name) : name
        }
        return names + SystemTable.allCases.map(\.name)
    }
}
