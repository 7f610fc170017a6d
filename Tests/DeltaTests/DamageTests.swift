import Base
import Columns
import Delta
import Testing

/// Bytes of a table's files are changed at random: what comes out are rows or an error, never a trap
/// and never a part of the rows in silence.
struct DamageTests {
    private let schema = TableSchema([
        Field("id", .int64), Field("name", .text), Field("part", .int32),
    ])

    private func prepared(_ random: inout Random) throws -> DeltaTable {
        let table = memoryTable()
        try table.create(
            schema, partitionColumns: ["part"],
            configuration: [
                "delta.checkpointInterval": "4", "delta.enableDeletionVectors": "true",
                "delta.enableChangeDataFeed": "true", "delta.columnMapping.mode": "name",
            ], random: &random, now: start)
        for step: Int64 in 0..<5 {
            let rows: [[Value]] = (0..<30).map {
                [.int(step * 30 + $0), .text("name \($0)"), .int($0 % 3)]
            }
            _ = try table.append([rowBatch(schema, rows)], random: &random, now: later(step))
            let editor = RowEditor(table: table, random: random.fork(), now: later(step))
            try editor.delete { numbers([$0])[0] % 7 == step }
        }
        return table
    }

    /// Files whose bytes are all covered by a check, so that a change is seen or harmless.
    private func isChecked(_ path: String) -> Bool { path.hasSuffix(".bin") }

    @Test(arguments: [UInt64(1), 2, 3, 4])
    func `damaged files end in rows or in an error`(seed: UInt64) throws {
        var random = Random(seed: seed)
        let table = try prepared(&random)
        let good = try allRows(table)
        let files = try table.store.list(table.path, recursive: true).map(\.path)
        var failures = 0
        for _ in 0..<30 {
            let path = files[random.below(files.count)]
            let content = try table.store.get(path, range: nil)
            if content.isEmpty { continue }
            var bytes = content.array
            switch random.below(4) {
            case 0: bytes.removeLast(random.within(1...bytes.count))
            case 1:
                let at = random.below(bytes.count)
                bytes.insert(contentsOf: bytes[0..<min(at, 40)], at: at)
            default:
                for _ in 0..<random.within(1...3) {
                    bytes[random.below(bytes.count)] ^= UInt8(1 << random.below(8))
                }
            }
            try table.store.replace(path, Bytes(bytes))
            let reopened = second(table)
            do {
                let rows = try allRows(reopened)
                // Bits of the log may say another thing that is well-formed, such as another name
                // of a file's partition; lists of deleted rows are checked byte by byte.
                if isChecked(path) { #expect(rows == good, "\(path)") }
                if var feed = try? ChangeFeed(reopened, from: 1) {
                    while let batch = try? feed.nextBatch() { #expect(batch.rowCount >= 0) }
                }
            } catch let error as DeltaFailure {
                failures += 1
                #expect(!error.problem.message.isEmpty)
            }
            _ = try? reopened.history()
            try table.store.replace(path, content)
        }
        #expect(failures > 2)
        #expect(try allRows(second(table)) == good)
    }
}
