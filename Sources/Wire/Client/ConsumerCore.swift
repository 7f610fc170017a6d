// The work of a consumer. Used by one thread at a time, under the lock of `Consumer`.

import Base
import WireProtocol

final class ConsumerCore {
    private enum Mode {
        case idle
        case assigned
        case subscribed([String])
    }

    /// How far one partition has been read.
    private struct Progress {
        /// Offset of the next record to hand out; nil until it is looked up.
        var position: Int64?
        /// What to look up: a time, or one of `OffsetQuery`; nil = stored offset, then the policy.
        var query: Int64?
        var buffers: [FetchBuffer] = []
        /// Where the next fetch begins.
        var fetchOffset: Int64 = 0
        /// Rises with each seek, so that answers to older fetches are dropped.
        var tag = 0
        var isInFlight = false
        /// Neither fetched nor handed out until it is resumed.
        var isPaused = false
        var highWatermark: Int64 = -1
    }

    /// How the consumer takes part in its group.
    private enum Membership {
        case classic(GroupMembership)
        case consumer(ConsumerMembership)

        var identity: (memberId: String, generation: Int32) {
            switch self {
            case .classic(let member): member.identity
            case .consumer(let member): member.identity
            }
        }

        func requestRejoin(_ reason: ClientFailure) {
            // With the consumer protocol the next heartbeat finds out what has to be done.
            if case .classic(let member) = self { member.requestRejoin(reason) }
        }

        func notePoll() {
            switch self {
            case .classic(let member): member.notePoll()
            case .consumer(let member): member.notePoll()
            }
        }

        func leave() {
            switch self {
            case .classic(let member): member.leave()
            case .consumer(let member): member.leave()
            }
        }

        func stop() {
            switch self {
            case .classic(let member): member.stop()
            case .consumer(let member): member.stop()
            }
        }
    }

    /// The answer to one fetch, from a connection's reading thread.
    fileprivate struct Arrival: Sendable {
        var result: Result<Bytes, ClientFailure>
        var version: Int16
        var node: Int32
        var tags: [PartitionAddress: Int]
    }

    /// What other threads may touch.
    final class Inbox: Sendable {
        fileprivate struct State {
            var arrivals: [Arrival] = []
            var isClosing = false
        }
        fileprivate let state = Monitor(State())

        var isClosing: Bool { state.withLock { $0.isClosing } }

        /// Makes a waiting `poll` return.
        func close() { state.update { $0.isClosing = true } }
    }

    let inbox = Inbox()
    private let configuration: ConsumerConfiguration
    private let cluster: Cluster
    private let membership: Membership?
    private var mode = Mode.idle
    private var progress: [PartitionAddress: Progress] = [:]
    /// The order of handing out, rotated so that no partition starves.
    private var order: [PartitionAddress] = []
    private var nodesInFlight: Set<Int32> = []
    private var nextTag = 0
    private var nextAutoCommit: Int64 = 0
    private var nextMetadata: Int64 = 0
    private var needsMetadata = false
    private var partitionCounts: [String: Int] = [:]
    private var nextCountCheck: Int64 = 0
    private var isClosed = false

    init(_ configuration: ConsumerConfiguration) {
        self.configuration = configuration
        let cluster = Cluster(configuration.client)
        self.cluster = cluster
        membership = configuration.groupId.map {
            switch configuration.groupProtocol {
            case .classic: .classic(GroupMembership(configuration, groupId: $0, cluster: cluster))
            case .consumer:
                .consumer(ConsumerMembership(configuration, groupId: $0, cluster: cluster))
            }
        }
    }

    // MARK: Choosing partitions

    func subscribe(_ topics: [String]) throws(ClientFailure) {
        guard membership != nil else {
            throw ClientFailure("to subscribe, a consumer needs a groupId; or assign partitions")
        }
        if case .subscribed = mode {
            membership?.requestRejoin(ClientFailure("the subscription changed", isRetriable: true))
        }
        mode = .subscribed(Array(Set(topics)).sorted())
    }

    func assign(_ partitions: [PartitionAddress]) {
        mode = .assigned
        replacePartitions(partitions)
    }

    var assignment: [PartitionAddress] { order.sorted() }

    /// Nothing of these partitions is returned until they are resumed.
    func pause(_ partitions: [PartitionAddress], _ isPaused: Bool) throws(ClientFailure) {
        for address in partitions where progress[address] == nil {
            throw ClientFailure("\(address) is not assigned to this consumer")
        }
        for address in partitions { progress[address]?.isPaused = isPaused }
    }

    var paused: [PartitionAddress] { order.filter { progress[$0]?.isPaused == true }.sorted() }

