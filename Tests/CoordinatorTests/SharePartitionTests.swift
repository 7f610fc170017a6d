import Base
import Coordinator
import Testing
import WireProtocol

/// Records of one partition in the hands of a share group.
@Suite struct SharePartitionTests {
    private static let limit: Int16 = 5

    private func terms(
        _ member: String = "m", until: Int64 = 100, records: Int64 = .max, locks: Int64 = 2000,
        deliveries: Int16 = limit
    ) -> SharePartition.Terms {
        SharePartition.Terms(
            member: member, until: Instant(nanoseconds: until), recordsMax: records,
            locksMax: locks, deliveriesMax: deliveries)
    }

    private func ack(
        _ first: Int64, _ last: Int64, _ types: AcknowledgeType...
    ) -> AcknowledgementBatch {
        AcknowledgementBatch(
            firstOffset: first, lastOffset: last, acknowledgeTypes: types.map(\.rawValue))
    }

    /// A partition whose records 0 to 9 are with `m`.
    private func acquired() -> SharePartition {
        var partition = SharePartition(startOffset: 0)
        let got = partition.acquire(0...9, terms())
        #expect(got == [.init(first: 0, last: 9, deliveryCount: 1)])
        return partition
    }

    private func acknowledge(
        _ partition: inout SharePartition, _ batches: AcknowledgementBatch...,
        by member: String = "m"
    ) -> Bool {
        defer { partition.checkInvariants() }
        return partition.acknowledge(
            batches, by: member, renewUntil: Instant(nanoseconds: 500),
            deliveriesMax: Self.limit)
    }

    private func states(_ partition: SharePartition) -> [String] {
        partition.runs.map { "\($0.first)-\($0.last) \($0.state.word) \($0.deliveryCount)" }
    }

    @Test func `a whole batch is one run`() {
        let partition = acquired()
        #expect(states(partition) == ["0-9 acquired 1"])
        #expect(partition.inFlightCount == 10)
        #expect(partition.earliestDeadline == Instant(nanoseconds: 100))
    }

