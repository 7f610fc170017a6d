import Base
import Coordinator
import Testing
import WireProtocol

@Suite struct TransactionCoordinatorTests {
    private func answer(_ error: ErrorCode) -> ProducerAnswer { ProducerAnswer(error: error) }

    private func answer(_ id: Int64, _ epoch: Int16) -> ProducerAnswer {
        ProducerAnswer(error: .none, producerID: id, producerEpoch: epoch)
    }

    // MARK: InitProducerId

    @Test func `each producer of an id gets the next epoch`() {
        var harness = TransactionHarness()
        #expect(harness.producer() == answer(100, 0))
        #expect(harness.producer() == answer(100, 1))
        #expect(harness.producer("other") == answer(101, 0))
    }

    @Test func `ids and timeouts have limits`() {
        var harness = TransactionHarness { $0.idsMax = 1 }
        #expect(harness.producer("") == answer(.invalidRequest))
        #expect(harness.producer("t", timeout: 0) == answer(.invalidTransactionTimeout))
        #expect(harness.producer("t", timeout: 900_001) == answer(.invalidTransactionTimeout))
        #expect(harness.producer("t", timeout: 900_000) == answer(100, 0))
        #expect(harness.producer("u") == answer(.coordinatorNotAvailable))
    }

    @Test func `a producer that says what it had is fenced when another one came`() {
        var harness = TransactionHarness()
        _ = harness.producer()
        #expect(harness.producer("t", (100, 0)) == answer(100, 1))
        #expect(harness.producer("t", (100, 0)) == answer(100, 1), "its answer got lost")
        #expect(harness.producer() == answer(100, 2))
        #expect(harness.producer("t", (100, 0)) == answer(.producerFenced))
        #expect(harness.producer("t", (100, 1)) == answer(.producerFenced))
        #expect(harness.producer("t", (99, 2)) == answer(.producerFenced))
        #expect(harness.producer("t", (100, 2)) == answer(100, 3))
    }

    @Test func `a new producer aborts what its predecessor left open`() {
        var harness = TransactionHarness()
        _ = harness.producer()
        #expect(harness.add((100, 0)) == ErrorCode.none)
        #expect(harness.producer() == answer(.concurrentTransactions))
        #expect(harness.markers.map(\.producerEpoch) == [1])
        #expect(harness.markers.map(\.isCommit) == [false])
        #expect(harness.producer() == answer(100, 2))
        #expect(harness.add((100, 0)) == .producerFenced)
        #expect(harness.end((100, 1), commit: true) == answer(.producerFenced))
    }

    @Test func `nothing is answered before it is durable`() {
        var harness = TransactionHarness()
        harness.holdsAppends = true
        let first = harness.start()
        #expect(harness.replies[first.value] == nil)
        let second = harness.producer()
        #expect(second == answer(.concurrentTransactions))
        harness.finishAppends(failure: .coordinatorNotAvailable)
        #expect(harness.replies[first.value] == .initialized(answer(.coordinatorNotAvailable)))
        #expect(harness.coordinator.idCount == 0)
        harness.start()
        harness.finishAppends()
        harness.startAdd((101, 0))
        #expect(harness.end((101, 0), commit: true) == answer(.concurrentTransactions))
        #expect(harness.state?.phase == .empty)
        harness.finishAppends()
        #expect(harness.state?.phase == .ongoing)
    }

    @Test func `epochs that are used up bring a new id`() {
        var harness = TransactionHarness()
        _ = harness.producer()
        for _ in 0..<32_766 { _ = harness.producer() }
        #expect(harness.state?.producerEpoch == 32_766)
        #expect(harness.producer("t", (100, 32_766)) == answer(101, 0))
        #expect(harness.producer("t", (100, 32_766)) == answer(101, 0), "its answer got lost")
        #expect(harness.producer("t", (100, 32_765)) == answer(.producerFenced))
    }

    // MARK: Partitions

