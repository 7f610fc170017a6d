import Base
import WireProtocol

/// The share groups of this broker: a deterministic state machine, as `GroupCoordinator` is.
///
/// Whoever reads for a member first calls `acknowledge`, `acquire` and the like as often as needed,
/// which change the state and collect what the log has to learn, and then `commit`: the answer to
/// the member leaves when all of it is durable. So nothing that was acknowledged comes again after a
/// crash, and nobody is given a record whose delivery could be forgotten.
package struct ShareCoordinator: Sendable {
    package let configuration: ShareConfiguration
    private var groups: [String: ShareGroup] = [:]
    private var topics = GroupTopics()
    /// Set for single groups. Looked up only.
    private var settings: [String: ShareSettings] = [:]
    private var deadlines = DeadlineQueue<Deadline>()
    private var effects: [ShareEffect] = []
    /// What each append that is not durable yet is for.
    private var appends: [AppendToken: Pending] = [:]
    private var lastAppend: UInt64 = 0
    private var now = Now(monotonic: .zero, wallMicroseconds: 0)
    /// While the log is replayed: slots of changes whose snapshot compaction has removed.
    private var staleSlots: [String: [AssignedPartition: Int32]] = [:]

    private enum Deadline: Sendable {
        case members(String)
        case locks(String, AssignedPartition)
    }

    private struct Pending: Sendable {
        var group: String
        var partitions: [AssignedPartition]
        var replies: [(ReplyToken, ShareReply)]
        var isDeletion = false
    }

    package init(configuration: ShareConfiguration = ShareConfiguration()) {
        self.configuration = configuration
    }

    // MARK: Membership

    package mutating func heartbeat(
        _ call: ShareHeartbeatCall, _ token: ReplyToken, now: Now
    ) -> [ShareEffect] {
        self.now = now
        do throws(GroupRefusal) {
            if let refusal = call.complaint(configuration) { throw refusal }
            let answer = call.memberEpoch < 0 ? try leave(call) : try stay(call)
            write(call.group, (token, .heartbeat(answer)))
        } catch {
            let answer = ShareHeartbeatAnswer(error: error.code, message: error.message)
            effects.append(.reply(token, .heartbeat(answer)))
        }
        pruneDeadlines()
        return takeEffects()
    }

    private mutating func stay(
        _ call: ShareHeartbeatCall
    ) throws(GroupRefusal) -> ShareHeartbeatAnswer {
        let name = call.group
        if groups[name] == nil {
            guard call.memberEpoch == 0 else {
                throw GroupRefusal(.groupIdNotFound, "there is no share group \(name)")
            }
            guard groups.count < configuration.groupsMax else {
                throw GroupRefusal(.coordinatorNotAvailable, "there are too many share groups")
            }
        }
        var group = groups[name] ?? ShareGroup(id: name)
        if group.isDead {
            throw GroupRefusal(.coordinatorNotAvailable, "the group is being deleted")
        }
        let known = group.members[call.memberID]
        if let known {
            try check(call.memberEpoch, of: known)
        } else {
            guard call.memberEpoch == 0 else {
                throw GroupRefusal(
                    .unknownMemberId, "the group has no member \(call.memberID)")
            }
            guard group.members.count < configuration.membersMax else {
                throw GroupRefusal(
                    .groupMaxSizeReached, "the group has \(group.members.count) members already")
            }
        }
        groups[name] = nil
        var member = known ?? ShareGroup.Member(id: call.memberID)
        let before = member
        if let topics = call.topics { member.topics = Set(topics).sorted() }
        if let rack = call.rackID { member.rackID = rack }
        member.clientID = call.clientID
        member.clientHost = call.clientHost
        group.put(member)
        if known == nil || member.topics != before.topics || group.needsAssignment(topics) {
            group.assign(topics)
        }
        group.hasStaleTopics = false
        let times = timing(of: name)
        // Read again: the assignment may have changed it.
        member = group.members[call.memberID] ?? member
        if member.epoch != group.epoch {
            member.previousEpoch = member.epoch
            member.epoch = group.epoch
        }
        member.deadline = now.monotonic + times.session
        group.put(member)
        armMembers(&group)
        groups[name] = group
        var answer = ShareHeartbeatAnswer(error: .none, memberID: member.id)
        answer.memberEpoch = member.epoch
        answer.heartbeatInterval = times.heartbeat
        if call.memberEpoch == 0 || call.topics != nil || call.memberEpoch != member.epoch {
            answer.assignment = member.assigned
        }
        return answer
    }

    /// Whoever joins again begins anew; the answer with a newer epoch may have been lost.
    private func check(
        _ epoch: Int32, of member: ShareGroup.Member
    ) throws(GroupRefusal) {
        if epoch == 0 || epoch == member.epoch || epoch == member.previousEpoch { return }
        throw GroupRefusal(
            .fencedMemberEpoch,
            "the member is in epoch \(member.epoch), not \(epoch): it must join again")
    }

    private mutating func leave(
        _ call: ShareHeartbeatCall
    ) throws(GroupRefusal) -> ShareHeartbeatAnswer {
        guard let group = groups[call.group], !group.isDead else {
            throw GroupRefusal(.groupIdNotFound, "there is no share group \(call.group)")
        }
        guard group.members[call.memberID] != nil else {
            throw GroupRefusal(.unknownMemberId, "the group has no member \(call.memberID)")
        }
        // What it has stays with it until its share session ends: clients say what became of records
        // and that they leave at the same time, on two connections.
        groups[call.group]?.remove(call.memberID)
        groups[call.group]?.assign(topics)
        var answer = ShareHeartbeatAnswer(error: .none, memberID: call.memberID)
        answer.memberEpoch = -1
        return answer
    }

    private mutating func armMembers(_ group: inout ShareGroup) {
        let deadline = group.earliestDeadline
        guard deadline < .distantFuture else { return }
        if let armed = group.armedAt, armed <= deadline { return }
        group.armedAt = deadline
        deadlines.push(deadline, .members(group.id))
    }

    // MARK: Settings

    package func settings(of group: String) -> ShareSettings { settings[group] ?? ShareSettings() }

    /// What is set for one group; nil for nothing.
    package mutating func configure(_ group: String, _ own: ShareSettings?) {
        settings[group] = own
        let hasDeadLetters = own?.deadLetterTopic != nil
        for key in (groups[group]?.places.keys.sorted() ?? []) {
            groups[group]?.places[key]?.partition.hasDeadLetters = hasDeadLetters
        }
    }

    package func lockDuration(of group: String) -> Duration {
        settings[group]?.lockDuration ?? configuration.lockDuration
    }

    package func deliveriesMax(of group: String) -> Int16 {
        settings[group]?.deliveriesMax ?? configuration.deliveriesMax
    }

    package func locksMax(of group: String) -> Int64 {
        settings[group]?.locksMax ?? configuration.locksMax
    }

    private func timing(of group: String) -> (session: Duration, heartbeat: Duration) {
        let own = settings[group]
        return (
            own?.sessionTimeout ?? configuration.sessionTimeout,
            own?.heartbeatInterval ?? configuration.heartbeatInterval
        )
    }

    // MARK: Records

    /// nil when the group has not begun with the partition.
    package func partition(_ key: AssignedPartition, of group: String) -> SharePartition? {
        groups[group]?.places[key]?.partition
    }

    /// The first offset at or above `offset` that the group could hand out; nil when too many records
    /// are on their way, or when it has not begun with the partition.
    package func nextAcquirable(
        _ key: AssignedPartition, of group: String, from offset: Int64
    ) -> Int64? {
        let limit = locksMax(of: group)
        return groups[group]?.places[key]?.partition.nextAcquirable(from: offset, locksMax: limit)
    }

    /// Makes the group begin with a partition at `offset`, and the group itself if it is new. False
    /// when there is no room.
    package mutating func begin(
        _ key: AssignedPartition, of name: String, at offset: Int64
    ) -> Bool {
        if groups[name] == nil {
            guard groups.count < configuration.groupsMax else { return false }
            groups[name] = ShareGroup(id: name)
            groups[name]?.epochChanged = true
        }
        guard let group = groups[name], !group.isDead,
            group.places.count < configuration.partitionsMax
        else { return false }
        var partition = SharePartition(startOffset: offset)
        partition.hasDeadLetters = settings[name]?.deadLetterTopic != nil
        groups[name]?.places[key] = ShareGroup.Place(partition: partition)
        groups[name]?.changed.insert(key)
        return true
    }

    /// The log of the partition begins at `offset` now.
    package mutating func moveStart(_ key: AssignedPartition, of group: String, to offset: Int64) {
        if groups[group]?.places[key]?.partition.moveStart(to: offset) == true {
            groups[group]?.changed.insert(key)
        }
    }

    /// Hands out what is free of the batch with these offsets.
    package mutating func acquire(
        _ batch: ClosedRange<Int64>, _ key: AssignedPartition, of group: String, for member: String,
        recordsMax: Int64, now: Now
    ) -> [SharePartition.Acquired] {
        self.now = now
        let terms = SharePartition.Terms(
            member: member, until: now.monotonic + lockDuration(of: group),
            recordsMax: recordsMax, locksMax: locksMax(of: group),
            deliveriesMax: deliveriesMax(of: group))
        let result = groups[group]?.places[key]?.partition.acquire(batch, terms) ?? []
        if !result.isEmpty { arm(terms.until, key, of: group) }
        noteChanges(key, of: group)
        if groups[group]?.places[key]?.partition.hasArchiving == true {
            effects.append(.deadLetters(group: group, key))
        }
        return result
    }

    /// Notes that members get nothing of the batch.
    package mutating func skip(
        _ batch: ClosedRange<Int64>, _ key: AssignedPartition, of group: String
    ) {
        groups[group]?.places[key]?.partition.skip(batch)
        noteChanges(key, of: group)
    }

    /// Takes what a member says about records that it acquired, all of it or nothing.
    package mutating func acknowledge(
        _ batches: [AcknowledgementBatch], _ key: AssignedPartition, of group: String,
        by member: String, mayRenew: Bool, now: Now
    ) -> ShareRefusal? {
        self.now = now
        var last: Int64 = -1
        for batch in batches {
            if let complaint = batch.complaint(mayRenew: mayRenew) {
                return ShareRefusal(.invalidRequest, complaint)
            }
            guard batch.firstOffset > last else {
                return ShareRefusal(
                    .invalidRequest,
                    "offset \(batch.firstOffset) comes after \(last) in the request")
            }
            last = batch.lastOffset
        }
        guard groups[group]?.places[key] != nil else {
            return ShareRefusal(.invalidRecordState, "\(member) has acquired nothing of it")
        }
        // The timer may be late.
        expireLocks(key, of: group)
        let until = now.monotonic + lockDuration(of: group)
        let limit = deliveriesMax(of: group)
        let before = groups[group]?.places[key]?.partition.startOffset ?? 0
        let isDone =
            groups[group]?.places[key]?.partition.acknowledge(
                batches, by: member, renewUntil: until, deliveriesMax: limit) ?? false
        guard isDone else {
            return ShareRefusal(
                .invalidRecordState,
                "not all of these offsets are acquired by member \(member): their lock has run "
                    + "out, or they were acknowledged already")
        }
        arm(until, key, of: group)
        noteChanges(key, of: group)
        announce(key, of: group, since: before, hasFreed: batches.contains(where: \.hasReleases))
        return nil
    }

    /// Frees everything that `member` has.
    package mutating func release(_ member: String, of group: String, now: Now) {
        self.now = now
        free(member, of: group)
    }

    private mutating func free(_ member: String, of group: String) {
        let limit = deliveriesMax(of: group)
        for key in (groups[group]?.places.keys.sorted() ?? []) {
            let before = groups[group]?.places[key]?.partition.startOffset ?? 0
            let hasFreed =
                groups[group]?.places[key]?.partition.release(
                    member, deliveriesMax: limit) ?? false
            guard hasFreed else { continue }
            noteChanges(key, of: group)
            announce(key, of: group, since: before, hasFreed: true)
        }
    }

    private mutating func noteChanges(_ key: AssignedPartition, of group: String) {
        if groups[group]?.places[key]?.partition.hasChanges == true {
            groups[group]?.changed.insert(key)
        }
    }

    /// Says what others may be waiting for: free records, or room for new ones.
    private mutating func announce(
        _ key: AssignedPartition, of group: String, since startOffset: Int64, hasFreed: Bool
    ) {
        guard let partition = groups[group]?.places[key]?.partition else { return }
        if hasFreed || partition.startOffset != startOffset {
            effects.append(.available(group: group, key))
        }
        if partition.hasArchiving { effects.append(.deadLetters(group: group, key)) }
    }

    /// Writes what changed in the group; `token` is answered when all of it is durable, also what
    /// was written before.
    package mutating func commit(
        _ group: String, _ token: ReplyToken?, now: Now
    ) -> [ShareEffect] {
        self.now = now
        write(group, token.map { ($0, .written(.none)) })
        pruneDeadlines()
        return takeEffects()
    }

    // MARK: Dead letters

    /// The records that wait to be copied, oldest first.
    package func deadLetters(
        _ key: AssignedPartition, of group: String
    ) -> [SharePartition.Run] {
        partition(key, of: group)?.runs.filter { $0.state == .archiving } ?? []
    }

    /// Copies of the records are durable, or there was nothing to copy.
    package mutating func deadLettersWritten(
        _ range: ClosedRange<Int64>, _ key: AssignedPartition, of group: String
    ) {
        let before = groups[group]?.places[key]?.partition.startOffset ?? 0
        groups[group]?.places[key]?.partition.archived(range)
        noteChanges(key, of: group)
        if groups[group]?.places[key]?.partition.startOffset != before {
            effects.append(.available(group: group, key))
        }
    }

    // MARK: Administration

    package func contains(_ group: String) -> Bool { groups[group].map { !$0.isDead } ?? false }

    package var groupCount: Int { groups.count }

    /// nil when there is no such share group.
    package func describe(_ name: String) -> ShareGroupDescription? {
        guard let group = groups[name], !group.isDead else { return nil }
        return ShareGroupDescription(
            group: name, state: group.stateName, epoch: group.epoch, assignmentEpoch: group.epoch,
            assignor: SimpleAssignment.name,
            members: group.members.values.map { member in
                ShareGroupDescription.Member(
                    id: member.id, rackID: member.rackID, epoch: member.epoch,
                    clientID: member.clientID, clientHost: member.clientHost,
                    topics: member.topics,
                    assigned: member.assigned.byTopic.compactMap { topic in
                        topics.name(of: topic.topicID).map {
                            .init(id: topic.topicID, name: $0, partitions: topic.partitions)
                        }
                    })
            })
    }

    /// All groups by name; only those in one of `states` (any case) unless that is empty.
    package func list(states: [String] = []) -> [GroupListing] {
        let wanted = states.map { $0.lowercased() }
        return groups.keys.sorted().compactMap { name in
            guard let group = groups[name] else { return nil }
            let state = group.stateName
            if !wanted.isEmpty, !wanted.contains(state.lowercased()) { return nil }
            return GroupListing(group: name, protocolType: "share", state: state, type: "share")
        }
    }

    /// The partitions that the group has begun with, in order.
    package func partitions(of group: String) -> [AssignedPartition] {
        groups[group]?.places.keys.sorted() ?? []
    }

    package mutating func delete(_ name: String, _ token: ReplyToken, now: Now) -> [ShareEffect] {
        self.now = now
        guard let group = groups[name], !group.isDead else {
            effects.append(.reply(token, .delete(.groupIdNotFound)))
            return takeEffects()
        }
        guard group.members.isEmpty else {
            effects.append(.reply(token, .delete(.nonEmptyGroup)))
            return takeEffects()
        }
        groups[name]?.isDead = true
        append(group.tombstones(), of: name, [], [(token, .delete(.none))], isDeletion: true)
        return takeEffects()
    }

    /// Why the offsets of the group can't be changed from outside; nil when they can. A group that
    /// does not exist is no hindrance to making it.
    package func refusalOfChange(_ name: String, creates: Bool) -> ShareRefusal? {
        guard let group = groups[name], !group.isDead else {
            return creates ? nil : ShareRefusal(.groupIdNotFound, "there is no share group \(name)")
        }
        if group.members.isEmpty { return nil }
        return ShareRefusal(
            .nonEmptyGroup,
            "share group \(name) has \(group.members.count) members: they have to leave first")
    }

    /// Makes the group go on at `offset`, forgetting what it has done behind it.
    package mutating func reset(
        _ key: AssignedPartition, of name: String, to offset: Int64
    ) -> Bool {
        guard groups[name]?.places[key] != nil else { return begin(key, of: name, at: offset) }
        groups[name]?.places[key]?.partition.reset(to: offset)
        groups[name]?.places[key]?.needsSnapshot = true
        groups[name]?.changed.insert(key)
        return true
    }

    /// Makes the group forget partitions, and answers when that is durable.
    package mutating func forget(
        _ keys: [AssignedPartition], of name: String, _ token: ReplyToken, now: Now
    ) -> [ShareEffect] {
        self.now = now
        let records = keys.flatMap { groups[name]?.tombstones(of: $0) ?? [] }
        for key in keys {
            groups[name]?.places[key] = nil
            groups[name]?.changed.remove(key)
        }
        if records.isEmpty {
            write(name, (token, .written(.none)))
        } else {
            append(records, of: name, [], [(token, .written(.none))], isDeletion: false)
        }
        return takeEffects()
    }

    // MARK: Topics

    /// A topic was made, made anew, or grew.
    package mutating func topicChanged(_ name: String, id: UUID128, partitionCount: Int32) {
        topics.set(name, GroupTopics.Topic(id: id, partitionCount: partitionCount))
        markStale(readersOf: name)
    }

    /// Forgets what groups know about a topic that is gone.
    package mutating func topicDeleted(
        _ name: String, id: UUID128, now: Now
    ) -> [ShareEffect] {
        self.now = now
        markStale(readersOf: name)
        topics.remove(name)
        for group in groups.keys.sorted() {
            guard let known = groups[group], !known.isDead else { continue }
            let keys = known.places.keys.filter { $0.topicID == id }.sorted()
            guard !keys.isEmpty else { continue }
            let records = keys.flatMap { known.tombstones(of: $0) }
            for key in keys {
                groups[group]?.places[key] = nil
                groups[group]?.changed.remove(key)
            }
            append(records, of: group, [], [], isDeletion: false)
        }
        return takeEffects()
    }

    private mutating func markStale(readersOf topic: String) {
        for name in groups.keys.sorted() where groups[name]?.isSubscribed(to: topic) == true {
            groups[name]?.hasStaleTopics = true
        }
    }

    // MARK: Durability

    private mutating func write(_ name: String, _ answer: (ReplyToken, ShareReply)?) {
        let records =
            groups[name]?.isDead == false
            ? writeRecords(of: name) : (records: [], partitions: [])
        if !records.records.isEmpty {
            append(
                records.records, of: name, records.partitions, answer.map { [$0] } ?? [],
                isDeletion: false)
            return
        }
        guard let answer else { return }
        // What it rests on may still be on its way.
        if let writing = groups[name]?.writing, appends[writing] != nil {
            appends[writing]?.replies.append(answer)
        } else {
            effects.append(.reply(answer.0, answer.1))
        }
    }

    private mutating func writeRecords(
        of name: String
    ) -> (records: [GroupRecord], partitions: [AssignedPartition]) {
        let partitions = groups[name]?.changed.sorted() ?? []
        let records =
            groups[name]?.takeRecords(updatesPerSnapshot: configuration.updatesPerSnapshot) ?? []
        return (records, partitions)
    }

    /// The last of the batches answers.
    private mutating func append(
        _ records: [GroupRecord], of name: String, _ partitions: [AssignedPartition],
        _ replies: [(ReplyToken, ShareReply)], isDeletion: Bool
    ) {
        var start = 0
        var bytes = 0
        for (index, record) in records.enumerated() {
            bytes += record.key.count + (record.value?.count ?? 0) + 32
            let isLast = index == records.count - 1
            guard isLast || bytes > Self.batchBytes else { continue }
            lastAppend += 1
            let token = AppendToken(lastAppend)
            appends[token] = Pending(
                group: name, partitions: partitions, replies: isLast ? replies : [],
                isDeletion: isLast && isDeletion)
            groups[name]?.writing = token
            effects.append(
                .append(token, group: name, records: Array(records[start...index])))
            start = index + 1
            bytes = 0
        }
    }

    /// Well below the largest batch that the log takes; one record may be larger.
    private static let batchBytes = 1 << 20

    /// The records of `token` are durable, or the log refused them. Called once for each token, in
    /// the order of the tokens of one group.
    package mutating func appended(
        _ token: AppendToken, failure: ErrorCode?, now: Now
    ) -> [ShareEffect] {
        self.now = now
        guard let pending = appends.removeValue(forKey: token) else { return [] }
        let name = pending.group
        if groups[name]?.writing == token { groups[name]?.writing = nil }
        var failure = failure
        if failure != nil {
            groups[name]?.refusedThrough = AppendToken(lastAppend)
        } else if let refused = groups[name]?.refusedThrough, token <= refused {
            // Changes behind a refused snapshot are in the log and mean nothing.
            failure = .coordinatorNotAvailable
        }
        if pending.isDeletion {
            if failure == nil { groups[name] = nil } else { groups[name]?.isDead = false }
        }
        if failure != nil {
            // What was done stays done here. The log gets all of it with the next write; a client
            // that is told of the failure does not know, and that is what the failure means.
            groups[name]?.writeAgain(pending.partitions)
        }
        for (reply, answer) in pending.replies {
            effects.append(.reply(reply, failure.map { answer.failed($0) } ?? answer))
        }
        return takeEffects()
    }

    private mutating func takeEffects() -> [ShareEffect] {
        defer { effects = [] }
        return effects
    }

    // MARK: Time

    /// When `tick` should be called next.
    package var nextDeadline: Instant? { deadlines.next }

    package mutating func tick(now: Now) -> [ShareEffect] {
        self.now = now
        while let (deadline, key) = deadlines.popDue(now.monotonic) {
            switch key {
            case .members(let name):
                guard groups[name]?.armedAt == deadline else { continue }
                groups[name]?.armedAt = nil
                expireMembers(of: name)
            case .locks(let name, let partition):
                guard groups[name]?.places[partition]?.armedAt == deadline else { continue }
                groups[name]?.places[partition]?.armedAt = nil
                expireLocks(partition, of: name)
                write(name, nil)
                let next = groups[name]?.places[partition]?.partition.earliestDeadline
                if let next { arm(next, partition, of: name) }
            }
        }
        return takeEffects()
    }

    private mutating func expireMembers(of name: String) {
        let late = groups[name]?.members.values.filter { $0.deadline <= now.monotonic } ?? []
        if !late.isEmpty {
            for member in late {
                groups[name]?.remove(member.id)
                free(member.id, of: name)
            }
            groups[name]?.assign(topics)
            write(name, nil)
        }
        if var group = groups[name] {
            groups[name] = nil
            armMembers(&group)
            groups[name] = group
        }
    }

    private mutating func expireLocks(_ key: AssignedPartition, of group: String) {
        let (time, limit) = (now.monotonic, deliveriesMax(of: group))
        let before = groups[group]?.places[key]?.partition.startOffset ?? 0
        let hasFreed =
            groups[group]?.places[key]?.partition.expire(now: time, deliveriesMax: limit) ?? false
        guard hasFreed else { return }
        noteChanges(key, of: group)
        announce(key, of: group, since: before, hasFreed: true)
    }

    /// Makes sure that the locks of the partition are looked at no later than `deadline`.
    private mutating func arm(
        _ deadline: Instant, _ key: AssignedPartition, of group: String
    ) {
        guard deadline < .distantFuture, groups[group]?.places[key] != nil else { return }
        if let armed = groups[group]?.places[key]?.armedAt, armed <= deadline { return }
        groups[group]?.places[key]?.armedAt = deadline
        deadlines.push(deadline, .locks(group, key))
    }

    /// Drops the entries of the deadline queue that nothing means any more.
    private mutating func pruneDeadlines() {
        guard deadlines.count > 2 * (groups.count + lastPruned) + 64 else { return }
        deadlines.prune { deadline, key in
            switch key {
            case .members(let name): groups[name]?.armedAt == deadline
            case .locks(let name, let partition):
                groups[name]?.places[partition]?.armedAt == deadline
            }
        }
        lastPruned = deadlines.count
    }

    /// How many entries meant something when they were last looked at.
    private var lastPruned = 0

    // MARK: Recovery

    /// Applies one record of `__share_group_state`, in the order of its partition.
    package mutating func replay(key: Bytes, value: Bytes?) throws(DecodeFailure) {
        guard let record = try ShareRecordFormat.decode(key: key, value: value) else { return }
        switch record {
        case .group(let name, let epoch?):
            if groups[name] == nil { groups[name] = ShareGroup(id: name) }
            groups[name]?.epoch = epoch
        case .group(let name, nil):
            groups[name] = nil
        case .snapshot(let name, let partition, let content?):
            var place = ShareGroup.Place(
                partition: SharePartition(startOffset: max(content.startOffset, 0)))
            try place.partition.replay(startOffset: content.startOffset, content.runs)
            place.snapshotEpoch = content.snapshotEpoch
            place.slots = max(
                groups[name]?.places[partition]?.slots ?? 0, staleSlots[name]?[partition] ?? 0)
            place.needsSnapshot = false
            if groups[name] == nil { groups[name] = ShareGroup(id: name) }
            groups[name]?.places[partition] = place
        case .snapshot(let name, let partition, nil):
            groups[name]?.places[partition] = nil
            staleSlots[name]?[partition] = nil
        case .update(let name, let partition, let slot, let content):
            guard let content else { return }
            guard slot >= 0, slot < Self.slotsMax else {
                throw .invalid(what: "share update slot", value: Int64(slot), position: 0)
            }
            guard var place = groups[name]?.places[partition] else {
                let known = staleSlots[name]?[partition] ?? 0
                staleSlots[name, default: [:]][partition] = max(known, slot + 1)
                return
            }
            groups[name]?.places[partition] = nil
            defer { groups[name]?.places[partition] = place }
            place.slots = max(place.slots, slot + 1)
            guard content.snapshotEpoch == place.snapshotEpoch else { return }
            try place.partition.replay(startOffset: content.startOffset, content.runs)
            place.updates = max(place.updates, slot + 1)
        }
    }

    /// More changes than that are not written between two snapshots.
    private static let slotsMax: Int32 = 1_000_000

    /// All partitions were replayed. Nobody has anything any more, and what is kept of topics that
    /// are gone is forgotten.
    package mutating func finishReplay(now: Now) -> [ShareEffect] {
        self.now = now
        staleSlots = [:]
        for name in groups.keys.sorted() {
            let gone = groups[name]?.places.keys.filter { topics.name(of: $0.topicID) == nil } ?? []
            if !gone.isEmpty {
                let records = gone.sorted().flatMap { groups[name]?.tombstones(of: $0) ?? [] }
                for key in gone { groups[name]?.places[key] = nil }
                append(records, of: name, [], [], isDeletion: false)
            }
            let limit = deliveriesMax(of: name)
            let hasDeadLetters = settings[name]?.deadLetterTopic != nil
            for key in (groups[name]?.places.keys.sorted() ?? []) {
                groups[name]?.places[key]?.partition.hasDeadLetters = hasDeadLetters
                groups[name]?.places[key]?.partition.finishReplay(deliveriesMax: limit)
                noteChanges(key, of: name)
                if groups[name]?.places[key]?.partition.hasArchiving == true {
                    effects.append(.deadLetters(group: name, key))
                }
            }
        }
        return takeEffects()
    }

    package func checkInvariants() {
        for name in groups.keys.sorted() {
            guard let group = groups[name] else { continue }
            precondition(group.id == name, "a group is kept under its name")
            group.checkInvariants()
        }
    }
}

extension AcknowledgementBatch {
    fileprivate var hasReleases: Bool {
        acknowledgeTypes.contains(AcknowledgeType.release.rawValue)
    }
}