    @Test func `nobody gets what another has`() {
        var partition = acquired()
        #expect(partition.acquire(0...9, terms("n")).isEmpty)
        #expect(
            partition.acquire(5...14, terms("n")) == [.init(first: 10, last: 14, deliveryCount: 1)])
        partition.checkInvariants()
        #expect(states(partition) == ["0-9 acquired 1", "10-14 acquired 1"])
        #expect(partition.nextAcquirable(from: 0, locksMax: 2000) == 15)
        #expect(partition.nextAcquirable(from: 0, locksMax: 15) == nil)
    }

    @Test func `what is accepted at the front moves the start`() {
        var partition = acquired()
        #expect(acknowledge(&partition, ack(0, 3, .accept)))
        #expect(partition.startOffset == 4)
        #expect(states(partition) == ["4-9 acquired 1"])
        #expect(acknowledge(&partition, ack(6, 9, .accept)))
        #expect(partition.startOffset == 4)
        #expect(partition.doneCount == 4)
        #expect(acknowledge(&partition, ack(4, 5, .accept)))
        #expect(partition.startOffset == 10)
        #expect(partition.runs.isEmpty)
    }

    @Test func `each record can have its own answer`() {
        var partition = acquired()
        #expect(
            acknowledge(
                &partition,
                ack(
                    0, 9, .accept, .accept, .release, .reject, .gap, .release, .release, .accept,
                    .reject, .reject)))
        #expect(partition.startOffset == 2)
        #expect(
            states(partition) == [
                "2-2 available 1", "3-4 archived 1", "5-6 available 1", "7-7 acknowledged 1",
                "8-9 archived 1",
            ])
        #expect(
            partition.acquire(0...9, terms("n")) == [
                .init(first: 2, last: 2, deliveryCount: 2),
                .init(first: 5, last: 6, deliveryCount: 2),
            ])
        partition.checkInvariants()
    }

    @Test func `an acknowledgement is taken whole or not at all`() {
        var partition = acquired()
        #expect(acknowledge(&partition, ack(4, 5, .accept)))
        let before = states(partition)
        // Done already, another's, and never handed out.
        #expect(!acknowledge(&partition, ack(0, 9, .accept)))
        #expect(!acknowledge(&partition, ack(0, 3, .accept), by: "n"))
        #expect(!acknowledge(&partition, ack(6, 10, .accept)))
        #expect(!acknowledge(&partition, ack(0, 3, .accept), ack(6, 12, .accept)))
        #expect(states(partition) == before)
    }

    @Test func `what lies below the start is acknowledged already`() {
        var partition = acquired()
        #expect(acknowledge(&partition, ack(0, 3, .accept)))
        #expect(acknowledge(&partition, ack(0, 3, .accept)))
        #expect(acknowledge(&partition, ack(2, 5, .accept)))
        #expect(partition.startOffset == 6)
    }

    @Test func `a lock that runs out frees its records`() {
        var partition = acquired()
        #expect(partition.expire(now: Instant(nanoseconds: 99), deliveriesMax: Self.limit) == false)
        #expect(partition.expire(now: Instant(nanoseconds: 100), deliveriesMax: Self.limit) == true)
        #expect(states(partition) == ["0-9 available 1"])
        #expect(!acknowledge(&partition, ack(0, 0, .accept)))
    }

    @Test func `a renewal keeps the lock`() {
        var partition = acquired()
        #expect(acknowledge(&partition, ack(0, 4, .renew)))
        #expect(partition.expire(now: Instant(nanoseconds: 100), deliveriesMax: Self.limit) == true)
        #expect(states(partition) == ["0-4 acquired 1", "5-9 available 1"])
        #expect(partition.earliestDeadline == Instant(nanoseconds: 500))
    }

    @Test func `after its last delivery a record is archived`() {
        var partition = SharePartition(startOffset: 0)
        for count in Int16(1)...5 {
            #expect(
                partition.acquire(0...0, terms()) == [
                    .init(first: 0, last: 0, deliveryCount: count)
                ])
            #expect(acknowledge(&partition, ack(0, 0, .release)))
        }
        #expect(partition.startOffset == 1)
        #expect(partition.acquire(0...0, terms()).isEmpty)
    }

    @Test func `a lower limit archives what has passed it`() {
        var partition = acquired()
        #expect(acknowledge(&partition, ack(0, 9, .release)))
        #expect(
            partition.acquire(0...14, terms(deliveries: 1)) == [
                .init(first: 10, last: 14, deliveryCount: 1)
            ])
        partition.checkInvariants()
        #expect(partition.startOffset == 10)
    }

    @Test func `a member that goes gives everything back`() {
        var partition = acquired()
        #expect(partition.acquire(10...19, terms("n")).count == 1)
        #expect(partition.release("m", deliveriesMax: Self.limit) == true)
        #expect(states(partition) == ["0-9 available 1", "10-19 acquired 1"])
        #expect(partition.release("n", deliveriesMax: Self.limit) == true)
        #expect(states(partition) == ["0-19 available 1"])
        #expect(partition.release("n", deliveriesMax: Self.limit) == false)
        partition.checkInvariants()
    }

    @Test func `offsets without records are passed over`() {
        var partition = SharePartition(startOffset: 5)
        #expect(partition.acquire(8...9, terms()) == [.init(first: 8, last: 9, deliveryCount: 1)])
        #expect(partition.startOffset == 8)
        partition.skip(10...12)
        #expect(partition.acquire(20...20, terms()).count == 1)
        partition.checkInvariants()
        #expect(states(partition) == ["8-9 acquired 1", "10-19 archived 0", "20-20 acquired 1"])
        #expect(partition.inFlightCount == 3)
    }

    @Test func `what became useless is passed over, what a member has is not`() {
        var partition = acquired()
        #expect(acknowledge(&partition, ack(0, 4, .release)))
        partition.skip(0...12)
        partition.checkInvariants()
        #expect(partition.startOffset == 5)
        #expect(states(partition) == ["5-9 acquired 1", "10-12 archived 0"])
    }

    @Test func `locks and wishes bound what is handed out`() {
        var partition = SharePartition(startOffset: 0)
        #expect(
            partition.acquire(0...99, terms(records: 10)) == [
                .init(first: 0, last: 9, deliveryCount: 1)
            ])
        #expect(partition.nextAcquirable(from: 0, locksMax: 50) == 10)
        #expect(partition.acquire(0...99, terms("n", locks: 50)).first?.last == 99)
        var narrow = SharePartition(startOffset: 0)
        #expect(
            narrow.acquire(0...99, terms(locks: 30)) == [
                .init(first: 0, last: 29, deliveryCount: 1)
            ])
        #expect(narrow.nextAcquirable(from: 0, locksMax: 30) == nil)
        #expect(acknowledge(&narrow, ack(0, 9, .accept)))
        #expect(narrow.nextAcquirable(from: 0, locksMax: 30) == 30)
        #expect(
            narrow.acquire(0...99, terms(locks: 30)) == [
                .init(first: 30, last: 39, deliveryCount: 1)
            ])
        narrow.checkInvariants()
    }

    @Test func `the start of the log moves the group`() {
        var partition = acquired()
        #expect(partition.moveStart(to: 0) == false)
        #expect(partition.moveStart(to: 4) == true)
        #expect(states(partition) == ["4-9 acquired 1"])
        #expect(partition.moveStart(to: 20) == true)
        #expect(partition.runs.isEmpty)
        #expect(partition.startOffset == 20)
        partition.checkInvariants()
    }

    @Test func `with a dead-letter topic records wait until they are copied`() {
        var partition = acquired()
        partition.hasDeadLetters = true
        #expect(acknowledge(&partition, ack(0, 1, .reject), ack(2, 9, .accept)))
        #expect(partition.startOffset == 0)
        #expect(states(partition) == ["0-1 archiving 1", "2-9 acknowledged 1"])
        #expect(partition.acquire(0...9, terms()).isEmpty)
        partition.archived(0...0)
        partition.checkInvariants()
        #expect(partition.startOffset == 1)
        partition.archived(0...9)
        #expect(partition.startOffset == 10)
    }

    @Test func `what is wrong with an acknowledgement by itself is said`() {
        #expect(ack(3, 2, .accept).complaint(mayRenew: true) != nil)
        #expect(ack(-1, 2, .accept).complaint(mayRenew: true) != nil)
        #expect(ack(0, .max, .accept).complaint(mayRenew: true) != nil)
        #expect(ack(0, 2).complaint(mayRenew: true) != nil)
        #expect(ack(0, 2, .accept, .accept).complaint(mayRenew: true) != nil)
        #expect(ack(0, 2, .renew).complaint(mayRenew: false) != nil)
        #expect(ack(0, 2, .renew).complaint(mayRenew: true) == nil)
        let unknown = AcknowledgementBatch(firstOffset: 0, lastOffset: 0, acknowledgeTypes: [5])
        #expect(unknown.complaint(mayRenew: true) != nil)
    }

    /// A map from offset to state, which the runs must agree with.
    @Test(arguments: 0..<20)
    func `runs do what single records would`(seed: UInt64) {
        var random = Random(seed: seed)
        var partition = SharePartition(startOffset: 0)
        var model: [Int64: (owner: String?, isDone: Bool, count: Int16)] = [:]
        for _ in 0..<300 {
            let first = partition.startOffset + Int64(random.below(40))
            let last = first + Int64(random.below(8))
            let member = ["a", "b", "c"][random.below(3)]
            switch random.below(4) {
            case 0, 1:
                for range in partition.acquire(first...last, terms(member)) {
                    for offset in range.first...range.last {
                        let known = model[offset]
                        #expect(known?.owner == nil && known?.isDone != true)
                        #expect(range.deliveryCount == (known?.count ?? 0) + 1)
                        model[offset] = (member, false, range.deliveryCount)
                    }
                }
            case 2:
                let owned = (first...last).allSatisfy { model[$0]?.owner == member }
                let types = (first...last).map { _ in
                    [AcknowledgeType.accept, .release, .reject][random.below(3)]
                }
                let batch = AcknowledgementBatch(
                    firstOffset: first, lastOffset: last, acknowledgeTypes: types.map(\.rawValue))
                #expect(acknowledge(&partition, batch, by: member) == owned)
                guard owned else { break }
                for (offset, type) in zip(first...last, types) {
                    let count = model[offset]?.count ?? 0
                    model[offset] = (nil, type != .release || count >= Self.limit, count)
                }
            default:
                guard partition.release(member, deliveriesMax: Self.limit) else {
                    break
                }
                for (offset, known) in model where known.owner == member {
                    model[offset] = (nil, known.count >= Self.limit, known.count)
                }
            }
            partition.checkInvariants()
            for run in partition.runs where run.deliveryCount > 0 {
                for offset in run.first...run.last {
                    #expect(model[offset]?.owner == run.state.owner)
                    #expect(model[offset]?.isDone == run.state.isDone)
                }
            }
        }
    }
}

extension SharePartition.State {
    fileprivate var word: String {
        switch self {
        case .available: "available"
        case .acquired: "acquired"
        case .acknowledged: "acknowledged"
        case .archiving: "archiving"
        case .archived: "archived"
        }
    }
}
