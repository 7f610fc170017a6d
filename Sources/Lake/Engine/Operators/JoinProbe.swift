import Base
import Columns

/// A batch of the side of a join that streams by, and how far its pairs have been given.
struct JoinProbe {
    let batch: ColumnBatch
    /// The first partner of each row; -1 for none.
    let partners: [Int32]
    /// Rows that found a partner, when that matters.
    var matched: [UInt8]
    private var row = 0
    /// The next partner of `row`; -1 when it has no more.
    private var candidate: Int32

    init(_ batch: ColumnBatch, _ partners: [Int32], marks: Bool) {
        self.batch = batch
        self.partners = partners
        candidate = partners.first ?? -1
        matched = marks ? [UInt8](repeating: 0, count: batch.rowCount) : []
    }

    /// Rows, and for each of them its partner.
    struct Pairs {
        var rows: [Int32]
        var partners: [Int32]

        var count: Int { rows.count }

        func picked(_ places: [Int32]) -> Pairs {
            Pairs(
                rows: places.map { rows[Int($0)] }, partners: places.map { partners[Int($0)] })
        }
    }

    /// The next pairs that may match, at most a batch of them; nil when there are none left.
    mutating func next(_ build: JoinBuild) -> Pairs? {
        if build.isUnique {
            if row > 0 { return nil }
            row = batch.rowCount
            let pairs = Self.onlyPairs(partners)
            return pairs.count == 0 ? nil : pairs
        }
        var pairs = Pairs(rows: [], partners: [])
        pairs.rows.reserveCapacity(Limits.batchRows)
        pairs.partners.reserveCapacity(Limits.batchRows)
        var (row, candidate) = (row, candidate)
        partners.withUnsafeBufferPointer { first in
            build.withChains { following in
                while row < first.count, pairs.rows.count < Limits.batchRows {
                    if candidate >= 0 {
                        pairs.rows.append(Int32(truncatingIfNeeded: row))
                        pairs.partners.append(candidate)
                        candidate = following(candidate)
                    }
                    if candidate < 0 {
                        row += 1
                        if row < first.count { candidate = first[row] }
                    }
                }
            }
        }
        (self.row, self.candidate) = (row, candidate)
        return pairs.count == 0 ? nil : pairs
    }

    /// The pairs of rows that have one partner at most.
    private static func onlyPairs(_ partners: [Int32]) -> Pairs {
        let rows = rows(partners, having: true)
        return Pairs(
            rows: rows,
            partners: rows.count == partners.count
                ? partners : rows.map { partners[Int($0)] })
    }

    /// The rows that have a partner, or those that have none.
    static func rows(_ partners: [Int32], having: Bool) -> [Int32] {
        partners.withUnsafeBufferPointer { partners in
            numbers(below: partners.count) { (partners[$0] >= 0) == having }
        }
    }
}

extension ColumnBatch {
    /// The rows at `places`, which ascend: the batch itself when these are all.
    func picked(_ places: [Int32]) -> ColumnBatch {
        places.count == rowCount ? self : gather(places)
    }
}

/// The numbers of the flags that are `wanted`.
func places(of wanted: UInt8, in flags: [UInt8]) -> [Int32] {
    flags.withUnsafeBufferPointer { flags in
        numbers(below: flags.count) { flags[$0] == wanted }
    }
}

/// The numbers from 0 below `count` that are wanted. Each is written down and only kept when it is:
/// which of them are is as good as random, and a branch would be guessed wrong too often.
@inline(__always)
func numbers(below count: Int, where isWanted: (Int) -> Bool) -> [Int32] {
    [Int32](unsafeUninitializedCapacity: count) { numbers, filled in
        var found = 0
        for number in 0..<count {
            numbers[found] = Int32(truncatingIfNeeded: number)
            found &+= isWanted(number) ? 1 : 0
        }
        filled = found
    }
}
