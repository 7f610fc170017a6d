// What a file says about the pages of a column chunk (layouts: PageIndex.md of the format). Other
// writers have got it wrong, so it is only used when it agrees with itself and with the pages; a
// reader that finds it wrong reads the whole chunk.

import Base
import Columns

/// Place and rows of one data page.
struct PageLocation: Sendable {
    /// Of its header.
    var position: Int64
    /// Header included.
    var byteCount: Int
    var rows: Range<Int>
}

/// `OffsetIndex`, checked.
struct OffsetIndex: Sendable {
    private(set) var pages: [PageLocation] = []

    /// nil when it contradicts itself, the chunk or the row group.
    init?(_ bytes: Bytes, chunk: Range<Int64>, rowCount: Int) {
        do throws(DecodeFailure) {
            try self.init(decoding: bytes, rowCount: rowCount)
        } catch {
            return nil
        }
        guard let first = pages.first, first.rows.lowerBound == 0 else { return nil }
        var end = chunk.lowerBound
        for page in pages {
            guard page.position >= end, page.byteCount > 0,
                Int64(page.byteCount) <= chunk.upperBound - page.position
            else { return nil }
            end = page.position + Int64(page.byteCount)
        }
    }

    private init(decoding bytes: Bytes, rowCount: Int) throws(DecodeFailure) {
        var reader = ThriftReader(bytes)
        var locations: [(position: Int64, byteCount: Int, firstRow: Int)] = []
        var last: Int16 = 0
        while let field = try reader.field(after: &last) {
            guard field.id == 1, field.type == .list else {
                try reader.skip(field.type)
                continue
            }
            for _ in 0..<(try reader.list(of: .structure)) {
                locations.append(try Self.location(&reader))
            }
        }
        for (index, location) in locations.enumerated() {
            let next = index + 1 < locations.count ? locations[index + 1].firstRow : rowCount
            guard location.firstRow >= 0, location.firstRow <= next, next <= rowCount else {
                throw .invalid(what: "first row", value: Int64(location.firstRow), position: 0)
            }
            pages.append(
                PageLocation(
                    position: location.position, byteCount: location.byteCount,
                    rows: location.firstRow..<next))
        }
    }

    private static func location(
        _ reader: inout ThriftReader
    ) throws(DecodeFailure) -> (position: Int64, byteCount: Int, firstRow: Int) {
        var result = (position: Int64(-1), byteCount: 0, firstRow: -1)
        var last: Int16 = 0
        while let field = try reader.field(after: &last) {
            switch (field.id, field.type) {
            case (1, .int64): result.position = try reader.int64()
            case (2, .int32): result.byteCount = Int(try reader.int32())
            case (3, .int64): result.firstRow = Int(try reader.int64())
            default: try reader.skip(field.type)
            }
        }
        return result
    }
}

/// Where the pages of a chunk are, if the file says so and was found to be right so far. Read when
/// somebody asks: a scan of all pages never does, and each index is a request to an object store.
struct LazyOffsetIndex: Sendable {
    private let file: ParquetFile
    private let rowGroup: Int
    private let leaf: Int
    private var known: OffsetIndex??

    init(_ file: ParquetFile, rowGroup: Int, leaf: Int) {
        self.file = file
        self.rowGroup = rowGroup
        self.leaf = leaf
    }

    mutating func pages() throws(ParquetFailure) -> [PageLocation]? {
        if let known { return known?.pages }
        let read = try file.offsetIndex(rowGroup: rowGroup, leaf: leaf)
        known = .some(read)
        return read?.pages
    }

    /// What it says was found to be wrong.
    mutating func forget() { known = .some(nil) }
}

/// `ColumnIndex`
struct ColumnIndex: Sendable {
    var isNullPage: [Bool] = []
    var minimums: [Bytes] = []
    var maximums: [Bytes] = []
    var nullCounts: [Int64] = []

    /// nil when it does not speak of `pageCount` pages.
    init?(_ bytes: Bytes, pageCount: Int) {
        do throws(DecodeFailure) {
            try self.init(decoding: bytes)
        } catch {
            return nil
        }
        guard isNullPage.count == pageCount, minimums.count == pageCount,
            maximums.count == pageCount, nullCounts.isEmpty || nullCounts.count == pageCount
        else { return nil }
    }

    private init(decoding bytes: Bytes) throws(DecodeFailure) {
        var reader = ThriftReader(bytes)
        var last: Int16 = 0
        while let field = try reader.field(after: &last) {
            switch (field.id, field.type) {
            case (1, .list):
                for _ in 0..<(try reader.list(of: .yes)) {
                    isNullPage.append(try reader.int8() == 1)
                }
            case (2, .list):
                for _ in 0..<(try reader.list(of: .binary)) {
                    minimums.append(try reader.binary())
                }
            case (3, .list):
                for _ in 0..<(try reader.list(of: .binary)) {
                    maximums.append(try reader.binary())
                }
            case (5, .list):
                for _ in 0..<(try reader.list(of: .int64)) {
                    nullCounts.append(try reader.int64())
                }
            default: try reader.skip(field.type)
            }
        }
    }

    /// The bounds of one page, in the terms of statistics of a chunk.
    func statistics(_ page: Int) -> ChunkStatistics {
        var result = ChunkStatistics()
        result.nullCount = nullCounts.isEmpty ? nil : nullCounts[page]
        if !isNullPage[page] {
            result.minimum = minimums[page]
            result.maximum = maximums[page]
        }
        return result
    }
}

/// An index of more bytes is not read: it would cost more than it saves.
private let indexBytesMax: Int64 = 4 << 20

extension ParquetFile {
    /// Where the pages of a chunk are; nil when the file does not say, or not credibly.
    func offsetIndex(rowGroup: Int, leaf number: Int) throws(ParquetFailure) -> OffsetIndex? {
        let group = metadata.rowGroups[rowGroup]
        let chunk = group.columns[number]
        guard chunk.obstacle == nil, chunk.valueCount > 0,
            let bytes = try indexBytes(chunk.offsetIndex)
        else { return nil }
        let whole = try range(of: chunk, fileSchema.leaves[number])
        return OffsetIndex(bytes, chunk: whole, rowCount: Int(group.rowCount))
    }

    /// The bounds of a chunk's pages; nil when the file does not say, or in an unknown order.
    func columnIndex(
        rowGroup: Int, leaf number: Int, pageCount: Int
    ) throws(ParquetFailure) -> ColumnIndex? {
        let hasOrder =
            metadata.hasTypeOrder.indices.contains(number) && metadata.hasTypeOrder[number]
        let chunk = metadata.rowGroups[rowGroup].columns[number]
        guard hasOrder, let bytes = try indexBytes(chunk.columnIndex) else { return nil }
        return ColumnIndex(bytes, pageCount: pageCount)
    }

    private func indexBytes(_ range: Range<Int64>?) throws(ParquetFailure) -> Bytes? {
        guard let range, range.lowerBound >= 4, range.upperBound <= byteCount - 8,
            range.upperBound - range.lowerBound <= indexBytesMax
        else { return nil }
        return try read(range)
    }
}
