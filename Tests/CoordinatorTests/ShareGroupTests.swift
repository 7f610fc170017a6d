import Base
import Coordinator
import Testing
import WireProtocol

/// Members of share groups: joining, staying, leaving, and who reads what.
@Suite struct ShareGroupTests {
    private func partitions(_ answer: ShareHeartbeatAnswer) -> [Int32]? {
        answer.assignment?.all.map(\.partition)
    }

    @Test func `one member gets everything, and more members share it`() throws {
        var harness = ShareHarness()
        let first = try harness.heartbeat("a", epoch: 0, ["t"])
        #expect(first.error == .none)
        #expect(first.memberID == "a")
        #expect(first.memberEpoch == 1)
        #expect(first.heartbeatInterval == .seconds(5))
        #expect(partitions(first) == [0, 1])
        let second = try harness.heartbeat("b", epoch: 0, ["t"])
        #expect(partitions(second) == [1])
        // The first learns it with its next call, and nothing with the one after.
        let told = try harness.heartbeat("a", epoch: 1)
        #expect(told.memberEpoch == 2)
        #expect(partitions(told) == [0])
        let quiet = try harness.heartbeat("a", epoch: 2)
        #expect(quiet.error == .none)
        #expect(quiet.assignment == nil)
        // More members than partitions: partitions have several readers.
        #expect(partitions(try harness.heartbeat("c", epoch: 0, ["t"])) == [0])
    }

    @Test func `a lost answer does no harm, a wrong epoch does`() throws {
        var harness = ShareHarness()
        _ = try harness.heartbeat("a", epoch: 0, ["t"])
        _ = try harness.heartbeat("b", epoch: 0, ["t"])
        #expect(try harness.heartbeat("a", epoch: 1).memberEpoch == 2)
        #expect(partitions(try harness.heartbeat("a", epoch: 1)) == [0])
        #expect(try harness.heartbeat("a", epoch: 7).error == .fencedMemberEpoch)
        #expect(try harness.heartbeat("a", epoch: 0, ["t"]).memberEpoch == 2)
    }

    @Test func `who is not there is told so`() throws {
        var harness = ShareHarness()
        #expect(try harness.heartbeat("a", epoch: 3).error == .groupIdNotFound)
        #expect(try harness.heartbeat("a", epoch: -1).error == .groupIdNotFound)
        _ = try harness.heartbeat("a", epoch: 0, ["t"])
        #expect(try harness.heartbeat("b", epoch: 3).error == .unknownMemberId)
        #expect(try harness.heartbeat("b", epoch: -1).error == .unknownMemberId)
    }

