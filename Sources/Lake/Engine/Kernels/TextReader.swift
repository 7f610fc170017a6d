import Base
import Columns
import Glibc

/// Bytes of the rows of a text column without a closure, a reference count or a bounds check per
/// row. Lives only inside `with`, which keeps the column's memory alive.
struct TextReader {
    let views: UnsafeBufferPointer<TextView>
    private let buffers: UnsafeBufferPointer<UnsafeRawPointer>

    var count: Int { views.count }

    /// Calls `body` with a reader of `column`.
    @inline(__always)
    static func with<Result, Failure: Error>(
        _ column: TextColumn, _ body: (TextReader) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let bases = column.buffers.map { UnsafeRawPointer($0.storage.base) + $0.start }
        // The buffers' memory stays in place as long as `column` keeps them.
        return try withExtendedLifetime(column) { () throws(Failure) -> Result in
            try column.views.withUnsafeBufferPointer { (views) throws(Failure) -> Result in
                try bases.withUnsafeBufferPointer { (buffers) throws(Failure) -> Result in
                    try body(TextReader(views: views, buffers: buffers))
                }
            }
        }
    }

    /// The bytes of `row`: inside the view itself when short, else in the buffer.
    @inline(__always)
    subscript(row: Int) -> UnsafeRawBufferPointer {
        let view = views[row]
        let length = view.count
        if length <= 12 {
            guard let base = views.baseAddress else {
                return UnsafeRawBufferPointer(start: nil, count: 0)
            }
            return UnsafeRawBufferPointer(
                start: UnsafeRawPointer(base + row) + 4, count: length)
        }
        return UnsafeRawBufferPointer(start: buffers[view.buffer] + view.position, count: length)
    }

    /// Whether two rows hold the same bytes. Length and prefix decide most pairs.
    @inline(__always)
    static func isEqual(_ a: TextReader, _ x: Int, _ b: TextReader, _ y: Int) -> Bool {
        let (left, right) = (a.views[x], b.views[y])
        if left.low != right.low { return false }
        if left.count <= 12 { return left.high == right.high }
        return memcmp(a[x].baseAddress!, b[y].baseAddress!, left.count) == 0
    }

    /// The bytewise order of two rows; negative when the first comes first.
    @inline(__always)
    static func compare(_ a: TextReader, _ x: Int, _ b: TextReader, _ y: Int) -> Int {
        // The first four bytes as a big-endian number, padded with zeros in short texts.
        let left = UInt32(truncatingIfNeeded: a.views[x].low >> 32).byteSwapped
        let right = UInt32(truncatingIfNeeded: b.views[y].low >> 32).byteSwapped
        if left != right { return left < right ? -1 : 1 }
        return compareBytes(a[x], b[y])
    }
}

/// Bytewise order; a prefix sorts before what it begins.
@inline(__always)
func compareBytes(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Int {
    let common = min(a.count, b.count)
    if common > 0 {
        let order = Int(memcmp(a.baseAddress!, b.baseAddress!, common))
        if order != 0 { return order }
    }
    return a.count - b.count
}

/// The first place of `needle` in `text`; nil when it is not there.
@inline(__always)
func searchBytes(
    _ text: UnsafeRawBufferPointer, for needle: UnsafeRawBufferPointer
) -> Int? {
    guard needle.count > 0 else { return 0 }
    guard let base = text.baseAddress, let wanted = needle.baseAddress else { return nil }
    let first = Int32(needle[0])
    var from = 0
    // The last place at which the needle still fits.
    let last = text.count - needle.count
    while from <= last {
        guard let found = memchr(base + from, first, last - from + 1) else { return nil }
        let place = UnsafeRawPointer(found) - base
        if memcmp(base + place, wanted, needle.count) == 0 { return place }
        from = place + 1
    }
    return nil
}

/// Results of text functions: pieces of the argument are shared, not copied; new text is copied
/// into buffers of its own.
struct TextSink: ~Copyable {
    private var views: [TextView] = []
    private let shared: [Bytes]
    private var finished: [Bytes] = []
    private var chunk = ByteWriter(capacity: 4096)
    /// Bytes copied so far, for the memory budget of runaway functions such as repeat().
    private(set) var copiedBytes = 0

    /// `shared` are the buffers that `append(view:)` may refer to by number.
    init(capacity: Int, shared: [Bytes] = []) {
        self.shared = shared
        views.reserveCapacity(capacity)
    }

    /// A view into the shared buffers, or a short one.
    mutating func append(view: TextView) { views.append(view) }

    mutating func appendEmpty() { views.append(.empty) }

    /// Part of a row of the argument whose view is `whole`: long parts of long texts are shared.
    mutating func append(part: UnsafeRawBufferPointer, of whole: TextView, at start: Int) {
        if part.count > 12, !whole.isInline {
            views.append(
                TextView(part, buffer: whole.buffer, position: whole.position + start))
        } else {
            append(part)
        }
    }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        if bytes.count <= 12 {
            views.append(TextView(bytes, buffer: 0, position: 0))
            return
        }
        if chunk.count + bytes.count > 1 << 20, chunk.count > 0 { closeChunk() }
        views.append(
            TextView(bytes, buffer: shared.count + finished.count, position: chunk.count))
        chunk.bytes(bytes)
        copiedBytes += bytes.count
    }

    mutating func append(_ bytes: [UInt8]) { bytes.withUnsafeBytes { append($0) } }

    mutating func append(_ text: String) {
        var text = text
        text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    }

    private mutating func closeChunk() {
        var fresh = ByteWriter(capacity: 65_536)
        swap(&chunk, &fresh)
        finished.append(fresh.finish())
    }

    consuming func finish() -> TextColumn {
        if chunk.count > 0 { closeChunk() }
        return TextColumn(views: views, buffers: shared + finished)
    }
}