    @Test func `partitions join the transaction of the right producer`() {
        var harness = TransactionHarness()
        #expect(harness.add((100, 0)) == .invalidProducerIdMapping)
        _ = harness.producer()
        #expect(harness.add((99, 0)) == .invalidProducerIdMapping)
        #expect(harness.add((100, 1)) == .producerFenced)
        #expect(harness.add((100, 0)) == ErrorCode.none)
        let written = harness.log.count
        #expect(harness.add((100, 0)) == ErrorCode.none)
        #expect(harness.log.count == written, "what is known is not written again")
        #expect(harness.add((100, 0), [orders0, orders1]) == ErrorCode.none)
        #expect(harness.coordinator.describe("t")?.partitions == [orders0, orders1])
    }

    @Test func `only partitions of an open transaction are verified`() {
        var harness = TransactionHarness()
        _ = harness.producer()
        let claim = ProducerClaim(transactionalID: "t", producerID: 100, producerEpoch: 0)
        #expect(harness.coordinator.verify(claim, orders0) == .transactionAbortable)
        _ = harness.add((100, 0))
        #expect(harness.coordinator.verify(claim, orders0) == .none)
        #expect(harness.coordinator.verify(claim, orders1) == .transactionAbortable)
        var wrong = claim
        wrong.producerEpoch = 1
        #expect(harness.coordinator.verify(wrong, orders0) == .producerFenced)
        wrong.producerID = 5
        #expect(harness.coordinator.verify(wrong, orders0) == .invalidProducerIdMapping)
        harness.holdsMarkers = true
        _ = harness.end((100, 0), commit: true)
        #expect(harness.coordinator.verify(claim, orders0) == .concurrentTransactions)
        harness.finishMarkers()
        #expect(harness.coordinator.verify(claim, orders0) == .transactionAbortable)
    }

    @Test func `who may wait joins as soon as the transaction before has ended`() {
        var harness = TransactionHarness()
        _ = harness.producer()
        _ = harness.add((100, 0), bumps: true)
        harness.holdsMarkers = true
        #expect(harness.end((100, 0), commit: true, bumps: true) == answer(100, 1))
        #expect(harness.add((100, 1), bumps: true) == .concurrentTransactions)
        let waiting = harness.startAdd((100, 1), bumps: true, wait: 100)
        let fenced = harness.startAdd((100, 0), bumps: true, wait: 100)
        #expect(harness.added(waiting) == nil)
        harness.finishMarkers()
        #expect(harness.added(waiting) == ErrorCode.none)
        #expect(harness.added(fenced) == .producerFenced)
        _ = harness.end((100, 1), commit: true, bumps: true)
        let late = harness.startAdd((100, 2), bumps: true, wait: 100)
        harness.advance(150)
        #expect(harness.added(late) == .concurrentTransactions)
    }

    // MARK: EndTxn, one epoch

    @Test func `a transaction ends once, and hears it again`() {
        var harness = TransactionHarness()
        _ = harness.producer()
        #expect(harness.end((100, 0), commit: true) == answer(.invalidTxnState))
        #expect(harness.end((100, 0), commit: false) == answer(.invalidTxnState))
        _ = harness.add((100, 0))
        harness.holdsMarkers = true
        #expect(harness.end((100, 0), commit: true) == answer(100, 0))
        #expect(harness.end((100, 0), commit: true) == answer(.concurrentTransactions))
        #expect(harness.end((100, 0), commit: false) == answer(.invalidTxnState))
        harness.holdsMarkers = false
        harness.finishMarkers()
        #expect(harness.state?.phase == .completeCommit)
        #expect(harness.end((100, 0), commit: true) == answer(100, 0))
        #expect(harness.end((100, 0), commit: false) == answer(.invalidTxnState))
        _ = harness.add((100, 0))
        #expect(harness.end((100, 0), commit: false) == answer(100, 0))
        #expect(harness.state?.phase == .completeAbort)
        #expect(harness.end((100, 0), commit: false) == answer(100, 0))
        #expect(harness.end((100, 0), commit: true) == answer(.invalidTxnState))
        #expect(harness.end((100, 1), commit: true) == answer(.producerFenced))
        #expect(harness.end((99, 0), commit: true) == answer(.invalidProducerIdMapping))
        #expect(harness.markers.map(\.producerEpoch) == [0, 0])
        #expect(harness.markers.map(\.isCommit) == [true, false])
    }

    // MARK: EndTxn, an epoch per transaction

