import Base

// Every list is read element by element, and every element must carry its required fields, so that
// memory stays in proportion to the bytes of the footer.

/// A schema of more elements is not one of a table.
private let schemaElementsMax = 100_000

extension FileMetadata {
    init(_ footer: Bytes) throws(DecodeFailure) {
        var reader = ThriftReader(footer)
        var version: Int32?
        var schema: [SchemaElement] = []
        var rowCount: Int64?
        var rowGroups: [RowGroupMetadata] = []
        var keyValues: [(key: String, value: String?)] = []
        var createdBy: String?
        var hasTypeOrder: [Bool] = []
        var last: Int16 = 0
        while let field = try reader.field(after: &last) {
            switch (field.id, field.type) {
            case (1, .int32): version = try reader.int32()
            case (2, .list):
                let count = try reader.list(of: .structure)
                guard count <= schemaElementsMax else {
                    throw .tooLarge(
                        what: "number of schema elements", value: Int64(count),
                        limit: Int64(schemaElementsMax))
                }
                for _ in 0..<count { schema.append(try SchemaElement(&reader)) }
            case (3, .int64): rowCount = try reader.int64()
            case (4, .list):
                for _ in 0..<(try reader.list(of: .structure)) {
                    rowGroups.append(try RowGroupMetadata(&reader))
                }
            case (5, .list):
                for _ in 0..<(try reader.list(of: .structure)) {
                    keyValues.append(try readKeyValue(&reader))
                }
            case (6, .binary): createdBy = try reader.binary().text
            case (7, .list):
                for _ in 0..<(try reader.list(of: .structure)) {
                    hasTypeOrder.append(try readColumnOrder(&reader))
                }
            default: try reader.skip(field.type)
            }
        }
        guard let version, let rowCount, !schema.isEmpty else {
            throw .malformed("footer lacks a required field", position: reader.position)
        }
        self.init(
            version: version, schema: schema, rowCount: rowCount, rowGroups: rowGroups,
            keyValues: keyValues, createdBy: createdBy, hasTypeOrder: hasTypeOrder)
    }
}

private func readKeyValue(
    _ reader: inout ThriftReader
) throws(DecodeFailure) -> (key: String, value: String?) {
    var key = ""
    var value: String?
    var last: Int16 = 0
    while let field = try reader.field(after: &last) {
        switch (field.id, field.type) {
        case (1, .binary): key = try reader.binary().text
        case (2, .binary): value = try reader.binary().text
        default: try reader.skip(field.type)
        }
    }
    return (key, value)
}

/// Whether a `ColumnOrder` is the one that the type defines. An order that is not known here makes
/// the bounds of its column useless.
private func readColumnOrder(_ reader: inout ThriftReader) throws(DecodeFailure) -> Bool {
    var isTypeOrder = false
    var last: Int16 = 0
    while let field = try reader.field(after: &last) {
        if field.id == 1 { isTypeOrder = true }
        try reader.skip(field.type)
    }
    return isTypeOrder
}

extension SchemaElement {
    init(_ reader: inout ThriftReader) throws(DecodeFailure) {
        let start = reader.position
        var name: String?
        var converted: Int32?
        var precision: Int32 = 0
        var scale: Int32 = 0
        var logical: Annotation?
        self.init(name: "")
        var last: Int16 = 0
        while let field = try reader.field(after: &last) {
            switch (field.id, field.type) {
            case (1, .int32): type = try physicalType(&reader)
            case (2, .int32):
                typeLength = Int(try reader.int32())
            case (3, .int32):
                let number = try reader.int32()
                if number == 3 { throw .unsupported("columns of fixed-size vectors") }
                guard let known = Repetition(rawValue: number) else {
                    throw .invalid(
                        what: "repetition", value: Int64(number), position: reader.position)
                }
                repetition = known
            case (4, .binary): name = try reader.string()
            case (5, .int32):
                let count = try reader.int32()
                guard count >= 0 else {
                    throw .invalid(
                        what: "number of children", value: Int64(count), position: reader.position)
                }
                childCount = Int(count)
            case (6, .int32): converted = try reader.int32()
            case (7, .int32): scale = try reader.int32()
            case (8, .int32): precision = try reader.int32()
            case (9, .int32): fieldID = try reader.int32()
            case (10, .structure): logical = try readLogicalType(&reader)
            default: try reader.skip(field.type)
            }
        }
        guard let name else {
            throw .malformed("schema element without a name", position: start)
        }
        self.name = name
        annotation =
            logical ?? converted.map { convertedType($0, precision: precision, scale: scale) }
            ?? .none
    }
}

private func physicalType(_ reader: inout ThriftReader) throws(DecodeFailure) -> PhysicalType {
    let number = try reader.int32()
    guard let type = PhysicalType(rawValue: number) else {
        throw .invalid(what: "physical type", value: Int64(number), position: reader.position)
    }
    return type
}

