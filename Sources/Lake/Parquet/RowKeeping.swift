// Pages hold more rows than were asked for: what is left of them when only some rows are kept.

import Base
import Columns

extension Column {
    /// The rows `wanted` of a column that has the rows `known` of a row group, nil standing for all.
    func kept(_ wanted: RowRanges, of known: RowRanges?) -> Column {
        if wanted.count == count { return self }
        let places = (known ?? RowRanges(0..<count)).places(of: wanted)
        guard let first = places.first, let last = places.last else { return slice(0..<0) }
        // Neighbours are cut out of their memory at once.
        if Int(last - first) + 1 == places.count { return slice(Int(first)..<Int(last) + 1) }
        return gather(places)
    }
}

extension LeafValues {
    /// Leaves only the entries of the rows `wanted`, all of which are among `known`.
    mutating func keep(
        _ wanted: RowRanges, of known: RowRanges, _ leaf: Leaf
    ) throws(DecodeFailure) {
        if wanted == known { return }
        var isWanted = [Bool](repeating: false, count: known.count)
        for place in known.places(of: wanted) { isWanted[Int(place)] = true }
        let full = UInt8(truncatingIfNeeded: leaf.definitionMax)
        var result = LeafValues()
        var places: [Int32] = []
        var row = -1
        var denseIndex: Int32 = 0
        for entry in 0..<entryCount {
            let repetition = repetitions.isEmpty ? 0 : repetitions[entry]
            if repetition == 0 { row += 1 }
            guard isWanted.indices.contains(row) else {
                throw .malformed("more rows than the row group has", position: 0)
            }
            let hasValue = definitions.isEmpty || definitions[entry] == full
            if isWanted[row] {
                result.entryCount += 1
                if !repetitions.isEmpty { result.repetitions.append(repetition) }
                if !definitions.isEmpty { result.definitions.append(definitions[entry]) }
                if hasValue { places.append(denseIndex) }
            }
            if hasValue { denseIndex += 1 }
        }
        guard row + 1 == known.count else {
            throw .malformed("\(row + 1) rows where \(known.count) should be", position: 0)
        }
        result.dense = dense.map { gather($0, places[...]) }
        result.rows = wanted
        self = result
    }
}