    @Test func `every end of a transaction raises the epoch`() {
        var harness = TransactionHarness()
        _ = harness.producer()
        #expect(harness.end((100, 0), commit: true, bumps: true) == answer(.invalidTxnState))
        _ = harness.add((100, 0), bumps: true)
        #expect(harness.end((100, 0), commit: true, bumps: true) == answer(100, 1))
        #expect(harness.markers.map(\.producerEpoch) == [1])
        // The answer got lost.
        #expect(harness.end((100, 0), commit: true, bumps: true) == answer(100, 1))
        #expect(harness.end((100, 0), commit: false, bumps: true) == answer(.invalidTxnState))
        #expect(harness.end((100, 1), commit: true, bumps: true) == answer(.invalidTxnState))
        // An abort without a transaction is fine, and raises the epoch all the same.
        #expect(harness.end((100, 1), commit: false, bumps: true) == answer(100, 2))
        #expect(harness.end((100, 1), commit: false, bumps: true) == answer(100, 2))
        #expect(harness.end((100, 1), commit: true, bumps: true) == answer(.invalidTxnState))
        #expect(harness.end((100, 2), commit: false, bumps: true) == answer(100, 3))
        #expect(harness.end((100, 0), commit: false, bumps: true) == answer(.producerFenced))
        #expect(harness.end((100, 9), commit: false, bumps: true) == answer(.producerFenced))
        _ = harness.add((100, 3), bumps: true)
        #expect(harness.end((100, 2), commit: false, bumps: true) == answer(.producerFenced))
    }

    @Test func `an abort is possible before anything was done`() {
        var harness = TransactionHarness()
        _ = harness.producer()
        #expect(harness.end((100, 0), commit: false, bumps: true) == answer(100, 1))
        #expect(harness.state?.phase == .completeAbort)
        #expect(harness.markers.isEmpty, "there is no partition to tell")
    }

