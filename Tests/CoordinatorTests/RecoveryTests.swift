import Base
import Coordinator
import Testing
import WireProtocol

@Suite struct GroupRecoveryTests {
    @Test func `a restart keeps members, generation, assignments and offsets`() throws {
        var group = GroupHarness()
        let (members, generation) = try group.stableGroup(2)
        _ = group.startCommit(member: members[0], generation: generation, [("t", 3, 77)])
        var fresh = try group.restarted()
        #expect(fresh.coordinator.describe("g") == group.coordinator.describe("g"))
        #expect(fresh.offset("t", 3) == group.offset("t", 3))
        #expect(fresh.heartbeat(member: members[1], generation: generation) == ErrorCode.none)
        let sync = fresh.startSync(member: members[1], generation: generation)
        #expect(fresh.syncAnswer(sync)?.assignment == Bytes(utf8: "of \(members[1])"))
        fresh.advance(11_000)
        #expect(fresh.coordinator.describe("g")?.state == "Empty")
    }

    @Test func `an unanswered commit may be lost but an answered one never is`() throws {
        var group = GroupHarness()
        _ = group.startCommit([("t", 0, 1)])
        group.holdsAppends = true
        _ = group.startCommit([("t", 0, 2)])
        #expect(try group.restarted().offset("t", 0)?.offset == 1)
    }

    @Test func `records have the published layout`() throws {
        let key = GroupRecordFormat.offsetKey(
            group: "g", partition: TopicPartition(topic: "tt", partition: 5))
        #expect(key.array == [0, 1, 0, 1, 0x67, 0, 2, 0x74, 0x74, 0, 0, 0, 5])
        let value = GroupRecordFormat.offsetValue(
            CommittedOffset(
                offset: 258, leaderEpoch: 4, metadata: "m",
                commitTimestamp: Timestamp(milliseconds: 9)))
        #expect(
            value.array == [
                0, 3, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 4, 0, 1, 0x6D, 0, 0, 0, 0, 0, 0, 0, 9,
            ])
        #expect(GroupRecordFormat.groupKey("g").array == [0, 2, 0, 1, 0x67])
    }

    @Test func `older and newer offset values are understood`() throws {
        let key = GroupRecordFormat.offsetKey(
            group: "g", partition: TopicPartition(topic: "t", partition: 0))
        func read(_ bytes: [UInt8]) throws -> CommittedOffset? {
            let content = try GroupRecordFormat.decode(key: key, value: Bytes(bytes))
            guard case .offset(_, _, let offset) = content else { return nil }
            return offset
        }
        let eight: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 7]
        #expect(try read([0, 0] + eight + [0, 1, 0x6D] + eight)?.metadata == "m")
        #expect(
            try read([0, 1] + eight + [0, 0] + eight + eight)?.expireTimestamp
                == Timestamp(milliseconds: 7))
        #expect(try read([0, 4] + eight + [0, 0, 0, 9, 2, 0x6D] + eight + [0])?.leaderEpoch == 9)
        #expect(throws: DecodeFailure.self) { try read([0, 9] + eight) }
    }

    @Test func `damaged records are refused, whatever their bytes`() {
        var random = Random(seed: 11)
        let key = GroupRecordFormat.groupKey("g")
        let member = GroupSnapshot.Member(
            id: "m", instanceID: "i", clientID: "c", clientHost: "h",
            rebalanceTimeoutMilliseconds: 1, sessionTimeoutMilliseconds: 2,
            subscription: Bytes(utf8: "s"), assignment: Bytes(utf8: "a"))
        let snapshot = GroupSnapshot(
            protocolType: "consumer", generation: 1, protocolName: "range", leader: "m",
            stateTimestamp: nil, members: [member])
        let value = GroupRecordFormat.groupValue(snapshot)
        #expect(
            (try? GroupRecordFormat.decode(key: key, value: value)) == .group("g", snapshot))
        for count in 0..<value.count {
            #expect(throws: DecodeFailure.self) {
                try GroupRecordFormat.decode(key: key, value: value[0..<count])
            }
        }
        for _ in 0..<2000 {
            var bytes = value.array
            bytes[random.below(bytes.count)] = UInt8(random.below(256))
            bytes[1] = UInt8(random.below(5))
            var coordinator = GroupCoordinator(random: Random(seed: 1))
            try? coordinator.replay(key: key, value: Bytes(bytes))
            coordinator.finishReplay(
                now: Now(monotonic: .zero, wallMicroseconds: 0))
            coordinator.checkInvariants()
        }
    }

    @Test func `groups are spread as tools expect`() {
        #expect(groupPartition(of: "", partitionCount: 50) == 0)
        #expect(groupPartition(of: "a", partitionCount: 50) == 47)
        #expect(groupPartition(of: "console-consumer", partitionCount: 50) >= 0)
        // The Java hash of this text is the smallest 32-bit number.
        #expect(groupPartition(of: "polygenelubricants", partitionCount: 50) == 0)
    }

    @Test func `random traffic keeps the invariants and answers every request once`() throws {
        for seed in 0..<20 {
            var group = GroupHarness(delay: .seconds(seed % 2 == 0 ? 0 : 1))
            var random = Random(seed: UInt64(seed))
            var ids: [String] = [""]
            var joins: [ReplyToken] = []
            for _ in 0..<150 {
                let member = ids[random.below(ids.count)]
                let generation = Int32(random.below(6))
                let instance = random.chance(1, in: 3) ? "i\(random.below(2))" : nil
                switch random.below(8) {
                case 0, 1, 2:
                    let topics = random.chance(1, in: 4) ? ["u"] : ["t"]
                    let token = group.startJoin(
                        member: member, instance: instance,
                        protocols: [subscription("range", topics)])
                    joins.append(token)
                case 3:
                    _ = group.startSync(
                        member: member, generation: generation, instance: instance,
                        assign: [(member, "x")])
                case 4: _ = group.heartbeat(member: member, generation: generation)
                case 5: _ = group.leave("g", [LeaveCall.Member(memberID: member)])
                case 6: group.advance(Int64(random.below(20_000)))
                default:
                    group.holdsAppends.toggle()
                    if !group.holdsAppends { group.finishAppends() }
                }
                for token in joins {
                    if let id = group.joinAnswer(token)?.memberID, !ids.contains(id) {
                        ids.append(id)
                    }
                }
            }
            group.holdsAppends = false
            group.finishAppends()
            group.advance(2_000_000)
            #expect(joins.allSatisfy { group.joinAnswer($0) != nil })
            #expect(try group.restarted().coordinator.describe("g")?.members.isEmpty ?? true)
        }
    }
}