private func convertedType(_ number: Int32, precision: Int32, scale: Int32) -> Annotation {
    switch number {
    case 0: .string
    case 1, 2: .map
    case 3: .list
    case 4: .enumeration
    case 5: .decimal(precision: Int(precision), scale: Int(scale))
    case 6: .date
    case 7: .time(.milliseconds, isAdjustedToUTC: true)
    case 8: .time(.microseconds, isAdjustedToUTC: true)
    case 9: .timestamp(.milliseconds, isAdjustedToUTC: true)
    case 10: .timestamp(.microseconds, isAdjustedToUTC: true)
    case 11: .integer(bits: 8, isSigned: false)
    case 12: .integer(bits: 16, isSigned: false)
    case 13: .integer(bits: 32, isSigned: false)
    case 14: .integer(bits: 64, isSigned: false)
    case 15: .integer(bits: 8, isSigned: true)
    case 16: .integer(bits: 16, isSigned: true)
    case 17: .integer(bits: 32, isSigned: true)
    case 18: .integer(bits: 64, isSigned: true)
    case 19: .json
    case 20: .bson
    case 21: .interval
    default: .other
    }
}

/// The union `LogicalType`.
private func readLogicalType(_ reader: inout ThriftReader) throws(DecodeFailure) -> Annotation {
    var result = Annotation.other
    var last: Int16 = 0
    while let field = try reader.field(after: &last) {
        guard field.type == .structure else {
            try reader.skip(field.type)
            continue
        }
        switch field.id {
        case 5: result = try readDecimalType(&reader)
        case 7, 8: result = try readTimeType(&reader, isTimestamp: field.id == 8)
        case 10: result = try readIntType(&reader)
        default:
            try reader.skip(.structure)
            switch field.id {
            case 1: result = .string
            case 2: result = .map
            case 3: result = .list
            case 4: result = .enumeration
            case 6: result = .date
            case 11: result = .unknown
            case 12: result = .json
            case 13: result = .bson
            case 14: result = .uuid
            case 15: result = .float16
            case 16: result = .variant
            default: result = .other
            }
        }
    }
    return result
}

private func readDecimalType(_ reader: inout ThriftReader) throws(DecodeFailure) -> Annotation {
    var scale: Int32 = 0
    var precision: Int32 = 0
    var last: Int16 = 0
    while let field = try reader.field(after: &last) {
        switch (field.id, field.type) {
        case (1, .int32): scale = try reader.int32()
        case (2, .int32): precision = try reader.int32()
        default: try reader.skip(field.type)
        }
    }
    return .decimal(precision: Int(precision), scale: Int(scale))
}

private func readTimeType(
    _ reader: inout ThriftReader, isTimestamp: Bool
) throws(DecodeFailure) -> Annotation {
    var isAdjustedToUTC = false
    var unit: TimeUnit?
    var last: Int16 = 0
    while let field = try reader.field(after: &last) {
        switch (field.id, field.type) {
        case (1, .yes): isAdjustedToUTC = true
        case (2, .structure):
            var lastUnit: Int16 = 0
            while let member = try reader.field(after: &lastUnit) {
                unit = TimeUnit(rawValue: member.id) ?? unit
                try reader.skip(member.type)
            }
        default: try reader.skip(field.type)
        }
    }
    guard let unit else { return .other }
    return isTimestamp
        ? .timestamp(unit, isAdjustedToUTC: isAdjustedToUTC)
        : .time(unit, isAdjustedToUTC: isAdjustedToUTC)
}

private func readIntType(_ reader: inout ThriftReader) throws(DecodeFailure) -> Annotation {
    var bits = 0
    var isSigned = false
    var last: Int16 = 0
    while let field = try reader.field(after: &last) {
        switch (field.id, field.type) {
        case (1, .int8): bits = Int(try reader.int8())
        case (2, .yes): isSigned = true
        default: try reader.skip(field.type)
        }
    }
    return .integer(bits: bits, isSigned: isSigned)
}

extension RowGroupMetadata {
    init(_ reader: inout ThriftReader) throws(DecodeFailure) {
        let start = reader.position
        var columns: [ColumnChunk]?
        var rowCount: Int64?
        var totalBytes: Int64 = 0
        var last: Int16 = 0
        while let field = try reader.field(after: &last) {
            switch (field.id, field.type) {
            case (1, .list):
                var chunks: [ColumnChunk] = []
                for _ in 0..<(try reader.list(of: .structure)) {
                    chunks.append(try ColumnChunk(&reader))
                }
                columns = chunks
            case (2, .int64): totalBytes = try reader.int64()
            case (3, .int64): rowCount = try reader.int64()
            default: try reader.skip(field.type)
            }
        }
        guard let columns, let rowCount else {
            throw .malformed("row group lacks a required field", position: start)
        }
        self.init(columns: columns, rowCount: rowCount, totalBytes: totalBytes)
    }
}

