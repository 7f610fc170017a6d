import Base

extension FileMetadata {
    /// The footer without its length and mark. `leaves` are those of `schema`.
    func encoded(leaves: [WriteLeaf], chunks: [[WrittenChunk]]) -> Bytes {
        var writer = ThriftWriter()
        writer.int32(1, version)
        writer.list(2, of: .structure, count: schema.count)
        for (index, element) in schema.enumerated() {
            writer.beginElement()
            element.write(to: &writer, isRoot: index == 0)
            writer.endStructure()
        }
        writer.int64(3, rowCount)
        writer.list(4, of: .structure, count: chunks.count)
        for (ordinal, group) in chunks.enumerated() {
            writer.beginElement()
            Self.writeRowGroup(
                group, rowCount: rowGroups[ordinal].rowCount, ordinal: ordinal, leaves: leaves,
                to: &writer)
            writer.endStructure()
        }
        if !keyValues.isEmpty {
            writer.list(5, of: .structure, count: keyValues.count)
            for entry in keyValues {
                writer.beginElement()
                writer.string(1, entry.key)
                if let value = entry.value { writer.string(2, value) }
                writer.endStructure()
            }
        }
        if let createdBy { writer.string(6, createdBy) }
        writer.list(7, of: .structure, count: leaves.count)
        for _ in leaves {
            writer.beginElement()
            // TYPE_ORDER: without it readers drop the bounds.
            writer.tag(1)
            writer.endStructure()
        }
        return writer.finish()
    }

    private static func writeRowGroup(
        _ chunks: [WrittenChunk], rowCount: Int64, ordinal: Int, leaves: [WriteLeaf],
        to writer: inout ThriftWriter
    ) {
        writer.list(1, of: .structure, count: chunks.count)
        for (chunk, leaf) in zip(chunks, leaves) {
            writer.beginElement()
            // `file_offset` = 0: the metadata stands nowhere else.
            writer.int64(2, 0)
            writer.beginStructure(3)
            chunk.write(leaf, to: &writer)
            writer.endStructure()
            if let range = chunk.offsetIndex {
                writer.int64(4, range.lowerBound)
                writer.int32(5, Int32(range.count))
            }
            if let range = chunk.columnIndex {
                writer.int64(6, range.lowerBound)
                writer.int32(7, Int32(range.count))
            }
            writer.endStructure()
        }
        writer.int64(2, chunks.reduce(0) { $0 + $1.uncompressedBytes })
        writer.int64(3, rowCount)
        if let first = chunks.first {
            writer.int64(5, first.dictionaryPagePosition ?? first.dataPagePosition)
        }
        writer.int64(6, chunks.reduce(0) { $0 + $1.compressedBytes })
        if let ordinal = Int16(exactly: ordinal) { writer.int16(7, ordinal) }
    }
}

extension SchemaElement {
    fileprivate func write(to writer: inout ThriftWriter, isRoot: Bool) {
        if let type { writer.int32(1, type.rawValue) }
        if type == .fixed { writer.int32(2, Int32(typeLength)) }
        if !isRoot { writer.int32(3, repetition.rawValue) }
        writer.string(4, name)
        if type == nil { writer.int32(5, Int32(childCount)) }
        if let converted = annotation.convertedType { writer.int32(6, converted) }
        if case .decimal(let precision, let scale) = annotation {
            writer.int32(7, Int32(scale))
            writer.int32(8, Int32(precision))
        }
        if let fieldID { writer.int32(9, fieldID) }
        if annotation != .none {
            writer.beginStructure(10)
            annotation.write(to: &writer)
            writer.endStructure()
        }
    }
}

extension Annotation {
    /// The number of the older `ConvertedType`, where there is one.
    fileprivate var convertedType: Int32? {
        switch self {
        case .string: 0
        case .map: 1
        case .list: 3
        case .enumeration: 4
        case .decimal: 5
        case .date: 6
        // Old readers take it for UTC, so local timestamps have none.
        case .timestamp(.milliseconds, true): 9
        case .timestamp(.microseconds, true): 10
        case .integer(16, true): 16
        case .integer(32, true): 17
        case .integer(64, true): 18
        case .json: 19
        case .bson: 20
        default: nil
        }
    }

    /// The member of the union `LogicalType`.
    fileprivate func write(to writer: inout ThriftWriter) {
        switch self {
        case .string: writer.tag(1)
        case .map: writer.tag(2)
        case .list: writer.tag(3)
        case .enumeration: writer.tag(4)
        case .decimal(let precision, let scale):
            writer.beginStructure(5)
            writer.int32(1, Int32(scale))
            writer.int32(2, Int32(precision))
            writer.endStructure()
        case .date: writer.tag(6)
        case .timestamp(let unit, let isAdjustedToUTC):
            writer.beginStructure(8)
            writer.bool(1, isAdjustedToUTC)
            writer.beginStructure(2)
            writer.tag(unit.rawValue)
            writer.endStructure()
            writer.endStructure()
        case .integer(let bits, let isSigned):
            writer.beginStructure(10)
            writer.int8(1, Int8(bits))
            writer.bool(2, isSigned)
            writer.endStructure()
        case .unknown: writer.tag(11)
        case .json: writer.tag(12)
        case .bson: writer.tag(13)
        case .uuid: writer.tag(14)
        case .float16: writer.tag(15)
        case .variant:
            writer.beginStructure(16)
            writer.int8(1, 1)
            writer.endStructure()
        case .none, .time, .interval, .other: preconditionFailure("not a type that is written")
        }
    }
}

