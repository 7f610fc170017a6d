// Tables, catalog and queries over HTTP.

import Base
import Columns
import Engine
import Node

/// Runs work that may block somewhere else than on the HTTP threads.
package typealias Background = @Sendable (@escaping @Sendable () -> Void) -> Void

/// The endpoints of the lakehouse.
package struct LakeRoutes: Sendable {
    private let lake: any LakeService
    private let background: Background
    private let now: @Sendable () -> Now

    package init(
        lake: any LakeService, background: @escaping Background, now: @escaping @Sendable () -> Now
    ) {
        self.lake = lake
        self.background = background
        self.now = now
    }

    package var routes: [Route] {
        [
            blocking("GET", "/tables", "All tables, or those of one layer: ?layer=gold") {
                request, _ throws(Problem) in
                try tables(request)
            },
            blocking("GET", "/tables/{name}", "Columns, version, size, quality of one table") {
                _, values throws(Problem) in
                try table(values[0])
            },
            blocking("GET", "/tables/{name}/preview", "Some rows: ?limit=20&version=3") {
                request, values throws(Problem) in
                try preview(values[0], request)
            },
            blocking("GET", "/tables/{name}/history", "The versions of one table") {
                request, values throws(Problem) in
                try history(values[0], request)
            },
            blocking("GET", "/catalog", "Everything the catalog knows") {
                _, _ throws(Problem) in
                .json(try lake.catalogReport())
            },
            blocking("GET", "/catalog/lineage/{name}", "Where a table comes from and goes to") {
                _, values throws(Problem) in
                .json(try lake.lineage(values[0]))
            },
        ]
    }

    private func blocking(
        _ method: String, _ path: String, _ summary: String,
        _ answer: @escaping @Sendable (HTTPRequest, [String]) throws(Problem) -> HTTPResponse
    ) -> Route {
        .blocking(method, path, summary, in: background, answer)
    }

    // MARK: Tables

    private func tables(_ request: HTTPRequest) throws(Problem) -> HTTPResponse {
        let reports = try lake.tables(layer: request.parameter("layer"))
        let moment = now()
        return .json([
            "tables": .array(reports.map { summary(of: $0, now: moment) }),
            "count": .int(reports.count),
        ])
    }

    private func table(_ name: String) throws(Problem) -> HTTPResponse {
        let report = try lake.table(name)
        let response = HTTPResponse.json(details(of: report, now: now()))
        guard let version = report.version else { return response }
        return response.with("ETag", "\"\(version)\"")
    }

    private func preview(_ name: String, _ request: HTTPRequest) throws(Problem) -> HTTPResponse {
        let report = try lake.table(name)
        let limit = try count(request, "limit", default: 20, most: 10_000)
        var travel = ""
        if let version = request.parameter("version") {
            guard let number = Int64(version), number >= 0 else {
                throw Problem(
                    "http.parameter", "version must be a whole number, found \"\(version)\"")
            }
            travel = " VERSION AS OF \(number)"
        }
        let relation = quoted(report)
        let started = now()
        let form = try QueryForm(of: request)
        var options = StatementOptions(rowLimit: limit)
        options.isAbandoned = request.isAbandoned
        let cursor = try lake.open(
            script: "SELECT * FROM \(relation)\(travel) LIMIT \(limit)", options: options)
        return try QueryAnswer(cursor, form, started: started, now: now, in: background).response()
    }

    private func history(_ name: String, _ request: HTTPRequest) throws(Problem) -> HTTPResponse {
        let limit = try count(request, "limit", default: 100, most: 10_000)
        let versions = try lake.history(name, limit: limit)
        let list = versions.map { version -> JSONValue in
            [
                "version": .int(version.version), "timestamp": .string(version.timestamp.isoText),
                "operation": .string(version.operation), "metrics": .object(version.metrics),
            ]
        }
        return .json(["table": .string(name), "history": .array(list)])
    }

    private func quoted(_ report: TableReport) -> String {
        func part(_ name: String) -> String {
            "\""
                + name.split(separator: "\"", omittingEmptySubsequences: false)
                .joined(separator: "\"\"") + "\""
        }
        return report.schema.isEmpty
            ? part(report.name) : part(report.schema) + "." + part(report.name)
    }

    private func count(
        _ request: HTTPRequest, _ name: String, default fallback: Int, most: Int
    ) throws(Problem) -> Int {
        guard let text = request.parameter(name) else { return fallback }
        guard let value = Int(text), value >= 0, value <= most else {
            throw Problem(
                "http.parameter",
                "\(name) must be a whole number from 0 to \(most), found \"\(text)\"")
        }
        return value
    }
}

// MARK: JSON of a table

private func summary(of report: TableReport, now: Now) -> JSONValue {
    .object(summaryMembers(of: report, now: now))
}

private func summaryMembers(of report: TableReport, now: Now) -> [JSONMember] {
    func number(_ value: (some BinaryInteger)?) -> JSONValue { value.map { .int($0) } ?? .null }
    let age = report.lastCommit.map { now.timestamp.milliseconds - $0.milliseconds }
    return [
        JSONMember("name", .string(report.fullName)),
        JSONMember("layer", .string(report.schema)),
        JSONMember("table", .string(report.name)),
        JSONMember("kind", .string(report.kind)),
        JSONMember("owner", .string(report.owner)),
        JSONMember("version", number(report.version)),
        JSONMember("rows", number(report.rows)),
        JSONMember("bytes", number(report.bytes)),
        JSONMember("files", number(report.files)),
        JSONMember("last_commit", report.lastCommit.map { .string($0.isoText) } ?? .null),
        JSONMember("freshness_seconds", age.map { .double(Double($0) / 1000) } ?? .null),
        JSONMember("sources", .array(report.sources.map { .string($0) })),
        JSONMember("status", report.failure == nil ? "ok" : "failing"),
    ]
}

private func details(of report: TableReport, now: Now) -> JSONValue {
    func pairs(_ settings: [TopicSetting]) -> JSONValue {
        .object(settings.map { JSONMember($0.name, .string($0.value)) })
    }
    let columns = report.columns.map { field -> JSONValue in
        [
            "name": .string(field.name), "type": .string(field.type.sqlName),
            "nullable": .bool(field.isNullable),
        ]
    }
    let expectations = report.expectations.map { rule -> JSONValue in
        [
            "name": .string(rule.name), "condition": .string(rule.condition),
            "action": .string(rule.action), "passed": .int(rule.passed),
            "failed": .int(rule.failed),
        ]
    }
    let more: [JSONMember] = [
        JSONMember("comment", report.comment.map { .string($0) } ?? .null),
        JSONMember("columns", .array(columns)),
        JSONMember("partition_columns", .array(report.partitionColumns.map { .string($0) })),
        JSONMember("path", report.path.map { .string($0) } ?? .null),
        JSONMember("settings", pairs(report.settings)),
        JSONMember("tags", pairs(report.tags)),
        JSONMember("quality", .array(expectations)),
        JSONMember("statement", .string(report.statement)),
        JSONMember("failure", report.failure.map { .string($0) } ?? .null),
    ]
    return .object(summaryMembers(of: report, now: now) + more)
}
