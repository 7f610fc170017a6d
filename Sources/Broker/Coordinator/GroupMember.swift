import Base

/// One member of a classic group.
struct GroupMember: Sendable {
    /// The request of this member that waits for the group.
    enum Waiting: Equatable, Sendable {
        case nothing
        case join(ReplyToken)
        case sync(ReplyToken)
    }

    var id: String
    var instanceID: String?
    var clientID: String
    var clientHost: String
    var sessionTimeout: Duration
    var rebalanceTimeout: Duration
    var protocols: [MemberProtocol]
    var assignment: Bytes = .empty
    var waiting: Waiting = .nothing
    /// It asked for its assignment in the current generation.
    var hasSynced = false
    /// Without a sign of life until then the member is removed.
    var deadline: Instant = .distantFuture

    var metadataBytes: Int { protocols.reduce(0) { $0 + $1.metadata.count + $1.name.utf8.count } }

    var isWaitingForJoin: Bool {
        if case .join = waiting { return true }
        return false
    }

    func metadata(for protocolName: String?) -> Bytes {
        guard let protocolName else { return .empty }
        return protocols.first { $0.name == protocolName }?.metadata ?? .empty
    }
}

/// The members in the order in which they joined, found by id.
struct MemberTable: Sendable {
    private(set) var all: [GroupMember] = []
    private var positions: [String: Int] = [:]
    /// Static members: instance id → member id.
    private var instances: [String: String] = [:]

    var count: Int { all.count }
    var isEmpty: Bool { all.isEmpty }
    var indices: Range<Int> { all.indices }

    subscript(position: Int) -> GroupMember {
        get { all[position] }
        _modify { yield &all[position] }
    }

    func position(of id: String) -> Int? { positions[id] }

    func memberID(ofInstance instance: String) -> String? { instances[instance] }

    mutating func append(_ member: GroupMember) {
        precondition(positions[member.id] == nil, "a member joins once")
        positions[member.id] = all.count
        if let instance = member.instanceID { instances[instance] = member.id }
        all.append(member)
    }

    /// Gives the member at `position` another id; its place in the order stays.
    mutating func rename(at position: Int, to id: String) {
        positions[all[position].id] = nil
        all[position].id = id
        positions[id] = position
        if let instance = all[position].instanceID { instances[instance] = id }
    }

    mutating func remove(at position: Int) -> GroupMember {
        let member = all.remove(at: position)
        if let instance = member.instanceID { instances[instance] = nil }
        positions[member.id] = nil
        for later in position..<all.count { positions[all[later].id] = later }
        return member
    }

    func checkInvariants() {
        precondition(positions.count == all.count, "each member is indexed once")
        for (position, member) in all.enumerated() {
            precondition(positions[member.id] == position, "the index points at the member")
            if let instance = member.instanceID {
                precondition(instances[instance] == member.id, "an instance has one member")
            }
        }
    }
}
