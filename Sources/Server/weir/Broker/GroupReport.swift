import Base
import Runtime
import WeirClient

/// A group with what it has read and what there is to read.
struct GroupReport {
    struct Partition {
        var address: PartitionAddress
        var committed: Int64?
        var end: Int64?
        var member: GroupInfo.Member?
        /// What the broker says, where offsets do not say it: in share groups.
        var toldLag: Int64?

        /// Records that the group has not read; nil when it has stored no offset.
        var lag: Int64? {
            if let toldLag { return toldLag }
            guard let committed, let end else { return nil }
            return max(0, end - committed)
        }
    }

    var info: GroupInfo
    var partitions: [Partition]

    var totalLag: Int64 { partitions.reduce(0) { $0 + ($1.lag ?? 0) } }
    var topics: [String] {
        var names: [String] = []
        for partition in partitions where !names.contains(partition.address.topic) {
            names.append(partition.address.topic)
        }
        return names
    }

    init(_ group: String, _ admin: Admin) throws(Problem) {
        info = try calling { () throws(ClientFailure) in try admin.describeGroup(group) }
        let committed = try GroupOffsets(info, admin)
        var owners: [PartitionAddress: GroupInfo.Member] = [:]
        for member in info.members {
            for address in member.partitions { owners[address] = member }
        }
        let addresses = Set(committed.offsets.keys).union(owners.keys).sorted()
        // A topic may be gone while the group still has offsets for it: then its end is unknown.
        let known = try calling { () throws(ClientFailure) in try admin.listTopics() }
        let existing = Set(
            known.flatMap { topic in
                topic.partitions.filter { $0.leader >= 0 }
                    .map { PartitionAddress(topic.name, $0.partition) }
            })
        var queries: [PartitionAddress: Int64] = [:]
        for address in addresses where existing.contains(address) { queries[address] = -1 }
        let asked = queries
        let ends =
            asked.isEmpty
            ? [:]
            : try calling { () throws(ClientFailure) in try admin.listOffsets(asked) }
        partitions = addresses.map {
            Partition(
                address: $0, committed: committed.offsets[$0], end: ends[$0]?.offset,
                member: owners[$0], toldLag: committed.lags[$0])
        }
    }

    /// A group that exists; else the nearest name as a suggestion.
    static func known(_ name: String, _ admin: Admin) throws(Problem) -> GroupReport {
        let report = try GroupReport(name, admin)
        if report.info.state == "Dead", report.partitions.isEmpty {
            throw unknownGroup(name, admin)
        }
        return report
    }
}

/// Where a group stands, whatever kind of group it is.
struct GroupOffsets {
    var offsets: [PartitionAddress: Int64] = [:]
    /// What the broker counts, for share groups: records behind the offset may be done already.
    var lags: [PartitionAddress: Int64] = [:]

    init(_ info: GroupInfo, _ admin: Admin) throws(Problem) {
        let name = info.groupId
        guard info.isShare else {
            offsets = try calling { () throws(ClientFailure) in
                try admin.committedOffsets(name)
            }.mapValues(\.offset)
            return
        }
        let found = try calling { () throws(ClientFailure) in try admin.shareOffsets(name) }
        offsets = found.mapValues(\.startOffset)
        lags = found.compactMapValues(\.lag)
    }
}

extension GroupInfo {
    var isShare: Bool { protocolType == "share" }
}

func unknownGroup(_ name: String, _ admin: Admin) -> Problem {
    let known = (try? admin.listGroups())?.map(\.groupId) ?? []
    return Problem(
        "group.unknown", "there is no group \"\(name)\"",
        hint: nearestName(to: name, among: known).map { "did you mean \"\($0)\"?" }
            ?? "weir group list")
}
