/// What stands between the values of a topic's records, as the records before had it.
///
/// Most records name the same keys in the same order with the same spacing, so that from the end of
/// one value to the begin of the next the bytes are the same: `,"event_type":`. Comparing them finds
/// the column without looking for quotes, spaces and names. A record that surprises is read the long
/// way and leaves what it had here.
struct KeyTemplate {
    /// Up to 64 bytes and what they lead to.
    private struct Gap {
        var bytes: InlineArray<8, UInt64> = InlineArray(repeating: 0)
        var count = 0
        /// -1 = a key that no column wants.
        var column = -1
        /// Whether it opens the object, so that it may not stand anywhere else.
        var isFirst = false
    }

    private static let gapBytesMax = 64
    private static let gapsMax = 128

    private let gaps: UnsafeMutablePointer<Gap>
    private(set) var count = 0

    init() { gaps = .allocate(capacity: Self.gapsMax) }

    func deallocate() { gaps.deallocate() }

    /// If the gap number `index` stands at the begin of `text`, returns its length and gives its
    /// column; else 0.
    @inline(__always)
    func match(
        _ index: Int, _ text: UnsafeRawPointer, _ available: Int, isFirst: Bool,
        _ column: inout Int
    ) -> Int {
        guard index < count else { return 0 }
        let gap = UnsafeRawPointer(gaps + index)
        let length = gaps[index].count
        // Space that was not there before belongs to the gap, too.
        guard length < available, gaps[index].isFirst == isFirst,
            Self.isSame(gap, text, length),
            text.load(fromByteOffset: length, as: UInt8.self) > 0x20
        else { return 0 }
        column = gaps[index].column
        return length
    }

    @inline(__always)
    private static func isSame(
        _ left: UnsafeRawPointer, _ right: UnsafeRawPointer, _ length: Int
    ) -> Bool {
        var index = 0
        while index &+ 8 <= length {
            if left.loadUnaligned(fromByteOffset: index, as: UInt64.self)
                != right.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            {
                return false
            }
            index &+= 8
        }
        if length >= 8 {
            // The last eight bytes, some of them for the second time.
            return left.loadUnaligned(fromByteOffset: length &- 8, as: UInt64.self)
                == right.loadUnaligned(fromByteOffset: length &- 8, as: UInt64.self)
        }
        while index < length {
            if left.load(fromByteOffset: index, as: UInt8.self)
                != right.load(fromByteOffset: index, as: UInt8.self)
            {
                return false
            }
            index &+= 1
        }
        return true
    }

    /// Notes that `gap` leads to `column` and stands where number `expected` was awaited. Returns
    /// the number of the gap that comes next in records like this one.
    mutating func learn(
        _ gap: UnsafeRawBufferPointer, _ column: Int, isFirst: Bool, expected: Int
    ) -> Int {
        guard gap.count <= Self.gapBytesMax, gap.count > 0, let bytes = gap.baseAddress,
            expected < Self.gapsMax
        else { return expected }
        // A record that leaves some members out goes on behind them.
        for index in expected..<max(expected, count)
        where gaps[index].count == gap.count && gaps[index].column == column
            && gaps[index].isFirst == isFirst
            && Self.isSame(UnsafeRawPointer(gaps + index), bytes, gap.count)
        {
            return index + 1
        }
        // A member more: the others move up, as far as there is room.
        count = min(count + 1, Self.gapsMax)
        for index in stride(from: count - 1, to: expected, by: -1) {
            (gaps + index).initialize(to: gaps[index - 1])
        }
        (gaps + expected).initialize(to: Gap(count: gap.count, column: column, isFirst: isFirst))
        UnsafeMutableRawPointer(gaps + expected).copyMemory(from: bytes, byteCount: gap.count)
        return expected + 1
    }
}
