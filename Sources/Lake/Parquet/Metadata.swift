// What the footer says: structures of the format, with the names that the specification gives to
// their fields in the comments. Reading: `MetadataReading.swift`; writing: `MetadataWriting.swift`.
//
// | file | content |
// |---|---|
// | 0 | `PAR1` |
// | 4 | column chunks: `[dictionary page] data page …`, a page is a Thrift header and its bytes |
// | | column indexes, offset indexes |
// | n − 8 − length | `FileMetaData` in Thrift's compact protocol |
// | n − 8 | length of the footer, UInt32 little-endian |
// | n − 4 | `PAR1` |

import Base

enum PhysicalType: Int32, Sendable {
    case boolean = 0
    case int32 = 1
    case int64 = 2
    case int96 = 3
    case float = 4
    case double = 5
    case byteArray = 6
    case fixed = 7
}

enum PageEncoding: Int32, Sendable {
    case plain = 0
    case plainDictionary = 2
    case rle = 3
    case bitPacked = 4
    case deltaBinaryPacked = 5
    case deltaLengthByteArray = 6
    case deltaByteArray = 7
    case rleDictionary = 8
    case byteStreamSplit = 9
    case alp = 10
}

enum Repetition: Int32, Sendable {
    case required = 0
    case optional = 1
    case repeated = 2
}

enum TimeUnit: Int16, Sendable {
    case milliseconds = 1
    case microseconds = 2
    case nanoseconds = 3
}

/// The meaning of a physical type: `LogicalType`, or `ConvertedType` where a file has only that.
enum Annotation: Hashable, Sendable {
    case none
    case string
    case enumeration
    case json
    case bson
    case uuid
    case decimal(precision: Int, scale: Int)
    case date
    case time(TimeUnit, isAdjustedToUTC: Bool)
    case timestamp(TimeUnit, isAdjustedToUTC: Bool)
    case integer(bits: Int, isSigned: Bool)
    case float16
    case interval
    case unknown
    case list
    case map
    /// A group of `metadata`, `value` and perhaps `typed_value`.
    case variant
    /// Known to others; the physical type is exposed.
    case other
}

/// `SchemaElement`
struct SchemaElement: Sendable {
    var name: String
    var type: PhysicalType?
    var typeLength: Int = 0
    var repetition: Repetition = .required
    var childCount = 0
    var fieldID: Int32?
    var annotation: Annotation = .none
}

/// `Statistics`
struct ChunkStatistics: Sendable {
    var minimum: Bytes?
    var maximum: Bytes?
    /// `min` and `max`, whose order is signed whatever the type.
    var oldMinimum: Bytes?
    var oldMaximum: Bytes?
    var isMinimumExact: Bool?
    var isMaximumExact: Bool?
    var nullCount: Int64?
    var nanCount: Int64?
}

/// `ColumnChunk` with its `ColumnMetaData`
struct ColumnChunk: Sendable {
    var type: PhysicalType
    /// `CompressionCodec` by number: an unknown one matters only when the chunk is read.
    var codec: Int32
    var valueCount: Int64
    var uncompressedBytes: Int64
    var compressedBytes: Int64
    var dataPagePosition: Int64
    var dictionaryPagePosition: Int64?
    var statistics: ChunkStatistics?
    /// `encodings` by number, for descriptions.
    var encodings: [Int32] = []
    /// In another file, or encrypted: what it is, for the refusal.
    var obstacle: String?
    var bloomFilterPosition: Int64?
    var bloomFilterBytes: Int64?
    var columnIndex: Range<Int64>?
    var offsetIndex: Range<Int64>?
}

/// `RowGroup`
struct RowGroupMetadata: Sendable {
    var columns: [ColumnChunk]
    var rowCount: Int64
    var totalBytes: Int64
}

/// `FileMetaData`
struct FileMetadata: Sendable {
    var version: Int32
    var schema: [SchemaElement]
    var rowCount: Int64
    var rowGroups: [RowGroupMetadata]
    var keyValues: [(key: String, value: String?)]
    var createdBy: String?
    /// For each leaf: whether the order of its bounds is the one its type defines. Empty when the
    /// file says nothing.
    var hasTypeOrder: [Bool]
}

/// `PageHeader`
struct PageHeader: Sendable {
    enum Kind: Sendable {
        case dictionary(valueCount: Int32, encoding: Int32)
        case data(DataPage)
        case dataV2(DataPageV2)
        /// An index page or one of a kind that did not exist when this was written: skipped.
        case other

        /// Of a data page: its levels and values, NULLs included, which are rows where there are no
        /// lists.
        var entryCount: Int32? {
            switch self {
            case .data(let page): page.valueCount
            case .dataV2(let page): page.valueCount
            case .dictionary, .other: nil
            }
        }
    }

    /// `DataPageHeader`
    struct DataPage: Sendable {
        var valueCount: Int32
        var encoding: Int32
        var definitionEncoding: Int32
        var repetitionEncoding: Int32
    }

    /// `DataPageHeaderV2`
    struct DataPageV2: Sendable {
        var valueCount: Int32
        var encoding: Int32
        var definitionBytes: Int32
        var repetitionBytes: Int32
        var isCompressed: Bool
    }

    var kind: Kind
    var uncompressedBytes: Int
    var compressedBytes: Int
    var checksum: UInt32?
}

/// How pages are compressed.
package enum ParquetCodec: Int32, CaseIterable, Sendable {
    case uncompressed = 0
    case snappy = 1
    case gzip = 2
    case zstd = 6
    case lz4Raw = 7

    /// The codec's name as file names and table properties spell it.
    package var name: String {
        switch self {
        case .uncompressed: "uncompressed"
        case .snappy: "snappy"
        case .gzip: "gzip"
        case .zstd: "zstd"
        case .lz4Raw: "lz4raw"
        }
    }
}
