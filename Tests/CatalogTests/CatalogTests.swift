import Base
import Catalog
import Columns
import Foundation
import SQL
import Synchronization
import Testing

/// Storage in memory that can be told to fail.
final class MemoryStorage: CatalogStorage {
    private let objects = Mutex<OrderedMap<String, Bytes>>([:])
    private let failing = Mutex(false)

    var isFailing: Bool {
        get { failing.withLock { $0 } }
        set { failing.withLock { $0 = newValue } }
    }

    var names: [String] { objects.withLock { $0.keys } }

    private func check() throws(Problem) {
        if isFailing { throw Problem("storage.failed", "the disk is full") }
    }

    let isShared = false

    func newMark() -> String { "" }

    func change(
        _ changes: [CatalogStorageChange], expecting: [CatalogStorageChange]
    ) throws(Problem) {
        try check()
        objects.withLock { objects in
            for change in changes { objects[change.name] = change.content }
        }
    }

    func list(prefix: String) throws(Problem) -> [StoredCatalogObject] {
        objects.withLock { objects in
            objects.filter { $0.key.hasPrefix(prefix) }
                .map { StoredCatalogObject(name: $0.key, content: $0.value) }
        }
    }
}

let hiddenColumns = [
    Field("_partition", .int32, isNullable: false), Field("_timestamp", .timestampTZ),
]
let moment = Timestamp(milliseconds: 1_700_000_000_000)

func name(_ text: String) -> QualifiedName {
    let parts = text.split(separator: ".").map(String.init)
    return parts.count == 2 ? QualifiedName(schema: parts[0], parts[1]) : QualifiedName(text)
}

func object(
    _ kind: CatalogKind, _ text: String, reads sources: [String] = [],
    columns: [Field] = [Field("id", .int64)]
) -> CatalogObject {
    var object = CatalogObject(
        kind, name(text), statement: "CREATE …",
        query: sources.isEmpty ? "" : "SELECT id FROM \(sources[0])",
        owner: "data_eng", columns: columns.map { CatalogColumn($0) }, now: moment)
    object.sources = sources.map(name)
    return object
}

/// topic → bronze → silver → gold, and a view.
func travelCatalog(_ storage: MemoryStorage = MemoryStorage()) throws -> Catalog {
    let catalog = try Catalog.load(from: storage).catalog
    for schema in ["bronze", "silver", "gold", "ops"] {
        try catalog.create(object(.schema, schema))
    }
    try catalog.create(object(.topic, "topic_app_events"))
    try catalog.create(object(.streamingTable, "bronze.app_events", reads: ["topic_app_events"]))
    try catalog.create(object(.materializedView, "silver.app_events", reads: ["bronze.app_events"]))
    try catalog.create(
        object(.materializedView, "gold.event_metrics", reads: ["silver.app_events"]))
    try catalog.create(
        object(.view, "ops.metrics", reads: ["gold.event_metrics", "silver.app_events"]))
    return catalog
}

func problem(_ body: () throws(Problem) -> Void) -> Problem? {
    do {
        try body()
        return nil
    } catch {
        return error
    }
}

