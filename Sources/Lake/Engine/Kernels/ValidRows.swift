import Columns

/// The rows that are not NULL, in order: `for row in ValidRows(valid, count)`. NULL rows are jumped
/// over a word at a time.
struct ValidRows: Sequence, IteratorProtocol {
    private let words: [UInt64]?
    private let count: Int
    /// Without NULLs: the next row. Otherwise the first row of the current word.
    private var position: Int
    private var pending: UInt64 = 0
    private var nextWord = 0

    /// `valid` nil: all `count` rows.
    @inline(__always)
    init(_ valid: Validity?, _ count: Int) {
        words = valid?.words
        self.count = count
        position = 0
    }

    @inline(__always)
    mutating func next() -> Int? {
        guard let words else {
            guard position < count else { return nil }
            defer { position &+= 1 }
            return position
        }
        while pending == 0 {
            guard nextWord < words.count else { return nil }
            pending = words[nextWord]
            position = nextWord &* 64
            nextWord &+= 1
        }
        let bit = pending.trailingZeroBitCount
        pending &= pending &- 1
        return position &+ bit
    }
}
