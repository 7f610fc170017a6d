import Base
import Quorum
import Testing

@Suite struct QuorumStorageTests {
    @Test func `a promise leaves after the sync that it rests on`() throws {
        var cluster = try ReplicaCluster(voters: 3)
        cluster.holdsJobs = true
        cluster.clock = cluster.clock + .seconds(10)
        let request = QuorumMessage(
            cluster: ReplicaCluster.cluster, from: 1, directory: ReplicaCluster.directory(1),
            life: 1, to: 2, term: 3,
            body: .voteRequest(
                .init(
                    position: LogPosition(term: 2, index: 8), isPreVote: false, isTransfer: false)))
        cluster.sent = []
        cluster.give(2, .message(request))
        #expect(cluster.sent.isEmpty)
        #expect(cluster.jobs.count == 1)
        let (number, job) = cluster.jobs[0]
        cluster.run(number, job)
        #expect(cluster.sent.map(\.body) == [.voteAnswer(.init(isGranted: true, isPreVote: false))])
    }

    @Test func `a sync that fails stops the process`() throws {
        var cluster = try ReplicaCluster(voters: 1)
        cluster.holdsJobs = true
        cluster.clock = cluster.clock + .seconds(10)
        cluster.give(1, .tick)
        let failure = StorageFailure.system(operation: "fdatasync", path: "x", code: 5)
        cluster.give(1, .jobDone(number: cluster.jobs[0].1.number, failure: failure))
        #expect(cluster.halts.count == 1)
        cluster.give(1, .propose(Bytes(utf8: "x"), RequestToken(1)))
        #expect(cluster.answers.isEmpty)
    }

    @Test func `a restart finds term, log and commit again`() throws {
        var cluster = try ReplicaCluster(voters: 3)
        cluster.pass(.seconds(4))
        for number in 0..<100 { cluster.propose("command \(number)") }
        cluster.pass(.seconds(1))
        let before = cluster[2].core
        #expect(cluster.files(2, "log-").count > 1, "the log has several files")
        cluster.stop(2)
        try cluster.start(2)
        let after = cluster[2].core
        #expect(after.term == before.term)
        #expect(after.hardState.vote == before.hardState.vote)
        #expect(after.log.lastChain == before.log.lastChain)
        #expect(after.commitIndex == before.commitIndex)
        #expect(after.life == before.life + 1)
        #expect(cluster.applied[1].count == 100)
        #expect(cluster.files(2, "log-").count == 1, "older files are void")
    }

