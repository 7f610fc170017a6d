// One column chunk: its pages, one after the other, into levels and dense values.

import Base
import Columns
import Compression

/// Bounds of what reading may cost; smaller than `Limits` only in tests.
package struct ParquetReadOptions: Sendable {
    /// Bytes of one page, compressed or not.
    package var pageBytesMax = Limits.parquetPageBytes
    /// Values of one column chunk, NULLs included: a few bytes of run lengths can stand for
    /// billions.
    package var chunkValuesMax = Limits.parquetChunkValues
    /// Bytes in memory of what one call returns.
    package var resultBytesMax = Limits.parquetResultBytes

    package init() {}
}

/// A column chunk as it came out of its pages.
struct LeafValues {
    /// The values that are not NULL. nil when there was no data page.
    var dense: ColumnData?
    /// Levels and NULLs together: what `num_values` counts.
    var entryCount = 0
    /// Of a flat, optional column: which rows have a value.
    var validity: Validity?
    /// Of other columns, one for each entry; empty where the level cannot be other than 0.
    var definitions: [UInt8] = []
    var repetitions: [UInt8] = []
}

struct ColumnChunkReader {
    private let leaf: Leaf
    private let chunk: ColumnChunk
    private let options: ParquetReadOptions
    /// A column of rows without nesting: levels go straight into a validity.
    private let isFlat: Bool
    /// Where `bytes` begins in the file.
    private let base: Int64
    private let bytes: Bytes

    private var result = LeafValues()
    private var pages: [ColumnData] = []
    private var denseCount = 0
    private var dictionary: (values: ColumnData, count: Int)?

    /// `bytes` are those of the chunk, from `base` of the file on.
    init(
        leaf: Leaf, chunk: ColumnChunk, isFlat: Bool, bytes: Bytes, at base: Int64,
        options: ParquetReadOptions
    ) {
        self.leaf = leaf
        self.chunk = chunk
        self.isFlat = isFlat
        self.bytes = bytes
        self.base = base
        self.options = options
        if isFlat, leaf.definitionMax > 0 { result.validity = Validity(repeating: true, count: 0) }
    }

    /// Reads all pages.
    mutating func read() throws(ParquetFailure) -> LeafValues {
        guard chunk.valueCount >= 0 else {
            throw .corrupt("column chunk of \(chunk.valueCount) values", position: base)
        }
        guard chunk.valueCount <= Int64(options.chunkValuesMax) else {
            throw .tooLarge(
                what: "number of values in a column chunk", value: chunk.valueCount,
                limit: Int64(options.chunkValuesMax))
        }
        var cursor = 0
        while result.entryCount < Int(chunk.valueCount) {
            try page(at: &cursor)
        }
        result.dense = joined(pages)
        return result
    }

    private mutating func page(at cursor: inout Int) throws(ParquetFailure) {
        let start = cursor
        let position = base + Int64(start)
        let rest = bytes[start..<bytes.count]
        var header: PageHeader?
        var headerBytes = 0
        try decoding(at: position) { () throws(DecodeFailure) in
            var reader = ThriftReader(rest)
            header = try PageHeader(&reader)
            headerBytes = reader.position
        }
        guard let header else { return }
        guard max(header.compressedBytes, header.uncompressedBytes) <= options.pageBytesMax else {
            throw .tooLarge(
                what: "size of a page",
                value: Int64(max(header.compressedBytes, header.uncompressedBytes)),
                limit: Int64(options.pageBytesMax))
        }
        guard header.compressedBytes <= rest.count - headerBytes else {
            throw .corrupt(
                "a page of \(header.compressedBytes) bytes runs past its column chunk",
                position: position)
        }
        cursor = start + headerBytes + header.compressedBytes
        let stored = rest[headerBytes..<(headerBytes + header.compressedBytes)]
        if let checksum = header.checksum {
            let found = crc32(stored)
            guard found == checksum else {
                throw .corrupt(
                    "page checksum mismatch: expected \(hex(checksum)), found \(hex(found))",
                    position: position)
            }
        }
        switch header.kind {
        case .other: break
        case .dictionary(let count, let encoding):
            guard dictionary == nil, result.entryCount == 0, pages.isEmpty else {
                throw .corrupt("a second or late dictionary page", position: position)
            }
            let plain = try expand(stored, to: header.uncompressedBytes, position)
            try decoding(at: position) { () throws(DecodeFailure) in
                try readDictionary(plain, count: Int(count), encoding: encoding)
            }
        case .data(let page):
            let content = try expand(stored, to: header.uncompressedBytes, position)
            try decoding(at: position) { () throws(DecodeFailure) in try data(page, content) }
        case .dataV2(let page):
            try dataV2(page, header, stored, position)
        }
    }