struct CatalogTests {
    @Test func `objects survive a restart with everything that was said about them`() throws {
        let storage = MemoryStorage()
        let catalog = try travelCatalog(storage)
        var table = object(
            .table, "gold.everything",
            columns: [
                Field("n", .decimal(precision: 12, scale: 2), isNullable: false),
                Field("l", .list(.map(key: .text, value: .structure([Field("u", .uuid)])))),
                Field("t", .timestampTZ), Field("span", .interval),
            ])
        table.comment = "a \"comment\"\n"
        table.tags = ["pii": "yes"]
        table.properties = ["commit_interval": "500 ms", "retention": "7 days"]
        table.partitionColumns = ["t"]
        table.clusterColumns = ["n"]
        table.columns[0].comment = "how many"
        table.hiddenColumns = hiddenColumns
        table.path = "gold/everything"
        table.expectations = [
            CatalogExpectation(name: "positive", condition: "n > 0"),
            CatalogExpectation(name: "a", condition: "x", action: .dropRow),
            CatalogExpectation(name: "b", condition: "y", action: .failUpdate),
            CatalogExpectation(
                name: "c", condition: "z", action: .quarantine(into: name("ops.bad"))),
        ]
        try catalog.create(table)
        let (again, damaged) = try Catalog.load(from: storage)
        #expect(damaged.isEmpty)
        #expect(again.image.relations == catalog.image.relations)
        #expect(
            again.image.schemas.map(\.name.name) == ["bronze", "gold", "ops", "public", "silver"])
    }

    @Test func `numbers are unique and stay when an object is replaced`() throws {
        let catalog = try travelCatalog()
        let numbers = (catalog.image.relations + catalog.image.schemas).map(\.oid)
        #expect(Set(numbers).count == numbers.count)
        let before = try #require(catalog.image.object(name("ops.metrics")))
        try catalog.alter(name("ops.metrics"), now: moment) { $0.owner = "somebody" }
        try catalog.create(object(.view, "ops.metrics", reads: ["gold.event_metrics"]), .orReplace)
        let after = try #require(catalog.image.object(name("ops.metrics")))
        #expect(after.oid == before.oid && after.owner == "somebody")
        #expect(after.sources == [name("gold.event_metrics")])
    }

    @Test func `a taken name is refused unless the statement says otherwise`() throws {
        let catalog = try travelCatalog()
        let taken = object(.table, "bronze.app_events")
        #expect(problem { () throws(Problem) in try catalog.create(taken) }?.code == "42P07")
        #expect(try catalog.create(taken, .ifNotExists) == nil)
        #expect(
            problem { () throws(Problem) in try catalog.create(taken, .orReplace) }?.code == "42809"
        )
        #expect(
            problem { () throws(Problem) in try catalog.create(object(.schema, "gold")) }?.code
                == "42P06")
        #expect(try catalog.create(object(.schema, "gold"), .ifNotExists) == nil)
    }

    @Test func `what cannot be created is refused with its reason`() throws {
        let catalog = try travelCatalog()
        func code(_ object: CatalogObject) -> String? {
            problem { () throws(Problem) in try catalog.create(object) }?.code
        }
        #expect(code(object(.table, "nowhere.t")) == "3F000")
        #expect(code(object(.table, "weir.t")) == "42501")
        #expect(code(object(.schema, "pg_temp")) == "42501")
        #expect(
            code(object(.table, "gold.t", columns: [Field("a", .text), Field("a", .text)]))
                == "42701")
        var partitioned = object(.table, "gold.t")
        partitioned.partitionColumns = ["ip"]
        #expect(code(partitioned) == "42703")
        #expect(code(object(.view, "gold.v", reads: ["gold.v"])) == "42P17")
        var circle = object(.materializedView, "silver.app_events", reads: ["ops.metrics"])
        circle.comment = "reads what reads it"
        #expect(
            problem { () throws(Problem) in try catalog.create(circle, .orReplace) }?.code
                == "42P17")
    }

    @Test func `what others read cannot be dropped without cascade`() throws {
        let catalog = try travelCatalog()
        let refused = problem { () throws(Problem) in
            try catalog.drop([name("bronze.app_events")], kind: .streamingTable)
        }
        #expect(refused?.code == "2BP01")
        #expect(
            refused?.message
                == "cannot drop streaming table bronze.app_events because other objects depend on it"
        )
        #expect(
            refused?.notes.first
                == "materialized view silver.app_events depends on streaming table bronze.app_events"
        )
        let gone = try catalog.drop([name("bronze.app_events")], kind: .table, cascade: true)
        #expect(
            gone.map { "\($0.name)" } == [
                "ops.metrics", "gold.event_metrics", "silver.app_events", "bronze.app_events",
            ])
        #expect(catalog.image.relations.map { "\($0.name)" } == ["public.topic_app_events"])
    }

    @Test func `drop knows kinds, missing names and schemas`() throws {
        let catalog = try travelCatalog()
        func code(_ text: String, _ kind: CatalogKind, ifExists: Bool = false) -> String? {
            problem { () throws(Problem) in
                try catalog.drop([name(text)], kind: kind, ifExists: ifExists)
            }?.code
        }
        #expect(code("ops.metrics", .table) == "42809")
        #expect(code("ops.nothing", .view) == "42P01")
        #expect(code("ops.nothing", .view, ifExists: true) == nil)
        #expect(code("gold", .schema) == "2BP01")
        #expect(code("golden", .schema) == "3F000")
        #expect(code("public", .schema) == "42501")
        #expect(code("ops.metrics", .view) == nil)
        #expect(code("ops", .schema) == nil)
        let gone = try catalog.drop([name("gold")], kind: .schema, cascade: true)
        #expect(gone.map { "\($0.name)" } == ["gold.event_metrics", "gold"])
    }

    @Test func `nothing is visible that is not stored`() throws {
        let storage = MemoryStorage()
        let catalog = try travelCatalog(storage)
        storage.isFailing = true
        #expect(
            problem { () throws(Problem) in try catalog.create(object(.table, "gold.t")) }?.code
                == "storage.failed")
        #expect(
            problem { () throws(Problem) in try catalog.drop([name("ops.metrics")], kind: .view) }
                != nil)
        #expect(catalog.image.object(name("gold.t")) == nil)
        #expect(catalog.image.object(name("ops.metrics")) != nil)
        storage.isFailing = false
        try catalog.create(object(.table, "gold.t"))
        #expect(catalog.image.object(name("gold.t")) != nil)
    }

    @Test func `a renamed object keeps its number and readers stop a rename`() throws {
        let storage = MemoryStorage()
        let catalog = try travelCatalog(storage)
        let oid = catalog.image.object(name("ops.metrics"))?.oid
        try catalog.rename(name("ops.metrics"), to: "figures", now: moment)
        #expect(catalog.image.object(name("ops.figures"))?.oid == oid)
        #expect(try Catalog.load(from: storage).catalog.image.object(name("ops.metrics")) == nil)
        #expect(
            problem { () throws(Problem) in
                try catalog.rename(name("silver.app_events"), to: "x", now: moment)
            }?.code == "2BP01")
    }

    @Test func `a damaged object is reported and the others are served`() throws {
        let storage = MemoryStorage()
        _ = try travelCatalog(storage)
        try storage.change(
            [CatalogStorageChange("catalog/object/4:gold.broken", Bytes(utf8: "{\"format\":1,"))],
            expecting: [])
        try storage.change(
            [CatalogStorageChange("catalog/object/4:gold.newer", Bytes(utf8: "{\"format\":2}"))],
            expecting: [])
        let (catalog, damaged) = try Catalog.load(from: storage)
        #expect(damaged.map(\.code) == ["catalog.object.damaged", "catalog.object.damaged"])
        #expect(catalog.image.relations.count == 5)
        #expect(storage.names.contains("catalog/object/4:gold.newer"))
    }

    @Test func `no stored bytes make the reader trap`() throws {
        var random = Random(seed: 99)
        var table = object(
            .table, "gold.t", columns: [Field("l", .list(.map(key: .text, value: .int32)))])
        table.expectations = [
            CatalogExpectation(name: "e", condition: "c", action: .quarantine(into: name("a.b")))
        ]
        table.path = "p"
        let seed = table.json.serialized().array
        for _ in 0..<500 {
            var bytes = seed
            for _ in 0..<random.within(1...3) {
                let place = random.below(bytes.count)
                if random.chance(1, in: 2) {
                    bytes[place] = UInt8(truncatingIfNeeded: random.next())
                } else {
                    bytes.remove(at: place)
                }
            }
            if let json = try? JSONValue(parsing: Bytes(bytes)) {
                _ = try? CatalogObject(json: json)
            }
        }
    }

    @Test func `one of several threads creates an object`() throws {
        let storage = MemoryStorage()
        let catalog = try travelCatalog(storage)
        let created = Mutex(0)
        DispatchQueue.concurrentPerform(iterations: 8) { thread in
            for index in 0..<10 {
                do throws(Problem) {
                    try catalog.create(object(.table, "gold.t\(index)"))
                    created.withLock { $0 += 1 }
                } catch {
                    if error.code != "42P07" && error.code != "55P03" { Issue.record(error) }
                }
                _ = try? catalog.create(object(.view, "ops.v\(thread)_\(index)"))
            }
        }
        #expect(created.withLock { $0 } == 10)
        let numbers = catalog.image.relations.map(\.oid)
        #expect(numbers.count == 95 && Set(numbers).count == 95)
        #expect(try Catalog.load(from: storage).catalog.image.relations == catalog.image.relations)
    }
}
