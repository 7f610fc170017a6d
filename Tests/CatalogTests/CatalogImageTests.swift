import Base
import Catalog
import Columns
import SQL
import Testing

struct CatalogImageTests {
    @Test func `a name is found exactly, by its alias or when it is the only one`() throws {
        let image = try travelCatalog().image
        func found(_ text: String) throws -> String? {
            try image.find(name(text)).map { "\($0.name)" }
        }
        #expect(try found("bronze.app_events") == "bronze.app_events")
        #expect(try found("topic_app_events") == "public.topic_app_events")
        #expect(try found("event_metrics") == "gold.event_metrics")
        #expect(try found("app_events_bronze") == "bronze.app_events")
        #expect(try found("event_metrics_gold") == "gold.event_metrics")
        #expect(try found("event_metrics_silver") == nil)
        #expect(try found("nowhere.event_metrics") == nil)
        let ambiguous = problem { () throws(Problem) in _ = try image.find(name("app_events")) }
        #expect(ambiguous?.code == "42P09")
        #expect(ambiguous?.notes == ["it could be bronze.app_events, silver.app_events"])
    }

    @Test func `a misspelt name gets a suggestion`() throws {
        let image = try travelCatalog().image
        func hint(_ text: String) -> String? {
            let problem = problem { () throws(Problem) in _ = try image.require(text: text) }
            #expect(problem?.code == "42P01")
            #expect(problem?.message == "relation \"\(text)\" does not exist")
            return problem?.hint
        }
        #expect(hint("gold.event_metric") == "did you mean gold.event_metrics?")
        #expect(hint("event_metrisc") == "did you mean gold.event_metrics?")
        #expect(hint("silver.event_metrics") == "did you mean gold.event_metrics?")
        #expect(hint("weather") == nil)
    }

    @Test func `the binder sees columns, hidden columns, views and system tables`() throws {
        let catalog = try travelCatalog()
        var topic = object(.topic, "t", columns: [Field("a", .text)])
        topic.hiddenColumns = hiddenColumns
        try catalog.create(topic)
        let image = catalog.image
        let relation = try #require(try image.relation(name("t")))
        #expect(relation.kind == .topic && relation.hiddenColumns.count == 2)
        #expect(try image.columns(of: name("t")) == [Field("a", .text)])
        #expect(try image.columns(of: name("missing")) == nil)
        let view = try #require(try image.relation(name("ops.metrics")))
        #expect(view.kind == .view && view.viewText == "SELECT id FROM gold.event_metrics")
        let system = try #require(try image.relation(name("weir.tables")))
        #expect(system.kind == .system && system.columns.count == 19)
        #expect(image.relationNames().contains(name("topic_app_events")))
    }

    @Test func `lineage goes both ways through the whole graph`() throws {
        let image = try travelCatalog().image
        let lineage = try image.lineage(of: name("silver.app_events"))
        #expect(
            lineage.upstream.map { "\($0)" } == ["bronze.app_events", "public.topic_app_events"])
        #expect(lineage.downstream.map { "\($0)" } == ["gold.event_metrics", "ops.metrics"])
        #expect(lineage.edges.count == 5)
        let json = try image.lineageReport(of: "app_events_silver")
        #expect(json["table"] == "silver.app_events")
        #expect(
            json["edges"]?.arrayValue?.first == [
                "source": "public.topic_app_events", "target": "bronze.app_events",
            ])
    }

    @Test func `the report counts layers, quality and freshness`() throws {
        let catalog = try travelCatalog()
        try catalog.alter(name("bronze.app_events"), now: moment) { object in
            object.expectations = [CatalogExpectation(name: "has_id", condition: "id IS NOT NULL")]
        }
        catalog.recordActivity(of: name("bronze.app_events")) { activity in
            activity.version = 3
            activity.committed = moment
            activity.expectations["has_id"] = .init(checked: 200, violations: 50)
        }
        let now = Timestamp(milliseconds: moment.milliseconds + 1500)
        let report = catalog.image.report(now: now)
        #expect(report["total_tables"]?.intValue == 4)
        #expect(report["tables_by_layer"] == ["bronze": 1, "silver": 1, "gold": 1])
        #expect(
            report["quality"] == [
                "expectations": 1, "checked": 200, "violations": 50, "pass_rate": .number("0.75"),
            ])
        let table = try #require(report["tables"]?.arrayValue?.first)
        #expect(table["name"] == "bronze.app_events" && table["layer"] == "bronze")
        #expect(table["staleness_ms"]?.intValue == 1500)
        #expect(table["last_commit"] == "2023-11-14T22:13:20.000Z")
        #expect(table["expectations"]?.arrayValue?.first?["violations"]?.intValue == 50)
    }

    @Test func `every system table has rows of its own shape`() throws {
        let catalog = try travelCatalog()
        try catalog.alter(name("bronze.app_events"), now: moment) { object in
            object.expectations = [CatalogExpectation(name: "has_id", condition: "id IS NOT NULL")]
        }
        let now = Timestamp(milliseconds: moment.milliseconds + 1500)
        for table in SystemTable.allCases {
            let batch = table.rows(catalog.image, now: now)
            // The catalog does not know what runs.
            #expect(batch.rowCount > 0 || table == .queries, "\(table.rawValue)")
            #expect(
                batch.columns.map(\.type) == table.schema.fields.map(\.type), "\(table.rawValue)")
            #expect(SystemTable(table.name) == table)
        }
        let tables = SystemTable.tables.rows(catalog.image, now: now)
        #expect(
            tables.values(0).prefix(4) == [
                .text("bronze"), .text("app_events"), .text("streaming_table"), .text("bronze"),
            ])
        let lineage = SystemTable.lineage.rows(catalog.image, now: now)
        #expect(
            lineage.values(0) == [
                .text("public.topic_app_events"), .text("topic"), .text("bronze.app_events"),
                .text("streaming_table"),
            ])
        let columns = SystemTable.informationColumns.rows(catalog.image, now: now)
        #expect(columns.values(0)[7] == .text("bigint") && columns.values(0)[12] == .text("int8"))
        #expect(SystemTable(name("weir.nothing")) == nil)
    }

    @Test func `an empty catalog has empty tables and the default schema`() throws {
        let image = CatalogImage()
        #expect(SystemTable.tables.rows(image, now: moment).rowCount == 0)
        #expect(image.schemas.map(\.name.name) == ["public"])
        #expect(image.nextOID == 16_384)
    }
}