    private func expand(
        _ stored: Bytes, to size: Int, _ position: Int64
    ) throws(ParquetFailure) -> Bytes {
        let codec: BlockCodec
        switch chunk.codec {
        case 0:
            guard stored.count == size else {
                throw .corrupt(
                    "an uncompressed page of \(stored.count) bytes claims \(size)",
                    position: position)
            }
            return stored
        case 1: codec = .snappy
        case 2: codec = .gzip
        case 6: codec = .zstd
        case 7: codec = .lz4Raw
        case 3: throw .unsupported("LZO compression")
        case 4: throw .unsupported("Brotli compression")
        case 5: return try expandHadoopLZ4(stored, to: size, position)
        default: throw .unsupported("compression codec \(chunk.codec)")
        }
        // Some writers store nothing at all for a page without values.
        if stored.isEmpty, size == 0 { return stored }
        do {
            return try decompressBlock(codec, stored, expectedSize: size)
        } catch {
            throw .corrupt(error.description, position: position)
        }
    }

    /// The old LZ4: frames of big-endian original and compressed size as Hadoop wrote them, or one
    /// bare block.
    private func expandHadoopLZ4(
        _ stored: Bytes, to size: Int, _ position: Int64
    ) throws(ParquetFailure) -> Bytes {
        if let framed = hadoopFrames(stored, to: size) { return framed }
        do {
            return try decompressBlock(.lz4Raw, stored, expectedSize: size)
        } catch {
            throw .corrupt(error.description, position: position)
        }
    }

    private func hadoopFrames(_ stored: Bytes, to size: Int) -> Bytes? {
        var reader = ByteReader(stored)
        var pieces: [Bytes] = []
        var total = 0
        do {
            while !reader.isAtEnd {
                let original = Int(try reader.uint32())
                let block = try reader.slice(Int(try reader.uint32()))
                guard original <= size - total else { return nil }
                pieces.append(try decompressBlock(.lz4Raw, block, expectedSize: original))
                total += original
            }
        } catch {
            return nil
        }
        return total == size ? Bytes.joined(pieces) : nil
    }
}

// MARK: Pages

extension ColumnChunkReader {
    private mutating func readDictionary(
        _ plain: Bytes, count: Int, encoding: Int32
    ) throws(DecodeFailure) {
        guard
            encoding == PageEncoding.plain.rawValue
                || encoding == PageEncoding.plainDictionary.rawValue
        else { throw .unsupported("encoding \(encoding) of a dictionary page") }
        guard count >= 0, count <= options.chunkValuesMax else {
            throw .invalid(what: "dictionary size", value: Int64(count), position: 0)
        }
        dictionary = (try leaf.decodePlain(plain, count: count), count)
    }

    /// The page's `num_values`, which must not exceed what the chunk still has.
    private func entries(_ count: Int32) throws(DecodeFailure) -> Int {
        guard count >= 0, Int64(count) <= chunk.valueCount - Int64(result.entryCount) else {
            throw .invalid(what: "number of values in a page", value: Int64(count), position: 0)
        }
        return Int(count)
    }

    private mutating func data(
        _ page: PageHeader.DataPage, _ content: Bytes
    ) throws(DecodeFailure) {
        let count = try entries(page.valueCount)
        var reader = ByteReader(content)
        if leaf.repetitionMax > 0 {
            let levels = try levelBytes(
                &reader, page.repetitionEncoding, count: count, maximum: leaf.repetitionMax)
            try repetitions(levels, count: count, encoding: page.repetitionEncoding)
        }
        var present = count
        if leaf.definitionMax > 0 {
            let levels = try levelBytes(
                &reader, page.definitionEncoding, count: count, maximum: leaf.definitionMax)
            present = try definitions(levels, count: count, encoding: page.definitionEncoding)
        }
        try values(reader.rest(), encoding: page.encoding, count: present)
        result.entryCount += count
    }

