// Cuts the stream of a connection into requests.
//
// | bytes  | meaning                                                   |
// |--------|-----------------------------------------------------------|
// | 4      | length of the request, big-endian, without these 4 bytes  |
// | length | the request                                               |

import Base

/// Why a connection's bytes can't be requests.
enum FrameViolation: Error, Equatable {
    case negativeLength(Int)
    case tooLong(length: Int, limit: Int)
    /// All connections together hold too much of unfinished requests.
    case noMemory(length: Int)
}

/// The incremental framing of one connection. A request that arrived in one receive is a slice of
/// the receive buffer; only an unfinished one has memory of its own, and no more of it than about
/// twice what really arrived, whatever length was announced.
struct FrameAssembler {
    /// Slices smaller than this are copied, so that a small request which the node keeps does not
    /// keep a whole receive buffer alive.
    private static let copiedBelow = 4 << 10
    /// An unfinished request up to this length gets all its memory at once.
    private static let wholeUpTo = 2 << 20

    private var lengthBytes: (UInt8, UInt8, UInt8, UInt8) = (0, 0, 0, 0)
    private var lengthCount = 0
    private var length = 0
    private var storage: ByteStorage?
    private var filled = 0

    /// Memory held for an unfinished request.
    var heldBytes: Int { storage?.count ?? 0 }

    /// The last request was large, so the next may be, too: a small receive learns its length, and
    /// the rest is received where it stays instead of being copied there.
    var expectsLarge: Bool { length >= Self.largeFrom && storage == nil }
    private static let largeFrom = 128 << 10

    /// Something has arrived that is not yet a request.
    var isInside: Bool { storage != nil || lengthCount > 0 }

    /// Where the rest of the unfinished request goes, if there is one.
    func room() -> UnsafeMutableRawBufferPointer? {
        guard let storage else { return nil }
        return UnsafeMutableRawBufferPointer(
            start: storage.base + filled, count: storage.count - filled)
    }

    /// Counts `count` bytes received into `room`; the request if it is now complete.
    mutating func filledRoom(
        by count: Int, budget: inout Int
    ) throws(FrameViolation) -> Bytes? {
        guard let current = storage else { return nil }
        filled += count
        if filled == length {
            storage = nil
            budget += current.count
            return Bytes(storage: current, start: 0, count: length)
        }
        if filled == current.count {
            let larger = try allocate(min(length, current.count * 2), budget: &budget)
            larger.base.copyMemory(from: current.base, byteCount: filled)
            budget += current.count
            storage = larger
        }
        return nil
    }

    /// Takes received bytes and appends the requests that they complete. `limit` is asked before
    /// each request, because the first of a connection has its own.
    mutating func take(
        _ bytes: Bytes, limits: (first: Int, later: Int), isFirst: Bool, budget: inout Int,
        into frames: inout [Bytes]
    ) throws(FrameViolation) {
        var at = 0
        var limit = isFirst ? limits.first : limits.later
        while at < bytes.count {
            if lengthCount < 4 {
                setLengthByte(bytes[at])
                at += 1
                guard lengthCount == 4 else { continue }
                try checkLength(limit: limit)
            }
            let available = bytes.count - at
            if available >= length {
                let frame = bytes[at..<(at + length)]
                frames.append(
                    length < Self.copiedBelow ? frame.withUnsafeBytes { Bytes($0) } : frame)
                at += length
                lengthCount = 0
                limit = limits.later
            } else {
                try beginUnfinished(bytes[at..<bytes.count], budget: &budget)
                return
            }
        }
    }

    /// Gives the held memory back to the budget; for a connection that ends.
    mutating func release(budget: inout Int) {
        budget += heldBytes
        storage = nil
    }

    private mutating func setLengthByte(_ byte: UInt8) {
        switch lengthCount {
        case 0: lengthBytes.0 = byte
        case 1: lengthBytes.1 = byte
        case 2: lengthBytes.2 = byte
        default: lengthBytes.3 = byte
        }
        lengthCount += 1
    }

    private mutating func checkLength(limit: Int) throws(FrameViolation) {
        let high = UInt32(lengthBytes.0) << 24 | UInt32(lengthBytes.1) << 16
        let low = UInt32(lengthBytes.2) << 8 | UInt32(lengthBytes.3)
        length = Int(Int32(bitPattern: high | low))
        if length < 0 { throw .negativeLength(length) }
        if length > limit { throw .tooLong(length: length, limit: limit) }
    }

    private mutating func beginUnfinished(
        _ part: Bytes, budget: inout Int
    ) throws(FrameViolation) {
        let wanted =
            length <= Self.wholeUpTo && part.count > 0
            ? length : min(length, max(part.count * 2, 16 << 10))
        let memory = try allocate(wanted, budget: &budget)
        part.withUnsafeBytes { source in
            if let from = source.baseAddress {
                memory.base.copyMemory(from: from, byteCount: source.count)
            }
        }
        storage = memory
        filled = part.count
        lengthCount = 0
    }

    private func allocate(
        _ count: Int, budget: inout Int
    ) throws(FrameViolation) -> ByteStorage {
        if count > budget { throw .noMemory(length: length) }
        budget -= count
        return ByteStorage(count: count)
    }
}
