import Base

/// Who has been heard lately. Only the controller knows, and only while it leads: a new one knows of each
/// since when it can have been silent.
package struct BrokerSessions: Sendable {
    private struct Session: Sendable {
        var epoch: Int64
        var heardAt: Instant
    }

    private var sessions: OrderedMap<NodeID, Session> = [:]

    package init() {}

    /// Begins to lead.
    package mutating func begin(_ image: MetadataImage, heardAt: (NodeID) -> Instant) {
        sessions = [:]
        for (id, broker) in image.brokers {
            sessions[id] = Session(epoch: broker.epoch, heardAt: heardAt(id))
        }
    }

    package mutating func heard(_ id: NodeID, epoch: Int64, now: Instant) {
        sessions[id] = Session(epoch: epoch, heardAt: now)
    }

    /// Everybody gets so much more time.
    package mutating func extend(by duration: Duration) {
        sessions.updateValues { $1.heardAt = $1.heardAt + duration }
    }

    /// Brokers that are not fenced and were silent for their `timeout`, in ascending order.
    package mutating func expired(
        _ image: MetadataImage, now: Instant, timeout: (NodeID) -> Duration
    ) -> [(id: NodeID, epoch: Int64)] {
        var result: [(id: NodeID, epoch: Int64)] = []
        for (id, broker) in image.brokers where !broker.isFenced {
            guard let session = sessions[id], session.epoch == broker.epoch else {
                sessions[id] = Session(epoch: broker.epoch, heardAt: now)
                continue
            }
            if now - session.heardAt >= timeout(id) { result.append((id, broker.epoch)) }
        }
        return result
    }
}
