import Base
import Quorum

/// A connection to another node, or of one that has not said who it is.
struct PeerLink: Sendable {
    /// The other end's address, for messages.
    var address: String
    /// Whom this node called; nil when it was called.
    var dialed: NodeID?
    /// Who answers, once that is known and accepted.
    var hello: PeerHello?
}

/// Calling another node: when the next attempt is due, and how patient it has become.
struct PeerDialing: Sendable {
    var due: Instant?
    var attempts = 0
    var isUnderWay = false

    static let shortest = Duration.milliseconds(100)
    static let longest = Duration.seconds(2)

    mutating func failed(_ now: Instant) {
        isUnderWay = false
        let wait = Self.shortest.wholeNanoseconds << Int64(min(attempts, 5))
        attempts += 1
        due = now + min(.nanoseconds(wait), Self.longest)
    }
}

// Links between nodes: the node with the higher number calls, both say who they are, and either
// refuses the other with a reason that both report.
extension BrokerNode {
    /// A connection that is a link to another node; nil for those of clients.
    func isLink(_ id: ConnectionID) -> Bool { cluster?.links[id] != nil }

    mutating func openLink(_ id: ConnectionID, _ address: String) {
        cluster?.links[id] = PeerLink(address: address)
    }

    /// A call got through: this node speaks first.
    mutating func dialed(_ node: NodeID, _ id: ConnectionID, _ address: String) {
        guard let hello = cluster?.hello else { return }
        cluster?.links[id] = PeerLink(address: address, dialed: node)
        output.append(.send(id, [PeerMessage.hello(hello).frame()]))
    }

    mutating func dialFailed(_ node: NodeID, _ reason: String) {
        complain(about: node, "can't be reached: \(reason)")
        cluster?.dialing[node]?.failed(now.monotonic)
    }

    /// Calls the nodes that are due.
    mutating func dial() {
        guard let cluster else { return }
        for (node, state) in cluster.dialing {
            guard !state.isUnderWay, let due = state.due, due <= now.monotonic,
                let address = cluster.configuration.address(of: node)
            else { continue }
            self.cluster?.dialing[node]?.isUnderWay = true
            self.cluster?.dialing[node]?.due = nil
            output.append(.dial(node, host: address.host, port: address.port))
        }
    }

    mutating func linkClosed(_ id: ConnectionID) {
        guard let link = cluster?.links.removeValue(forKey: id) else { return }
        if let node = link.dialed { cluster?.dialing[node]?.failed(now.monotonic) }
        if let node = link.hello?.node, cluster?.linkTo[node] == id {
            cluster?.linkTo[node] = nil
            cluster?.linkLostAt[node] = now.monotonic
            diagnostics.report(.info, "cluster", "the link to node \(node.value) is down")
            linkLost(node)
        }
    }

    /// Sends if there is a link; what is lost is said again by whoever needs it.
    @discardableResult
    mutating func send(_ message: PeerMessage, to node: NodeID) -> Bool {
        guard let link = cluster?.linkTo[node] else { return false }
        output.append(.send(link, [message.frame()]))
        return true
    }

    mutating func receive(_ frame: Bytes, fromLink id: ConnectionID) {
        guard frame.count <= ClusterConfiguration.frameBytesMax else {
            return drop(id, "a frame of \(frame.count) bytes")
        }
        let message: PeerMessage
        do throws(DecodeFailure) {
            message = try PeerMessage(frame)
        } catch {
            return drop(id, "an unreadable frame: \(error)")
        }
        guard let link = cluster?.links[id] else { return }
        guard let peer = link.hello else { return introduce(message, link, id) }
        switch message {
        case .hello, .welcome: drop(id, "it introduced itself twice")
        case .stillHere: break
        case .refused(let reason): drop(id, "node \(peer.node.value) refuses: \(reason)")
        case .found(let cluster, let configuration): join(cluster, configuration, from: peer)
        case .quorum(let message):
            // Whoever speaks for another would forge its votes.
            guard message.from == peer.node, message.directory == peer.directory else {
                return drop(id, "it speaks for node \(message.from.value)")
            }
            drive(.message(message))
        case .command(let number, let command):
            decide(command, .peer(peer.node, number), for: peer)
        case .outcome(let number, let outcome): take(outcome, number)
        case .heartbeat(let epoch, let applied, let sentAt, let wantsToLeave):
            received(
                BrokerHeartbeat(
                    node: peer.node, epoch: epoch, applied: applied, wantsToLeave: wantsToLeave),
                sentAt: sentAt)
        case .heartbeatAnswer(let epoch, let sentAt, let applied, let answer):
            heartbeatAnswered(epoch, sentAt: sentAt, applied: applied, answer)
        case .partition(let number, let request):
            decide(request, .peer(peer.node, number), from: peer.node)
        case .transaction(let number, let question): receive(question, number, from: peer.node)
        case .markers(let number, let markers): receive(markers, number, from: peer.node)
        case .errors(let number, let errors): take(errors, number)
        case .job(let number, let command):
            do throws(DecodeFailure) {
                workOn(try NodeCommand(fromPeer: command), number, from: peer.node)
            } catch {
                drop(id, "an unreadable command: \(error)")
            }
        case .jobDone(let number, let applied, let answer):
            do throws(DecodeFailure) {
                take(try PeerCommandAnswer(answer).result, applied, number)
            } catch {
                drop(id, "an unreadable answer: \(error)")
            }
        case .replicas(let message): receive(message, from: peer.node)
        case .request(let number, let request): workOn(request, number, from: peer.node)
        case .answer(let number, let answer): take(answer, number)
        case .noAnswer(let number, let reason): noAnswer(number, reason)
        }
    }

