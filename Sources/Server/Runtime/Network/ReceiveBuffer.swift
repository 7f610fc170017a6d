import Base

/// The receive memory that all connections of a loop share: an idle connection holds none.
///
/// Received bytes are handed out as slices. The part behind them is filled by the next receive, and
/// when no slice is alive any more, the memory is used again from its start.
struct ReceiveBuffer {
    static let bytes = 256 << 10
    /// With less room than this a receive is not worth its system call.
    private static let leastRoom = 32 << 10

    private var storage = ByteStorage(count: ReceiveBuffer.bytes)
    private var used = 0

    /// Room for the next receive.
    mutating func room() -> UnsafeMutableRawBufferPointer {
        if isKnownUniquelyReferenced(&storage) {
            used = 0
        } else if storage.count - used < Self.leastRoom {
            storage = ByteStorage(count: Self.bytes)
            used = 0
        }
        return UnsafeMutableRawBufferPointer(
            start: storage.base + used, count: storage.count - used)
    }

    /// The `count` bytes that were just received into `room`.
    mutating func take(_ count: Int) -> Bytes {
        precondition(count <= storage.count - used, "no more was received than there was room")
        defer { used += count }
        return Bytes(storage: storage, start: used, count: count)
    }
}
