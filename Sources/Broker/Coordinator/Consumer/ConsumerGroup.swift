import Base

/// The part of a group whose coordinator assigns the partitions (the newer group protocol).
///
/// Three epochs follow each other: `epoch` rises with every change of members, wishes or topics;
/// `assignmentEpoch` is the epoch that `target` was made for; each member's own epoch says which
/// target it has reached.
///
/// What the log must learn is collected in `changes` and taken out as records once an event was
/// handled; see `ConsumerRecordFormat`.
struct ConsumerGroup: Sendable {
    /// Topics that a pattern matched when it was last looked at.
    struct ResolvedPattern: Sendable, Equatable {
        var topics: [String]
        var timestamp: Timestamp
        var pattern: RegularExpression?

        static func == (left: ResolvedPattern, right: ResolvedPattern) -> Bool {
            left.topics == right.topics && left.timestamp == right.timestamp
        }
    }

    let id: String
    var epoch: Int32 = 0
    var assignmentEpoch: Int32 = 0
    /// Of the subscribed topics when the epoch last rose.
    var topicFingerprint: Int64 = 0
    private(set) var members: OrderedMap<String, ConsumerMember> = [:]
    /// What each member shall have.
    private(set) var target: OrderedMap<String, PartitionSet> = [:]
    private(set) var patterns: OrderedMap<String, ResolvedPattern> = [:]
    /// Static members: instance id → member id. Looked up only.
    private var instances: [String: String] = [:]
    /// Who has each partition, or has not given it back yet. Looked up only.
    private var owners: [AssignedPartition: String] = [:]
    /// Sorted, each once: what the members read, by name or pattern.
    private(set) var subscribedTopics: [String] = []

    var changes = ConsumerGroupChanges()
    /// The newest append that is not durable yet.
    var writing: AppendToken?
    /// The topics changed since the subscription was last evaluated.
    var hasStaleTopics = false
    /// When patterns were last evaluated because topics had changed.
    var patternsEvaluatedAt: Instant?
    /// When they are evaluated even if none did: permissions may have changed.
    var patternsDueAt: Instant?

    init(id: String) { self.id = id }

    // MARK: Queries

    var stateName: String {
        if members.isEmpty { return "Empty" }
        if epoch > assignmentEpoch { return "Assigning" }
        return members.values.allSatisfy { $0.isReconciled(to: assignmentEpoch) }
            ? "Stable" : "Reconciling"
    }

    func memberID(ofInstance instance: String) -> String? { instances[instance] }

    func isSubscribed(to topic: String) -> Bool {
        var low = 0
        var high = subscribedTopics.count
        while low < high {
            let middle = (low + high) / 2
            if subscribedTopics[middle] < topic { low = middle + 1 } else { high = middle }
        }
        return low < subscribedTopics.count && subscribedTopics[low] == topic
    }

    /// Whether somebody else has the partition.
    func isTaken(_ partition: AssignedPartition, from member: String) -> Bool {
        guard let owner = owners[partition] else { return false }
        return owner != member
    }

    /// Whether partitions of its target are still with others.
    func isWaitingForOthers(_ member: ConsumerMember) -> Bool {
        guard let wanted = target[member.id]?.subtracting(member.assigned) else { return false }
        return wanted.all.contains { isTaken($0, from: member.id) }
    }

    /// The distribution that most members wish; of equals the one that comes first.
    var assignor: ServerAssignor {
        var votes = OrderedMap<String, Int>()
        for member in members.values {
            if let wish = member.assignor { votes[wish, default: 0] += 1 }
        }
        var best: (name: String, count: Int)?
        for (name, count) in votes where count > best?.count ?? 0 { best = (name, count) }
        return best.flatMap { ServerAssignor(rawValue: $0.name) } ?? .uniform
    }

    func isAllClassic(except leaving: String) -> Bool {
        for (id, member) in members where id != leaving && member.classic == nil { return false }
        return true
    }

