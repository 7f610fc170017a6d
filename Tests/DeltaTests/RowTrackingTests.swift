import Base
import Columns
import Delta
import Parquet
import Testing

struct RowTrackingTests {
    private let schema = TableSchema([
        Field("id", .int64), Field("name", .text), Field("part", .int32),
    ])

    struct Variant: Sendable, CustomTestStringConvertible {
        var vectors = false
        var feed = false
        var partitioned = false
        var mapping: String?
        var testDescription: String {
            "vectors \(vectors), feed \(feed), partitioned \(partitioned), mapping \(mapping ?? "-")"
        }
        var settings: OrderedMap<String, String> {
            var settings: OrderedMap<String, String> = [
                "delta.checkpointInterval": "4", "delta.enableRowTracking": "true",
            ]
            if vectors { settings["delta.enableDeletionVectors"] = "true" }
            if feed { settings["delta.enableChangeDataFeed"] = "true" }
            if let mapping { settings["delta.columnMapping.mode"] = mapping }
            return settings
        }
    }

    static let variants: [Variant] = [
        Variant(), Variant(vectors: true), Variant(feed: true, mapping: "id"),
        Variant(vectors: true, feed: true, partitioned: true, mapping: "name"),
        Variant(partitioned: true),
    ]

    /// The marks of each row by its id.
    private func marks(_ table: DeltaTable) throws -> [Int64: [Int64]] {
        let snapshot = try second(table).snapshot()
        var scan = try DeltaScan(
            table, snapshot, columns: ["id"] + RowMark.allCases.map(\.rawValue))
        var found: [Int64: [Int64]] = [:]
        while let batch = try scan.next() {
            for row in 0..<batch.rowCount {
                let values = numbers(batch.columns.map { [$0.value(row)] })
                #expect(found[values[0]] == nil)
                found[values[0]] = Array(values[1...])
            }
        }
        return found
    }