extension ColumnChunk {
    init(_ reader: inout ThriftReader) throws(DecodeFailure) {
        let start = reader.position
        var chunk: ColumnChunk?
        var obstacle: String?
        var positions: [Int64?] = [nil, nil]
        var lengths: [Int32?] = [nil, nil]
        var last: Int16 = 0
        while let field = try reader.field(after: &last) {
            switch (field.id, field.type) {
            case (1, .binary):
                _ = try reader.binary()
                obstacle = "column chunks in other files"
            case (3, .structure): chunk = try readColumnMetadata(&reader)
            case (4, .int64): positions[0] = try reader.int64()
            case (5, .int32): lengths[0] = try reader.int32()
            case (6, .int64): positions[1] = try reader.int64()
            case (7, .int32): lengths[1] = try reader.int32()
            case (8, .structure): obstacle = try readCryptoMetadata(&reader)
            default: try reader.skip(field.type)
            }
        }
        // The metadata of an encrypted column may be encrypted, too.
        guard var chunk = chunk ?? (obstacle == nil ? nil : ColumnChunk()) else {
            throw .malformed("column chunk without metadata", position: start)
        }
        func range(_ index: Int) -> Range<Int64>? {
            guard let position = positions[index], let length = lengths[index], position >= 0,
                length > 0
            else { return nil }
            let (end, overflow) = position.addingReportingOverflow(Int64(length))
            return overflow ? nil : position..<end
        }
        chunk.obstacle = obstacle
        chunk.offsetIndex = range(0)
        chunk.columnIndex = range(1)
        self = chunk
    }
}

/// The union `ColumnCryptoMetaData`, as its refusal.
private func readCryptoMetadata(_ reader: inout ThriftReader) throws(DecodeFailure) -> String {
    var key = "a key that is not known"
    var last: Int16 = 0
    while let field = try reader.field(after: &last) {
        if field.id == 1 { key = "ENCRYPTION_WITH_FOOTER_KEY" }
        if field.id == 2 { key = "ENCRYPTION_WITH_COLUMN_KEY" }
        try reader.skip(field.type)
    }
    return "encrypted columns (\(key))"
}

extension ColumnChunk {
    /// A chunk of which nothing is known.
    fileprivate init() {
        self.init(
            type: .int32, codec: 0, valueCount: 0, uncompressedBytes: 0, compressedBytes: 0,
            dataPagePosition: 4)
    }
}

private func readColumnMetadata(
    _ reader: inout ThriftReader
) throws(DecodeFailure) -> ColumnChunk {
    let start = reader.position
    var type: PhysicalType?
    var codec: Int32?
    var valueCount: Int64?
    var uncompressed: Int64?
    var compressed: Int64?
    var dataPage: Int64?
    var dictionaryPage: Int64?
    var statistics: ChunkStatistics?
    var encodings: [Int32] = []
    var bloomFilter: (position: Int64?, bytes: Int64?) = (nil, nil)
    var last: Int16 = 0
    while let field = try reader.field(after: &last) {
        switch (field.id, field.type) {
        case (1, .int32): type = try physicalType(&reader)
        case (2, .list):
            for _ in 0..<(try reader.list(of: .int32)) { encodings.append(try reader.int32()) }
        case (4, .int32): codec = try reader.int32()
        case (5, .int64): valueCount = try reader.int64()
        case (6, .int64): uncompressed = try reader.int64()
        case (7, .int64): compressed = try reader.int64()
        case (9, .int64): dataPage = try reader.int64()
        case (11, .int64): dictionaryPage = try reader.int64()
        case (12, .structure): statistics = try ChunkStatistics(&reader)
        case (14, .int64): bloomFilter.position = try reader.int64()
        case (15, .int32): bloomFilter.bytes = Int64(try reader.int32())
        default: try reader.skip(field.type)
        }
    }
    guard let type, let codec, let valueCount, let uncompressed, let compressed, let dataPage else {
        throw .malformed("column metadata lacks a required field", position: start)
    }
    return ColumnChunk(
        type: type, codec: codec, valueCount: valueCount, uncompressedBytes: uncompressed,
        compressedBytes: compressed, dataPagePosition: dataPage,
        dictionaryPagePosition: dictionaryPage, statistics: statistics, encodings: encodings,
        bloomFilterPosition: bloomFilter.position, bloomFilterBytes: bloomFilter.bytes)
}