    /// Whether a member of the classic protocol fits to those that are there.
    func supports(protocolType: String, protocols: [MemberProtocol]) -> Bool {
        guard protocolType == ConsumerSubscription.protocolType, !protocols.isEmpty else {
            return false
        }
        let others = members.values.compactMap(\.classic)
        return protocols.contains { offered in
            others.allSatisfy { $0.protocols.contains { $0.name == offered.name } }
        }
    }

    var metadataBytes: Int { members.values.reduce(0) { $0 + $1.metadataBytes } }

    var earliestDeadline: Instant {
        members.values.reduce(.distantFuture) { min($0, $1.deadlines.earliest) }
    }

    // MARK: Members

    /// Takes the member in, or its new state, and notes what the log must learn.
    mutating func put(_ member: ConsumerMember) {
        let old = members[member.id]
        if old?.hasSameWishes(as: member) != true { changes.members.insert(member.id) }
        if old?.hasSamePlace(as: member) != true {
            changes.places.insert(member.id)
            if let old { release(old) }
            for partition in member.owned.all {
                let other = owners.updateValue(member.id, forKey: partition)
                precondition(other == nil, "a partition has one owner")
            }
        }
        if let instance = old?.instanceID, instance != member.instanceID {
            instances[instance] = nil
        }
        if let instance = member.instanceID { instances[instance] = member.id }
        members[member.id] = member
    }

    /// Changes nothing that the log keeps.
    mutating func setDeadlines(of id: String, _ change: (inout ConsumerMember.Deadlines) -> Void) {
        guard var member = members[id] else { return }
        change(&member.deadlines)
        members[id] = member
    }

    @discardableResult
    mutating func remove(_ id: String) -> ConsumerMember? {
        guard let member = members.removeValue(forKey: id) else { return nil }
        release(member)
        if let instance = member.instanceID, instances[instance] == id { instances[instance] = nil }
        target[id] = nil
        changes.members.insert(id)
        changes.places.insert(id)
        changes.targets.insert(id)
        return member
    }

    private mutating func release(_ member: ConsumerMember) {
        for partition in member.owned.all where owners[partition] == member.id {
            owners[partition] = nil
        }
    }

    mutating func setTarget(of id: String, _ partitions: PartitionSet) {
        if target[id] == partitions { return }
        target[id] = partitions
        changes.targets.insert(id)
    }

    // MARK: Subscription

    /// Puts a pattern in whose topics were just found.
    mutating func setPattern(_ text: String, _ resolved: ResolvedPattern) {
        if patterns[text]?.topics != resolved.topics { changes.patterns.insert(text) }
        patterns[text] = resolved
    }

    /// Forgets patterns that no member has any more.
    mutating func dropUnusedPatterns() {
        guard !patterns.isEmpty else { return }
        let used = Set(members.values.map(\.regex))
        for text in patterns.keys where !used.contains(text) {
            patterns[text] = nil
            changes.patterns.insert(text)
        }
    }

    /// What one member reads: names and what its pattern matched, sorted, each once.
    func topics(of member: ConsumerMember) -> [String] {
        guard !member.regex.isEmpty, let matched = patterns[member.regex]?.topics,
            !matched.isEmpty
        else { return member.topics }
        if member.topics.isEmpty { return matched }
        return Set(member.topics).union(matched).sorted()
    }

    mutating func updateSubscribedTopics() {
        var all: Set<String> = []
        for member in members.values { all.formUnion(topics(of: member)) }
        subscribedTopics = all.sorted()
    }

    mutating func raiseEpoch() {
        epoch = epoch == .max ? 1 : epoch + 1
        changes.epoch = true
    }

    /// Makes the target of the present epoch.
    mutating func updateTarget(_ topics: GroupTopics) {
        var counts: OrderedMap<UUID128, Int32> = [:]
        var ids: [String: UUID128] = [:]
        for name in subscribedTopics {
            guard let topic = topics.topic(name) else { continue }
            counts[topic.id] = topic.partitionCount
            ids[name] = topic.id
        }
        let subscribers = members.values.map { member in
            ServerAssignor.Subscriber(
                id: member.id, instanceID: member.instanceID,
                topics: self.topics(of: member).compactMap { ids[$0] }.sorted(),
                current: target[member.id] ?? PartitionSet())
        }
        let assigned = assignor.assign(subscribers, partitionCounts: counts)
        for (subscriber, partitions) in zip(subscribers, assigned) {
            setTarget(of: subscriber.id, partitions)
        }
        assignmentEpoch = epoch
        changes.assignmentEpoch = true
    }

