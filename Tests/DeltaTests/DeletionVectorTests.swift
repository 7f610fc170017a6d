import Base
import Columns
import Compression
import Delta
import Testing

struct DeletionVectorTests {
    private let one = TableSchema([Field("id", .int64)])

    // MARK: Bitmaps

    @Test(arguments: [0, 1, 2, 3, 4, 5, 6])
    func `a bitmap comes back from its bytes`(shape: Int) throws {
        var random = Random(seed: UInt64(shape))
        var rows: Set<Int64> = []
        switch shape {
        case 0: break
        case 1: rows = [0, 65_535, 65_536, 1 << 20, 1 << 33]
        case 2: for row in 0..<Int64(70_000) { rows.insert(row) }
        case 3: for _ in 0..<9000 { rows.insert(Int64(random.below(65_536))) }
        case 4: for _ in 0..<10_000 { rows.insert(Int64(random.below(1 << 24))) }
        case 5: for row in stride(from: Int64(0), to: 150_000, by: 3) { rows.insert(row) }
        default:
            for start in 0..<Int64(40) { for row in 0..<start { rows.insert(start * 9000 + row) } }
        }
        let bitmap = RowBitmap(rows.sorted())
        #expect(bitmap.count == Int64(rows.count))
        #expect(bitmap.last == rows.max())
        #expect(RowBitmap(rows) == bitmap)
        let decoded = try RowBitmap(decoding: bitmap.encoded())
        #expect(decoded == bitmap)
        #expect(decoded.encoded().array == bitmap.encoded().array)
        for _ in 0..<200 {
            let row = Int64(random.below(200_000))
            #expect(decoded.contains(row) == rows.contains(row))
        }
        for range in [Int64(0)..<10, 65_530..<65_540, 0..<70_001, 100..<100] {
            let inside = range.filter { rows.contains($0) }.map { Int32($0 - range.lowerBound) }
            #expect(decoded.rows(in: range) == inside)
            let outside = range.filter { !rows.contains($0) }.map { Int32($0 - range.lowerBound) }
            #expect(decoded.rowsOutside(of: range) == (inside.isEmpty ? nil : outside))
            #expect(decoded.count(in: range) == inside.count)
        }
    }

    @Test func `bitmaps are united whatever their containers`() {
        var random = Random(seed: 9)
        for _ in 0..<3 {
            var left: Set<Int64> = []
            var right: Set<Int64> = []
            for _ in 0..<random.within(1...3) {
                let base = Int64(random.below(4)) * 50_000
                for row in 0..<Int64(random.within(1...9000)) { left.insert(base + row) }
                for _ in 0..<random.within(1...3000) {
                    right.insert(Int64(random.below(300_000)))
                }
            }
            var union = RowBitmap(left)
            union.formUnion(RowBitmap(right))
            #expect(union == RowBitmap(left.union(right)))
            var inserted = RowBitmap(left)
            inserted.insert(right)
            #expect(inserted == union)
        }
    }

    @Test func `the older form of bitmap arrays is read`() throws {
        let rows = RowBitmap([Int64(1), 5, 70_000])
        // The portable form without its head is one bitmap behind its key.
        let portable = rows.encoded()
        let bitmap = portable[16..<portable.count]
        var writer = ByteWriter()
        writer.int32LE(1_681_511_376)
        writer.uint32LE(1)
        writer.uint32LE(UInt32(bitmap.count))
        writer.bytes(bitmap)
        #expect(try RowBitmap(decoding: writer.finish()) == rows)
    }

