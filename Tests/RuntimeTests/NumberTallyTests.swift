import Runtime
import Testing

@Suite struct NumberTallyTests {
    private func acknowledged(_ numbers: Range<Int64>, from offset: Int64 = 0)
        -> AcknowledgedNumbers
    {
        var result = AcknowledgedNumbers()
        for number in numbers { result.add(number, offset: offset + number - numbers.lowerBound) }
        return result
    }

    @Test func `records that are there once, in order, are nothing to report`() {
        let all = acknowledged(0..<100)
        var seen = ReadNumbers()
        for number in Int64(0)..<100 { seen.take(number, at: number, all) }
        #expect(seen.read == 100 && seen.end == 100)
        #expect(seen.twice == 0 && seen.outOfOrder == 0 && seen.elsewhere == 0)
        #expect(seen.lost(all, isWhole: true) == 0)
    }

    @Test func `what was acknowledged and does not come is lost`() {
        var all = acknowledged(0..<10)
        for number in Int64(15)..<20 { all.add(number, offset: number) }
        var seen = ReadNumbers()
        for number in [0, 1, 2, 5, 6, 17] as [Int64] { seen.take(number, at: number, all) }
        // 3 and 4, 7 to 9, 15 and 16 were passed over; 10 to 14 nobody was promised.
        #expect(seen.lost(all, isWhole: false) == 7)
        #expect(seen.lost(all, isWhole: true) == 9)
    }

    @Test func `what nobody was promised may be missing, or be there`() {
        let all = acknowledged(0..<4)
        var seen = ReadNumbers()
        for number in Int64(0)..<6 { seen.take(number, at: number, all) }
        #expect(seen.lost(all, isWhole: true) == 0 && seen.elsewhere == 0)
    }

    @Test func `a record that comes again is there twice`() {
        let all = acknowledged(0..<4)
        var seen = ReadNumbers()
        for number in [0, 1, 2, 1, 2, 3] as [Int64] { seen.take(number, at: number) }
        #expect(seen.twice == 2 && seen.outOfOrder == 0)
        #expect(seen.lost(all, isWhole: true) == 0)
    }

    @Test func `a record behind a higher one is out of order, and not lost`() {
        let all = acknowledged(0..<8)
        var seen = ReadNumbers()
        for number in [0, 5, 3, 1, 6, 7, 3] as [Int64] { seen.take(number, at: number) }
        #expect(seen.outOfOrder == 2 && seen.twice == 1)
        // 2 and 4 are left of the gap.
        #expect(seen.lost(all, isWhole: true) == 2)
    }

    @Test func `a record at another offset than it was acknowledged at is noticed`() {
        var all = acknowledged(0..<3, from: 10)
        // Nothing was said about the place of the fourth, and the fifth came after a gap of offsets.
        all.add(3, offset: -1)
        all.add(4, offset: 20)
        var seen = ReadNumbers()
        for (number, offset) in [(0, 10), (1, 12), (2, 12), (3, 40), (4, 20)] as [(Int64, Int64)] {
            seen.take(number, at: offset, all)
        }
        #expect(seen.elsewhere == 1)
        #expect(seen.lost(all, isWhole: true) == 0)
    }

    @Test func `acknowledgements that overtake each other count all the same`() {
        var all = AcknowledgedNumbers()
        for number in [0, 1, 4, 5, 2, 3, 9, 7] as [Int64] { all.add(number, offset: number) }
        #expect(all.count == 8)
        #expect(all.count(in: 0..<6) == 6)
        #expect(all.count(in: 5..<8) == 2)
        #expect(all.count(in: 6..<7) == 0)
        #expect(all.count(in: 0..<Int64.max) == 8)
        for number in [0, 1, 2, 3, 4, 5, 7, 9] as [Int64] {
            #expect(all.allows(number, at: number))
            #expect(!all.allows(number, at: number + 1))
        }
        #expect(all.allows(6, at: 77) && all.allows(8, at: 77) && all.allows(10, at: 77))
    }
}
