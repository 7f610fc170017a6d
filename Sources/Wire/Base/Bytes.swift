// Bytes that are written once and then shared.
//
// Every byte that travels through Weir (a received frame, a record batch, a page of a column file)
// is a `Bytes`: a slice of reference-counted storage. Slicing copies nothing, and a slice keeps its
// storage alive, so a batch can be checked, journaled, stored and sent from one piece of memory.

/// Reference-counted memory of a fixed size. Written only by its creator, before it is shared.
///
/// `@unchecked Sendable` is sound because the only mutating access, `withMutableBytes`, is
/// documented (and used) only before the storage is shared; afterwards it is immutable.
package final class ByteStorage: @unchecked Sendable {
    @usableFromInline package let base: UnsafeMutableRawPointer
    @usableFromInline package let count: Int
    /// Set when the memory is a view of a part of a file, which the network can send without
    /// touching it.
    package let source: (any FileRange)?

    /// From so many bytes on memory is aligned to 64 of them. For less that costs the allocator
    /// more than it brings.
    private static let alignsFrom = 4096

    /// Uninitialised memory of `count` bytes, aligned to 64 bytes when it is large and to 16 when it
    /// is small, with 64 readable bytes of slack behind the end so that vector code may over-read.
    package init(count: Int) {
        precondition(count >= 0, "storage size must not be negative")
        self.count = count
        base = .allocate(byteCount: count + 64, alignment: count < Self.alignsFrom ? 16 : 64)
        source = nil
    }

    /// Memory that belongs to `source` and is given back to it. It is never written.
    package init(view base: UnsafeMutableRawPointer, count: Int, of source: any FileRange) {
        self.base = base
        self.count = count
        self.source = source
    }

    deinit {
        if let source { source.release(base, count: count) } else { base.deallocate() }
    }
}

/// A part of a file whose bytes are there without having been read.
package protocol FileRange: AnyObject, Sendable {
    /// The memory is not used any more.
    func release(_ base: UnsafeMutableRawPointer, count: Int)
}

/// A shared, immutable slice of bytes. Copying and slicing are O(1).
package struct Bytes: Sendable {
    @usableFromInline package let storage: ByteStorage
    /// Position of the first byte of this slice in `storage`.
    @usableFromInline package let start: Int
    package let count: Int

    @inlinable
    package init(storage: ByteStorage, start: Int, count: Int) {
        precondition(start >= 0 && count >= 0 && start + count <= storage.count)
        self.storage = storage
        self.start = start
        self.count = count
    }

    /// No bytes.
    package static let empty = Bytes(storage: ByteStorage(count: 0), start: 0, count: 0)

    /// A copy of `bytes`.
    package init(_ bytes: some Collection<UInt8>) {
        let storage = ByteStorage(count: bytes.count)
        let copied: Void? = bytes.withContiguousStorageIfAvailable { source in
            if let from = source.baseAddress {
                storage.base.copyMemory(from: from, byteCount: source.count)
            }
        }
        if copied == nil {
            for (position, byte) in bytes.enumerated() {
                storage.base.storeBytes(of: byte, toByteOffset: position, as: UInt8.self)
            }
        }
        self.init(storage: storage, start: 0, count: storage.count)
    }

    package init(_ buffer: UnsafeRawBufferPointer) {
        let storage = ByteStorage(count: buffer.count)
        if let from = buffer.baseAddress {
            storage.base.copyMemory(from: from, byteCount: buffer.count)
        }
        self.init(storage: storage, start: 0, count: buffer.count)
    }

    /// The UTF-8 of `text`.
    package init(utf8 text: String) { self.init(Array(text.utf8)) }

    /// New storage of `count` bytes, filled by `fill`, which must initialise all of it.
    package init<Failure: Error>(
        count: Int, fill: (UnsafeMutableRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        let storage = ByteStorage(count: count)
        try fill(UnsafeMutableRawBufferPointer(start: storage.base, count: count))
        self.init(storage: storage, start: 0, count: count)
    }

    @inlinable package var isEmpty: Bool { count == 0 }

    /// The slice `range`, counted from the start of this slice. Traps when out of range: check
    /// untrusted ranges first, or read them through `ByteReader`.
    @inlinable
    package subscript(range: Range<Int>) -> Bytes {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "slice out of range")
        return Bytes(storage: storage, start: start + range.lowerBound, count: range.count)
    }

    @inlinable
    package subscript(index: Int) -> UInt8 {
        precondition(index >= 0 && index < count, "index out of range")
        return storage.base.load(fromByteOffset: start + index, as: UInt8.self)
    }

    /// Calls `body` with the memory of this slice. The pointer must not outlive the call.
    @inlinable
    package func withUnsafeBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(UnsafeRawBufferPointer(start: storage.base + start, count: count))
    }

    /// Calls `body` with the memory of this slice, to change it. Only for the one who was told that
    /// nobody else reads these bytes, now or later.
    package func withOwnedBytes<Result>(
        _ body: (UnsafeMutableRawBufferPointer) -> Result
    ) -> Result {
        precondition(storage.source == nil, "views of files are not written")
        return body(UnsafeMutableRawBufferPointer(start: storage.base + start, count: count))
    }

    /// A copy of the bytes as an array.
    package var array: [UInt8] { withUnsafeBytes { [UInt8]($0) } }

    /// The bytes as text, with invalid UTF-8 replaced. For messages and tests.
    package var text: String { withUnsafeBytes { String(decoding: $0, as: UTF8.self) } }

    /// The bytes as text, or nil when they are not valid UTF-8.
    package var validText: String? {
        withUnsafeBytes { String(validating: $0, as: UTF8.self) }
    }

    /// A copy in storage of its own, so that a small slice does not keep a large frame alive.
    package func compacted() -> Bytes {
        storage.count == count ? self : withUnsafeBytes { Bytes($0) }
    }

    /// The concatenation of `pieces` in new storage.
    package static func joined(_ pieces: [Bytes]) -> Bytes {
        let total = pieces.reduce(0) { $0 + $1.count }
        return Bytes(count: total) { target in
            var position = 0
            for piece in pieces {
                piece.withUnsafeBytes { source in
                    if let from = source.baseAddress {
                        (target.baseAddress! + position).copyMemory(
                            from: from, byteCount: source.count)
                    }
                }
                position += piece.count
            }
        }
    }
}

extension Bytes: Equatable, Hashable, Comparable {
    package static func == (left: Bytes, right: Bytes) -> Bool {
        guard left.count == right.count else { return false }
        return left.compare(right) == 0
    }

    /// Unsigned bytewise order; a prefix sorts before what it begins.
    package static func < (left: Bytes, right: Bytes) -> Bool { left.compare(right) < 0 }

    @inlinable
    func compare(_ other: Bytes) -> Int {
        let common = Swift.min(count, other.count)
        let order = weirCompareMemory(
            storage.base + start, other.storage.base + other.start, common)
        return order != 0 ? order : count - other.count
    }

    package func hash(into hasher: inout Hasher) {
        withUnsafeBytes { hasher.combine(bytes: $0) }
    }
}

extension Bytes: CustomStringConvertible {
    package var description: String {
        count <= 64 ? "Bytes(\(text))" : "Bytes(\(count) bytes)"
    }
}
