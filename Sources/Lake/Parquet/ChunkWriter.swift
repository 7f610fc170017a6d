// One column chunk: `[dictionary page] data page …`, each page a header and
// `repetition levels · definition levels · values`, compressed together (version 1 pages).

import Base
import Columns
import Compression

/// Turns the entries of a leaf into the pages of a chunk.
struct ChunkWriter {
    private let store: LeafStore
    private let options: ParquetWriteOptions
    /// Where the chunk begins in the file.
    private let start: Int64
    private var written: Int64 = 0

    private(set) var pieces: [Bytes] = []
    private(set) var chunk: WrittenChunk
    /// The bounds of the whole chunk.
    private(set) var extremes: Extremes?
    /// Those of each page; nil for a page without a number or text in it.
    private var pageExtremes: [Extremes?] = []
    /// Header and bit set, when the options ask for one.
    private(set) var bloomFilter: Bytes?
    /// Whether some page has values and no bounds, because all of them are NaN.
    private var hasUnboundedPage = false

    init(_ store: LeafStore, options: ParquetWriteOptions, at start: Int64) {
        self.store = store
        self.options = options
        self.start = start
        chunk = WrittenChunk(codec: options.codec, valueCount: store.entryCount)
    }

    mutating func write() throws(ParquetFailure) {
        let dictionary =
            options.usesDictionaries
            ? store.dictionary(byteLimit: options.dictionaryBytesMax) : nil
        if let dictionary { try writeDictionary(dictionary) }
        chunk.dataPagePosition = start + written
        for cut in pageCuts(codeCount: dictionary?.firsts.count) {
            try writePage(cut, dictionary)
        }
        describe()
        if options.bloomFilterColumns.contains(store.leaf.path.joined(separator: ".")) {
            bloomFilter = filter(dictionary)
        }
    }

    /// The distinct values are in the dictionary; without one all values are hashed.
    private func filter(_ dictionary: DictionaryCodes?) -> Bytes? {
        guard store.leaf.physical != .boolean else { return nil }
        var builder = BloomFilterBuilder()
        var scratch = ByteWriter(capacity: 16)
        func add(_ index: Int) {
            if store.leaf.physical == .byteArray {
                return store.texts.withBytes(index) { builder.add($0) }
            }
            scratch.removeAll()
            store.writePlain(index..<(index + 1), to: &scratch)
            scratch.withUnsafeBytes { builder.add($0) }
        }
        if let dictionary {
            for index in dictionary.firsts { add(index) }
        } else {
            for index in 0..<store.denseCount { add(index) }
        }
        return builder.encoded(bytesMax: options.bloomFilterBytesMax)
    }

    private mutating func writeDictionary(
        _ dictionary: DictionaryCodes
    ) throws(ParquetFailure) {
        var content = ByteWriter(capacity: dictionary.byteCount)
        for index in dictionary.firsts { store.writePlain(index..<(index + 1), to: &content) }
        chunk.dictionaryPagePosition = start + written
        try append(
            .dictionary(
                valueCount: Int32(dictionary.firsts.count), encoding: PageEncoding.plain.rawValue),
            content.finish())
    }

    private mutating func append(
        _ kind: PageHeader.Kind, _ content: Bytes
    ) throws(ParquetFailure) {
        let stored = try compress(content)
        let header = PageHeader(
            kind: kind, uncompressedBytes: content.count, compressedBytes: stored.count,
            checksum: crc32(stored)
        ).encoded()
        pieces.append(header)
        pieces.append(stored)
        written += Int64(header.count + stored.count)
        chunk.uncompressedBytes += Int64(header.count + content.count)
        chunk.compressedBytes += Int64(header.count + stored.count)
    }

    private func compress(_ content: Bytes) throws(ParquetFailure) -> Bytes {
        let codec: BlockCodec
        switch options.codec {
        case .uncompressed: return content
        case .snappy: codec = .snappy
        case .gzip: codec = .gzip
        case .zstd: codec = .zstd
        case .lz4Raw: codec = .lz4Raw
        }
        do {
            return try compressBlock(codec, content, level: options.compressionLevel)
        } catch {
            throw .invalidInput("a page of \(content.count) bytes: \(error)")
        }
    }
}

// MARK: Pages

/// The part of a chunk that becomes one page: whole rows.
private struct PageCut {
    var entries: Range<Int>
    var dense: Range<Int>
    var firstRow: Int
}