    private func replacePartitions(_ partitions: [PartitionAddress]) {
        let kept = progress
        progress = [:]
        order = Array(Set(partitions)).sorted()
        for address in order { progress[address] = kept[address] ?? fresh() }
    }

    private func fresh() -> Progress {
        nextTag += 1
        var progress = Progress()
        progress.tag = nextTag
        return progress
    }

    // MARK: Position

    func seek(_ address: PartitionAddress, to offset: Int64) throws(ClientFailure) {
        try seek([address]) { progress in
            progress.position = offset
            progress.fetchOffset = offset
        }
    }

    /// Moves to a time or to one of `OffsetQuery`, looked up at the next poll.
    func seek(_ addresses: [PartitionAddress], query: Int64) throws(ClientFailure) {
        try seek(addresses) { $0.query = query }
    }

    private func seek(
        _ addresses: [PartitionAddress], _ change: (inout Progress) -> Void
    ) throws(ClientFailure) {
        for address in addresses {
            guard let old = progress[address] else {
                throw ClientFailure("\(address) is not assigned to this consumer")
            }
            var new = fresh()
            new.highWatermark = old.highWatermark
            new.isPaused = old.isPaused
            change(&new)
            progress[address] = new
        }
    }

    func position(_ address: PartitionAddress) throws(ClientFailure) -> Int64 {
        guard progress[address] != nil else {
            throw ClientFailure("\(address) is not assigned to this consumer")
        }
        try resolvePositions()
        return progress[address]?.position ?? -1
    }

    /// Records between the position and the end, as of the last answer; nil when not known.
    func lag(_ address: PartitionAddress) -> Int64? {
        guard let progress = progress[address], let position = progress.position,
            progress.highWatermark >= 0
        else { return nil }
        return max(0, progress.highWatermark - position)
    }

    private func resolvePositions() throws(ClientFailure) {
        let open = order.filter { progress[$0]?.position == nil }
        if open.isEmpty { return }
        var queries: [PartitionAddress: Int64] = [:]
        var unanswered: [PartitionAddress] = []
        for address in open {
            if let query = progress[address]?.query {
                queries[address] = query
            } else {
                unanswered.append(address)
            }
        }
        if let group = configuration.groupId, !unanswered.isEmpty {
            let committed = try cluster.committedOffsets(ofGroup: group, unanswered)
            unanswered.removeAll { address in
                guard let offset = committed[address] else { return false }
                set(address, offset.offset)
                return true
            }
        }
        for address in unanswered {
            switch configuration.offsetReset {
            case .earliest: queries[address] = OffsetQuery.earliest
            case .latest: queries[address] = OffsetQuery.latest
            case .none:
                throw ClientFailure(
                    .offsetOutOfRange,
                    "no stored offset in \(address), and the consumer may not choose one")
            }
        }
        if queries.isEmpty { return }
        let found = try cluster.listOffsets(queries, isolation: configuration.isolationLevel)
        var ends: [PartitionAddress: Int64] = [:]
        for (address, offset) in found {
            if offset.offset >= 0 {
                set(address, offset.offset)
            } else {
                // No record is that young: go to the end.
                ends[address] = OffsetQuery.latest
            }
        }
        if ends.isEmpty { return }
        let atEnd = try cluster.listOffsets(ends, isolation: configuration.isolationLevel)
        for (address, offset) in atEnd { set(address, max(0, offset.offset)) }
    }

    private func set(_ address: PartitionAddress, _ offset: Int64) {
        progress[address]?.position = offset
        progress[address]?.fetchOffset = offset
        progress[address]?.query = nil
    }

    // MARK: Committing

    /// Stores the positions of all partitions, or the given offsets.
    func commit(
        _ offsets: [PartitionAddress: CommittedOffset]? = nil, retryFor patience: Duration? = nil
    ) throws(ClientFailure) {
        guard let group = configuration.groupId else {
            throw ClientFailure("to commit, a consumer needs a groupId")
        }
        let all = offsets ?? positions
        var patienceLeft = 20
        while true {
            do throws(ClientFailure) {
                try cluster.commit(
                    all, ofGroup: group, as: identity, instanceId: configuration.groupInstanceId,
                    retryFor: patience)
                return
            } catch {
                switch error.errorCode {
                case .staleMemberEpoch where patienceLeft > 0:
                    // The next heartbeat brings the epoch that the broker expects.
                    patienceLeft -= 1
                    sleepBlocking(nanoseconds: 100_000_000)
                    continue
                case .rebalanceInProgress, .illegalGeneration, .unknownMemberId, .fencedInstanceId:
                    membership?.requestRejoin(error.retriable)
                default: break
                }
                throw error
            }
        }
    }