    @Test func `another cluster's or node's disk is refused`() throws {
        let cluster = try ReplicaCluster(voters: 1)
        var wrong = QuorumConfiguration(node: 2, cluster: ReplicaCluster.cluster)
        #expect(throws: QuorumFailure.self) {
            try QuorumReplica(wrong, disk: cluster.disks[0], random: Random(seed: 1), now: .zero)
        }
        wrong = QuorumConfiguration(node: 1, cluster: UUID128(high: 8, low: 8))
        #expect(throws: QuorumFailure.self) {
            try QuorumReplica(wrong, disk: cluster.disks[0], random: Random(seed: 1), now: .zero)
        }
        wrong.directory = "elsewhere"
        #expect(throws: QuorumFailure.notFormatted(path: "elsewhere")) {
            try QuorumReplica(wrong, disk: cluster.disks[0], random: Random(seed: 1), now: .zero)
        }
    }

    /// One voter with some commands and a note that they are durable; its log is one file.
    private func single(_ commands: Int) throws -> ReplicaCluster {
        var cluster = try ReplicaCluster(voters: 1, tune: { $0.fileBytes = 1 << 16 })
        cluster.pass(.seconds(4))
        for number in 0..<commands { cluster.propose("command \(number)") }
        return cluster
    }

    /// Where the written part of a file ends.
    private func writtenEnd(_ content: Bytes) -> Int {
        var end = content.count
        while end > 0, content[end - 1] == 0 { end -= 1 }
        return end
    }

    @Test func `a tail that is torn at any byte is cut, and called torn`() throws {
        var cluster = try single(3)
        let path = cluster.files(1, "log-")[0]
        let before = writtenEnd(try cluster.disks[0].contents(path))
        // The last sync was never noted anywhere: its frames may be torn.
        cluster.propose("the last one")
        let content = try cluster.disks[0].contents(path)
        let end = writtenEnd(content)
        for cut in stride(from: before + 1, to: end, by: 3) {
            let file = try cluster.disks[0].open(path)
            try file.write(content, at: 0)
            try file.write(
                Bytes(Array(repeating: UInt8(0), count: content.count - cut)), at: Int64(cut))
            var again = cluster
            again.stop(1)
            let kept = try copy(again.disks[0])
            again.disks[0] = kept
            try again.start(1)
            #expect(again[1].core.hardState.lost == nil, "cut at \(cut)")
            #expect(again.reports.isEmpty)
            #expect(again[1].core.log.lastIndex >= 5)
        }
    }

    private func copy(_ disk: MemoryDisk) throws -> MemoryDisk {
        let result = MemoryDisk()
        try result.makeDirectory("quorum")
        for name in try disk.list("quorum") {
            let file = try result.create("quorum/" + name)
            try file.write(try disk.contents("quorum/" + name), at: 0)
        }
        return result
    }

    @Test func `damage to what was durable is noticed, remembered and never cut silently`() throws {
        var cluster = try single(6)
        cluster.pass(.seconds(1))
        let path = cluster.files(1, "log-")[0]
        let end = writtenEnd(try cluster.disks[0].contents(path))
        let last = cluster[1].core.log.lastPosition
        let vote = cluster[1].core.hardState.vote
        cluster.stop(1)
        let original = cluster
        // The last frame is the note itself: without it the tail before is not marked.
        for position in stride(from: 0, to: end - 200, by: 37) {
            var damaged = original
            damaged.disks[0] = try copy(original.disks[0])
            try damaged.flip(1, path, at: position)
            try damaged.start(1)
            let core = damaged[1].core
            if core.hardState.lost == nil {
                // Padding and unused bytes may be flipped without harm.
                #expect(core.log.lastPosition == last, "flipped at \(position)")
                continue
            }
            #expect(core.hardState.lost.map { $0 >= last } == true)
            #expect(core.term >= 1)
            #expect(core.hardState.vote == vote, "the vote stands in the state file, too")
            damaged.pass(.seconds(5))
            #expect(!damaged[1].core.isLeader)
            // It is not forgotten by the next start.
            damaged.stop(1)
            try damaged.start(1)
            #expect(damaged[1].core.hardState.lost != nil)
        }
    }

    @Test func `a vote survives damage to the state file`() throws {
        var cluster = try single(1)
        let state = cluster[1].core.hardState
        cluster.stop(1)
        let size = Int(try cluster.disks[0].open("quorum/state").size)
        for position in stride(from: 0, to: size, by: 11) {
            var damaged = cluster
            damaged.disks[0] = try copy(cluster.disks[0])
            try damaged.flip(1, "quorum/state", at: position)
            try damaged.start(1)
            #expect(damaged[1].core.term == state.term)
            #expect(damaged[1].core.hardState.vote == state.vote)
        }
    }

    @Test func `one damaged copy of the identity is no harm`() throws {
        var cluster = try single(1)
        cluster.stop(1)
        try cluster.flip(1, "quorum/identity", at: 10)
        try cluster.start(1)
        for place in 0..<3 { try cluster.flip(1, "quorum/identity", at: place * 4096 + 12) }
        cluster.stop(1)
        #expect(throws: QuorumFailure.self) { try cluster.start(1) }
    }

    @Test func `a holed node gets everything back from the leader`() throws {
        var cluster = try ReplicaCluster(voters: 3, tune: { $0.fileBytes = 1 << 16 })
        cluster.pass(.seconds(4))
        for number in 0..<20 { cluster.propose("command \(number)") }
        cluster.pass(.seconds(1))
        let holed = cluster.leader == 2 ? 3 : 2
        let path = cluster.files(holed, "log-")[0]
        cluster.stop(holed)
        try cluster.flip(holed, path, at: 1000)
        try cluster.start(holed)
        #expect(cluster[holed].core.hardState.lost != nil)
        #expect(cluster[holed].core.log.lastIndex < 10)
        cluster.pass(.seconds(3))
        #expect(cluster[holed].core.hardState.lost == nil)
        #expect(cluster.applied[holed - 1].count == 20)
        cluster.stop(holed)
        try cluster.start(holed)
        #expect(cluster[holed].core.hardState.lost == nil)
    }

    // MARK: Snapshots

    private func answerSnapshots(_ cluster: inout ReplicaCluster) {
        let wanted = cluster.wantsSnapshot
        cluster.wantsSnapshot = []
        for number in wanted {
            let content = (cluster.applied[number - 1]).joined(separator: "\n")
            cluster.give(
                number, .snapshot(at: cluster[number].applied, content: Bytes(utf8: content)))
        }
    }

    @Test func `a snapshot takes the place of the log before it`() throws {
        var cluster = try ReplicaCluster(
            voters: 1,
            tune: {
                $0.snapshotAfterEntries = 50
                $0.retainedEntries = 5
                $0.raft.chunkBytes = 100
            })
        cluster.pass(.seconds(4))
        for number in 0..<120 {
            cluster.propose("command \(number)")
            answerSnapshots(&cluster)
        }
        #expect(cluster.files(1, "snapshot-").count == 1)
        #expect(cluster[1].core.snapshot.index >= 100)
        #expect(cluster[1].core.log.count < 60)
        #expect(cluster.files(1, "log-").count < 4)
        let index = cluster[1].core.snapshot.index
        cluster.stop(1)
        try cluster.start(1)
        #expect(cluster[1].core.snapshot.index == index)
        cluster.pass(.seconds(4))
        let before = cluster.restored[0]?.split(separator: "\n").count ?? 0
        #expect(before + cluster.applied[0].count == 120)
        // Damage to it is no empty state.
        cluster.stop(1)
        try cluster.flip(1, cluster.files(1, "snapshot-")[0], at: 8192 + 250)
        try cluster.start(1)
        #expect(cluster[1].core.hardState.lost != nil)
        #expect(cluster.restored[0] == nil)
    }

    @Test func `a follower left behind gets a snapshot in chunks, and goes on after a crash`()
        throws
    {
        var cluster = try ReplicaCluster(
            voters: 3,
            tune: {
                $0.snapshotAfterEntries = 50
                $0.retainedEntries = 0
                $0.raft.chunkBytes = 64
            })
        cluster.pass(.seconds(4))
        let behind = cluster.leader == 2 ? 3 : 2
        cluster.stop(behind)
        for number in 0..<120 {
            cluster.propose("command \(number)")
            answerSnapshots(&cluster)
        }
        try cluster.start(behind)
        // Half of the chunks arrive.
        var chunks: [Int64] = []
        cluster.pass(.milliseconds(600)) { message in
            guard case .chunk(let chunk) = message.body else { return false }
            chunks.append(chunk.position)
            return chunk.position >= 512
        }
        #expect(chunks.contains(512))
        cluster.stop(behind)
        try cluster.start(behind)
        chunks = []
        cluster.pass(.seconds(3)) { message in
            if case .chunk(let chunk) = message.body { chunks.append(chunk.position) }
            return false
        }
        #expect(chunks.filter { $0 > 0 && $0 < 512 }.isEmpty, "what was there is not sent again")
        #expect(cluster[behind].core.commitIndex == cluster[cluster.leader ?? 1].core.commitIndex)
        #expect(cluster.restored[behind - 1]?.hasPrefix("command 0\ncommand 1\n") == true)
        #expect(cluster.files(behind, "incoming").isEmpty)
        cluster.stop(behind)
        try cluster.start(behind)
        #expect(cluster.restored[behind - 1]?.hasPrefix("command 0\n") == true)
    }

    @Test func `a damaged snapshot is not sent, a new one takes its place`() throws {
        var cluster = try ReplicaCluster(
            voters: 3,
            tune: {
                $0.snapshotAfterEntries = 50
                $0.retainedEntries = 0
                $0.raft.chunkBytes = 64
            })
        cluster.pass(.seconds(4))
        let leader = try #require(cluster.leader)
        let behind = leader == 2 ? 3 : 2
        cluster.stop(behind)
        for number in 0..<70 {
            cluster.propose("command \(number)")
            answerSnapshots(&cluster)
        }
        try cluster.flip(leader, cluster.files(leader, "snapshot-")[0], at: 8192 + 300)
        try cluster.start(behind)
        cluster.pass(.seconds(1))
        #expect(cluster.reports.contains { $0.contains("is damaged") })
        answerSnapshots(&cluster)
        cluster.pass(.seconds(2))
        #expect(cluster[behind].core.commitIndex == cluster[leader].core.commitIndex)
    }

    @Test func `a witness keeps no contents and its log stays short`() throws {
        var cluster = try ReplicaCluster(
            voters: 3, witnesses: 1,
            tune: {
                $0.snapshotAfterEntries = 40; $0.retainedEntries = 0
            })
        cluster.pass(.seconds(4))
        for number in 0..<150 {
            cluster.propose("a secret command \(number)")
            answerSnapshots(&cluster)
        }
        #expect(cluster[3].core.snapshot.index > 50)
        for path in cluster.files(3, "") {
            let text = try cluster.disks[2].contents(path).text
            #expect(!text.contains("secret"), "\(path)")
        }
        cluster.stop(3)
        try cluster.start(3, isWitness: true)
        cluster.pass(.seconds(1))
        #expect(cluster[3].core.commitIndex == cluster[cluster.leader ?? 1].core.commitIndex)
    }
}