/// A column chunk as the footer describes it.
struct WrittenChunk {
    var codec: ParquetCodec
    var valueCount: Int
    var uncompressedBytes: Int64 = 0
    var compressedBytes: Int64 = 0
    var dataPagePosition: Int64 = 0
    var dictionaryPagePosition: Int64?
    var dataPageCount = 0
    var statistics = ChunkStatistics()
    var columnIndex: Range<Int64>?
    var offsetIndex: Range<Int64>?
    var bloomFilter: Range<Int64>?
    /// Written behind the last row group.
    var pages: [WrittenPage] = []

    fileprivate func write(_ leaf: WriteLeaf, to writer: inout ThriftWriter) {
        let isDictionary = dictionaryPagePosition != nil
        writer.int32(1, leaf.physical.rawValue)
        var encodings: [PageEncoding] = isDictionary ? [.plain, .rleDictionary] : [.plain]
        if leaf.definitionMax > 0 || leaf.repetitionMax > 0 { encodings.append(.rle) }
        writer.list(2, of: .int32, count: encodings.count)
        for encoding in encodings { writer.element(encoding.rawValue) }
        writer.list(3, of: .binary, count: leaf.path.count)
        for name in leaf.path { writer.element(name) }
        writer.int32(4, codec.rawValue)
        writer.int64(5, Int64(valueCount))
        writer.int64(6, uncompressedBytes)
        writer.int64(7, compressedBytes)
        writer.int64(9, dataPagePosition)
        if let dictionaryPagePosition { writer.int64(11, dictionaryPagePosition) }
        writer.beginStructure(12)
        statistics.write(to: &writer)
        writer.endStructure()
        writer.list(13, of: .structure, count: isDictionary ? 2 : 1)
        if isDictionary { Self.writeEncodingCount(2, .plain, 1, to: &writer) }
        Self.writeEncodingCount(
            0, isDictionary ? .rleDictionary : .plain, dataPageCount, to: &writer)
        if let bloomFilter {
            writer.int64(14, bloomFilter.lowerBound)
            writer.int32(15, Int32(bloomFilter.count))
        }
    }

    private static func writeEncodingCount(
        _ pageType: Int32, _ encoding: PageEncoding, _ count: Int, to writer: inout ThriftWriter
    ) {
        writer.beginElement()
        writer.int32(1, pageType)
        writer.int32(2, encoding.rawValue)
        writer.int32(3, Int32(count))
        writer.endStructure()
    }
}

extension ChunkStatistics {
    fileprivate func write(to writer: inout ThriftWriter) {
        if let nullCount { writer.int64(3, nullCount) }
        if let maximum { writer.binary(5, maximum) }
        if let minimum { writer.binary(6, minimum) }
        if maximum != nil { writer.bool(7, isMaximumExact ?? true) }
        if minimum != nil { writer.bool(8, isMinimumExact ?? true) }
        if let nanCount { writer.int64(9, nanCount) }
    }
}

/// A data page as the page index describes it.
struct WrittenPage {
    var position: Int64
    /// Header included.
    var byteCount: Int
    var firstRow: Int64
    var nullCount: Int64
    /// nil for a page of NULLs.
    var minimum: Bytes?
    var maximum: Bytes?
}

/// Whether the bounds of pages rise, fall, or neither.
enum BoundaryOrder: Int32 {
    case unordered = 0
    case ascending = 1
    case descending = 2
}

/// `ColumnIndex`
func encodedColumnIndex(_ pages: [WrittenPage], _ order: BoundaryOrder) -> Bytes {
    var writer = ThriftWriter()
    writer.list(1, of: .yes, count: pages.count)
    for page in pages { writer.element(page.minimum == nil) }
    writer.list(2, of: .binary, count: pages.count)
    for page in pages { writer.element(page.minimum ?? .empty) }
    writer.list(3, of: .binary, count: pages.count)
    for page in pages { writer.element(page.maximum ?? .empty) }
    writer.int32(4, order.rawValue)
    writer.list(5, of: .int64, count: pages.count)
    for page in pages { writer.element(page.nullCount) }
    return writer.finish()
}

/// `OffsetIndex`
func encodedOffsetIndex(_ pages: [WrittenPage]) -> Bytes {
    var writer = ThriftWriter()
    writer.list(1, of: .structure, count: pages.count)
    for page in pages {
        writer.beginElement()
        writer.int64(1, page.position)
        writer.int32(2, Int32(page.byteCount))
        writer.int64(3, page.firstRow)
        writer.endStructure()
    }
    return writer.finish()
}

extension PageHeader {
    func encoded() -> Bytes {
        var writer = ThriftWriter()
        switch kind {
        case .data: writer.int32(1, 0)
        case .dictionary: writer.int32(1, 2)
        case .dataV2: writer.int32(1, 3)
        case .other: preconditionFailure("not a page that is written")
        }
        writer.int32(2, Int32(uncompressedBytes))
        writer.int32(3, Int32(compressedBytes))
        if let checksum { writer.int32(4, Int32(bitPattern: checksum)) }
        switch kind {
        case .data(let page):
            writer.beginStructure(5)
            writer.int32(1, page.valueCount)
            writer.int32(2, page.encoding)
            writer.int32(3, page.definitionEncoding)
            writer.int32(4, page.repetitionEncoding)
            writer.endStructure()
        case .dictionary(let count, let encoding):
            writer.beginStructure(7)
            writer.int32(1, count)
            writer.int32(2, encoding)
            writer.endStructure()
        case .dataV2(let page):
            writer.beginStructure(8)
            writer.int32(1, page.valueCount)
            writer.int32(4, page.encoding)
            writer.int32(5, page.definitionBytes)
            writer.int32(6, page.repetitionBytes)
            writer.bool(7, page.isCompressed)
            writer.endStructure()
        case .other: break
        }
        return writer.finish()
    }
}