    /// Where every partition is that has a position.
    private var positions: [PartitionAddress: CommittedOffset] {
        var all: [PartitionAddress: CommittedOffset] = [:]
        for (address, progress) in progress {
            if let position = progress.position { all[address] = CommittedOffset(position) }
        }
        return all
    }

    private var identity: (memberId: String, generation: Int32) {
        guard case .subscribed = mode, let membership else { return ("", -1) }
        return membership.identity
    }

    /// Everything that a commit needs, so that another thread can make it.
    struct CommitWork: Sendable {
        let cluster: Cluster
        let group: String
        let offsets: [PartitionAddress: CommittedOffset]
        let memberId: String
        let generation: Int32
        let instanceId: String?

        func run() throws(ClientFailure) {
            try cluster.commit(
                offsets, ofGroup: group, as: (memberId, generation), instanceId: instanceId)
        }
    }

    func commitWork(
        _ offsets: [PartitionAddress: CommittedOffset]?
    ) throws(ClientFailure) -> CommitWork {
        guard let group = configuration.groupId else {
            throw ClientFailure("to commit, a consumer needs a groupId")
        }
        let identity = identity
        return CommitWork(
            cluster: cluster, group: group, offsets: offsets ?? positions,
            memberId: identity.memberId, generation: identity.generation,
            instanceId: configuration.groupInstanceId)
    }

    /// Who commits, for a producer that stores offsets within a transaction.
    func groupMetadata() throws(ClientFailure) -> ConsumerGroupMetadata {
        guard let group = configuration.groupId else {
            throw ClientFailure("a consumer without a groupId has no group")
        }
        let identity = identity
        return ConsumerGroupMetadata(
            groupId: group, memberId: identity.generation < 0 ? "" : identity.memberId,
            generation: identity.generation,
            instanceId: identity.generation < 0 ? nil : configuration.groupInstanceId)
    }

    func committed(
        _ partitions: [PartitionAddress]
    ) throws(ClientFailure) -> [PartitionAddress: CommittedOffset] {
        guard let group = configuration.groupId else {
            throw ClientFailure("to read stored offsets, a consumer needs a groupId")
        }
        return try cluster.committedOffsets(ofGroup: group, partitions)
    }

    private func commitAutomatically(force: Bool = false) {
        guard configuration.commitsAutomatically, configuration.groupId != nil, !order.isEmpty
        else { return }
        let now = monotonicNow()
        guard force || now >= nextAutoCommit else { return }
        nextAutoCommit = now + configuration.autoCommitInterval.wholeNanoseconds
        // A failure is not the program's business: the next commit covers the same records.
        _ = try? commit(retryFor: .seconds(2))
    }

    // MARK: Polling

    func poll(timeout: Duration) throws(ClientFailure) -> [ConsumedRecord] {
        let deadline = monotonicNow() + timeout.wholeNanoseconds
        membership?.notePoll()
        commitAutomatically()
        while true {
            if inbox.state.withLock({ $0.isClosing }) { return [] }
            do throws(ClientFailure) {
                try joinIfNeeded(until: deadline)
            } catch {
                if error.isRetriable && monotonicNow() >= deadline { return [] }
                throw error
            }
            try takeArrivals()
            let records = try takeRecords()
            if !records.isEmpty {
                // The next answer travels while the program works on this one.
                issueFetches()
                return records
            }
            try resolvePositions()
            refreshMetadataIfNeeded()
            issueFetches()
            let now = monotonicNow()
            if now >= deadline { return [] }
            // Also wakes up to see whether the group wants something.
            let tick = min(deadline, now + 100_000_000)
            let _: Bool? = inbox.state.wait(until: tick) { state in
                state.isClosing || !state.arrivals.isEmpty ? true : nil
            }
        }
    }

    private func joinIfNeeded(until deadline: Int64) throws(ClientFailure) {
        guard case .subscribed(let topics) = mode, let membership else { return }
        switch membership {
        case .classic(let member): try join(member, topics, until: deadline)
        case .consumer(let member): try follow(member, topics)
        }
    }

    /// The classic protocol: everything is given up before the members gather.
    private func join(
        _ member: GroupMembership, _ topics: [String], until deadline: Int64
    ) throws(ClientFailure) {
        checkPartitionCounts(topics, member)
        if member.isStable { return }
        if !order.isEmpty {
            let isLost = member.isLost
            if !isLost { commitAutomatically(force: true) }
            tell(isLost ? .lost(assignment) : .revoked(assignment))
            progress = [:]
            order = []
        }
        let partitions = try member.join(topics: topics, until: deadline)
        progress = [:]
        replacePartitions(partitions)
        tell(.assigned(assignment))
        partitionCounts = counts(of: topics)
        nextAutoCommit = monotonicNow() + configuration.autoCommitInterval.wholeNanoseconds
    }

