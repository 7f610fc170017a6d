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
    /// Bytes of a column chunk that a scan reads at a time.
    package var windowBytes = 4 << 20

    package init() {}
}

/// A column chunk as it came out of its pages.
struct LeafValues {
    /// The values that are not NULL. nil when there was no data page, or when there are codes.
    var dense: ColumnData?
    /// Of a page that was read with `keepsCodes`: a code into the dictionary for each value that is
    /// not NULL.
    var codes: [Int32]?
    /// Levels and NULLs together: what `num_values` counts.
    var entryCount = 0
    /// Of a flat, optional column: which rows have a value.
    var validity: Validity?
    /// Of other columns, one for each entry; empty where the level cannot be other than 0.
    var definitions: [UInt8] = []
    var repetitions: [UInt8] = []
    /// The rows that were read; nil when all were.
    var rows: RowRanges?
}

/// Bytes of the file that were read in one go.
struct FilePart: Sendable {
    var bytes: Bytes
    /// Where they begin in the file.
    var position: Int64

    var range: Range<Int64> { position..<(position + Int64(bytes.count)) }
}

/// Neighbouring data pages whose places are known.
struct PageRun {
    var pages: [PageLocation]
    var part: FilePart
}

struct ColumnChunkReader {
    private let leaf: Leaf
    private let chunk: ColumnChunk
    private let options: ParquetReadOptions
    /// A column of rows without nesting: levels go straight into a validity.
    private let isFlat: Bool
    /// Codes of dictionaries are given as such: for who takes the rows page by page.
    var keepsCodes = false
    /// Entries that were read or passed over.
    private var place = 0
    private var result = LeafValues()
    private var pages: [ColumnData] = []
    private var denseCount = 0
    private(set) var dictionary: (values: ColumnData, count: Int)?

    init(leaf: Leaf, chunk: ColumnChunk, isFlat: Bool, options: ParquetReadOptions) {
        self.leaf = leaf
        self.chunk = chunk
        self.isFlat = isFlat
        self.options = options
        if isFlat, leaf.definitionMax > 0 { result.validity = Validity(repeating: true, count: 0) }
    }

    /// Reads all pages of the chunk, whose bytes `part` is; of a flat column only those that have
    /// some of the rows `wanted`.
    mutating func read(
        _ part: FilePart, wanted: RowRanges? = nil
    ) throws(ParquetFailure) -> LeafValues {
        try checkCount(at: part.position)
        let wanted = isFlat ? wanted : nil
        if wanted != nil { result.rows = RowRanges() }
        var cursor = 0
        while place < Int(chunk.valueCount) {
            let page = try StoredPage(in: part, at: &cursor, options)
            if let wanted, let count = page.header.kind.entryCount {
                let rows = place..<(place + max(0, min(Int(count), Int(chunk.valueCount) - place)))
                if !rows.isEmpty, !wanted.overlaps(rows) {
                    place = rows.upperBound
                    continue
                }
                result.rows?.append(rows)
            }
            try use(page)
        }
        result.dense = joined(pages)
        return result
    }

    /// Reads single pages, whose places an index gave, and the dictionary page if there is one.
    mutating func read(
        _ runs: [PageRun], dictionary: FilePart?
    ) throws(ParquetFailure) -> LeafValues {
        try checkCount(at: dictionary?.position ?? runs.first?.part.position ?? 0)
        if let dictionary {
            var cursor = 0
            let page = try StoredPage(in: dictionary, at: &cursor, options)
            guard case .dictionary = page.header.kind else {
                throw .corrupt(
                    "a page that is not in the offset index", position: dictionary.position)
            }
            try use(page)
        }
        var rows = RowRanges()
        for run in runs {
            var cursor = 0
            for location in run.pages {
                let start = cursor
                let page = try StoredPage(in: run.part, at: &cursor, options)
                guard cursor - start == location.byteCount, page.header.kind.entryCount != nil
                else {
                    throw .corrupt(
                        "a page that is not as the offset index says", position: page.position)
                }
                let before = (result.entryCount, result.repetitions.count)
                try use(page)
                let found =
                    leaf.repetitionMax == 0
                    ? result.entryCount - before.0
                    : result.repetitions[before.1...].count { $0 == 0 }
                guard found == location.rows.count else {
                    throw .corrupt(
                        "a page of \(found) rows, the offset index says \(location.rows.count)",
                        position: page.position)
                }
                rows.append(location.rows)
            }
        }
        result.rows = rows
        result.dense = joined(pages)
        return result
    }