    private mutating func dataV2(
        _ page: PageHeader.DataPageV2, _ header: PageHeader, _ stored: Bytes, _ position: Int64
    ) throws(ParquetFailure) {
        let repetitionBytes = Int(page.repetitionBytes)
        let definitionBytes = Int(page.definitionBytes)
        let levelBytes = repetitionBytes + definitionBytes
        guard repetitionBytes >= 0, definitionBytes >= 0, levelBytes <= stored.count,
            levelBytes <= header.uncompressedBytes
        else { throw .corrupt("levels longer than their page", position: position) }
        let tail = stored[levelBytes..<stored.count]
        let size = header.uncompressedBytes - levelBytes
        let content =
            page.isCompressed && !(tail.isEmpty && size == 0)
            ? try expand(tail, to: size, position) : tail
        guard content.count == size else {
            throw .corrupt(
                "a page has \(content.count) bytes of values and claims \(size)",
                position: position)
        }
        try decoding(at: position) { () throws(DecodeFailure) in
            let count = try entries(page.valueCount)
            let rle = PageEncoding.rle.rawValue
            if leaf.repetitionMax > 0 {
                try repetitions(stored[0..<repetitionBytes], count: count, encoding: rle)
            }
            var present = count
            if leaf.definitionMax > 0 {
                let levels = stored[repetitionBytes..<levelBytes]
                present = try definitions(levels, count: count, encoding: rle)
            }
            try values(content, encoding: page.encoding, count: present)
            result.entryCount += count
        }
    }

    /// The bytes of the levels in a version 1 page.
    private func levelBytes(
        _ reader: inout ByteReader, _ encoding: Int32, count: Int, maximum: Int
    ) throws(DecodeFailure) -> Bytes {
        switch encoding {
        case PageEncoding.rle.rawValue:
            return try reader.slice(Int(try reader.uint32LE()))
        case PageEncoding.bitPacked.rawValue:
            return try reader.slice((count * bitWidth(of: maximum) + 7) / 8)
        default: throw .unsupported("encoding \(encoding) of levels")
        }
    }

    private func levels(
        _ bytes: Bytes, count: Int, encoding: Int32, maximum: Int
    ) throws(DecodeFailure) -> [UInt8] {
        let width = bitWidth(of: maximum)
        guard let limit = UInt8(exactly: maximum) else {
            throw .invalid(what: "level", value: Int64(maximum), position: 0)
        }
        if encoding == PageEncoding.bitPacked.rawValue {
            return try decodeBitPackedLevels(bytes, bitWidth: width, count: count, maximum: limit)
        }
        return try decodeHybrid(
            bytes, bitWidth: width, count: count, maximum: limit, what: "level")
    }

    private mutating func repetitions(
        _ bytes: Bytes, count: Int, encoding: Int32
    ) throws(DecodeFailure) {
        let levels = try levels(
            bytes, count: count, encoding: encoding, maximum: leaf.repetitionMax)
        if result.repetitions.isEmpty, let first = levels.first, first != 0 {
            throw .malformed("the first row begins in its middle", position: 0)
        }
        result.repetitions += levels
    }

    /// Returns the number of values that are there.
    private mutating func definitions(
        _ bytes: Bytes, count: Int, encoding: Int32
    ) throws(DecodeFailure) -> Int {
        if isFlat, encoding != PageEncoding.bitPacked.rawValue {
            return try flatDefinitions(bytes, count: count)
        }
        let levels = try levels(
            bytes, count: count, encoding: encoding, maximum: leaf.definitionMax)
        let full = UInt8(leaf.definitionMax)
        var present = 0
        for level in levels { present += level == full ? 1 : 0 }
        if isFlat {
            for level in levels { result.validity?.append(level == full) }
        } else {
            result.definitions += levels
        }
        return present
    }

    /// Levels 0 and 1 are the bits of a validity already: runs and packed words go over as they are.
    private mutating func flatDefinitions(_ bytes: Bytes, count: Int) throws(DecodeFailure) -> Int {
        var validity = result.validity ?? Validity(repeating: true, count: 0)
        result.validity = nil
        var present = 0
        var runs = try HybridReader(bytes, bitWidth: 1, count: count)
        while let run = try runs.next() {
            switch run {
            case .repeated(let value, let length):
                validity.append(repeating: value == 1, count: length)
                present += value == 1 ? length : 0
            case .packed(var position, var length):
                while length > 0 {
                    let take = min(64, length)
                    var bits = bytes.word(at: position)
                    if take < 64 { bits &= (1 << UInt64(take)) - 1 }
                    validity.append(bits: bits, count: take)
                    present += bits.nonzeroBitCount
                    position += 8
                    length -= take
                }
            }
        }
        result.validity = validity
        return present
    }

