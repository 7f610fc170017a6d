import Base
import Columns
import SQL

// The catalog as JSON, for REST and people.

extension CatalogImage {
    /// `GET /catalog`: everything that is registered, with lineage and quality.
    package func report(now: Timestamp) -> JSONValue {
        let tables = relations.filter { $0.kind != .topic }
        let layers = CatalogNames.layers.map { layer in
            JSONMember(layer, .int(tables.count { $0.layer == layer }))
        }
        let kinds = CatalogKind.allCases.compactMap { kind -> JSONMember? in
            let count = kind == .schema ? schemas.count : relations(kinds: [kind]).count
            return count == 0 ? nil : JSONMember(kind.rawValue, .int(count))
        }
        return [
            "generated_at": .moment(now),
            "total_tables": .int(tables.count),
            "tables_by_layer": .object(layers),
            "objects_by_kind": .object(kinds),
            "schemas": .array(schemas.map { .string($0.name.name) }),
            "tables": .array(tables.map { description(of: $0, now: now) }),
            "topics": .array(relations(kinds: [.topic]).map { description(of: $0, now: now) }),
            "lineage": .array(lineageEdges.map(\.json)),
            "quality": quality,
        ]
    }

    /// `GET /tables/{name}`: one object with all that is known of it.
    package func description(of object: CatalogObject, now: Timestamp) -> JSONValue {
        var members: [JSONMember] = [
            JSONMember("name", .string("\(object.name)")),
            JSONMember("schema", .optional(object.name.schema)),
            JSONMember("table", .string(object.name.name)),
            JSONMember("kind", .string(object.kind.rawValue)),
            JSONMember("layer", .optional(object.layer)),
            JSONMember("owner", .string(object.owner)),
            JSONMember("description", .optional(object.comment)),
            JSONMember("tags", object.tags.json),
            JSONMember("columns", .array(object.columns.map { column(of: $0, in: object) })),
            JSONMember("partition_columns", .strings(object.partitionColumns)),
            JSONMember("properties", object.properties.json),
            JSONMember("path", .optional(object.path)),
            JSONMember("sources", .array(object.sources.map { .string("\(Self.full($0))") })),
            JSONMember("created_at", .moment(object.created)),
            JSONMember("updated_at", .moment(object.changed)),
        ]
        if !object.query.isEmpty { members.append(JSONMember("query", .string(object.query))) }
        members += freshness(of: object, now: now)
        if !object.expectations.isEmpty {
            members.append(JSONMember("expectations", expectations(of: object)))
        }
        return .object(members)
    }

    private func column(of column: CatalogColumn, in object: CatalogObject) -> JSONValue {
        [
            "name": .string(column.name), "type": .string(column.field.type.sqlName),
            "nullable": .bool(column.field.isNullable),
            "description": .optional(column.comment),
        ]
    }

    /// How new the rows of an object are.
    private func freshness(of object: CatalogObject, now: Timestamp) -> [JSONMember] {
        guard object.kind.isStored else { return [] }
        let activity = activity(of: object.name)
        return [
            JSONMember("version", .optional(activity?.version)),
            JSONMember("row_count", .optional(activity?.rowCount)),
            JSONMember("file_count", .optional(activity?.fileCount)),
            JSONMember("size_bytes", .optional(activity?.bytes)),
            JSONMember("last_commit", activity?.committed.map { .moment($0) } ?? .null),
            JSONMember("staleness_ms", .optional(activity?.staleness(at: now))),
            JSONMember("problem", .optional(activity?.problem)),
        ]
    }

    private func expectations(of object: CatalogObject) -> JSONValue {
        let activity = activity(of: object.name)
        return .array(
            object.expectations.map { expectation in
                let counts = activity?.expectations[expectation.name]
                return [
                    "name": .string(expectation.name),
                    "condition": .string(expectation.condition),
                    "action": .string(expectation.action.text),
                    "checked": .int(counts?.checked ?? 0),
                    "violations": .int(counts?.violations ?? 0),
                ]
            })
    }

    /// Rows checked and broken in the whole catalog.
    private var quality: JSONValue {
        var total = CatalogActivity.ExpectationCounts()
        var rules = 0
        for object in relations {
            rules += object.expectations.count
            guard let activity = activity(of: object.name) else { continue }
            for expectation in object.expectations {
                guard let counts = activity.expectations[expectation.name] else { continue }
                total.checked &+= counts.checked
                total.violations &+= counts.violations
            }
        }
        let share = total.checked == 0 ? 1 : 1 - Double(total.violations) / Double(total.checked)
        return [
            "expectations": .int(rules), "checked": .int(total.checked),
            "violations": .int(total.violations), "pass_rate": .double(share),
        ]
    }

    /// `GET /catalog/lineage/{name}`
    package func lineageReport(of name: String) throws(Problem) -> JSONValue {
        let lineage = try lineage(of: try require(text: name).name)
        return [
            "table": .string("\(lineage.name)"),
            "upstream": .array(lineage.upstream.map { .string("\($0)") }),
            "downstream": .array(lineage.downstream.map { .string("\($0)") }),
            "edges": .array(lineage.edges.map(\.json)),
        ]
    }
}

extension Lineage.Edge {
    fileprivate var json: JSONValue {
        ["source": .string("\(source)"), "target": .string("\(target)")]
    }
}

extension JSONValue {
    fileprivate static func optional(_ text: String?) -> JSONValue {
        text.map { .string($0) } ?? .null
    }
    fileprivate static func optional(_ number: Int64?) -> JSONValue {
        number.map { .int($0) } ?? .null
    }
}
