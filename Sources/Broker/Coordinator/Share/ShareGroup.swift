import Base
import WireProtocol

/// One share group: who is in it, who reads what, and how far it has come in each partition.
///
/// Membership is not kept: after a restart members are unknown, join again, and nothing else
/// happens, because what they had acquired is free again. The epoch is kept, so that it never goes
/// back, and with it the group itself.
struct ShareGroup: Sendable {
    struct Member: Sendable, Equatable {
        let id: String
        var rackID: String?
        var clientID = ""
        var clientHost = ""
        /// Sorted, each once.
        var topics: [String] = []
        var epoch: Int32 = 0
        var previousEpoch: Int32 = 0
        var assigned = PartitionSet()
        /// When it is gone unless it calls.
        var deadline: Instant = .distantFuture
    }

    /// A partition, and how much of it is in the log.
    struct Place: Sendable {
        var partition: SharePartition
        var snapshotEpoch: Int32 = 0
        /// Changes written since the snapshot, and the most that ever were: each has a key.
        var updates: Int32 = 0
        var slots: Int32 = 0
        /// Nothing can be added to what the log has: all of it has to be written.
        var needsSnapshot = true
        /// The entry of the deadline queue that stands for this partition.
        var armedAt: Instant?
    }

    let id: String
    var epoch: Int32 = 0
    var isDead = false
    private(set) var members: OrderedMap<String, Member> = [:]
    /// Sorted before they are iterated.
    var places: [AssignedPartition: Place] = [:]
    private(set) var topicFingerprint: Int64 = 0
    /// The topics changed since the assignment was made.
    var hasStaleTopics = false
    /// What differs from the log.
    var epochChanged = false
    var changed: Set<AssignedPartition> = []
    /// The newest append that is not durable yet.
    var writing: AppendToken?
    /// Up to here appends may rest on one that the log refused.
    var refusedThrough: AppendToken?
    /// The entry of the deadline queue that stands for the members.
    var armedAt: Instant?

    init(id: String) { self.id = id }

    var stateName: String {
        if isDead { return "Dead" }
        return members.isEmpty ? "Empty" : "Stable"
    }

    var subscribedTopics: [String] {
        var all: Set<String> = []
        for member in members.values { all.formUnion(member.topics) }
        return all.sorted()
    }

    func isSubscribed(to topic: String) -> Bool {
        members.values.contains { $0.topics.contains(topic) }
    }

    var earliestDeadline: Instant {
        members.values.reduce(.distantFuture) { min($0, $1.deadline) }
    }

    // MARK: Members

    mutating func put(_ member: Member) { members[member.id] = member }

    @discardableResult
    mutating func remove(_ id: String) -> Member? { members.removeValue(forKey: id) }

    /// Looks again at who reads what. Members learn it with their next heartbeat.
    mutating func assign(_ topics: GroupTopics) {
        hasStaleTopics = false
        epoch = epoch == .max ? 1 : epoch + 1
        epochChanged = true
        let names = subscribedTopics
        topicFingerprint = topics.fingerprint(of: names)
        var counts: OrderedMap<UUID128, Int32> = [:]
        var ids: [String: UUID128] = [:]
        for name in names {
            guard let topic = topics.topic(name) else { continue }
            counts[topic.id] = topic.partitionCount
            ids[name] = topic.id
        }
        let subscribers = members.values.map { member in
            SimpleAssignment.Subscriber(
                id: member.id, topics: member.topics.compactMap { ids[$0] }.sorted())
        }
        let shares = SimpleAssignment.assign(subscribers, partitionCounts: counts)
        for (subscriber, share) in zip(subscribers, shares) {
            members[subscriber.id]?.assigned = share
        }
    }

    func needsAssignment(_ topics: GroupTopics) -> Bool {
        hasStaleTopics && topics.fingerprint(of: subscribedTopics) != topicFingerprint
    }

    // MARK: Records

    mutating func takeRecords(updatesPerSnapshot: Int32) -> [GroupRecord] {
        var records: [GroupRecord] = []
        if epochChanged {
            records.append(ShareRecordFormat.record(.group(id, epoch: epoch)))
            epochChanged = false
        }
        for key in changed.sorted() {
            if let record = takeRecord(of: key, updatesPerSnapshot: updatesPerSnapshot) {
                records.append(record)
            }
        }
        changed = []
        return records
    }

    private mutating func takeRecord(
        of key: AssignedPartition, updatesPerSnapshot: Int32
    ) -> GroupRecord? {
        guard var place = places[key] else { return nil }
        // Out of its place while it is changed, so that nothing is copied.
        places[key] = nil
        defer { places[key] = place }
        guard place.needsSnapshot || place.partition.hasChanges else { return nil }
        if place.needsSnapshot || place.updates >= updatesPerSnapshot {
            place.snapshotEpoch = place.snapshotEpoch == .max ? 1 : place.snapshotEpoch + 1
            place.updates = 0
            place.needsSnapshot = false
            place.partition.forgetChanges()
            let content = ShareRecord.Content(
                snapshotEpoch: place.snapshotEpoch, startOffset: place.partition.startOffset,
                runs: place.partition.runs)
            return ShareRecordFormat.record(.snapshot(group: id, key, content))
        }
        let runs = place.partition.takeChanges()
        let content = ShareRecord.Content(
            snapshotEpoch: place.snapshotEpoch, startOffset: place.partition.startOffset,
            runs: runs)
        let record = ShareRecordFormat.record(
            .update(group: id, key, slot: place.updates, content))
        place.updates += 1
        place.slots = max(place.slots, place.updates)
        return record
    }

    /// What makes the log forget a partition.
    func tombstones(of key: AssignedPartition) -> [GroupRecord] {
        guard let place = places[key] else { return [] }
        var records = (0..<place.slots).map {
            ShareRecordFormat.record(.update(group: id, key, slot: $0, nil))
        }
        records.append(ShareRecordFormat.record(.snapshot(group: id, key, nil)))
        return records
    }

    /// What makes the log forget the group; the record of the group itself comes last.
    func tombstones() -> [GroupRecord] {
        places.keys.sorted().flatMap { tombstones(of: $0) }
            + [ShareRecordFormat.record(.group(id, epoch: nil))]
    }

    /// The log refused records: everything of these partitions is to be written again.
    mutating func writeAgain(_ keys: [AssignedPartition]) {
        for key in keys where places[key] != nil {
            places[key]?.needsSnapshot = true
            changed.insert(key)
        }
        epochChanged = true
    }

    func checkInvariants() {
        for key in places.keys.sorted() { places[key]?.partition.checkInvariants() }
        for (id, member) in members {
            precondition(member.id == id, "a member is kept under its id")
            precondition(member.epoch <= epoch, "members follow the group")
        }
    }
}