    // MARK: Who is there

    private mutating func introduce(
        _ message: PeerMessage, _ link: PeerLink, _ id: ConnectionID
    ) {
        switch message {
        case .hello(let hello) where link.dialed == nil:
            if let reason = complaint(about: hello) { return refuse(id, hello, reason) }
            guard let own = cluster?.hello else { return }
            output.append(.send(id, [PeerMessage.welcome(own).frame()]))
            accept(hello, id)
        case .welcome(let hello) where link.dialed != nil:
            if hello.node != link.dialed {
                return refuse(
                    id, hello,
                    "node \(hello.node.value) answers at \(link.address), where node "
                        + "\(link.dialed?.value ?? 0) should be")
            }
            if let reason = complaint(about: hello) { return refuse(id, hello, reason) }
            accept(hello, id)
        case .refused(let reason):
            if let node = link.dialed {
                complain(about: node, "refuses this node: \(reason)", .error)
            }
            drop(id, nil)
        default: drop(id, "it did not say who it is")
        }
    }

    /// Why a node may not be linked; nil when it may.
    func complaint(about hello: PeerHello) -> String? {
        guard let cluster else { return "this node is in no cluster" }
        guard hello.version == PeerHello.protocolVersion else {
            return "it speaks version \(hello.version) between nodes, this node "
                + "\(PeerHello.protocolVersion)"
        }
        guard hello.node != cluster.node else {
            return "two nodes have the number \(hello.node.value): each needs its own --node"
        }
        guard cluster.configuration.address(of: hello.node) != nil else {
            return
                "node \(hello.node.value) is not in the list of \(cluster.configuration.members.count)"
                + " nodes: --cluster has to be the same on all nodes"
        }
        if cluster.clusterID != .zero, hello.cluster != .zero, hello.cluster != cluster.clusterID {
            return
                "node \(hello.node.value) belongs to cluster \(publishedText(of: hello.cluster)),"
                + " node \(cluster.node.value) to cluster \(publishedText(of: cluster.clusterID))"
        }
        if let member = cluster.replica?.core.configuration.member(hello.node),
            !member.isServed(by: hello.directory)
        {
            return "node \(hello.node.value) of the cluster has the disk \(member.directory), this"
                + " one has the disk \(hello.directory): it was replaced, or two nodes have one"
                + " number"
        }
        if let other = cluster.linkTo[hello.node], let known = cluster.links[other]?.hello,
            known.directory != hello.directory
        {
            return "two nodes have the number \(hello.node.value): each needs its own --node"
        }
        return nil
    }

    private mutating func refuse(_ id: ConnectionID, _ hello: PeerHello, _ reason: String) {
        complain(about: hello.node, "is refused: \(reason)", .error)
        output.append(.send(id, [PeerMessage.refused(reason).frame()]))
        drop(id, nil)
    }

    private mutating func accept(_ hello: PeerHello, _ id: ConnectionID) {
        let old = cluster?.linkTo[hello.node]
        if old != nil { linkLost(hello.node) }
        cluster?.complaints[hello.node] = nil
        cluster?.links[id]?.hello = hello
        cluster?.linkTo[hello.node] = id
        if var state = cluster?.dialing[hello.node] {
            state.attempts = 0
            state.isUnderWay = true
            cluster?.dialing[hello.node] = state
        }
        output.append(.linked(id))
        diagnostics.report(.info, "cluster", "linked with node \(hello.node.value)")
        if let count = cluster?.configuration.members.count, count != Int(hello.memberCount) {
            complain(
                about: hello.node,
                "has a --cluster of \(hello.memberCount) nodes, this node one of \(count): it should be"
                    + " the same on all nodes")
        }
        // The other end has called again before we saw that it was gone.
        if let old, old != id { drop(old, nil) }
        met(hello)
        resumeReplicas(with: hello.node)
    }

    /// Lets every link be heard of now and then: one whose other end has lost its power shows that
    /// by refusing what it is sent when it is back.
    mutating func keepLinksAlive() {
        guard let cluster, now.monotonic >= cluster.nextSignOfLife else { return }
        self.cluster?.nextSignOfLife = now.monotonic + .seconds(5)
        for node in cluster.linkTo.keys.sorted() { send(.stillHere, to: node) }
    }

    /// Ends a link; `reason` is reported.
    mutating func drop(_ id: ConnectionID, _ reason: String?) {
        guard let link = cluster?.links[id] else { return }
        if let reason {
            let who = link.hello.map { "node \($0.node.value)" } ?? link.address
            diagnostics.report(.warning, "cluster", "closing the link with \(who): \(reason)")
        }
        linkClosed(id)
        output.append(.close(id, reason: reason ?? "the link ended"))
    }

    /// Reports what is wrong with a node, once until it changes.
    mutating func complain(
        about node: NodeID, _ complaint: String, _ severity: Severity = .warning
    ) {
        guard cluster?.complaints[node] != complaint else { return }
        cluster?.complaints[node] = complaint
        diagnostics.report(severity, "cluster", "node \(node.value) \(complaint)")
    }
}
