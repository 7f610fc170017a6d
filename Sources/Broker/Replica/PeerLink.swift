import Base

/// What goes to and comes from one other node: all partitions that both have share it.
struct PeerLink: Sendable {
    let node: NodeID
    /// The life of the peer that was heard last, and when.
    private(set) var brokerEpoch: Int64 = -1
    private(set) var heardAt = Instant(nanoseconds: .min)
    private(set) var sentAt: Instant?

    // Partitions with something to say, by their slots; each is there once.
    var asks: [Int] = []
    var reports: [Int] = []
    /// Slots and, in each, the place of the follower.
    private(set) var pushes: [Int] = []
    private var nextPush = 0
    /// Waiting for the allowance of catching up.
    private(set) var throttled: [Int] = []
    var answers: [ReplicaItem] = []

    // Flow control.
    private var number: UInt64 = 0
    private var inFlight: [(number: UInt64, bytes: Int, at: Instant)] = []
    private(set) var inFlightBytes = 0
    private(set) var received: UInt64 = 0
    private var bytesOwed = 0
    var allowance = 0

    init(node: NodeID) { self.node = node }

    var hasPushes: Bool { nextPush < pushes.count }

    mutating func queuePush(_ slot: Int) { pushes.append(slot) }

    mutating func takePush() -> Int? {
        guard nextPush < pushes.count else { return nil }
        let slot = pushes[nextPush]
        nextPush += 1
        if nextPush == pushes.count {
            pushes.removeAll(keepingCapacity: true)
            nextPush = 0
        } else if nextPush > 1024, nextPush * 2 > pushes.count {
            pushes.removeFirst(nextPush)
            nextPush = 0
        }
        return slot
    }

    mutating func throttle(_ slot: Int) { throttled.append(slot) }

    /// Gives the allowance of the time since the last tick, and everybody who waited for it a turn.
    mutating func refill(_ bytes: Int, most: Int) {
        allowance = min(most, allowance + bytes)
        guard allowance > 0, !throttled.isEmpty else { return }
        pushes += throttled
        throttled.removeAll(keepingCapacity: true)
    }

    // MARK: Messages

    /// Takes note of a message; false when it is of an earlier life of the peer.
    mutating func heard(_ message: ReplicaMessage, bytes: Int, now: Instant) -> Bool {
        guard message.brokerEpoch >= brokerEpoch else { return false }
        if message.brokerEpoch > brokerEpoch {
            // A new process has received nothing and counts anew.
            brokerEpoch = message.brokerEpoch
            received = 0
            forgetInFlight()
        }
        heardAt = now
        if message.number > received { received = message.number }
        if bytes > 0 { bytesOwed += bytes }
        while let first = inFlight.first, first.number <= message.received {
            inFlightBytes -= first.bytes
            inFlight.removeFirst()
        }
        return true
    }

    /// The number of a message with `bytes` of batches.
    mutating func count(bytes: Int, now: Instant) -> UInt64 {
        number += 1
        inFlight.append((number, bytes, now))
        inFlightBytes += bytes
        return number
    }

    mutating func sent(now: Instant) {
        sentAt = now
        bytesOwed = 0
    }

    mutating func forgetInFlight() {
        inFlight.removeAll()
        inFlightBytes = 0
    }

    /// Messages that nobody has confirmed for so long are lost.
    mutating func forgetLost(after timeout: Duration, now: Instant) {
        while let first = inFlight.first, now - first.at > timeout {
            inFlightBytes -= first.bytes
            inFlight.removeFirst()
        }
    }

    /// The other side waits for room.
    func owesConfirmation(_ inFlightBytesMax: Int) -> Bool { bytesOwed >= inFlightBytesMax / 4 }
}
