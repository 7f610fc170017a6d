import Base
import Coordinator
import Foundation
import Testing
import WireProtocol

/// What of a share group outlives a crash, and when members are answered.
@Suite struct ShareRecoveryTests {
    @Test func `an acknowledgement is answered when it is durable`() throws {
        var harness = ShareHarness()
        #expect(harness.acquire(0...9).count == 1)
        harness.commit()
        harness.holdsAppends = true
        #expect(harness.acknowledge(0, 9, .accept) == nil)
        let token = harness.commit()
        #expect(harness.replies[token.value] == nil)
        // Nothing of its own to write, but it rests on what is on its way.
        #expect(harness.acknowledge(0, 9, .accept) == nil)
        let second = harness.commit()
        #expect(harness.replies[second.value] == nil)
        harness.finishAppends()
        #expect(harness.replies[token.value] == .written(.none))
        #expect(harness.replies[second.value] == .written(.none))
    }

    @Test func `after a crash nothing that was acknowledged comes again`() throws {
        var harness = ShareHarness()
        _ = try harness.heartbeat("m", epoch: 0, ["t"])
        #expect(harness.acquire(0...9).count == 1)
        harness.commit()
        #expect(harness.acknowledge(0, 3, .accept) == nil)
        #expect(harness.acknowledge(6, 6, .reject) == nil)
        harness.commit()
        try harness.restart()
        #expect(harness.start == 4)
        #expect(harness.runs.map(\.state) == [.available, .archived, .available])
        // What was with a member is free, and its delivery counts.
        #expect(harness.acquire(0...9).map(\.deliveryCount) == [2, 2])
        #expect(harness.coordinator.describe("g")?.epoch == 1)
        #expect(harness.coordinator.describe("g")?.members.isEmpty == true)
        #expect(try harness.heartbeat("m", epoch: 1).error == .unknownMemberId)
        #expect(try harness.heartbeat("m", epoch: 0, ["t"]).memberEpoch == 2)
    }

    @Test func `a record whose last delivery was cut off is given up`() throws {
        var harness = ShareHarness { $0.deliveriesMax = 2 }
        #expect(harness.acquire(0...0).count == 1)
        #expect(harness.acknowledge(0, 0, .release) == nil)
        #expect(harness.acquire(0...0).count == 1)
        harness.commit()
        try harness.restart()
        #expect(harness.start == 1)
        #expect(harness.acquire(0...0).isEmpty)
    }

    @Test func `what the log refused is written with the next`() throws {
        var harness = ShareHarness()
        #expect(harness.acquire(0...9).count == 1)
        harness.commit()
        harness.holdsAppends = true
        #expect(harness.acknowledge(0, 4, .accept) == nil)
        let token = harness.commit()
        harness.finishAppends(failure: .coordinatorNotAvailable)
        #expect(harness.replies[token.value] == .written(.coordinatorNotAvailable))
        harness.holdsAppends = false
        #expect(harness.acknowledge(5, 9, .accept) == nil)
        let next = harness.commit()
        #expect(harness.replies[next.value] == .written(.none))
        try harness.restart()
        #expect(harness.start == 10)
    }

    @Test func `compaction loses nothing`() throws {
        for perSnapshot in Int32(0)...4 {
            var harness = ShareHarness { $0.updatesPerSnapshot = perSnapshot }
            var random = Random(seed: UInt64(perSnapshot) + 1)
            for _ in 0..<40 {
                let first = (harness.start ?? 0) + Int64(random.below(10))
                for range in harness.acquire(first...(first + 3)) {
                    let type: AcknowledgeType = random.chance(1, in: 2) ? .accept : .release
                    if random.chance(2, in: 3) {
                        #expect(harness.acknowledge(range.first, range.last, type) == nil)
                    }
                }
                harness.commit()
                let start = harness.start
                let runs = harness.runs.map { ($0.state.isDone, $0.first, $0.last) }
                if random.chance(1, in: 2) { harness.compact() }
                try harness.restart()
                #expect(harness.start.map { $0 >= (start ?? 0) } == true)
                let done = Set(
                    harness.runs.filter { $0.state.isDone }.flatMap { $0.first...$0.last })
                for (isDone, first, last) in runs where isDone {
                    for offset in first...last {
                        #expect(done.contains(offset) || offset < harness.start ?? 0)
                    }
                }
            }
            harness.compact()
            #expect(harness.log.count <= Int(perSnapshot) + 2)
        }
    }

    @Test func `topics that are gone are forgotten`() throws {
        var harness = ShareHarness()
        #expect(harness.acquire(0...9).count == 1)
        harness.commit()
        var other = harness
        harness.apply(
            harness.coordinator.topicDeleted("t", id: harness.id(of: "t"), now: harness.now))
        #expect(harness.start == nil)
        try harness.restart()
        #expect(harness.start == nil)
        // The crash came before that was written.
        other.topics = []
        try other.restart()
        #expect(other.start == nil)
        other.compact()
        #expect(other.log.filter { $0.value != nil }.count == 1)
    }

