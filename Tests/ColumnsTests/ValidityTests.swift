import Base
import Columns
import Testing

private func flags(_ validity: Validity) -> [Bool] { (0..<validity.count).map { validity[$0] } }

/// Bits behind `count` are zero, which `validCount` relies on.
private func expectConsistent(_ validity: Validity) {
    #expect(validity.words.count == (validity.count + 63) / 64)
    #expect(validity.validCount == flags(validity).count { $0 })
    #expect(validity.nullCount == flags(validity).count { !$0 })
}

@Test func `every way to append agrees with single bits`() {
    var random = Random(seed: 11)
    for _ in 0..<50 {
        var model: [Bool] = []
        var validity = Validity(repeating: true, count: 0)
        for _ in 0..<20 {
            let valid = random.chance(1, in: 2)
            switch random.below(4) {
            case 0:
                model.append(valid)
                validity.append(valid)
            case 1:
                let count = random.below(200)
                model += [Bool](repeating: valid, count: count)
                validity.append(repeating: valid, count: count)
            case 2:
                let bits = random.next()
                let count = random.within(0...64)
                model += (0..<count).map { bits >> UInt64($0) & 1 == 1 }
                validity.append(bits: bits, count: count)
            default:
                let more = (0..<random.below(150)).map { _ in random.chance(1, in: 3) }
                model += more
                validity.append(Validity(more))
            }
        }
        #expect(flags(validity) == model)
        expectConsistent(validity)
    }
}

@Test func `slices of a validity are its bits`() {
    var random = Random(seed: 12)
    let model = (0..<300).map { _ in random.chance(1, in: 2) }
    let validity = Validity(model)
    for _ in 0..<200 {
        let start = random.within(0...300)
        let end = random.within(start...300)
        let slice = validity.slice(start..<end)
        #expect(flags(slice) == Array(model[start..<end]))
        expectConsistent(slice)
    }
}

@Test func `an intersection is valid where both sides are`() {
    let left = Validity([true, true, false, false])
    let right = Validity([true, false, true, false])
    #expect(Validity.intersection(left, right) == Validity([true, false, false, false]))
    #expect(Validity.intersection(nil, right) == right)
    #expect(Validity.intersection(left, nil) == left)
    #expect(Validity.intersection(nil, nil) == nil)
}

@Test func `a constant validity knows its ends`() {
    for count in [0, 1, 63, 64, 65, 128, 200] {
        expectConsistent(Validity(repeating: true, count: count))
        #expect(Validity(repeating: true, count: count).nullCount == 0)
        #expect(Validity(repeating: false, count: count).validCount == 0)
    }
}
