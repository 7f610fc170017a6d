import Base
import Testing

@Suite struct DeadlineQueueTests {
    @Test func `entries come out by deadline and equal ones by insertion`() {
        var queue = DeadlineQueue<Int>()
        var random = Random(seed: 5)
        var expected: [(Int64, Int)] = []
        for key in 0..<500 {
            let deadline = Int64(random.below(40))
            queue.push(Instant(nanoseconds: deadline), key)
            expected.append((deadline, key))
        }
        expected.sort { $0.0 != $1.0 ? $0.0 < $1.0 : $0.1 < $1.1 }
        var found: [(Int64, Int)] = []
        while let (deadline, key) = queue.popDue(Instant(nanoseconds: 100)) {
            found.append((deadline.nanoseconds, key))
        }
        #expect(found.map(\.1) == expected.map(\.1))
        #expect(queue.count == 0)
    }

    @Test func `pruning drops what is stale and keeps the order`() {
        var queue = DeadlineQueue<Int>()
        var random = Random(seed: 6)
        for key in 0..<300 { queue.push(Instant(nanoseconds: Int64(random.below(90))), key) }
        queue.prune { _, key in key % 3 == 0 }
        #expect(queue.count == 100)
        var last = Instant.zero
        while let (deadline, key) = queue.popDue(Instant(nanoseconds: 100)) {
            #expect(key % 3 == 0)
            #expect(deadline >= last)
            last = deadline
        }
    }

    @Test func `nothing is due before its time`() {
        var queue = DeadlineQueue<String>()
        queue.push(Instant(nanoseconds: 10), "a")
        #expect(queue.next == Instant(nanoseconds: 10))
        #expect(queue.popDue(Instant(nanoseconds: 9)) == nil)
        #expect(queue.popDue(Instant(nanoseconds: 10))?.key == "a")
    }
}
