import Base

extension ClassicGroup {
    /// Takes the state that a record of the log describes.
    mutating func restore(_ snapshot: GroupSnapshot) {
        protocolType = snapshot.protocolType.isEmpty ? nil : snapshot.protocolType
        generation = max(snapshot.generation, 0)
        protocolName = snapshot.protocolName
        leader = snapshot.leader
        stateTimestamp = snapshot.stateTimestamp
        members = MemberTable()
        for member in snapshot.members where members.position(of: member.id) == nil {
            if let instance = member.instanceID, members.memberID(ofInstance: instance) != nil {
                continue
            }
            members.append(
                GroupMember(
                    id: member.id, instanceID: member.instanceID, clientID: member.clientID,
                    clientHost: member.clientHost,
                    sessionTimeout: .milliseconds(max(member.sessionTimeoutMilliseconds, 0)),
                    rebalanceTimeout: .milliseconds(max(member.rebalanceTimeoutMilliseconds, 0)),
                    protocols: [
                        MemberProtocol(
                            name: snapshot.protocolName ?? "", metadata: member.subscription)
                    ], assignment: member.assignment, hasSynced: true))
        }
        phase = members.isEmpty ? .empty : .stable
        if leader.flatMap(members.position(of:)) == nil { leader = members.all.first?.id }
        subscribedTopics = members.isEmpty ? nil : findSubscribedTopics()
    }

    /// Starts the clocks of a restored group.
    mutating func resume(_ context: inout GroupContext) {
        for position in members.indices { refreshSession(at: position, &context) }
    }
}
