import Base
import Node
import TLS

/// What the driver drives: one deterministic machine that turns events into effects. `BrokerNode`
/// in the server; small machines in the driver's own tests.
package protocol EventMachine {
    /// Takes one event of a round. Effects may come now or at the end of the round.
    mutating func accept(_ event: NodeEvent, now: Now, into effects: inout [NodeEffect])
    /// Ends a round, after its last event.
    mutating func finishRound(now: Now, into effects: inout [NodeEffect])
    /// Whether `requestTook` is wanted.
    var measuresRequests: Bool { get }
    /// How long `accept` took with the request that was given to it last.
    mutating func requestTook(
        _ duration: Duration, of connection: ConnectionID, now: Now,
        into effects: inout [NodeEffect])
    /// Makes everything durable; no event follows.
    mutating func close(now: Now) throws(Problem)
}

extension EventMachine {
    package var measuresRequests: Bool { false }
    package mutating func requestTook(
        _ duration: Duration, of connection: ConnectionID, now: Now,
        into effects: inout [NodeEffect]
    ) {}
}

/// How the loop ended.
package enum DriverExit: Equatable, Sendable {
    /// Asked to stop: answers were finished as far as the grace period allowed.
    case stopped
    /// The node can't trust its storage any more. Nothing was sent after that was known.
    case halted(Problem)
}

/// The bounds of the driver, each with its reason.
package struct DriverSettings: Sendable {
    /// Connections at the same time.
    package var connections = Limits.connections
    package var firstRequestBytes = Limits.firstRequestBytes
    package var requestBytes = Limits.requestBytes
    /// Unsent answers of one connection before it is closed.
    package var outputBytes = Limits.connectionOutputBytes
    /// Unsent answers of one connection from which on no more of its requests are read; half of
    /// it lets reading go on. So a slow reader slows itself down long before it is closed.
    package var outputPauseBytes = 8 << 20
    /// Requests of one connection that reach the node before their answers are carried out: so many
    /// share what a round costs.
    package var requestsPerRound = 64
    /// Nor do more follow in a round once their answers have so many bytes.
    package var answerBytesPerRound = 1 << 20
    /// Memory for requests that have not arrived completely, of all connections together.
    package var partialBytes = 1 << 30
    /// A connection on which nothing happened for so long is closed; Apache Kafka's
    /// `connections.max.idle.ms`.
    package var idle = Duration.seconds(600)
    /// A new connection must say something complete within this time.
    package var firstRequest = Duration.seconds(30)
    /// A client that has to sign on must have done so within this time.
    package var signOn = Duration.seconds(30)
    /// A connection that takes none of its answers for so long is closed.
    package var writeStall = Duration.seconds(60)
    /// How long `stop` waits for answers to leave.
    package var grace = Duration.seconds(5)
    /// Before it other nodes get so long to take over.
    package var leaving = Duration.zero
    /// How long accepting pauses when the process has no descriptors left.
    package var acceptPause = Duration.milliseconds(250)
    /// Where jobs of the metadata quorum work; nil = the node is in no cluster.
    package var disk: (any Disk)?
    /// How calls of other nodes are encrypted; nil = not at all.
    package var dialTLS: TLSContext?
    /// Commands of other threads that wait for the loop.
    package var commands = 100_000
    /// Hears of records that were produced, and keeps processors for the loop and its syncs.
    package var reserve: ProcessorReserve?

    package init() {}
}