    @Test func `operators move groups that nobody is in`() throws {
        var harness = ShareHarness()
        _ = try harness.heartbeat("m", epoch: 0, ["t"])
        #expect(harness.acquire(0...9).count == 1)
        harness.commit()
        #expect(harness.coordinator.refusalOfChange("g", creates: true)?.code == .nonEmptyGroup)
        #expect(harness.coordinator.refusalOfChange("n", creates: false)?.code == .groupIdNotFound)
        #expect(harness.coordinator.refusalOfChange("n", creates: true) == nil)
        _ = try harness.heartbeat("m", epoch: -1)
        #expect(harness.coordinator.refusalOfChange("g", creates: false) == nil)
        #expect(harness.coordinator.reset(ShareHarness.key, of: "g", to: 3) == true)
        harness.commit()
        try harness.restart()
        #expect(harness.start == 3)
        #expect(harness.runs.isEmpty)
        let token = harness.token()
        harness.apply(
            harness.coordinator.forget([ShareHarness.key], of: "g", token, now: harness.now))
        #expect(harness.replies[token.value] == .written(.none))
        try harness.restart()
        #expect(harness.start == nil)
        #expect(harness.coordinator.contains("g"))
    }

    @Test func `errors of acknowledgements are told apart`() throws {
        var harness = ShareHarness()
        #expect(harness.acknowledge(0, 0, .accept) == .invalidRecordState)
        #expect(harness.acquire(0...9).count == 1)
        #expect(harness.acknowledge(0, 0, .accept, "n") == .invalidRecordState)
        #expect(harness.acknowledge(0, 0, .renew, mayRenew: false) == .invalidRequest)
        #expect(harness.acknowledge(5, 4, .accept) == .invalidRequest)
        let overlapping = [
            AcknowledgementBatch(firstOffset: 0, lastOffset: 3, acknowledgeTypes: [1]),
            AcknowledgementBatch(firstOffset: 3, lastOffset: 4, acknowledgeTypes: [1]),
        ]
        let refusal = harness.coordinator.acknowledge(
            overlapping, ShareHarness.key, of: "g", by: "m", mayRenew: true, now: harness.now)
        #expect(refusal?.code == .invalidRequest)
        // Late by a moment: the timer has not run yet.
        harness.milliseconds += 30_000
        #expect(harness.acknowledge(0, 0, .accept) == .invalidRecordState)
    }

    @Test func `locks run out by the clock`() throws {
        var harness = ShareHarness()
        #expect(harness.acquire(0...9).count == 1)
        harness.commit()
        harness.advance(29_999)
        #expect(harness.available.isEmpty)
        harness.advance(1)
        #expect(harness.available == [ShareHarness.key])
        #expect(harness.acquire(0...9, "n").map(\.deliveryCount) == [2])
    }

    @Test func `settings of a group count`() throws {
        var harness = ShareHarness()
        var own = ShareSettings()
        own.lockDuration = .seconds(15)
        own.deliveriesMax = 2
        own.locksMax = 100
        own.sessionTimeout = .seconds(50)
        own.heartbeatInterval = .seconds(7)
        harness.coordinator.configure("g", own)
        #expect(try harness.heartbeat("m", epoch: 0, ["t"]).heartbeatInterval == .seconds(7))
        #expect(harness.acquire(0...199) == [.init(first: 0, last: 99, deliveryCount: 1)])
        harness.advance(15_000)
        #expect(harness.acquire(0...199).map(\.deliveryCount) == [2])
        harness.advance(15_000)
        #expect(harness.start == 100)
        harness.coordinator.configure("g", nil)
        #expect(harness.coordinator.locksMax(of: "g") == 2000)
    }

    /// What the fuzzer begins with.
    private func corpus() throws -> [Bytes] {
        let root = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let folder = root.appendingPathComponent("Fuzz/FuzzShareRecord/corpus")
        return try FileManager.default
            .contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .sorted { $0.path < $1.path }
            .map { Bytes([UInt8](try Data(contentsOf: $0))) }
    }

    @Test func `records of the log, whole and damaged, break nothing`() throws {
        var harness = ShareHarness { $0.updatesPerSnapshot = 2 }
        _ = try harness.heartbeat("m", epoch: 0, ["t"])
        for first in stride(from: Int64(0), to: 50, by: 5) {
            #expect(harness.acquire(first...(first + 4)).count == 1)
            #expect(harness.acknowledge(first + 1, first + 2, .accept) == nil)
            harness.commit()
        }
        var random = Random(seed: 3)
        let inputs =
            harness.log.map { record in
                Bytes.joined([
                    Bytes([UInt8(record.key.count)]), record.key, record.value ?? .empty,
                ])
            } + (try corpus())
        for input in inputs {
            exerciseShareRecord(input)
            for _ in 0..<200 {
                var bytes = input.array
                for _ in 0...random.below(4) {
                    bytes[random.below(bytes.count)] = UInt8(random.below(256))
                }
                let end = random.chance(1, in: 4) ? random.below(bytes.count) : bytes.count
                exerciseShareRecord(Bytes(bytes[0..<end]))
            }
        }
    }
}
