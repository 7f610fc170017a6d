import Base
import Columns
import Foundation
import Parquet
import Testing

// What counts here is that reading returns: a trap ends the whole test process.

@Test func `the corpus of the fuzzer is read to its end`() throws {
    let seeds = try files(in: repositoryFolder("Fuzz/FuzzParquet/corpus"), suffix: "")
    #expect(!seeds.isEmpty)
    for seed in seeds { exerciseParquet(try bytes(of: seed)) }
}

@Test(arguments: golden.indices)
func `a golden file with a byte changed is read or refused`(index: Int) throws {
    let content = try goldenBytes(golden[index].file).array
    var random = Random(seed: UInt64(index))
    // Every position of small files; of larger ones a sample, with the footer more often.
    let positions: [Int]
    if content.count < 400 {
        positions = Array(content.indices)
    } else {
        positions = (0..<60).map { round in
            round % 2 == 0
                ? random.below(content.count)
                : content.count - 1 - random.below(min(content.count, 700))
        }
    }
    for position in positions {
        var damaged = content
        damaged[position] =
            random.chance(1, in: 2)
            ? damaged[position] ^ (1 << UInt8(random.below(8)))
            : UInt8(random.below(256))
        exerciseParquet(Bytes(damaged))
    }
}

@Test(arguments: golden.indices)
func `a golden file that is cut or has a piece missing is read or refused`(index: Int) throws {
    let content = try goldenBytes(golden[index].file).array
    var random = Random(seed: 1000 + UInt64(index))
    for _ in 0..<15 {
        let cut = random.below(content.count)
        #expect(throws: ParquetFailure.self) { try ParquetFile(Bytes(content[..<cut])) }
        let start = random.below(content.count)
        let end = min(content.count, start + 1 + random.below(40))
        exerciseParquet(Bytes(content[..<start] + content[end...]))
        exerciseParquet(Bytes(content[..<start] + content[start..<end] + content[start...]))
    }
}

@Test func `our own files detect a changed page by its checksum`() throws {
    let schema = TableSchema([Field("id", .int64), Field("text", .text)])
    let columns = [
        Column(.int64, (0..<100).map { .int($0 * $0) }),
        Column(.text, (0..<100).map { .text("text \($0)") }),
    ]
    var options = ParquetWriteOptions()
    options.codec = .uncompressed
    options.usesDictionaries = false
    let content = try write(schema, [batch(columns)], options).file.array
    // The first page begins behind the mark; its header is a few dozen bytes.
    var damaged = content
    damaged[300] ^= 1
    let file = try ParquetFile(Bytes(damaged))
    #expect {
        try file.readAll()
    } throws: { error in
        guard case .corrupt(let what, position: 4) = error as? ParquetFailure else { return false }
        return what.hasPrefix("page checksum mismatch")
    }
    // The other column is not touched by it.
    #expect(try file.read(rowGroup: 0, columns: ["text"]).rowCount == 100)
}

@Test func `every changed byte of our own file is read, refused or without effect`() throws {
    let schema = TableSchema([
        Field("id", .int32), Field("tags", .list(.text)),
        Field("s", .structure([Field("x", .boolean)])),
    ])
    let columns = [
        Column(.int32, [.int(1), .null, .int(3)]),
        Column(.list(.text), [.list([.text("a"), .null]), .null, .list([])]),
        Column(
            .structure([Field("x", .boolean)]),
            [.structure([.boolean(true)]), .null, .structure([.null])]),
    ]
    var options = ParquetWriteOptions()
    options.codec = .uncompressed
    let content = try write(schema, [batch(columns)], options).file.array
    for position in content.indices {
        var damaged = content
        damaged[position] ^= 0x11
        exerciseParquet(Bytes(damaged))
    }
}

@Test func `files that are something else are refused with what is wrong`() throws {
    func failure(_ bytes: [UInt8]) -> String {
        do {
            _ = try ParquetFile(Bytes(bytes))
            return "read"
        } catch {
            return error.description
        }
    }
    #expect(failure([]).contains("it has only 0 bytes"))
    #expect(failure(Array("{\"a\": 1, \"b\": 2}".utf8)).contains("does not begin with PAR1"))
    let file = try goldenBytes("pyarrow-gzip.parquet").array
    #expect(failure(file.dropLast()).contains("does not end with PAR1"))
    #expect(failure(file.dropLast(4) + Array("PARE".utf8)).contains("encrypted footers"))
    #expect(
        failure(file.dropLast(8) + [0xFF, 0xFF, 0, 0] + Array("PAR1".utf8))
            .contains("a footer of 65535 bytes is larger than the file"))
    #expect(failure(Array("PAR1".utf8) + [0, 0, 0, 0] + Array("PAR1".utf8)).contains("truncated"))
}

@Test func `limits end a file that would fill the memory`() throws {
    // One run of definition levels stands for all rows.
    let schema = TableSchema([Field("n", .int64)])
    let nulls = batch([Column(type: .int64, data: .null(count: 100_000))])
    var writing = ParquetWriteOptions()
    writing.pageRowsMax = 100_000
    let content = try write(schema, [nulls], writing).file
    #expect(content.count < 500)
    #expect(try ParquetFile(content).readAll().rowCount == 100_000)
    var options = ParquetReadOptions()
    options.chunkValuesMax = 99_999
    #expect(
        throws: ParquetFailure.tooLarge(
            what: "number of values in a column chunk", value: 100_000, limit: 99_999)
    ) { try ParquetFile(content, options: options).readAll() }
    options = ParquetReadOptions()
    options.resultBytesMax = 1 << 20
    #expect(
        throws: ParquetFailure.tooLarge(
            what: "size in memory of a row group", value: 1_600_000, limit: 1 << 20)
    ) { try ParquetFile(content, options: options).readAll() }
    options = ParquetReadOptions()
    options.pageBytesMax = 5
    #expect(throws: ParquetFailure.self) { try ParquetFile(content, options: options).readAll() }
}

@Test func `a column that is not there is said by its name`() throws {
    let parquet = try ParquetFile(try goldenBytes("pyarrow-gzip.parquet"))
    #expect(throws: ParquetFailure.noSuchColumn("nothing")) {
        try parquet.read(rowGroup: 0, columns: ["text", "nothing"])
    }
}

@Test func `a reader that fails is reported as it failed`() throws {
    let content = try goldenBytes("pyarrow-gzip.parquet")
    let failure = StorageFailure.notFound(path: "table/part-0.parquet")
    #expect(throws: ParquetFailure.storage(failure)) {
        try ParquetFile(size: Int64(content.count)) { (_, _) throws(StorageFailure) in throw failure
        }
    }
    #expect(throws: ParquetFailure.self) {
        try ParquetFile(size: Int64(content.count) + 50) { (position, count) in
            let end = min(content.count, Int(position) + count)
            return Int(position) < end ? content[Int(position)..<end] : .empty
        }
    }
}