    /// Random statements against a model of what each row's number and version must be.
    @Test(arguments: variants, [UInt64(1), 2, 3])
    func `numbers stay and versions follow, whatever moves the rows`(
        variant: Variant, seed: UInt64
    ) throws {
        var random = Random(seed: seed &* 1013)
        let table = memoryTable()
        try table.create(
            schema, partitionColumns: variant.partitioned ? ["part"] : [],
            configuration: variant.settings, random: &random, now: start)
        var model: [Int64: [Int64]] = [:]
        var nextID: Int64 = 0
        var moved = 0
        for step in 1...40 {
            let now = later(Int64(step))
            let editor = RowEditor(table: table, random: random.fork(), now: now)
            let divisor = Int64(random.within(2...9))
            func isWanted(_ row: [Value]) -> Bool { numbers([row])[0] % divisor == 1 }
            switch random.within(0...6) {
            case 0, 1:
                let ids = nextID..<nextID + Int64(random.within(1...30))
                nextID = ids.upperBound
                let rows: [[Value]] = ids.map { [.int($0), .text("n"), .int($0 % 2)] }
                let version = try table.append(
                    [rowBatch(schema, rows)], options: editor.options, random: &random, now: now)
                // Which of several files came first is the writer's affair; numbers are new.
                let known = Set(model.values.map { $0[0] })
                let found = try marks(table)
                for id in ids {
                    let own = try #require(found[id])
                    #expect(!known.contains(own[0]) && own[1] == version)
                    model[id] = own
                }
                #expect(Set(model.values.map { $0[0] }).count == model.count)
            case 2:
                try editor.delete(where: isWanted)
                model = model.filter { $0.key % divisor != 1 }
            case 3, 4:
                let outcome = try editor.update(where: isWanted) {
                    [$0[0], .text("u\(step)"), .int(numbers([[$0[2]]])[0] ^ 1)]
                }
                for (id, own) in model where id % divisor == 1 {
                    model[id] = [own[0], try #require(outcome.version)]
                }
            case 5:
                var options = CompactionOptions()
                options.filesMin = 2
                options.writing.rowGroupRowsMax = 11
                if try table.compact(options, random: &random, now: now) != nil { moved += 1 }
            default:
                var options = CompactionOptions()
                options.zOrder = ["name", "id"]
                options.memoryBytesMax = 700
                if try table.compact(options, random: &random, now: now) != nil { moved += 1 }
            }
            #expect(try marks(table) == model, "step \(step)")
        }
        #expect(moved > 2)
        let snapshot = try second(table).snapshot()
        // No number of a file's row is given twice, and all are below the mark.
        var ends: Int64 = -1
        for file in snapshot.files.sorted(by: { $0.baseRowID ?? -1 < $1.baseRowID ?? -1 }) {
            let base = try #require(file.baseRowID)
            #expect(base > ends)
            ends = base + (file.recordedRowCount ?? 0) - 1
            #expect(file.statistics?.contains("_row-") == false)
        }
        let info = try #require(try table.log.readCommit(snapshot.version)).first
        guard case .commitInfo(let json)? = info else { return }
        #expect(json["tags"]?["delta.rowTracking.preserved"]?.stringValue == "true")
    }

    @Test func `a compaction that loses takes numbers behind those of the winner`() throws {
        var random = Random(seed: 5)
        let table = memoryTable()
        try table.create(
            schema, configuration: ["delta.enableRowTracking": "true"], random: &random, now: start)
        func rows(_ ids: Range<Int64>) -> ColumnBatch {
            rowBatch(schema, ids.map { [.int($0), .text("n"), .int(0)] })
        }
        _ = try table.append([rows(0..<10)], random: &random, now: later(1))
        _ = try table.append([rows(10..<20)], random: &random, now: later(2))
        // An UPDATE and an append begin at the same version; the append comes first.
        let mutationTable = second(table)
        var transaction = try mutationTable.begin(random: &random)
        transaction.markAsReading([
            ColumnRange(column: "id", lower: .int(0), upper: .int(3))
        ])
        var scan = try DeltaScan(mutationTable, transaction.snapshot)
        var mutation = try TableMutation(transaction)
        let (batch, addresses) = try #require(try scan.nextAddressed())
        try mutation.update(
            Array(addresses[0..<4]), to: batch.gather([3, 2, 1, 0]), now: later(3))
        _ = try table.append([rows(20..<25)], random: &random, now: later(3))
        let outcome = try mutation.commit(now: later(4)) { _ in CommitOperation("UPDATE") }
        #expect(outcome.version == 4)
        let found = try marks(table)
        // The rows were turned round: what was row 0 says 3 now.
        for row: Int64 in 0..<4 { #expect(found[row] == [3 - row, 4]) }
        for row: Int64 in 4..<20 { #expect(found[row] == [row, row < 10 ? 1 : 2]) }
        for row: Int64 in 20..<25 { #expect(found[row] == [row, 3]) }
        let bases = try second(table).snapshot().files.compactMap(\.baseRowID).sorted()
        #expect(bases == [10, 20, 25])
    }

    @Test func `rows of a table that was not tracked get numbers with the switch`() throws {
        var random = Random(seed: 6)
        let table = memoryTable()
        try table.create(schema, random: &random, now: start)
        let rows: [[Value]] = (0..<20).map { [.int($0), .text("n"), .int(0)] }
        _ = try table.append([rowBatch(schema, rows)], random: &random, now: later(1))
        #expect(throws: DeltaFailure.self) { try marks(table) }
        var loser = try table.begin(random: &random)
        var switched = loser.metadata
        switched.configuration["delta.enableRowTracking"] = "true"
        try loser.setMetadata(switched)
        let late = rowBatch(schema, [[.int(20), .text("n"), .int(0)]])
        _ = try table.append([late], random: &random, now: later(2))
        // The file that came in between would have no numbers.
        #expect(throws: DeltaFailure.conflict(.concurrentAppend, version: 2)) {
            try loser.commit(CommitOperation("SET TBLPROPERTIES"), now: later(3))
        }
        var transaction = try table.begin(random: &random)
        try transaction.setMetadata(switched)
        #expect(try transaction.commit(CommitOperation("SET TBLPROPERTIES"), now: later(4)) == 3)
        var found = try marks(table)
        #expect(Set(found.values.map { $0[0] }) == Set(0...20))
        #expect(found.values.allSatisfy { $0[1] == 3 })
        let editor = RowEditor(table: table, random: random.fork(), now: later(5))
        try editor.update(where: { numbers([$0])[0] == 4 }) { [.int(400), $0[1], $0[2]] }
        let before = found
        found = try marks(table)
        #expect(found[400]?[0] == before[4]?[0] && found[400]?[1] == 4)
        // What RESTORE brings back has the numbers that it had.
        _ = try table.restore(version: 3, random: &random, now: later(6))
        #expect(try marks(table) == before)
        #expect(try allRows(second(table)).count == 21)
    }
}
