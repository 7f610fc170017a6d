import Base
import Runtime
import WeirClient

/// Looks at a running server, by what every client may ask.
struct ServerExamination {
    private(set) var findings: [Finding] = []

    init(_ context: CommandContext, lagMax: Int64) {
        do throws(Problem) {
            let found = try context.withAdmin { (admin) throws(Problem) in
                try Self.troubles(admin) + Self.groups(admin, lagMax)
            }
            findings += found
        } catch {
            findings.append(Self.unknown("broker", error))
        }
        do throws(Problem) {
            findings += try Self.tables(try context.http().json("GET", "/tables"))
        } catch {
            findings.append(Self.unknown("tables", error))
        }
    }

    private static func unknown(_ subject: String, _ problem: Problem) -> Finding {
        Finding(subject, .unknown, problem.message, remedy: problem.hint)
    }

    private static func troubles(_ admin: Admin) throws(Problem) -> [Finding] {
        let cluster = try ClusterTroubles(admin)
        if cluster.troubles.isEmpty {
            return [
                Finding(
                    "cluster", .ok,
                    "\(cluster.brokers) brokers, \(cluster.topics) topics, every replica in sync")
            ]
        }
        // One line a kind: a lost node has thousands of partitions.
        var kinds: [ClusterTroubles.Kind] = []
        for trouble in cluster.troubles where !kinds.contains(trouble.kind) {
            kinds.append(trouble.kind)
        }
        return kinds.map { kind in
            let places = cluster.troubles.filter { $0.kind == kind }.map(\.place)
            let more = places.count > 3 ? " and \(places.count - 3) more" : ""
            return Finding(
                "cluster", kind.isSevere ? .failing : .warning,
                "\(kind.rawValue): " + places.prefix(3).joined(separator: ", ") + more,
                remedy: kind.remedy)
        }
    }

    private static func groups(_ admin: Admin, _ lagMax: Int64) throws(Problem) -> [Finding] {
        let listed = try calling { () throws(ClientFailure) in try admin.listGroups() }
        var findings: [Finding] = []
        for group in listed {
            let report = try GroupReport(group.groupId, admin)
            guard report.totalLag > lagMax else { continue }
            findings.append(
                Finding(
                    "groups", .warning,
                    "\(group.groupId) is \(grouped(report.totalLag)) records behind, with "
                        + "\(report.info.members.count) members",
                    remedy: "weir group describe \(group.groupId)"))
        }
        return findings.isEmpty
            ? [
                Finding(
                    "groups", .ok,
                    "\(listed.count) groups, none more than \(grouped(lagMax)) records behind")
            ] : findings
    }

    private static func tables(_ answer: JSONValue) throws(Problem) -> [Finding] {
        let tables = answer["tables"]?.arrayValue ?? []
        var findings: [Finding] = []
        for table in tables {
            let name = table["name"]?.stringValue ?? ""
            if table["status"]?.stringValue == "failing" {
                findings.append(
                    Finding(
                        "tables", .failing, "\(name) does not move on",
                        remedy: "weir table describe \(name)"))
            }
            let files = table["files"]?.intValue ?? 0
            let bytes = table["bytes"]?.intValue ?? 0
            if files > 100, bytes / files < 1 << 20 {
                findings.append(
                    Finding(
                        "tables", .warning,
                        "\(name) has \(grouped(files)) files of \(byteText(bytes / files)) each",
                        remedy: "weir sql -c 'OPTIMIZE \(name)'"))
            }
        }
        return findings.isEmpty
            ? [Finding("tables", .ok, "\(tables.count) tables, all of them move on")] : findings
    }
}