    @Test func `a retry while markers are written comes too early`() {
        var harness = TransactionHarness()
        _ = harness.producer()
        _ = harness.add((100, 0), bumps: true)
        harness.holdsMarkers = true
        #expect(harness.end((100, 0), commit: true, bumps: true) == answer(100, 1))
        #expect(
            harness.end((100, 0), commit: true, bumps: true) == answer(.concurrentTransactions))
        #expect(harness.end((100, 0), commit: false, bumps: true) == answer(.invalidTxnState))
        harness.finishMarkers()
        _ = harness.add((100, 1), bumps: true)
        #expect(harness.end((100, 1), commit: false, bumps: true) == answer(100, 2))
        #expect(
            harness.end((100, 1), commit: false, bumps: true) == answer(.concurrentTransactions))
        #expect(harness.end((100, 1), commit: true, bumps: true) == answer(.invalidTxnState))
    }

    @Test func `the last epoch is followed by a new id`() {
        var harness = TransactionHarness()
        _ = harness.producer()
        for _ in 0..<32_766 { _ = harness.producer() }
        _ = harness.add((100, 32_766), bumps: true)
        #expect(harness.end((100, 32_766), commit: true, bumps: true) == answer(101, 0))
        #expect(harness.markers.map(\.producerID) == [100])
        #expect(harness.markers.map(\.producerEpoch) == [32_767])
        #expect(harness.end((100, 32_766), commit: true, bumps: true) == answer(101, 0))
        #expect(harness.add((101, 0), bumps: true) == ErrorCode.none)
        #expect(
            harness.end((100, 32_766), commit: true, bumps: true) == answer(.producerFenced))
    }

    // MARK: Time

    @Test func `a transaction that lasts too long is aborted and its producer fenced`() {
        var harness = TransactionHarness()
        _ = harness.producer("t", timeout: 12_000)
        _ = harness.add((100, 0), bumps: true)
        harness.advance(11_000)
        #expect(harness.state?.phase == .ongoing)
        harness.advance(10_000)
        #expect(harness.state?.phase == .completeAbort)
        #expect(harness.markers.map(\.isCommit) == [false])
        #expect(harness.end((100, 0), commit: true, bumps: true) == answer(.producerFenced))
        #expect(harness.add((100, 0), bumps: true) == .producerFenced)
        #expect(harness.producer() == answer(100, 2))
    }

    @Test func `the clock of a transaction is its own`() {
        var harness = TransactionHarness()
        _ = harness.producer("t", timeout: 30_000)
        for _ in 0..<4 {
            _ = harness.add((100, 0))
            harness.advance(20_000)
            #expect(harness.end((100, 0), commit: true) == answer(100, 0))
        }
    }

    @Test func `ids that nobody uses are forgotten`() {
        var harness = TransactionHarness()
        _ = harness.producer()
        _ = harness.producer("busy", timeout: 900_000)
        harness.advance(6 * 24 * 3_600_000)
        #expect(harness.coordinator.idCount == 2)
        _ = harness.producer("busy", timeout: 900_000)
        harness.advance(2 * 24 * 3_600_000)
        #expect(harness.coordinator.idCount == 1)
        #expect(harness.log.last?.value == nil)
        #expect(harness.producer() == answer(102, 0))
    }

    @Test func `markers are tried until every partition has its own`() {
        var harness = TransactionHarness()
        _ = harness.producer()
        _ = harness.add((100, 0), [orders0, orders1])
        harness.broken = [orders1]
        #expect(harness.end((100, 0), commit: true) == answer(100, 0))
        harness.advance(2000)
        #expect(harness.state?.phase == .prepareCommit)
        #expect(harness.producer() == answer(.concurrentTransactions))
        harness.broken = []
        harness.advance(1000)
        #expect(harness.state?.phase == .completeCommit)
        #expect(harness.markers.first?.partitions == [orders0, orders1])
        #expect(harness.markers.dropFirst().allSatisfy { $0.partitions == [orders1] })
    }

    @Test func `a refused record of the end is written again`() {
        var harness = TransactionHarness()
        _ = harness.producer()
        _ = harness.add((100, 0))
        harness.holdsMarkers = true
        _ = harness.end((100, 0), commit: true)
        harness.holdsAppends = true
        harness.finishMarkers()
        harness.finishAppends(failure: .coordinatorNotAvailable)
        #expect(harness.state?.phase == .prepareCommit)
        harness.holdsAppends = false
        harness.advance(1000)
        #expect(harness.state?.phase == .completeCommit)
        #expect(harness.markers.count == 1, "the markers are there")
    }

    // MARK: Restart

    @Test func `a restart ends what was decided and times what is open`() throws {
        var harness = TransactionHarness()
        _ = harness.producer("t", timeout: 60_000)
        _ = harness.add((100, 0), bumps: true)
        harness.holdsMarkers = true
        #expect(harness.end((100, 0), commit: true, bumps: true) == answer(100, 1))
        harness.holdsMarkers = false
        try harness.restart()
        #expect(harness.state?.phase == .completeCommit)
        #expect(harness.markers.map(\.isCommit) == [true])
        #expect(harness.markers.map(\.producerEpoch) == [1])
        // The client never heard the answer.
        #expect(harness.end((100, 0), commit: true, bumps: true) == answer(100, 1))
        _ = harness.add((100, 1), bumps: true)
        harness.advance(40_000)
        try harness.restart()
        #expect(harness.state?.phase == .ongoing)
        harness.advance(31_000)
        #expect(harness.state?.phase == .completeAbort)
    }

    @Test func `records keep everything and are read in their first version too`() throws {
        var state = TransactionState(
            producerID: 7, producerEpoch: 3, timeoutMilliseconds: 1000, updateTimestamp: 99)
        state.partitions = [orders0, orders1, TopicPartition(topic: "a", partition: 9)]
        state.phase = .prepareAbort
        state.startTimestamp = 88
        state.previousProducerID = 5
        state.nextProducerID = 8
        state.lastProducerEpoch = 2
        state.bumpsEpochs = true
        let decoded = try TransactionRecordFormat.decode(
            key: TransactionRecordFormat.key("t"), value: TransactionRecordFormat.value(state))
        #expect(decoded?.transactionalID == "t")
        #expect(decoded?.state == state)
        var old = ByteWriter()
        old.int16(0)
        old.int64(7)
        old.int16(3)
        old.int32(1000)
        old.int8(1)
        old.int32(1)
        old.int16(1)
        old.utf8("a")
        old.int32(1)
        old.int32(9)
        old.int64(99)
        old.int64(88)
        let first = try TransactionRecordFormat.decode(
            key: TransactionRecordFormat.key("t"), value: old.finish())
        #expect(first?.state?.partitions == [TopicPartition(topic: "a", partition: 9)])
        #expect(first?.state?.phase == .ongoing)
        let value = TransactionRecordFormat.value(state)
        for count in 0..<value.count {
            #expect(throws: DecodeFailure.self) {
                _ = try TransactionRecordFormat.decode(
                    key: TransactionRecordFormat.key("t"), value: value[0..<count])
            }
        }
    }
}

