import Base
import Security
import WireProtocol

/// Names one request: its connection and its place among the requests of that connection.
struct RequestKey: Hashable, Comparable, Sendable {
    var connection: ConnectionID
    var sequence: UInt64

    static func < (left: RequestKey, right: RequestKey) -> Bool {
        left.connection != right.connection
            ? left.connection < right.connection : left.sequence < right.sequence
    }
}

/// What a handler has to know about the request beside its body.
struct RequestContext: Sendable {
    var key: RequestKey
    var version: Int16
    var correlationId: Int32
    var clientID: String
    var principal: Principal
    /// The address of the client, without its port.
    var host: String
    /// The number of the listener that the client came through.
    var listener: Int
}

/// One client, as far as the order of its answers is concerned. Requests are worked on as they
/// arrive, so that many produces share one sync; their answers wait in slots until all earlier ones
/// are there. A fetch that waits for records stops the requests behind it from being started.
struct ClientConnection: Sendable {
    private enum Slot: Sendable {
        case working
        case answered([Bytes])
    }

    /// The address as driver knows it, `host:port`.
    let peer: String
    private var slots = Queue<Slot>()
    private var firstSequence: UInt64 = 0
    /// Requests that were not started.
    private(set) var queue = Queue<Bytes>()
    private(set) var queuedBytes = 0
    /// The request that must be answered before the next is started.
    private(set) var blocker: UInt64?
    /// Set while the front of the queue waits for a change of the metadata to become durable.
    var waitsForChange = false
    /// Which partition of the next fetch is looked at first.
    var fetchTurn = 0

    /// Its address, without the port and the brackets of IPv6.
    let host: String
    let listener: Int
    var principal: Principal
    /// What the last request called its client, where somebody wants to know.
    var lastClientID = ""
    var authentication: Authentication

    init(peer: String, listener: Int, principal: Principal, mustSignOn: Bool) {
        self.peer = peer
        self.listener = listener
        self.principal = principal
        authentication = Authentication(required: mustSignOn)
        host = Self.host(of: peer)
    }

    private static func host(of peer: String) -> String {
        guard let colon = peer.lastIndex(of: ":") else { return peer }
        let host = peer[..<colon]
        return host.first == "[" ? String(host.dropFirst().dropLast()) : String(host)
    }

    /// The host as groups show it.
    var clientHost: String {
        guard let colon = peer.lastIndex(of: ":") else { return "/" + peer }
        return "/" + peer[..<colon]
    }

    var mayStart: Bool { blocker == nil && !waitsForChange && !queue.isEmpty }
    var isIdle: Bool { blocker == nil && !waitsForChange && queue.isEmpty }

    /// Whether another request may wait here; one may always.
    func mayQueue(_ request: Bytes, requests: Int, bytes: Int) -> Bool {
        queue.isEmpty || queue.count < requests && queuedBytes + request.count <= bytes
    }

    mutating func enqueue(_ request: Bytes) {
        queuedBytes += request.count
        queue.append(request)
    }

    mutating func dequeue() -> Bytes? {
        guard let request = queue.popFirst() else { return nil }
        queuedBytes -= request.count
        return request
    }

    /// Puts a request back that is to be started again.
    mutating func requeue(_ request: Bytes) {
        queuedBytes += request.count
        queue.prepend(request)
    }

    /// Reserves the place of the next answer.
    mutating func begin() -> UInt64 {
        slots.append(.working)
        return firstSequence + UInt64(slots.count) - 1
    }

    /// The same, with what the request's context needs to know. A copy of the whole connection would
    /// cost a copy of its queue at the next change.
    mutating func beginRequest() -> (
        sequence: UInt64, principal: Principal, host: String, listener: Int
    ) {
        (begin(), principal, host, listener)
    }

    /// The request begun last will not be answered.
    mutating func retract() {
        _ = slots.popLast()
    }

    mutating func block(on sequence: UInt64) { blocker = sequence }

    mutating func unblock(_ sequence: UInt64) {
        if blocker == sequence { blocker = nil }
    }

    /// Takes an answer and sends everything that may go now, in order. Returns whether another
    /// request may start.
    mutating func answer(
        _ key: RequestKey, _ pieces: [Bytes], into output: inout [NodeEffect]
    ) -> Bool {
        let sequence = key.sequence
        guard sequence >= firstSequence, sequence < firstSequence + UInt64(slots.count) else {
            return mayStart
        }
        if blocker == sequence { blocker = nil }
        guard sequence == firstSequence else {
            slots[Int(sequence - firstSequence)] = .answered(pieces)
            return mayStart
        }
        output.append(.send(key.connection, pieces))
        _ = slots.popFirst()
        firstSequence += 1
        while case .answered(let pieces)? = slots.first {
            output.append(.send(key.connection, pieces))
            _ = slots.popFirst()
            firstSequence += 1
        }
        return mayStart
    }
}