extension ChunkWriter {
    /// Cuts at row boundaries so that pages stay below the limits, unless a single row is larger.
    private func pageCuts(codeCount: Int?) -> [PageCut] {
        let leaf = store.leaf
        let full = UInt8(truncatingIfNeeded: leaf.definitionMax)
        let isNested = leaf.repetitionMax > 0
        // Codes take less than four bytes; texts are measured one by one.
        let isMeasured = codeCount == nil && leaf.physical == .byteArray
        let width = codeCount == nil ? store.plainWidth : 4
        if !isNested, !isMeasured { return evenCuts(bytesPerValue: width) }
        var cuts: [PageCut] = []
        var cut = PageCut(entries: 0..<0, dense: 0..<0, firstRow: 0)
        var dense = 0
        var row = 0
        var bytes = 0
        for entry in 0..<store.entryCount {
            if !isNested || store.repetitions[entry] == 0 {
                if row - cut.firstRow >= options.pageRowsMax || bytes >= options.pageBytesMax {
                    cut.entries = cut.entries.lowerBound..<entry
                    cut.dense = cut.dense.lowerBound..<dense
                    cuts.append(cut)
                    cut = PageCut(entries: entry..<entry, dense: dense..<dense, firstRow: row)
                    bytes = 0
                }
                row += 1
            }
            if leaf.definitionMax == 0 || store.definitions[entry] == full {
                bytes += width
                if isMeasured { bytes += store.texts.views[dense].count }
                dense += 1
            }
        }
        if store.entryCount > 0 {
            cut.entries = cut.entries.lowerBound..<store.entryCount
            cut.dense = cut.dense.lowerBound..<dense
            cuts.append(cut)
        }
        return cuts
    }

    /// Cuts of a column without lists whose values have one width.
    private func evenCuts(bytesPerValue width: Int) -> [PageCut] {
        let full = UInt8(truncatingIfNeeded: store.leaf.definitionMax)
        let rows = min(options.pageRowsMax, max(options.pageBytesMax / max(width, 1), 1))
        var cuts: [PageCut] = []
        var dense = 0
        for start in stride(from: 0, to: store.entryCount, by: rows) {
            let end = min(start + rows, store.entryCount)
            var present = end - start
            if full > 0 {
                present = 0
                for level in store.definitions[start..<end] { present &+= level == full ? 1 : 0 }
            }
            cuts.append(
                PageCut(entries: start..<end, dense: dense..<(dense + present), firstRow: start))
            dense += present
        }
        return cuts
    }

    private mutating func writePage(
        _ cut: PageCut, _ dictionary: DictionaryCodes?
    ) throws(ParquetFailure) {
        let leaf = store.leaf
        var content = ByteWriter(capacity: cut.dense.count * store.plainWidth + 64)
        if leaf.repetitionMax > 0 {
            writeLevels(store.repetitions, cut.entries, leaf.repetitionMax, to: &content)
        }
        if leaf.definitionMax > 0 {
            writeLevels(store.definitions, cut.entries, leaf.definitionMax, to: &content)
        }
        let encoding: PageEncoding
        if let dictionary {
            encoding = .rleDictionary
            // A single value needs no bits, but some readers do not expect none.
            let width = max(bitWidth(of: dictionary.firsts.count - 1), 1)
            content.uint8(UInt8(width))
            dictionary.codes.withUnsafeBufferPointer {
                encodeHybrid(
                    UnsafeBufferPointer(rebasing: $0[cut.dense]), bitWidth: width, into: &content)
            }
        } else {
            encoding = .plain
            store.writePlain(cut.dense, to: &content)
        }
        let position = start + written
        let before = written
        try append(
            .data(
                PageHeader.DataPage(
                    valueCount: Int32(cut.entries.count), encoding: encoding.rawValue,
                    definitionEncoding: PageEncoding.rle.rawValue,
                    repetitionEncoding: PageEncoding.rle.rawValue)),
            content.finish())
        chunk.dataPageCount += 1

        var bounds: Extremes?
        if leaf.hasBounds {
            bounds = dictionary.map { store.extremes(cut.dense, $0) } ?? store.extremes(cut.dense)
        }
        extremes = store.extremes(extremes, bounds)
        let statistics = bounds.map { store.bounds($0) }
        chunk.pages.append(
            WrittenPage(
                position: position, byteCount: Int(written - before), firstRow: Int64(cut.firstRow),
                nullCount: Int64(cut.entries.count - cut.dense.count),
                minimum: statistics?.minimum, maximum: statistics?.maximum))
        pageExtremes.append(bounds)
        if bounds == nil, !cut.dense.isEmpty { hasUnboundedPage = true }
    }