    @Test func `no bytes make the bitmap reader trap or take much memory`() throws {
        var random = Random(seed: 4)
        var rows: [Int64] = []
        for start in 0..<Int64(30) {
            for row in 0..<(start * 20) { rows.append(start << 16 | row) }
        }
        for _ in 0..<5000 { rows.append(Int64(random.below(65_536)) | 40 << 16) }
        let good = RowBitmap(rows).encoded().array
        for _ in 0..<3000 {
            var bytes = good
            for _ in 0..<random.within(1...4) {
                bytes[random.below(min(bytes.count, random.chance(1, in: 2) ? 300 : bytes.count))] =
                    UInt8(truncatingIfNeeded: random.next())
            }
            if random.chance(1, in: 3) { bytes.removeLast(random.below(bytes.count)) }
            guard let bitmap = try? RowBitmap(decoding: Bytes(bytes)) else { continue }
            #expect(bitmap.count >= 0)
        }
        #expect(throws: DecodeFailure.self) {
            // Four thousand million buckets in twenty bytes.
            var writer = ByteWriter()
            writer.int32LE(1_681_511_377)
            writer.uint64LE(1 << 32)
            writer.zeros(8)
            _ = try RowBitmap(decoding: writer.finish())
        }
    }

    // MARK: Files

    /// A table of one file with rows 0..<30 in groups of 8, whose deletion vector is `descriptor`.
    private func foreignTable(
        _ descriptor: String, file: (name: String, content: Bytes)? = nil
    ) throws -> ForeignTable {
        let foreign = ForeignTable()
        try foreign.begin(
            reader: 3, writer: 7, readerFeatures: ["deletionVectors"],
            writerFeatures: ["deletionVectors"], columns: idColumn)
        try foreign.putFile("a.parquet", one, (0..<30).map { [.int($0)] }, groupRows: 8)
        if let file { try foreign.put(file.name, file.content) }
        try foreign.commit(
            try foreign.add("a.parquet", #""stats":"{\"numRecords\":30}","# + descriptor))
        return foreign
    }

    /// The specification's example, in the older form, and the same rows in the portable one.
    @Test(arguments: [
        ("wi5b=000010000siXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L", 40),
        ("^Bg9^0rr910000000000iXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L", 44),
    ])
    func `rows of an inline vector are left out`(text: String, size: Int) throws {
        let foreign = try foreignTable(
            #""deletionVector":{"storageType":"i","pathOrInlineDv":"\#(text)","#
                + #""sizeInBytes":\#(size),"cardinality":6}"#)
        let expected = (0..<30).map { Int64($0) }.filter { ![3, 4, 7, 11, 18, 29].contains($0) }
        #expect(numbers(try allRows(foreign.table)) == expected)
        #expect(try foreign.table.snapshot().rowCount == 24)
        // Groups and rows that a condition skips do not shift the rows behind them.
        let some = try allRows(
            foreign.table, [ColumnRange(column: "id", lower: .int(17), upper: .int(20))])
        #expect(numbers(some) == [17, 19, 20])
    }

    private func file(_ bitmap: Bytes, checksum: UInt32? = nil, size: Int? = nil) -> Bytes {
        var writer = ByteWriter()
        writer.uint8(1)
        writer.uint32(UInt32(size ?? bitmap.count))
        writer.bytes(bitmap)
        writer.uint32(checksum ?? crc32(bitmap))
        return writer.finish()
    }

    private func descriptor(
        _ type: String, _ path: String, _ bitmap: Bytes, cardinality: Int64, offset: Int = 1
    ) -> String {
        #""deletionVector":{"storageType":"\#(type)","pathOrInlineDv":"\#(path)","#
            + #""offset":\#(offset),"sizeInBytes":\#(bitmap.count),"cardinality":\#(cardinality)}"#
    }

    private let name = "deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin"
    private let encodedName = "^-aqEH.-t@S}K{vb[*k^"

    @Test(arguments: [("u", "", ""), ("u", "ab", "ab/"), ("p", "file:///elsewhere/t/", "")])
    func `rows of a vector in a file are left out`(
        type: String, prefix: String, folder: String
    ) throws {
        let bitmap = RowBitmap([Int64(0), 8, 9, 10, 11, 12, 13, 14, 15, 29]).encoded()
        let path = type == "u" ? prefix + encodedName : prefix + name
        let foreign = try foreignTable(
            descriptor(type, path, bitmap, cardinality: 10), file: (folder + name, file(bitmap)))
        let expected = Array(Int64(1)...7) + Array(16...28)
        #expect(numbers(try allRows(foreign.table)) == expected)
    }

    @Test func `a vector that does not hold what the log says is an error`() throws {
        let bitmap = RowBitmap([Int64(0), 8]).encoded()
        func failure(_ content: Bytes, _ cardinality: Int64, offset: Int = 1) throws -> String {
            let foreign = try foreignTable(
                descriptor("u", encodedName, bitmap, cardinality: cardinality, offset: offset),
                file: (name, content))
            do {
                _ = try allRows(foreign.table)
                return "no error"
            } catch let error as DeltaFailure {
                return error.problem.message
            }
        }
        let good = file(bitmap)
        #expect(try failure(good, 3).contains("2 rows, the log says 3"))
        #expect(try failure(file(bitmap, checksum: 1), 2).contains("checksum"))
        #expect(try failure(file(bitmap, size: 9), 2).contains("9 bytes"))
        #expect(try failure(good[0..<20], 2).contains("damaged"))
        #expect(try failure(good, 2, offset: 5).contains("damaged"))
        let late = RowBitmap([Int64(30), 31]).encoded()
        let foreign = try foreignTable(
            descriptor("u", encodedName, late, cardinality: 2), file: (name, file(late)))
        #expect(throws: DeltaFailure.self) { try allRows(foreign.table) }
    }

    @Test func `a vector in somebody else's folder is refused`() throws {
        let bitmap = RowBitmap([Int64(1)]).encoded()
        for path in ["file:///etc/passwd", "/etc/passwd", "file:///x/t/../../etc/passwd"] {
            let foreign = try foreignTable(descriptor("p", path, bitmap, cardinality: 1))
            #expect(throws: DeltaFailure.self) { try allRows(foreign.table) }
        }
    }

    @Test func `damaged vectors are errors`() throws {
        var random = Random(seed: 11)
        let bitmap = RowBitmap((0..<30).filter { $0 % 3 == 0 }.map { Int64($0) }).encoded()
        let good = file(bitmap)
        for _ in 0..<40 {
            var bytes = good.array
            bytes[random.within(1...(bytes.count - 1))] ^= UInt8(1 << random.below(8))
            let foreign = try foreignTable(
                descriptor("u", encodedName, bitmap, cardinality: 10), file: (name, Bytes(bytes)))
            #expect(throws: DeltaFailure.self) { try allRows(foreign.table) }
        }
    }
}
