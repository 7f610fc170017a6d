import Base
import Compression
import Log
import Replica
import WireProtocol

let orders = TopicPartition(topic: "orders", partition: 0)
let ordersKey = PartitionKey(topic: UUID128(high: 1, low: 1), partition: 0)

func at(_ milliseconds: Int64) -> Now {
    Now(
        monotonic: Instant(nanoseconds: milliseconds * 1_000_000),
        wallMicroseconds: 1_700_000_000_000_000 + milliseconds * 1000)
}

func batch(_ text: String) throws -> Bytes {
    var builder = RecordBatchBuilder()
    builder.append(
        key: nil, value: Bytes(utf8: text), timestamp: Timestamp(milliseconds: 1_700_000_000_000))
    return try builder.finish(RecordBatchBuilder.Properties())
}

/// A node: its replicas over a real log on a disk in memory.
struct TestNode {
    let disk: MemoryDisk
    var store: LogStore
    var manager: ReplicaManager
    /// What it wanted since it was looked at last.
    var effects: [ReplicaEffect] = []

    init(
        _ id: NodeID, disk: MemoryDisk = MemoryDisk(), brokerEpoch: Int64? = nil, now: Now = at(0)
    ) throws {
        self.disk = disk
        var configuration = LogStoreConfiguration()
        configuration.isReplicated = true
        configuration.journalFileBytes = 1 << 20
        store = try LogStore.open(disk: disk, configuration: configuration, now: now).store
        manager = ReplicaManager(node: id, settings: ReplicaSettings())
        effects += manager.registered(
            brokerEpoch: brokerEpoch ?? Int64(id.value), store: &store, now: now)
        effects += manager.renewLease(sentAt: now.monotonic, store: &store, now: now)
    }

    mutating func assign(_ assignment: PartitionAssignment, now: Now = at(0)) throws {
        effects += try manager.assign([assignment], store: &store, now: now)
    }

    /// Runs every sync that may run.
    mutating func sync(now: Now = at(0)) throws {
        while let request = store.beginSync() {
            try request.file.sync()
            guard
                case .advanced(let advances) = store.syncCompleted(request.ticket, failure: nil)
            else { return }
            effects += manager.durable(advances, store: &store, now: now)
        }
    }

    mutating func produce(
        _ text: String, _ acknowledgement: Acknowledgement = .all, token: UInt64 = 1,
        now: Now = at(0)
    ) throws {
        effects += try manager.append(
            batch(text), to: orders, acknowledgement, token: token, store: &store, now: now
        ).effects
        effects += manager.flush(store: &store, now: now)
    }

    mutating func receive(_ messages: [ReplicaMessage], now: Now = at(0)) {
        for message in messages where message.to == manager.node {
            effects += manager.receive(message, store: &store, now: now)
        }
    }

    mutating func tick(now: Now) { effects += manager.tick(store: &store, now: now) }

    mutating func takeMessages() -> [ReplicaMessage] {
        let messages = effects.compactMap { effect -> ReplicaMessage? in
            if case .send(let message) = effect { return message }
            return nil
        }
        effects.removeAll { if case .send = $0 { true } else { false } }
        return messages
    }

    mutating func takeProposals() -> [PartitionProposal] {
        let proposals = effects.compactMap { effect -> PartitionProposal? in
            if case .propose(let proposal) = effect { return proposal }
            return nil
        }
        effects.removeAll { if case .propose = $0 { true } else { false } }
        return proposals
    }

    /// Why a client may not read here, as from a follower; nil when it may.
    func refusesFollowerRead(from offset: Offset, now: Now = at(400)) -> ReplicaRefusal? {
        do throws(ReplicaRefusal) {
            try manager.checkFollowerRead(orders, from: offset, store: store, now: now)
            return nil
        } catch {
            return error
        }
    }

    var acknowledged: [UInt64] {
        effects.compactMap { if case .acknowledge(let token) = $0 { token } else { nil } }
    }

    var failed: [UInt64] {
        effects.compactMap { if case .fail(let token, _) = $0 { token } else { nil } }
    }

    var end: Offset { store.offsets(of: orders)?.logEndOffset ?? -1 }
    var highWatermark: Offset { store.offsets(of: orders)?.highWatermark ?? -1 }
}

/// Replicas 1, 2 and 3; the first leads.
func assignment(
    leader: NodeID? = 1, epoch: LeaderEpoch = 1, partitionEpoch: Int32 = 1,
    inSync: [NodeID] = [1, 2], eligible: [NodeID] = [], replicas: [NodeID] = [1, 2],
    minInSync: Int = 1
) -> PartitionAssignment {
    PartitionAssignment(
        key: ordersKey, topicPartition: orders, replicas: replicas, inSync: inSync,
        eligible: eligible, leader: leader, leaderEpoch: epoch, partitionEpoch: partitionEpoch,
        minInSync: minInSync)
}

/// Carries messages between two nodes and runs their syncs until nothing moves.
func settle(_ left: inout TestNode, _ right: inout TestNode, now: Now = at(0)) throws {
    for _ in 0..<20 {
        try left.sync(now: now)
        try right.sync(now: now)
        let messages = left.takeMessages() + right.takeMessages()
        if messages.isEmpty { return }
        left.receive(messages, now: now)
        right.receive(messages, now: now)
    }
}