    /// Levels of version 1 pages: UInt32 length and the hybrid runs.
    private func writeLevels(
        _ levels: [UInt8], _ range: Range<Int>, _ maximum: Int, to output: inout ByteWriter
    ) {
        var runs = ByteWriter(capacity: 64)
        levels.withUnsafeBufferPointer {
            encodeHybrid(
                UnsafeBufferPointer(rebasing: $0[range]), bitWidth: bitWidth(of: maximum),
                into: &runs)
        }
        let encoded = runs.finish()
        output.uint32LE(UInt32(encoded.count))
        output.bytes(encoded)
    }
}

// MARK: Statistics

extension ChunkWriter {
    /// The column index, unless a page with values has no bounds.
    var columnIndex: Bytes? {
        guard !hasUnboundedPage, !chunk.pages.isEmpty else { return nil }
        return encodedColumnIndex(chunk.pages, boundaryOrder)
    }

    var offsetIndex: Bytes? { chunk.pages.isEmpty ? nil : encodedOffsetIndex(chunk.pages) }

    private var boundaryOrder: BoundaryOrder {
        var isAscending = true
        var isDescending = true
        var last: Extremes?
        for case .some(let next) in pageExtremes {
            if let last {
                if store.isBelow(next.minimum, last.minimum)
                    || store.isBelow(next.maximum, last.maximum)
                {
                    isAscending = false
                }
                if store.isBelow(last.minimum, next.minimum)
                    || store.isBelow(last.maximum, next.maximum)
                {
                    isDescending = false
                }
            }
            last = next
        }
        return isAscending ? .ascending : (isDescending ? .descending : .unordered)
    }

    private mutating func describe() {
        if let extremes { chunk.statistics = store.bounds(extremes) }
        chunk.statistics.nullCount = Int64(store.entryCount - store.denseCount)
        if store.leaf.physical == .float || store.leaf.physical == .double {
            chunk.statistics.nanCount = Int64(store.nanCount)
        }
    }
}

extension WriteLeaf {
    /// Whether the type has an order.
    var hasBounds: Bool { type != .null }
}

/// Longer bounds are cut: they would only fill the footer.
private let boundBytesMax = 64

extension LeafStore {
    fileprivate func bounds(_ extremes: Extremes) -> ChunkStatistics {
        var result = ChunkStatistics()
        var minimum = statisticsBytes(extremes.minimum)
        var maximum = statisticsBytes(extremes.maximum)
        switch leaf.physical {
        // The order of the two zeros is not agreed on, so bounds include both.
        case .float:
            if doubles[extremes.minimum] == 0 { minimum = Bytes([0, 0, 0, 0x80]) }
            if doubles[extremes.maximum] == 0 { maximum = Bytes([0, 0, 0, 0]) }
        case .double:
            if doubles[extremes.minimum] == 0 { minimum = Bytes([0, 0, 0, 0, 0, 0, 0, 0x80]) }
            if doubles[extremes.maximum] == 0 { maximum = Bytes([0, 0, 0, 0, 0, 0, 0, 0]) }
        case .byteArray:
            if minimum.count > boundBytesMax {
                minimum = cut(minimum)
                result.isMinimumExact = false
            }
            if maximum.count > boundBytesMax, let above = above(cut(maximum)) {
                maximum = above
                result.isMaximumExact = false
            }
        default: break
        }
        result.minimum = minimum
        result.maximum = maximum
        return result
    }

    private var isText: Bool { leaf.type != .binary }

    /// The first bytes, of texts whole characters.
    private func cut(_ bytes: Bytes) -> Bytes {
        var end = boundBytesMax
        while isText, end > 0, bytes[end] & 0xC0 == 0x80 { end -= 1 }
        return bytes[0..<end].compacted()
    }

    /// A short value above everything that begins with `prefix`; nil when there is none.
    private func above(_ prefix: Bytes) -> Bytes? {
        guard isText else {
            var bytes = prefix.array
            while let last = bytes.popLast() {
                if last < 0xFF { return Bytes(bytes + [last + 1]) }
            }
            return nil
        }
        var scalars = Array((prefix.validText ?? "").unicodeScalars)
        while let last = scalars.popLast() {
            // The code points of surrogates are not characters.
            let next = last.value == 0xD7FF ? 0xE000 : last.value + 1
            guard let scalar = UnicodeScalar(next) else { continue }
            var text = String.UnicodeScalarView(scalars)
            text.append(scalar)
            return Bytes(utf8: String(text))
        }
        return nil
    }
}