    @Test func `requests that make no sense are refused`() throws {
        var harness = ShareHarness { $0.membersMax = 1 }
        #expect(try harness.heartbeat("", epoch: 0, ["t"]).error == .invalidRequest)
        #expect(try harness.heartbeat("a", epoch: -2).error == .invalidRequest)
        #expect(try harness.heartbeat("a", epoch: 0).error == .invalidRequest)
        #expect(try harness.heartbeat("a", epoch: 0, []).error == .invalidRequest)
        #expect(try harness.heartbeat("a", epoch: 0, ["t"], group: "").error == .invalidRequest)
        #expect(
            try harness.heartbeat("a", epoch: 0, [String(repeating: "x", count: 300)]).error
                == .invalidRequest)
        #expect(try harness.heartbeat("a", epoch: 0, ["t"]).error == .none)
        #expect(try harness.heartbeat("b", epoch: 0, ["t"]).error == .groupMaxSizeReached)
    }

    @Test func `topics that come and grow are read`() throws {
        var harness = ShareHarness()
        let joined = try harness.heartbeat("a", epoch: 0, ["t", "u"])
        #expect(partitions(joined) == [0, 1])
        harness.makeTopic("u", partitions: 1)
        let told = try harness.heartbeat("a", epoch: 1)
        #expect(told.memberEpoch == 2)
        #expect(told.assignment?.count == 3)
        harness.makeTopic("u", partitions: 4)
        #expect(try harness.heartbeat("a", epoch: 2).assignment?.count == 6)
        harness.makeTopic("other", partitions: 4)
        #expect(try harness.heartbeat("a", epoch: 3).assignment == nil)
    }

    @Test func `a silent member is gone, and what it had is free`() throws {
        var harness = ShareHarness()
        _ = try harness.heartbeat("a", epoch: 0, ["t"])
        #expect(harness.acquire(0...9, "a").count == 1)
        harness.commit()
        // Its locks would run out before; a renewal keeps them until the session ends.
        harness.advance(29_000)
        #expect(harness.acknowledge(0, 9, .renew, "a") == nil)
        harness.advance(16_500)
        #expect(harness.coordinator.describe("g")?.state == "Empty")
        #expect(harness.runs.map(\.state) == [.available])
        #expect(harness.available.contains(ShareHarness.key))
    }

    @Test func `a member that leaves keeps what it had until its session ends`() throws {
        var harness = ShareHarness()
        _ = try harness.heartbeat("a", epoch: 0, ["t"])
        _ = try harness.heartbeat("b", epoch: 0, ["t"])
        #expect(harness.acquire(0...9, "a").count == 1)
        let left = try harness.heartbeat("a", epoch: -1)
        #expect(left.error == .none)
        #expect(left.memberEpoch == -1)
        #expect(harness.runs.map(\.state.owner) == ["a"])
        harness.coordinator.release("a", of: "g", now: harness.now)
        harness.commit()
        #expect(harness.runs.map(\.state) == [.available])
        #expect(partitions(try harness.heartbeat("b", epoch: 2)) == [0, 1])
    }

    @Test func `members with different wishes get what they want`() throws {
        var harness = ShareHarness()
        harness.makeTopic("u", partitions: 2)
        _ = try harness.heartbeat("a", epoch: 0, ["t"])
        _ = try harness.heartbeat("b", epoch: 0, ["t", "u"])
        let a = try harness.heartbeat("a", epoch: 1, ["t"])
        let b = try harness.heartbeat("b", epoch: 2, ["t", "u"])
        #expect(a.assignment?.all.allSatisfy { $0.topicID == ShareHarness.key.topicID } == true)
        let all = (a.assignment ?? PartitionSet()).union(b.assignment ?? PartitionSet())
        #expect(all.count == 4)
    }

    @Test func `groups are listed, described and deleted`() throws {
        var harness = ShareHarness()
        _ = try harness.heartbeat("a", epoch: 0, ["t"])
        #expect(harness.coordinator.list().map(\.type) == ["share"])
        #expect(harness.coordinator.list(states: ["stable"]).count == 1)
        #expect(harness.coordinator.list(states: ["empty"]).isEmpty)
        let described = try #require(harness.coordinator.describe("g"))
        #expect(described.assignor == "simple")
        #expect(described.members.map(\.id) == ["a"])
        #expect(described.members[0].assigned.map(\.name) == ["t"])
        #expect(harness.coordinator.describe("none") == nil)

        let early = harness.token()
        harness.apply(harness.coordinator.delete("g", early, now: harness.now))
        #expect(harness.replies[early.value] == .delete(.nonEmptyGroup))
        #expect(harness.acquire(0...9, "a").count == 1)
        harness.commit()
        _ = try harness.heartbeat("a", epoch: -1)
        let token = harness.token()
        harness.apply(harness.coordinator.delete("g", token, now: harness.now))
        #expect(harness.replies[token.value] == .delete(.none))
        #expect(!harness.coordinator.contains("g"))
        let again = harness.token()
        harness.apply(harness.coordinator.delete("g", again, now: harness.now))
        #expect(harness.replies[again.value] == .delete(.groupIdNotFound))
        try harness.restart()
        #expect(harness.coordinator.groupCount == 0)
        harness.compact()
        #expect(harness.log.allSatisfy { $0.value == nil })
    }

    @Test func `every partition has a reader and every member something to do`() {
        for memberCount in 1...7 {
            for partitionCount in 1...7 {
                var harness = ShareHarness()
                harness.makeTopic("w", partitions: Int32(partitionCount))
                var shares: [PartitionSet] = []
                for _ in 0..<2 {
                    shares = (0..<memberCount).compactMap {
                        try? harness.heartbeat("m\($0)", epoch: 0, ["w"]).assignment
                    }
                }
                #expect(shares.count == memberCount)
                #expect(shares.allSatisfy { !$0.isEmpty })
                let all = shares.reduce(PartitionSet()) { $0.union($1) }
                #expect(all.count == partitionCount)
                let sizes = shares.map(\.count)
                #expect((sizes.max() ?? 0) - (sizes.min() ?? 0) <= 1)
            }
        }
    }

    @Test func `the setting of the begin is understood`() {
        #expect(ShareOffsetReset("latest") == .latest)
        #expect(ShareOffsetReset("earliest") == .earliest)
        #expect(ShareOffsetReset("by_duration:PT1H") == .age(.seconds(3600)))
        #expect(ShareOffsetReset("by_duration:P1DT2H3M4.5S") == .age(.milliseconds(93_784_500)))
        for text in [
            "", "first", "by_duration:", "by_duration:P", "by_duration:PT", "by_duration:1H",
            "by_duration:PT-1H", "by_duration:P1Y", "by_duration:PT1H1", "by_duration:PT1D",
            "by_duration:P9999999999D", "by_duration:PT.S",
        ] {
            #expect(ShareOffsetReset(text) == nil, "\(text)")
        }
    }
}