@Suite struct PendingOffsetTests {
    private let partition = TopicPartition(topic: "in", partition: 0)

    private func call(
        _ offset: Int64, producer: Int64 = 7, generation: Int32 = -1, member: String = ""
    ) -> TransactionalCommitCall {
        TransactionalCommitCall(
            commit: CommitCall(
                claim: MemberClaim(group: "g", generation: generation, memberID: member),
                offsets: [
                    CommitCall.Entry(
                        partition: partition, offset: offset, leaderEpoch: -1, metadata: "")
                ]), producerID: producer, producerEpoch: 0)
    }

    private func commit(
        _ call: TransactionalCommitCall, _ harness: inout GroupHarness
    ) -> ErrorCode? {
        harness.nextToken += 1
        let token = ReplyToken(harness.nextToken)
        harness.apply(harness.coordinator.commit(call, token, now: harness.now))
        guard case .commit(let answer)? = harness.replies[token.value] else { return nil }
        return answer.errors.first
    }

    private func plain(_ offset: Int64, _ harness: inout GroupHarness) {
        harness.nextToken += 1
        harness.apply(
            harness.coordinator.commit(
                call(offset).commit, ReplyToken(harness.nextToken), now: harness.now))
    }

    private func offset(_ harness: GroupHarness) -> Int64? {
        harness.coordinator.committedOffset(group: "g", partition: partition)?.offset
    }

    @Test func `offsets of a transaction are seen when it is committed`() {
        var harness = GroupHarness()
        #expect(commit(call(5), &harness) == ErrorCode.none)
        #expect(offset(harness) == nil)
        #expect(harness.coordinator.isUnstable(group: "g", partition: partition))
        harness.coordinator.transactionEnded(
            producerID: 7, isCommit: true, partition: 0, partitionCount: 1)
        #expect(offset(harness) == 5)
        #expect(!harness.coordinator.isUnstable(group: "g", partition: partition))
        #expect(commit(call(9), &harness) == ErrorCode.none)
        harness.coordinator.transactionEnded(
            producerID: 7, isCommit: false, partition: 0, partitionCount: 1)
        #expect(offset(harness) == 5)
        harness.coordinator.checkInvariants()
    }

    @Test func `the order of the log decides between commits`() {
        var harness = GroupHarness()
        _ = commit(call(5), &harness)
        plain(3, &harness)
        #expect(offset(harness) == 3)
        _ = commit(call(8, producer: 8), &harness)
        _ = commit(call(9, producer: 9), &harness)
        for producer in [Int64(9), 8, 7] {
            harness.coordinator.transactionEnded(
                producerID: producer, isCommit: true, partition: 0, partitionCount: 1)
            #expect(offset(harness) == 9)
        }
    }

    @Test func `a marker of another partition of the topic changes nothing`() {
        var harness = GroupHarness()
        _ = commit(call(5), &harness)
        let mine = groupPartition(of: "g", partitionCount: 50)
        harness.coordinator.transactionEnded(
            producerID: 7, isCommit: true, partition: mine + 1, partitionCount: 50)
        #expect(offset(harness) == nil)
        harness.coordinator.transactionEnded(
            producerID: 7, isCommit: true, partition: mine, partitionCount: 50)
        #expect(offset(harness) == 5)
    }

    @Test func `a member of another generation commits nothing`() {
        var harness = GroupHarness()
        #expect(commit(call(5, generation: 3, member: "m"), &harness) == .illegalGeneration)
        #expect(!harness.coordinator.isUnstable(group: "g", partition: partition))
    }
}