    // MARK: Recovery

    /// For replay: takes over what a record says without noting it as a change.
    mutating func restore(_ body: (inout Restoration) -> Void) {
        var restoration = Restoration(members: members, target: target, patterns: patterns)
        // Moved, not copied: a replay changes them once per record.
        members = [:]
        target = [:]
        patterns = [:]
        body(&restoration)
        members = restoration.members
        target = restoration.target
        patterns = restoration.patterns
    }

    struct Restoration {
        var members: OrderedMap<String, ConsumerMember>
        var target: OrderedMap<String, PartitionSet>
        var patterns: OrderedMap<String, ResolvedPattern>

        mutating func changeMember(_ id: String, _ body: (inout ConsumerMember) -> Void) {
            var member = members[id]
            if member == nil {
                member = ConsumerMember(id: id)
                member?.hasWishes = false
            }
            if var member {
                body(&member)
                members[id] = member
            }
        }
    }

    /// The log is read: what it left half done is dropped, the indexes are made.
    mutating func finishRestore() {
        // A place without wishes: the other half never got into the log, or is gone from it.
        for (id, member) in members where !member.hasWishes { members[id] = nil }
        for id in target.keys where members[id] == nil { target[id] = nil }
        instances = [:]
        owners = [:]
        for (id, restored) in members {
            var member = restored
            if let instance = member.instanceID { instances[instance] = id }
            member.assigned = member.assigned.filter { owners[$0] == nil }
            member.pendingRevocation = member.pendingRevocation.subtracting(member.assigned)
                .filter { owners[$0] == nil }
            for partition in member.owned.all { owners[partition] = id }
            members[id] = member
            assignmentEpoch = max(assignmentEpoch, member.epoch)
        }
        epoch = max(epoch, assignmentEpoch)
        for (text, resolved) in patterns {
            var resolved = resolved
            resolved.pattern = try? RegularExpression(text)
            patterns[text] = resolved
        }
        updateSubscribedTopics()
        hasStaleTopics = true
    }

    // MARK: Invariants

    /// assignmentEpoch ≤ epoch; member epochs ≤ assignmentEpoch; no partition has two owners;
    /// targets belong to members; assigned ∩ pendingRevocation = ∅.
    func checkInvariants() {
        precondition(assignmentEpoch <= epoch, "a target is made for an epoch that came")
        var seen: Set<AssignedPartition> = []
        for (id, member) in members {
            precondition(member.epoch <= assignmentEpoch, "members follow the target")
            precondition(
                !member.assigned.intersects(member.pendingRevocation), "kept or given back")
            for partition in member.owned.all {
                precondition(seen.insert(partition).inserted, "a partition has one owner")
                precondition(owners[partition] == id, "the index knows the owner")
            }
            if let instance = member.instanceID {
                precondition(instances[instance] == id, "an instance has one member")
            }
        }
        precondition(owners.count == seen.count, "the index has nothing else")
        for id in target.keys { precondition(members[id] != nil, "targets belong to members") }
    }
}

/// What of a group differs from the log.
struct ConsumerGroupChanges: Sendable, Equatable {
    var epoch = false
    var assignmentEpoch = false
    /// Ids whose wishes, places and targets changed, the removed ones included. Sorted before they
    /// are iterated.
    var members: Set<String> = []
    var places: Set<String> = []
    var targets: Set<String> = []
    var patterns: Set<String> = []

    var isEmpty: Bool { self == ConsumerGroupChanges() }

    /// The log refused these: they are still to be written.
    mutating func formUnion(_ other: ConsumerGroupChanges) {
        epoch = epoch || other.epoch
        assignmentEpoch = assignmentEpoch || other.assignmentEpoch
        members.formUnion(other.members)
        places.formUnion(other.places)
        targets.formUnion(other.targets)
        patterns.formUnion(other.patterns)
    }
}
