import Base

/// One string or byte sequence of a `TextColumn`: Arrow's variable-size view layout, 16 bytes.
/// Up to 12 bytes live in the view itself; longer ones keep a 4-byte prefix here, so that most
/// comparisons never touch the buffer.
///
/// | bytes | short (≤ 12) | long |
/// |---|---|---|
/// | 0–3 | length | length |
/// | 4–7 | content | first 4 bytes |
/// | 8–11 | content | buffer number |
/// | 12–15 | content | position in the buffer |
package struct TextView: Hashable, Sendable, BitwiseCopyable {
    @usableFromInline package var low: UInt64
    @usableFromInline package var high: UInt64

    @inlinable package init(low: UInt64, high: UInt64) {
        self.low = low
        self.high = high
    }

    @inlinable
    package static func == (left: TextView, right: TextView) -> Bool {
        left.low == right.low && left.high == right.high
    }

    /// The empty text.
    @inlinable package static var empty: TextView { TextView(low: 0, high: 0) }

    /// A view of `source`, which is `buffer`'s memory from `position` on.
    @inlinable
    package init(_ source: UnsafeRawBufferPointer, buffer: Int, position: Int) {
        let length = source.count
        guard let base = source.baseAddress, length > 0 else {
            self = .empty
            return
        }
        if length <= 12 {
            // Two loads that overlap are several times faster than copying a few bytes.
            if length >= 8 {
                let first = UInt64(littleEndian: base.loadUnaligned(as: UInt64.self))
                let last = UInt64(
                    littleEndian: (base + (length - 8)).loadUnaligned(as: UInt64.self))
                low = UInt64(length) | first << 32
                high = first >> 32 | (last >> UInt64(8 * (16 - length))) << 32
            } else if length >= 4 {
                let first = UInt64(UInt32(littleEndian: base.loadUnaligned(as: UInt32.self)))
                let last = UInt64(
                    UInt32(littleEndian: (base + (length - 4)).loadUnaligned(as: UInt32.self)))
                low = UInt64(length) | first << 32
                high = last >> UInt64(8 * (8 - length))
            } else {
                var word = UInt64(length)
                for index in 0..<length {
                    word |= UInt64(source[index]) << UInt64(32 + 8 * index)
                }
                low = word
                high = 0
            }
        } else {
            low = UInt64(UInt32(length)) | UInt64(base.loadUnaligned(as: UInt32.self)) << 32
            high = UInt64(UInt32(buffer)) | UInt64(UInt32(position)) << 32
        }
    }

    @inlinable package var count: Int { Int(UInt32(truncatingIfNeeded: low)) }
    @inlinable package var isInline: Bool { count <= 12 }
    @inlinable package var buffer: Int { Int(UInt32(truncatingIfNeeded: high)) }
    @inlinable package var position: Int { Int(UInt32(truncatingIfNeeded: high >> 32)) }

    /// The same long view when its buffer got another number; short views stay as they are.
    @inlinable
    package func rebased(by buffers: Int) -> TextView {
        isInline ? self : TextView(low: low, high: high + UInt64(buffers))
    }
}

