import Base

/// The bytes of a column chunk, read a window at a time, so that a scan holds a few pages of each
/// column and not whole row groups.
struct ChunkSource {
    /// Of the chunk in the file.
    let range: Range<Int64>
    private let options: ParquetReadOptions
    private let file: ParquetFile
    private var window = FilePart(bytes: .empty, position: 0)

    /// `span` are bytes of the file that were read already; the chunk may be among them.
    init(
        _ file: ParquetFile, _ range: Range<Int64>, _ options: ParquetReadOptions, span: FilePart?
    ) {
        self.file = file
        self.range = range
        self.options = options
        if let span, span.position <= range.lowerBound, range.upperBound <= span.range.upperBound {
            let start = Int(range.lowerBound - span.position)
            window = FilePart(
                bytes: span.bytes[start..<(start + range.count)], position: range.lowerBound)
        }
    }

    /// The page whose header is at `position`.
    mutating func page(at position: Int64) throws(ParquetFailure) -> StoredPage {
        // Statistics make headers longer than that, but hardly ever.
        var needed: Int64 = 512
        while true {
            try fill(from: position, needed)
            let rest = window.bytes[Int(position - window.position)..<window.bytes.count]
            var reader = ThriftReader(rest)
            let header: PageHeader
            do throws(DecodeFailure) {
                header = try PageHeader(&reader)
            } catch {
                let isWhole = window.range.upperBound >= range.upperBound
                guard case .truncated = error, !isWhole else {
                    throw ParquetFailure(error, at: position)
                }
                needed = Int64(rest.count) * 4
                continue
            }
            try header.checkSize(options)
            let size = Int64(reader.position + header.compressedBytes)
            try fill(from: position, size)
            let start = Int(position - window.position)
            return try StoredPage(
                header, headerBytes: reader.position, window.bytes[start..<window.bytes.count],
                position: position, options: options)
        }
    }

    /// Has at least `count` bytes from `position` on in the window, or all up to the chunk's end.
    private mutating func fill(from position: Int64, _ count: Int64) throws(ParquetFailure) {
        let end = min(range.upperBound, position + count)
        if position >= window.position, end <= window.range.upperBound { return }
        guard position >= range.lowerBound, position < range.upperBound else {
            throw .corrupt("pages run past the end of their column chunk", position: position)
        }
        let most = min(range.upperBound, position + max(count, Int64(options.windowBytes)))
        window = FilePart(bytes: try file.read(position..<most), position: position)
    }
}