    /// The consumer protocol: only what changes hands is given up.
    private func follow(
        _ member: ConsumerMembership, _ topics: [String]
    ) throws(ClientFailure) {
        try member.begin(topics: topics)
        if member.takeLoss(), !order.isEmpty {
            tell(.lost(assignment))
            progress = [:]
            order = []
        }
        guard let target = try member.newTarget() else { return }
        let wanted = Set(target.partitions)
        let gone = order.filter { !wanted.contains($0) }.sorted()
        if !gone.isEmpty {
            commitAutomatically(force: true)
            tell(.revoked(gone))
        }
        let come = wanted.subtracting(order).sorted()
        replacePartitions(target.partitions)
        if !come.isEmpty { tell(.assigned(come)) }
        member.confirm(target)
    }

    private func tell(_ event: RebalanceEvent) {
        configuration.onRebalance?(event, RebalanceContext(core: self))
    }

    private func counts(of topics: [String]) -> [String: Int] {
        var counts: [String: Int] = [:]
        for topic in topics {
            counts[topic] = cluster.knownTopic(topic, evenIfOld: true)?.partitions.count
        }
        return counts
    }

    /// Topics that appeared or grew need another assignment.
    private func checkPartitionCounts(_ topics: [String], _ membership: GroupMembership) {
        let now = monotonicNow()
        guard now >= nextCountCheck else { return }
        let interval = min(configuration.client.metadataMaxAge.wholeNanoseconds, 30_000_000_000)
        nextCountCheck = now + interval
        guard membership.isStable, (try? cluster.refresh(topics)) != nil else { return }
        let current = counts(of: topics)
        if partitionCounts.isEmpty {
            partitionCounts = current
        } else if current != partitionCounts {
            membership.requestRejoin(
                ClientFailure("the partitions of a topic changed", isRetriable: true))
        }
    }

    private func takeRecords() throws(ClientFailure) -> [ConsumedRecord] {
        var output: [ConsumedRecord] = []
        for address in order {
            guard output.count < configuration.maxPollRecords else { break }
            if progress[address]?.isPaused == true { continue }
            while var buffer = progress[address]?.buffers.first {
                do throws(DecodeFailure) {
                    let hasMore = try buffer.take(
                        into: &output, limit: configuration.maxPollRecords)
                    progress[address]?.position = buffer.position
                    if hasMore {
                        progress[address]?.buffers[0] = buffer
                        break
                    }
                    progress[address]?.buffers.removeFirst()
                } catch {
                    throw ClientFailure(
                        "\(address) can't be read at offset \(buffer.position): \(error)")
                }
            }
        }
        // Who was first is last next time.
        if order.count > 1, !output.isEmpty { order.append(order.removeFirst()) }
        return output
    }

    private func refreshMetadataIfNeeded() {
        let now = monotonicNow()
        guard needsMetadata, now >= nextMetadata else { return }
        nextMetadata = now + 200_000_000
        let topics = Set(order.map(\.topic)).sorted()
        if (try? cluster.refresh(topics)) != nil { needsMetadata = false }
    }

    // MARK: Fetching

    private func issueFetches() {
        var byNode: [Int32: [(PartitionAddress, Int32)]] = [:]
        for address in order {
            guard let progress = progress[address], progress.position != nil,
                !progress.isInFlight, !progress.isPaused, progress.buffers.count < 2
            else { continue }
            guard let leader = cluster.leader(of: address) else {
                needsMetadata = true
                continue
            }
            if nodesInFlight.contains(leader.node) { continue }
            byNode[leader.node, default: []].append((address, leader.epoch))
        }
        for node in byNode.keys.sorted() { fetch(byNode[node] ?? [], from: node) }
    }