/// Texts or byte sequences as views over shared buffers. Gathering rows copies 16 bytes a row.
package struct TextColumn: Sendable {
    package var views: [TextView]
    package var buffers: [Bytes]

    package init(views: [TextView] = [], buffers: [Bytes] = []) {
        self.views = views
        self.buffers = buffers
    }

    package var count: Int { views.count }

    /// Calls `body` with the bytes of row `index`.
    @inlinable
    package func withBytes<Result>(
        _ index: Int, _ body: (UnsafeRawBufferPointer) -> Result
    ) -> Result {
        withBytes(of: views[index], body)
    }

    @inlinable
    package func withBytes<Result>(
        of view: TextView, _ body: (UnsafeRawBufferPointer) -> Result
    ) -> Result {
        let length = view.count
        if length <= 12 {
            var words = (view.low, view.high)
            return withUnsafeBytes(of: &words) {
                body(UnsafeRawBufferPointer(rebasing: $0[4..<(4 + length)]))
            }
        }
        return buffers[view.buffer].withUnsafeBytes {
            body(UnsafeRawBufferPointer(rebasing: $0[view.position..<(view.position + length)]))
        }
    }

    /// Row `index` as a string; invalid UTF-8 is replaced. Not for loops over rows.
    package func string(_ index: Int) -> String {
        withBytes(index) { String(decoding: $0, as: UTF8.self) }
    }

    package func array(_ index: Int) -> [UInt8] { withBytes(index) { [UInt8]($0) } }

    package func gather(_ rows: [Int32]) -> TextColumn {
        TextColumn(views: rows.map { views[Int($0)] }, buffers: buffers)
    }

    /// Rows `range`, sharing the buffers.
    package func slice(_ range: Range<Int>) -> TextColumn {
        TextColumn(views: Array(views[range]), buffers: buffers)
    }

    /// The same texts, in a buffer of their own when they are few of those in the buffers that they
    /// share: who keeps some rows of each page must not keep all pages.
    package var detachedIfSparse: TextColumn {
        var longBytes = 0
        for view in views where !view.isInline { longBytes += view.count }
        let sharedBytes = buffers.reduce(0) { $0 + $1.count }
        guard sharedBytes > 4096, longBytes < sharedBytes / 16 else { return self }
        if longBytes == 0 { return TextColumn(views: views, buffers: []) }
        var copied: [TextView] = []
        copied.reserveCapacity(views.count)
        var writer = ByteWriter(capacity: longBytes)
        for view in views {
            if view.isInline {
                copied.append(view)
                continue
            }
            let position = writer.count
            withBytes(of: view) { bytes in
                copied.append(TextView(bytes, buffer: 0, position: position))
                writer.bytes(bytes)
            }
        }
        return TextColumn(views: copied, buffers: [writer.finish()])
    }

    /// Appends the rows of `other`, sharing its buffers. Slices of one column, appended one after
    /// the other, keep one copy of its list of buffers.
    package mutating func append(_ other: TextColumn) {
        let base: Int
        if buffers.endsWith(sameBuffersAs: other.buffers) {
            base = buffers.count - other.buffers.count
        } else {
            base = buffers.count
            buffers += other.buffers
        }
        let count = views.count
        views += other.views
        if base == 0 || other.buffers.isEmpty { return }
        views.withUnsafeMutableBufferPointer { views in
            for row in count..<views.count { views[row] = views[row].rebased(by: base) }
        }
    }
}

extension [Bytes] {
    fileprivate func endsWith(sameBuffersAs other: [Bytes]) -> Bool {
        guard count >= other.count else { return false }
        return zip(self[(count - other.count)...], other).allSatisfy { mine, its in
            mine.storage === its.storage && mine.start == its.start && mine.count == its.count
        }
    }
}

/// Builds a `TextColumn` by copying: long texts go into chunks of a mebibyte, or of their own size
/// when they are larger.
package struct TextBuilder: ~Copyable {
    private var column = TextColumn()
    private var chunk = ByteWriter(capacity: 16)
    private let chunkBytes = 1 << 20

    package init() {}

    package var count: Int { column.views.count }

    package mutating func reserveCapacity(_ extra: Int) {
        column.views.reserveCapacity(column.views.count + extra)
    }

    package mutating func append(_ source: UnsafeRawBufferPointer) {
        if source.count > 12 {
            if chunk.count + source.count > chunkBytes, chunk.count > 0 { closeChunk() }
            if chunk.count == 0 { chunk.reserve(4096) }
            column.views.append(
                TextView(source, buffer: column.buffers.count, position: chunk.count))
            chunk.bytes(source)
        } else {
            column.views.append(TextView(source, buffer: 0, position: 0))
        }
    }

    package mutating func append(_ text: String) {
        var text = text
        text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    }

    package mutating func appendEmpty() { column.views.append(.empty) }

    /// Appends the rows of `other`, sharing its buffers.
    package mutating func append(_ other: TextColumn) {
        if chunk.count > 0 { closeChunk() }
        column.append(other)
    }

    private mutating func closeChunk() {
        var fresh = ByteWriter(capacity: 16)
        swap(&chunk, &fresh)
        column.buffers.append(fresh.finish())
    }

    /// The column so far; the builder starts again, empty.
    package mutating func takeColumn() -> TextColumn {
        if chunk.count > 0 { closeChunk() }
        let result = column
        column = TextColumn()
        return result
    }

    package consuming func finish() -> TextColumn { takeColumn() }
}