extension ChunkStatistics {
    init(_ reader: inout ThriftReader) throws(DecodeFailure) {
        self.init()
        var last: Int16 = 0
        while let field = try reader.field(after: &last) {
            switch (field.id, field.type) {
            case (1, .binary): oldMaximum = try reader.binary()
            case (2, .binary): oldMinimum = try reader.binary()
            case (3, .int64): nullCount = try reader.int64()
            case (5, .binary): maximum = try reader.binary()
            case (6, .binary): minimum = try reader.binary()
            case (7, .yes), (7, .no): isMaximumExact = field.type == .yes
            case (8, .yes), (8, .no): isMinimumExact = field.type == .yes
            case (9, .int64): nanCount = try reader.int64()
            default: try reader.skip(field.type)
            }
        }
    }
}

extension PageHeader {
    init(_ reader: inout ThriftReader) throws(DecodeFailure) {
        let start = reader.position
        var type: Int32?
        var uncompressed: Int32?
        var compressed: Int32?
        var checksum: UInt32?
        var data: DataPage?
        var dataV2: DataPageV2?
        var dictionary: (valueCount: Int32, encoding: Int32)?
        var last: Int16 = 0
        while let field = try reader.field(after: &last) {
            switch (field.id, field.type) {
            case (1, .int32): type = try reader.int32()
            case (2, .int32): uncompressed = try reader.int32()
            case (3, .int32): compressed = try reader.int32()
            case (4, .int32): checksum = UInt32(bitPattern: try reader.int32())
            case (5, .structure): data = try Self.readDataPage(&reader)
            case (7, .structure): dictionary = try Self.readDictionaryPage(&reader)
            case (8, .structure): dataV2 = try Self.readDataPageV2(&reader)
            default: try reader.skip(field.type)
            }
        }
        guard let type, let uncompressed, let compressed, uncompressed >= 0, compressed >= 0 else {
            throw .malformed("page header lacks a size", position: start)
        }
        let kind: Kind
        switch type {
        case 0:
            guard let data else {
                throw .malformed("data page without its header", position: start)
            }
            kind = .data(data)
        case 2:
            guard let dictionary else {
                throw .malformed("dictionary page without its header", position: start)
            }
            kind = .dictionary(valueCount: dictionary.valueCount, encoding: dictionary.encoding)
        case 3:
            guard let dataV2 else {
                throw .malformed("data page without its header", position: start)
            }
            kind = .dataV2(dataV2)
        default: kind = .other
        }
        self.init(
            kind: kind, uncompressedBytes: Int(uncompressed), compressedBytes: Int(compressed),
            checksum: checksum)
    }

    private static func readDataPage(
        _ reader: inout ThriftReader
    ) throws(DecodeFailure) -> DataPage {
        let start = reader.position
        var numbers: [Int32?] = [nil, nil, nil, nil]
        var last: Int16 = 0
        while let field = try reader.field(after: &last) {
            switch (field.id, field.type) {
            case (1...4, .int32): numbers[Int(field.id) - 1] = try reader.int32()
            default: try reader.skip(field.type)
            }
        }
        guard let count = numbers[0], let encoding = numbers[1] else {
            throw .malformed("data page header lacks a required field", position: start)
        }
        let levels = PageEncoding.rle.rawValue
        return DataPage(
            valueCount: count, encoding: encoding, definitionEncoding: numbers[2] ?? levels,
            repetitionEncoding: numbers[3] ?? levels)
    }

    private static func readDictionaryPage(
        _ reader: inout ThriftReader
    ) throws(DecodeFailure) -> (valueCount: Int32, encoding: Int32) {
        let start = reader.position
        var count: Int32?
        var encoding: Int32?
        var last: Int16 = 0
        while let field = try reader.field(after: &last) {
            switch (field.id, field.type) {
            case (1, .int32): count = try reader.int32()
            case (2, .int32): encoding = try reader.int32()
            default: try reader.skip(field.type)
            }
        }
        guard let count, let encoding else {
            throw .malformed("dictionary page header lacks a required field", position: start)
        }
        return (count, encoding)
    }

    private static func readDataPageV2(
        _ reader: inout ThriftReader
    ) throws(DecodeFailure) -> DataPageV2 {
        let start = reader.position
        var numbers: [Int32?] = [nil, nil, nil, nil, nil, nil]
        var isCompressed = true
        var last: Int16 = 0
        while let field = try reader.field(after: &last) {
            switch (field.id, field.type) {
            case (1...6, .int32): numbers[Int(field.id) - 1] = try reader.int32()
            case (7, .no): isCompressed = false
            default: try reader.skip(field.type)
            }
        }
        guard let count = numbers[0], let encoding = numbers[3], let definition = numbers[4],
            let repetition = numbers[5]
        else {
            throw .malformed("data page header lacks a required field", position: start)
        }
        return DataPageV2(
            valueCount: count, encoding: encoding, definitionBytes: definition,
            repetitionBytes: repetition, isCompressed: isCompressed)
    }
}