    /// The rows of the pages that were used since the last time.
    mutating func takeRows() -> LeafValues {
        result.dense = joined(pages)
        pages.removeAll(keepingCapacity: true)
        var rows = LeafValues()
        if isFlat, leaf.definitionMax > 0 { rows.validity = Validity(repeating: true, count: 0) }
        swap(&rows, &result)
        return rows
    }

    /// Goes to row `row` of a flat column without looking at the pages before it.
    mutating func jump(toRow row: Int) { place = row }

    /// Entries that were used or passed over: the row of a flat column that comes next.
    var nextRow: Int { place }

    /// Refuses counts that nobody writes.
    func checkCount(at position: Int64) throws(ParquetFailure) {
        guard chunk.valueCount >= 0 else {
            throw .corrupt("column chunk of \(chunk.valueCount) values", position: position)
        }
        guard chunk.valueCount <= Int64(options.chunkValuesMax) else {
            throw .tooLarge(
                what: "number of values in a column chunk", value: chunk.valueCount,
                limit: Int64(options.chunkValuesMax))
        }
    }

    /// Decodes a page.
    mutating func use(_ stored: StoredPage) throws(ParquetFailure) {
        let position = stored.position
        try stored.verify()
        switch stored.header.kind {
        case .other: break
        case .dictionary(let count, let encoding):
            guard dictionary == nil, place == 0 else {
                throw .corrupt("a second or late dictionary page", position: position)
            }
            let plain = try stored.expanded(chunk.codec)
            try decoding(at: position) { () throws(DecodeFailure) in
                try readDictionary(plain, count: Int(count), encoding: encoding)
            }
        case .data(let page):
            let content = try stored.expanded(chunk.codec)
            try decoding(at: position) { () throws(DecodeFailure) in
                try data(page, content)
            }
        case .dataV2(let page): try dataV2(page, stored)
        }
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
        guard count >= 0, Int64(count) <= chunk.valueCount - Int64(place) else {
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
        place += count
    }

    private mutating func dataV2(
        _ page: PageHeader.DataPageV2, _ whole: StoredPage
    ) throws(ParquetFailure) {
        let (stored, position) = (whole.stored, whole.position)
        let repetitionBytes = Int(page.repetitionBytes)
        let definitionBytes = Int(page.definitionBytes)
        let levelBytes = repetitionBytes + definitionBytes
        guard repetitionBytes >= 0, definitionBytes >= 0, levelBytes <= stored.count,
            levelBytes <= whole.header.uncompressedBytes
        else { throw .corrupt("levels longer than their page", position: position) }
        let content = try whole.expandedValues(
            chunk.codec, behind: levelBytes, isCompressed: page.isCompressed)
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
            place += count
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
        if place == 0, let first = levels.first, first != 0 {
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
            throw .unsupported("page encoding \(encodingName(encoding))")
        }
        // A page of NULLs may have no values section at all.
        if count == 0 {
            if pages.isEmpty { pages.append(try leaf.decodePlain(.empty, count: 0)) }
            return
        }
        if known == .rleDictionary || known == .plainDictionary {
            let (codes, values) = try dictionaryCodes(bytes, count: count)
            if keepsCodes {
                result.codes = codes
            } else if isFlat, leaf.type == .text, case .text(let texts) = values {
                pages.append(.dictionary(codes: codes, values: texts))
            } else {
                pages.append(gather(values, codes[...]))
            }
        } else {
            pages.append(try leaf.decode(bytes, known, count: count, options))
        }
        // What an empty first page said about the layout is not needed any more.
        if pages.count == 2, isEmptyPlaceholder(pages[0]) { pages.removeFirst() }
    }

    private func isEmptyPlaceholder(_ data: ColumnData) -> Bool {
        Column(type: leaf.type, data: data).count == 0
    }

    /// Codes, each of which is a valid index of the values.
    private func dictionaryCodes(
        _ bytes: Bytes, count: Int
    ) throws(DecodeFailure) -> ([Int32], ColumnData) {
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
        return (codes, dictionary.values)
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
        case (.alp, .float):
            return .float64(try decodeAlp(bytes, count: count, as: Float.self).map(Double.init))
        case (.alp, .double):
            return .float64(try decodeAlp(bytes, count: count, as: Double.self))
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