    private func fetch(_ partitions: [(PartitionAddress, Int32)], from node: Int32) {
        var request = FetchRequest()
        request.maxWaitMs = Int32(clamping: configuration.fetchMaxWait.wholeMilliseconds)
        request.minBytes = Int32(clamping: configuration.fetchMinBytes)
        request.maxBytes = Int32(clamping: configuration.fetchMaxBytes)
        request.isolationLevel = configuration.isolationLevel.rawValue
        var tags: [PartitionAddress: Int] = [:]
        // Topics must not repeat, whatever the order of the partitions is.
        var indexes: [String: Int] = [:]
        for (address, epoch) in partitions {
            guard let progress = progress[address] else { continue }
            tags[address] = progress.tag
            let index = indexes[address.topic] ?? request.topics.count
            if indexes[address.topic] == nil {
                indexes[address.topic] = index
                request.topics.append(.init(topic: address.topic))
            }
            request.topics[index].partitions.append(
                .init(
                    partition: address.partition, currentLeaderEpoch: epoch,
                    fetchOffset: progress.fetchOffset,
                    partitionMaxBytes: Int32(clamping: configuration.partitionMaxBytes)))
        }
        do throws(ClientFailure) {
            let connection = try cluster.connection(to: node, for: .fetching)
            let version = try connection.version(of: .fetch, atMost: 12)
            for address in tags.keys { progress[address]?.isInFlight = true }
            nodesInFlight.insert(node)
            let inbox = inbox
            let sentTags = tags
            let timeout = configuration.fetchMaxWait + configuration.client.requestTimeout
            connection.send(request, version: version, timeout: timeout) { result in
                inbox.state.update {
                    $0.arrivals.append(
                        Arrival(result: result, version: version, node: node, tags: sentTags))
                }
            }
        } catch {
            needsMetadata = true
        }
    }

    private func takeArrivals() throws(ClientFailure) {
        let arrivals = inbox.state.withLock { state in
            defer { state.arrivals = [] }
            return state.arrivals
        }
        var failure: ClientFailure?
        for arrival in arrivals {
            nodesInFlight.remove(arrival.node)
            for (address, tag) in arrival.tags where progress[address]?.tag == tag {
                progress[address]?.isInFlight = false
            }
            do throws(ClientFailure) {
                let response = try BrokerConnection.decode(
                    FetchResponse.self, try arrival.result.get(), version: arrival.version)
                guard response.errorCode == .none else {
                    throw ClientFailure(response.errorCode, "fetch from broker \(arrival.node)")
                }
                for topic in response.responses {
                    for partition in topic.partitions {
                        let address = PartitionAddress(topic.topic, partition.partitionIndex)
                        try take(partition, address, arrival)
                    }
                }
            } catch {
                if error.isRetriable { needsMetadata = true } else { failure = error }
            }
        }
        if let failure { throw failure }
    }

    private func take(
        _ partition: FetchResponse.PartitionData, _ address: PartitionAddress, _ arrival: Arrival
    ) throws(ClientFailure) {
        guard let current = progress[address], current.tag == arrival.tags[address] else { return }
        switch partition.errorCode {
        case .none:
            progress[address]?.highWatermark = partition.highWatermark
            // A decoded answer has one piece, which is not copied.
            let records =
                partition.records.count == 1
                ? partition.records[0] : Bytes.joined(partition.records)
            guard !records.isEmpty else { return }
            let end: Int64
            do throws(DecodeFailure) {
                end = try Self.end(of: records)
            } catch {
                throw ClientFailure(
                    "\(address) can't be read at offset \(current.fetchOffset): \(error)")
            }
            guard end > current.fetchOffset else { return }
            progress[address]?.buffers.append(
                FetchBuffer(
                    address, records: records, position: current.fetchOffset,
                    isolation: configuration.isolationLevel,
                    aborted: partition.abortedTransactions ?? []))
            progress[address]?.fetchOffset = end
        case .offsetOutOfRange:
            if configuration.offsetReset == .none {
                throw ClientFailure(
                    .offsetOutOfRange, "offset \(current.fetchOffset) of \(address)")
            }
            // What is buffered is still good; the rest begins where the policy says.
            guard current.buffers.isEmpty else { return }
            var new = fresh()
            new.query =
                configuration.offsetReset == .earliest ? OffsetQuery.earliest : OffsetQuery.latest
            progress[address] = new
        case let code where code.asksForMetadata:
            needsMetadata = true
        case let code where code.isRetriable: break
        case let code:
            throw ClientFailure(code, "fetch from \(address)")
        }
    }

    /// The offset behind the last whole batch.
    private static func end(of records: Bytes) throws(DecodeFailure) -> Int64 {
        var sequence = RecordBatchSequence(records)
        var end: Int64 = -1
        while let batch = try sequence.next() { end = max(end, batch.header.nextOffset.value) }
        return end
    }

    func close() {
        if isClosed { return }
        commitAutomatically(force: true)
        if case .subscribed = mode {
            if !order.isEmpty { tell(.revoked(assignment)) }
            membership?.leave()
        }
        abandon()
    }

    /// Ends without telling anybody.
    func abandon() {
        isClosed = true
        mode = .idle
        membership?.stop()
        cluster.close()
    }
}
