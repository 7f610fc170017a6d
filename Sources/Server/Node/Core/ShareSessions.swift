// Share sessions: the broker remembers which partitions a member of a share group reads. There is
// one session for each member; it ends with the connection that used it last.
//
//   epoch   what the member wants
//   0       a session, in place of the one it has
//   n       what changed since n - 1
//   -1      the end of the session

import Base
import Coordinator
import WireProtocol

struct ShareMember: Hashable, Comparable, Sendable {
    var group: String
    var member: String

    static func < (left: ShareMember, right: ShareMember) -> Bool {
        left.group != right.group ? left.group < right.group : left.member < right.member
    }
}

struct ShareSessions: Sendable {
    private struct Session: Sendable {
        var nextEpoch: Int32 = 1
        var connection: ConnectionID
        /// In the order in which they came.
        var targets: [AssignedPartition] = []
    }

    /// Looked up only.
    private var sessions: [ShareMember: Session] = [:]
    private var members: [ConnectionID: [ShareMember]] = [:]
    private(set) var targetCount = 0

    /// `group.share.max.share.sessions`
    let countMax: Int
    /// About 50 bytes each.
    static let targetsMax = 500_000

    init(countMax: Int) { self.countMax = countMax }

    var count: Int { sessions.count }

    func contains(_ member: ShareMember) -> Bool { sessions[member] != nil }

    enum Failure: Error {
        case notFound
        case wrongEpoch(expected: Int32)
        case limitReached(Int)

        var code: ErrorCode {
            switch self {
            case .notFound: .shareSessionNotFound
            case .wrongEpoch: .invalidShareSessionEpoch
            case .limitReached: .shareSessionLimitReached
            }
        }

        var message: String {
            switch self {
            case .notFound: "the member has no share session here: it must open one with epoch 0"
            case .wrongEpoch(let expected): "the epoch of the next request is \(expected)"
            case .limitReached(let count): "there are \(count) share sessions already"
            }
        }
    }

    /// Opens a session for the member, in place of the one it may have.
    mutating func open(
        _ member: ShareMember, _ targets: [AssignedPartition], on connection: ConnectionID
    ) throws(Failure) {
        let old = sessions[member]
        guard old != nil || sessions.count < countMax,
            targetCount - (old?.targets.count ?? 0) + targets.count <= Self.targetsMax
        else { throw .limitReached(sessions.count) }
        close(member)
        var session = Session(connection: connection)
        add(targets, to: &session)
        targetCount += session.targets.count
        sessions[member] = session
        members[connection, default: []].append(member)
    }

    /// Takes the next request of a session, with its changes, and returns all partitions.
    mutating func update(
        _ member: ShareMember, epoch: Int32, add targets: [AssignedPartition],
        forget: Set<AssignedPartition>, on connection: ConnectionID
    ) throws(Failure) -> [AssignedPartition] {
        try check(member, epoch: epoch)
        guard var session = sessions.removeValue(forKey: member) else { throw .notFound }
        let before = session.targets.count
        session.nextEpoch = epoch == .max ? 1 : epoch + 1
        add(targets, to: &session)
        if !forget.isEmpty { session.targets.removeAll { forget.contains($0) } }
        if session.connection != connection {
            leave(session.connection, member)
            session.connection = connection
            members[connection, default: []].append(member)
        }
        targetCount += session.targets.count - before
        sessions[member] = session
        if targetCount > Self.targetsMax {
            close(member)
            throw .limitReached(sessions.count)
        }
        return session.targets
    }

    /// Whether the member has a session whose last request this may be.
    func check(_ member: ShareMember, epoch: Int32) throws(Failure) {
        guard let session = sessions[member] else { throw .notFound }
        guard epoch == -1 || epoch == session.nextEpoch else {
            throw .wrongEpoch(expected: session.nextEpoch)
        }
    }

    mutating func close(_ member: ShareMember) {
        guard let session = sessions.removeValue(forKey: member) else { return }
        targetCount -= session.targets.count
        leave(session.connection, member)
    }

    /// Ends the sessions of a connection, and returns whose they were.
    mutating func closeAll(of connection: ConnectionID) -> [ShareMember] {
        let all = (members[connection] ?? []).sorted()
        for member in all { close(member) }
        return all
    }

    private func add(_ targets: [AssignedPartition], to session: inout Session) {
        var known = Set(session.targets)
        for target in targets where known.insert(target).inserted {
            session.targets.append(target)
        }
    }

    private mutating func leave(_ connection: ConnectionID, _ member: ShareMember) {
        members[connection]?.removeAll { $0 == member }
        if members[connection]?.isEmpty == true { members[connection] = nil }
    }

    /// Sums and places agree with the sessions.
    func checkInvariants() {
        precondition(
            sessions.values.reduce(0) { $0 + $1.targets.count } == targetCount,
            "the count is the sum")
        precondition(
            members.values.reduce(0) { $0 + $1.count } == sessions.count,
            "each session has a connection")
        for (member, session) in sessions {
            precondition(
                members[session.connection]?.contains(member) == true,
                "each connection knows its sessions")
        }
    }
}
