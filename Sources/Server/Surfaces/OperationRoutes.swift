// Health, metrics and the description of the HTTP interface itself.

import Base
import Node

/// What the process knows of itself; it comes from the driver, which may ask the system.
package struct ProcessFigures: Sendable {
    package var version: String
    package var startedAt: Timestamp
    package var residentBytes: Int64
    package var cpuSeconds: Double

    package init(
        version: String, startedAt: Timestamp, residentBytes: Int64, cpuSeconds: Double
    ) {
        self.version = version
        self.startedAt = startedAt
        self.residentBytes = residentBytes
        self.cpuSeconds = cpuSeconds
    }
}

/// `/health`, `/livez`, `/readyz`, `/metrics`.
package struct OperationRoutes: Sendable {
    private let port: any NodePort
    private let lake: any LakeService
    private let background: Background
    private let figures: @Sendable () -> ProcessFigures
    private let now: @Sendable () -> Now

    package init(
        port: any NodePort, lake: any LakeService, background: @escaping Background,
        figures: @escaping @Sendable () -> ProcessFigures, now: @escaping @Sendable () -> Now
    ) {
        self.port = port
        self.lake = lake
        self.background = background
        self.figures = figures
        self.now = now
    }

    package var routes: [Route] {
        [
            Route.immediate("GET", "/livez", "The process runs") { _, _ in .text("ok\n") },
            Route("GET", "/readyz", "The broker answers and the tables are open") {
                _, _, responder in
                port.submit(.statistics) { result in
                    switch result {
                    case .success(.statistics(let node)) where node.cluster?.isServing == false:
                        responder.respond(
                            .problem(
                                Problem(
                                    "cluster.joining",
                                    "the node is not registered with a controller yet",
                                    hint: "a majority of the nodes that vote has to run"),
                                status: 503))
                    case .success: responder.respond(.text("ok\n"))
                    case .failure(let problem):
                        responder.respond(.problem(problem, status: 503))
                    }
                }
            },
            Route("GET", "/health", "State of each component") { _, _, responder in
                background { responder.respond(health()) }
            },
            Route("GET", "/metrics", "Figures for Prometheus (OpenMetrics text)") {
                _, _, responder in
                background { responder.respond(metrics()) }
            },
        ]
    }

    private func statistics() -> NodeStatistics? {
        guard case .statistics(let found)? = try? port.call(.statistics) else { return nil }
        return found
    }

    private func health() -> HTTPResponse {
        let process = figures()
        let broker: JSONValue
        var cluster: JSONValue?
        var healthy = true
        if let node = statistics() {
            broker = [
                "status": "ok", "topics": .int(node.topics), "partitions": .int(node.partitions),
                "connections": .int(node.connections), "log_bytes": .int(node.logBytes),
            ]
            if let state = node.cluster {
                let isWell =
                    state.isServing && state.controller >= 0 && state.brokersFenced == 0
                    && state.partitionsWithoutLeader == 0 && state.partitionsBelowMinimum == 0
                if !isWell { healthy = false }
                cluster = [
                    "status": isWell ? "ok" : "failing", "serving": .bool(state.isServing),
                    "controller": .int(state.controller),
                    "brokers_alive": .int(state.brokersAlive),
                    "brokers_fenced": .int(state.brokersFenced),
                    "partitions_without_leader": .int(state.partitionsWithoutLeader),
                    "partitions_under_replicated": .int(state.partitionsUnderReplicated),
                    "partitions_below_minimum": .int(state.partitionsBelowMinimum),
                    "partitions_moving": .int(state.partitionsMoving),
                ]
            }
        } else {
            healthy = false
            broker = ["status": "failing", "detail": "the node does not answer"]
        }
        let tables: JSONValue
        do throws(Problem) {
            let reports = try lake.tables(layer: nil)
            let failing = reports.filter { $0.failure != nil }
            if !failing.isEmpty { healthy = false }
            tables = [
                "status": failing.isEmpty ? "ok" : "failing", "tables": .int(reports.count),
                "failing": .array(
                    failing.map {
                        ["name": .string($0.fullName), "detail": .string($0.failure ?? "")]
                    }),
                "layers": .array(layers(reports)),
            ]
        } catch {
            healthy = false
            tables = ["status": "failing", "detail": .string(error.message)]
        }
        var components = [JSONMember("broker", broker), JSONMember("lakehouse", tables)]
        if let cluster { components.append(JSONMember("cluster", cluster)) }
        let uptime = now().timestamp.milliseconds - process.startedAt.milliseconds
        return .json(
            [
                "status": healthy ? "healthy" : "degraded", "version": .string(process.version),
                "uptime_seconds": .double(Double(uptime) / 1000),
                "components": .object(components),
                "memory_bytes": .int(process.residentBytes),
            ], status: healthy ? 200 : 503)
    }

    private func layers(_ reports: [TableReport]) -> [JSONValue] {
        var byLayer: OrderedMap<String, (tables: Int, rows: Int64, bytes: Int64, oldest: Int64)> =
            [:]
        let moment = now().timestamp.milliseconds
        for report in reports where report.version != nil {
            byLayer[report.schema, default: (0, 0, 0, 0)].tables += 1
            byLayer[report.schema, default: (0, 0, 0, 0)].rows += report.rows ?? 0
            byLayer[report.schema, default: (0, 0, 0, 0)].bytes += report.bytes ?? 0
            let age = report.lastCommit.map { moment - $0.milliseconds } ?? 0
            let oldest = byLayer[report.schema]?.oldest ?? 0
            byLayer[report.schema, default: (0, 0, 0, 0)].oldest = max(oldest, age)
        }
        return byLayer.map { layer, figures in
            [
                "layer": .string(layer), "tables": .int(figures.tables),
                "rows": .int(figures.rows), "bytes": .int(figures.bytes),
                "stalest_seconds": .double(Double(figures.oldest) / 1000),
            ]
        }
    }

    // MARK: Metrics

    private func metrics() -> HTTPResponse {
        var page = MetricsPage()
        let process = figures()
        page.gauge(
            "weir_process_resident_memory_bytes", "Resident memory", Double(process.residentBytes))
        page.counter("weir_process_cpu_seconds", "CPU time used", process.cpuSeconds)
        page.gauge(
            "weir_process_start_time_seconds", "Start of the process",
            Double(process.startedAt.milliseconds) / 1000)
        if let node = statistics() {
            page.gauge(
                "weir_connections", "Open connections of the broker port", Double(node.connections))
            page.counter("weir_requests", "Requests on the broker port", Double(node.requests))
            page.counter(
                "weir_produced_bytes", "Bytes of record batches appended",
                Double(node.producedBytes))
            page.counter("weir_produced_records", "Records appended", Double(node.producedRecords))
            page.counter(
                "weir_fetched_bytes", "Bytes of record batches sent to consumers",
                Double(node.fetchedBytes))
            page.counter(
                "weir_journal_syncs", "Group commits of the journal", Double(node.journalSyncs))
            page.counter(
                "weir_failed_authentications", "Sign-ons that failed",
                Double(node.failedAuthentications))
            page.counter(
                "weir_throttled_requests", "Requests beyond a quota",
                Double(node.throttledRequests))
            page.gauge("weir_topics", "Topics", Double(node.topics))
            page.gauge("weir_partitions", "Partitions", Double(node.partitions))
            page.gauge("weir_log_bytes", "Bytes of all partition logs", Double(node.logBytes))
            page.gauge("weir_groups", "Consumer groups", Double(node.groups))
            page.gauge(
                "weir_partitions_damaged", "Partitions with damaged records",
                Double(node.damagedPartitions))
            page.counter(
                "weir_scrubbed_bytes", "Bytes of closed segments read again and checked",
                Double(node.scrubbedBytes))
            page.counter(
                "weir_scrub_rounds", "Times that all closed segments were checked",
                Double(node.scrubRounds))
            if let cluster = node.cluster { clusterMetrics(cluster, &page) }
        }
        if let reports = try? lake.tables(layer: nil) { tableMetrics(reports, &page) }
        return .text(
            page.finish(), type: "application/openmetrics-text; version=1.0.0; charset=utf-8")
    }

    private func clusterMetrics(_ cluster: ClusterStatistics, _ page: inout MetricsPage) {
        page.gauge(
            "weir_cluster_serving", "Whether the node is registered and serves clients",
            cluster.isServing ? 1 : 0)
        page.gauge(
            "weir_cluster_controller", "Whether the node is the controller",
            cluster.isController ? 1 : 0)
        page.gauge("weir_cluster_term", "Term of the metadata quorum", Double(cluster.term))
        page.gauge(
            "weir_cluster_applied", "Entries of the metadata log that are applied here",
            Double(cluster.applied))
        page.gauge(
            "weir_cluster_links", "Other nodes that there is a link to", Double(cluster.links))
        page.gauge("weir_cluster_brokers", "Brokers that are alive", Double(cluster.brokersAlive))
        page.gauge(
            "weir_cluster_brokers_fenced", "Brokers that fell silent or are not ready",
            Double(cluster.brokersFenced))
        page.gauge(
            "weir_cluster_partitions_without_leader", "Partitions that nobody leads",
            Double(cluster.partitionsWithoutLeader))
        page.gauge(
            "weir_cluster_partitions_under_replicated", "Partitions with replicas out of sync",
            Double(cluster.partitionsUnderReplicated))
        page.gauge(
            "weir_cluster_partitions_below_minimum",
            "Partitions with fewer replicas in sync than min.insync.replicas",
            Double(cluster.partitionsBelowMinimum))
        page.gauge(
            "weir_cluster_partitions_moving", "Partitions whose replicas come and go",
            Double(cluster.partitionsMoving))
    }

    private func tableMetrics(_ reports: [TableReport], _ page: inout MetricsPage) {
        let tables = reports.filter { $0.version != nil }
        let moment = now().timestamp.milliseconds
        page.family("weir_table_rows", "gauge", "Rows of a table")
        for table in tables {
            page.sample("weir_table_rows", table.fullName, Double(table.rows ?? 0))
        }
        page.family("weir_table_bytes", "gauge", "Bytes of a table's live files")
        for table in tables {
            page.sample("weir_table_bytes", table.fullName, Double(table.bytes ?? 0))
        }
        page.family("weir_table_version", "gauge", "Newest version of a table")
        for table in tables {
            page.sample("weir_table_version", table.fullName, Double(table.version ?? 0))
        }
        page.family("weir_table_staleness_seconds", "gauge", "Time since a table's last commit")
        for table in tables {
            let age = table.lastCommit.map { moment - $0.milliseconds } ?? 0
            page.sample("weir_table_staleness_seconds", table.fullName, Double(age) / 1000)
        }
        page.family("weir_expectation_violations", "counter", "Rows that broke a rule")
        for table in tables {
            for rule in table.expectations {
                page.sample(
                    "weir_expectation_violations_total", table.fullName, Double(rule.failed),
                    rule: rule.name)
            }
        }
    }
}

/// OpenMetrics text, one family after the other.
private struct MetricsPage {
    private var text = ""

    mutating func family(_ name: String, _ type: String, _ help: String) {
        text += "# TYPE \(name) \(type)\n# HELP \(name) \(help)\n"
    }

    mutating func gauge(_ name: String, _ help: String, _ value: Double) {
        family(name, "gauge", help)
        text += "\(name) \(number(value))\n"
    }

    mutating func counter(_ name: String, _ help: String, _ value: Double) {
        family(name, "counter", help)
        text += "\(name)_total \(number(value))\n"
    }

    mutating func sample(_ name: String, _ table: String, _ value: Double, rule: String? = nil) {
        let more = rule.map { ",rule=\"\(escaped($0))\"" } ?? ""
        text += "\(name){table=\"\(escaped(table))\"\(more)} \(number(value))\n"
    }

    private func number(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) : "\(value)"
    }

    private func escaped(_ label: String) -> String {
        var result = ""
        for character in label {
            switch character {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.append(character)
            }
        }
        return result
    }

    func finish() -> String { text + "# EOF\n" }
}