    private mutating func values(
        _ bytes: Bytes, encoding: Int32, count: Int
    ) throws(DecodeFailure) {
        denseCount += count
        guard let known = PageEncoding(rawValue: encoding) else {
            throw .unsupported("page encoding \(encoding)")
        }
        // A page of NULLs may have no values section at all.
        if count == 0 {
            if pages.isEmpty { pages.append(try leaf.decodePlain(.empty, count: 0)) }
            return
        }
        if known == .rleDictionary || known == .plainDictionary {
            pages.append(try dictionaryValues(bytes, count: count))
        } else {
            pages.append(try leaf.decode(bytes, known, count: count, options))
        }
        // What an empty first page said about the layout is not needed any more.
        if pages.count == 2, isEmptyPlaceholder(pages[0]) { pages.removeFirst() }
    }

    private func isEmptyPlaceholder(_ data: ColumnData) -> Bool {
        Column(type: leaf.type, data: data).count == 0
    }

    private func dictionaryValues(
        _ bytes: Bytes, count: Int
    ) throws(DecodeFailure) -> ColumnData {
        guard let dictionary else {
            throw .malformed("dictionary codes without a dictionary page", position: 0)
        }
        var reader = ByteReader(bytes)
        let width = Int(try reader.uint8())
        guard dictionary.count > 0 else {
            throw .malformed("dictionary codes of an empty dictionary", position: 0)
        }
        let codes: [Int32] = try decodeHybrid(
            reader.rest(), bitWidth: width, count: count, maximum: Int32(dictionary.count - 1),
            what: "dictionary code")
        if isFlat, leaf.type == .text, case .text(let values) = dictionary.values {
            return .dictionary(codes: codes, values: values)
        }
        return gather(dictionary.values, codes)
    }
}

extension Leaf {
    /// `count` values in one of the encodings without a dictionary.
    fileprivate func decode(
        _ bytes: Bytes, _ encoding: PageEncoding, count: Int, _ options: ParquetReadOptions
    ) throws(DecodeFailure) -> ColumnData {
        switch (encoding, physical) {
        case (.plain, _): return try decodePlain(bytes, count: count)
        case (.rle, .boolean):
            var reader = ByteReader(bytes)
            let runs = try reader.slice(Int(try reader.uint32LE()))
            return .boolean(
                try decodeHybrid(runs, bitWidth: 1, count: count, maximum: 1, what: "boolean"))
        case (.deltaBinaryPacked, .int32), (.deltaBinaryPacked, .int64):
            var reader = ByteReader(bytes)
            let values = try decodeDeltaBinaryPacked(&reader, count: count)
            return try decodePlain(plainIntegers(values), count: count)
        case (.deltaLengthByteArray, .byteArray):
            var reader = ByteReader(bytes)
            return try convert(views(try decodeDeltaLengthByteArray(&reader, count: count)))
        case (.deltaByteArray, .byteArray), (.deltaByteArray, .fixed):
            var reader = ByteReader(bytes)
            let arrays = try decodeDeltaByteArray(
                &reader, count: count, limit: options.pageBytesMax)
            if physical == .byteArray { return try convert(views(arrays)) }
            guard arrays.lengths.allSatisfy({ $0 == width }) else {
                throw .malformed("a fixed-length value of another length", position: 0)
            }
            return try decodePlain(arrays.bytes, count: count)
        case (.byteStreamSplit, .float), (.byteStreamSplit, .double), (.byteStreamSplit, .int32),
            (.byteStreamSplit, .int64), (.byteStreamSplit, .fixed):
            let plain = try decodeByteStreamSplit(bytes, count: count, width: plainWidth ?? 1)
            return try decodePlain(plain, count: count)
        default: throw .unsupported("encoding \(encoding) of \(physical) values")
        }
    }

    private func plainIntegers(_ values: [Int64]) -> Bytes {
        var output = ByteWriter(capacity: values.count * 8)
        if physical == .int32 {
            for value in values { output.int32LE(Int32(truncatingIfNeeded: value)) }
        } else {
            for value in values { output.int64LE(value) }
        }
        return output.finish()
    }
}

extension Bytes {
    /// The eight bytes from `position` on, the first lowest.
    ///
    /// Unsafe: the last seven may lie behind the end, which is sound because `ByteStorage` has 64
    /// readable bytes there; the caller drops what they hold.
    fileprivate func word(at position: Int) -> UInt64 {
        precondition(position >= 0 && position < count, "position out of range")
        return withUnsafeBytes { source in
            guard let base = source.baseAddress else { return 0 }
            return UInt64(littleEndian: (base + position).loadUnaligned(as: UInt64.self))
        }
    }
}
