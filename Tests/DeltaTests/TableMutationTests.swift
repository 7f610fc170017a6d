import Base
import Columns
import Delta
import Parquet
import Testing

/// Changes rows as SQL does: reads addresses with the rows, names those that fulfil a condition.
struct RowEditor {
    let table: DeltaTable
    var random: Random
    var now: Now
    var options: ParquetWriteOptions = {
        var options = ParquetWriteOptions()
        options.rowGroupRowsMax = 7
        return options
    }()

    func mutation(_ ranges: [ColumnRange] = []) throws -> (TableMutation, DeltaScan) {
        var random = random
        var transaction = try table.begin(random: &random)
        transaction.markAsReading(ranges)
        let scan = try DeltaScan(table, transaction.snapshot, ranges: ranges)
        return (try TableMutation(transaction, options: options), scan)
    }

    @discardableResult
    func delete(
        _ ranges: [ColumnRange] = [], where isWanted: ([Value]) -> Bool
    ) throws -> MutationOutcome {
        var (mutation, scan) = try mutation(ranges)
        while let (batch, addresses) = try scan.nextAddressed() {
            let rows = (0..<batch.rowCount).filter { isWanted(batch.values($0)) }
            try mutation.delete(rows.map { addresses[$0] })
        }
        return try mutation.commit(now: now) { _ in CommitOperation("DELETE") }
    }

    @discardableResult
    func update(
        where isWanted: ([Value]) -> Bool, _ change: ([Value]) -> [Value]
    ) throws -> MutationOutcome {
        var (mutation, scan) = try mutation()
        while let (batch, addresses) = try scan.nextAddressed() {
            let rows = (0..<batch.rowCount).filter { isWanted(batch.values($0)) }
            let changed = rows.map { change(batch.values($0)) }
            if rows.isEmpty { continue }
            try mutation.update(
                rows.map { addresses[$0] }, to: rowBatch(scan.schema, changed), now: now)
        }
        return try mutation.commit(now: now) { _ in CommitOperation("UPDATE") }
    }
}

struct TableMutationTests {
    private let schema = TableSchema([
        Field("id", .int64), Field("name", .text), Field("part", .int32),
    ])

    struct Variant: Sendable, CustomTestStringConvertible {
        var vectors: Bool
        var feed: Bool
        var partitioned: Bool
        var mapped: Bool
        var testDescription: String {
            "vectors \(vectors), feed \(feed), partitioned \(partitioned), mapped \(mapped)"
        }
        var settings: OrderedMap<String, String> {
            var settings: OrderedMap<String, String> = ["delta.checkpointInterval": "3"]
            if vectors { settings["delta.enableDeletionVectors"] = "true" }
            if feed { settings["delta.enableChangeDataFeed"] = "true" }
            if mapped { settings["delta.columnMapping.mode"] = "name" }
            return settings
        }
    }

    static let variants: [Variant] = [
        Variant(vectors: false, feed: false, partitioned: false, mapped: false),
        Variant(vectors: true, feed: false, partitioned: true, mapped: false),
        Variant(vectors: false, feed: true, partitioned: true, mapped: true),
        Variant(vectors: true, feed: true, partitioned: false, mapped: true),
    ]

    private func newTable(_ variant: Variant, _ random: inout Random) throws -> DeltaTable {
        let table = memoryTable()
        try table.create(
            schema, partitionColumns: variant.partitioned ? ["part"] : [],
            configuration: variant.settings, random: &random, now: start)
        return table
    }

    private func sorted(_ rows: [[Value]]) -> [[Value]] {
        rows.sorted { numbers([$0])[0] < numbers([$1])[0] }
    }

    /// Random statements against a model in memory; every version must be what the model was, read
    /// by a stranger, and the change feed must lead from each version to the next.
    @Test(arguments: variants, [UInt64(1), 2, 3])
    func `rows are those of a model after any statements`(
        variant: Variant, seed: UInt64
    ) throws {
        var random = Random(seed: seed &* 77)
        let table = try newTable(variant, &random)
        var model: [[Value]] = []
        var history: [Int64: [[Value]]] = [0: []]
        var nextID: Int64 = 0
        for step in 1...24 {
            let now = later(Int64(step))
            let editor = RowEditor(table: table, random: random.fork(), now: now)
            let divisor = Int64(random.within(2...9))
            func isWanted(_ row: [Value]) -> Bool { numbers([row])[0] % divisor == 0 }
            switch random.below(8) {
            case 0...2:
                let fresh: [[Value]] = (0..<random.within(1...40)).map { _ in
                    nextID += 1
                    return [
                        .int(nextID), random.chance(1, in: 5) ? .null : .text("n\(nextID)"),
                        .int(nextID % 3),
                    ]
                }
                _ = try table.append(
                    [rowBatch(schema, fresh)], options: editor.options, random: &random, now: now)
                model += fresh
            case 3, 4:
                let outcome = try editor.delete(where: isWanted)
                let count = model.count
                model.removeAll(where: isWanted)
                #expect(outcome.deletedRows == Int64(count - model.count))
                if count == model.count { #expect(outcome.version == nil) }
            case 5, 6:
                func change(_ row: [Value]) -> [Value] {
                    [row[0], .text("changed \(step)"), .int((numbers([row], 2)[0] + 1) % 3)]
                }
                try editor.update(where: isWanted, change)
                model = model.map { isWanted($0) ? change($0) : $0 }
            default:
                var options = CompactionOptions()
                options.filesMin = 2
                _ = try table.compact(options, random: &random, now: now)
            }
            let reopened = second(table)
            #expect(sorted(try allRows(reopened)) == sorted(model), "step \(step)")
            #expect(try reopened.snapshot().rowCount == Int64(model.count))
            history[try table.snapshot().version] = model
        }
        let last = try table.snapshot().version
        for version in 0...last {
            let expected = try #require(history[version])
            #expect(sorted(try allRows(table, version: version)) == sorted(expected))
        }
        if variant.feed { try checkFeed(table, history, last) }
        for version in [last / 2, 1, last] {
            var random = random.fork()
            _ = try table.restore(version: version, random: &random, now: later(1000))
            #expect(sorted(try allRows(second(table))) == sorted(try #require(history[version])))
        }
        exportForPeers(table, "mutation-\(variant.vectors)-\(variant.feed)-\(seed)")
    }

    private func checkFeed(
        _ table: DeltaTable, _ history: [Int64: [[Value]]], _ last: Int64
    ) throws {
        var state: [[Value]] = []
        var version: Int64 = 0
        var feed = try ChangeFeed(table, from: 0)
        var inserts: [[Value]] = []
        var deletes: [[Value]] = []
        func close(_ version: Int64) {
            for row in deletes {
                if let index = state.firstIndex(of: row) {
                    state.remove(at: index)
                } else {
                    Issue.record("version \(version) deletes a row that is not there: \(row)")
                }
            }
            state += inserts
            inserts = []
            deletes = []
            #expect(sorted(state) == sorted(history[version] ?? []), "feed of \(version)")
        }
        while let batch = try feed.nextBatch() {
            for row in 0..<batch.rowCount {
                let values = batch.values(row)
                let own = numbers([values], 4)[0]
                while version < own {
                    close(version)
                    version += 1
                }
                switch values[3] {
                case .text("insert"), .text("update_postimage"): inserts.append(Array(values[..<3]))
                case .text("delete"), .text("update_preimage"): deletes.append(Array(values[..<3]))
                default: Issue.record("change type \(values[3])")
                }
            }
        }
        close(version)
        #expect(version <= last)
    }

    @Test func `a deletion vector leaves the file in place and is made longer`() throws {
        var random = Random(seed: 3)
        let table = try newTable(Self.variants[3], &random)
        let rows: [[Value]] = (0..<50).map { [.int($0), .text("n"), .int(0)] }
        _ = try table.append([rowBatch(schema, rows)], random: &random, now: later(1))
        let path = try table.snapshot().files[0].path
        let editor = RowEditor(table: table, random: random, now: later(2))
        var outcome = try editor.delete { numbers([$0])[0] % 2 == 0 }
        #expect(outcome.deletionVectors == 1 && outcome.addedFiles == 0)
        outcome = try RowEditor(table: table, random: random.fork(), now: later(3)).delete {
            numbers([$0])[0] < 10
        }
        #expect(outcome.deletedRows == 5)
        let file = try #require(try second(table).snapshot().files.first)
        #expect(file.path == path)
        #expect(file.deletionVector?.cardinality == 30)
        #expect(file.statistics?.contains(#""numRecords":50"#) == true)
        #expect(file.statistics?.contains(#""tightBounds":false"#) == true)
        #expect(numbers(try allRows(second(table))).count == 20)
        // With all rows gone the file goes.
        outcome = try RowEditor(table: table, random: random.fork(), now: later(4)).delete { _ in
            true
        }
        #expect(outcome.removedFiles == 1)
        #expect(try table.snapshot().fileCount == 0)
        let tableProtocol = try table.snapshot().tableProtocol
        #expect(tableProtocol.readerFeatures == ["deletionVectors", "columnMapping"])
    }

    @Test func `a row that is named twice stops the statement`() throws {
        var random = Random(seed: 4)
        let table = try newTable(Self.variants[0], &random)
        _ = try table.append(
            [rowBatch(schema, [[.int(1), .text("a"), .int(0)]])], random: &random, now: later(1))
        let editor = RowEditor(table: table, random: random, now: later(2))
        var (mutation, scan) = try editor.mutation()
        let (batch, addresses) = try #require(try scan.nextAddressed())
        try mutation.update(addresses, to: batch, now: later(2))
        #expect(throws: DeltaFailure.rowChangedTwice) { try mutation.delete(addresses) }
        #expect(throws: DeltaFailure.rowChangedTwice) {
            try mutation.update(addresses, to: batch, now: later(2))
        }
    }

    @Test func `an append-only table keeps its rows`() throws {
        var random = Random(seed: 5)
        let table = memoryTable()
        try table.create(
            schema, configuration: ["delta.appendOnly": "true"], random: &random, now: start)
        _ = try table.append(
            [rowBatch(schema, [[.int(1), .text("a"), .int(0)]])], random: &random, now: later(1))
        let editor = RowEditor(table: table, random: random, now: later(2))
        #expect(throws: DeltaFailure.self) { try editor.delete { _ in true } }
        #expect(try table.snapshot().version == 1)
    }

    // MARK: Conflicts

    /// A table of two partitions, 0 and 1, with rows 0 and 1.
    private func twoParts(
        _ random: inout Random, _ settings: OrderedMap<String, String> = [:]
    ) throws -> DeltaTable {
        let table = memoryTable()
        try table.create(
            schema, partitionColumns: ["part"], configuration: settings, random: &random,
            now: start)
        try add(table, 0, &random)
        try add(table, 1, &random)
        return table
    }

    private func add(_ table: DeltaTable, _ part: Int64, _ random: inout Random) throws {
        _ = try table.append(
            [rowBatch(schema, [[.int(part), .text("a"), .int(part)]])], random: &random,
            now: later(1))
    }

    private func part(_ number: Int64) -> [ColumnRange] {
        [ColumnRange(column: "part", lower: .int(number), upper: .int(number))]
    }

    /// A statement that is about to delete everything in one partition.
    private func pending(_ table: DeltaTable, _ number: Int64, _ seed: UInt64) throws
        -> TableMutation
    {
        let editor = RowEditor(table: second(table), random: Random(seed: seed), now: later(9))
        var (mutation, scan) = try editor.mutation(part(number))
        while let (_, addresses) = try scan.nextAddressed() { try mutation.delete(addresses) }
        return mutation
    }

    private func finish(_ mutation: consuming TableMutation) throws -> Int64? {
        try mutation.commit(now: later(9)) { _ in CommitOperation("DELETE") }.version
    }

    @Test func `statements about different partitions follow each other`() throws {
        var random = Random(seed: 6)
        let table = try twoParts(&random)
        let first = try pending(table, 0, 1)
        let other = try pending(table, 1, 2)
        #expect(try finish(first) == 3)
        try add(table, 0, &random)
        #expect(try finish(other) == 5)
        #expect(numbers(try allRows(second(table))) == [0])
    }

    @Test func `rows added to what a statement read stop it`() throws {
        var random = Random(seed: 7)
        let table = try twoParts(&random)
        let mutation = try pending(table, 0, 1)
        try add(table, 0, &random)
        #expect(throws: DeltaFailure.conflict(.concurrentAppend, version: 3)) {
            try finish(mutation)
        }
        // Unless the table asks for less.
        let weaker = try twoParts(&random, ["delta.isolationLevel": "WriteSerializable"])
        let second = try pending(weaker, 0, 1)
        try add(weaker, 0, &random)
        #expect(try finish(second) == 4)
        #expect(numbers(try allRows(weaker)) == [1, 0])
    }

    @Test func `two statements do not delete one file`() throws {
        var random = Random(seed: 8)
        let table = try twoParts(&random)
        let first = try pending(table, 0, 1)
        let other = try pending(table, 0, 2)
        #expect(try finish(first) == 3)
        #expect(throws: DeltaFailure.conflict(.concurrentDeleteDelete, version: 3)) {
            try finish(other)
        }
    }

    @Test func `a rearrangement of files that were read stops a statement`() throws {
        var random = Random(seed: 9)
        let table = try twoParts(&random)
        try add(table, 0, &random)
        let mutation = try pending(table, 0, 1)
        let other = try pending(table, 1, 2)
        var options = CompactionOptions()
        options.filesMin = 2
        #expect(try table.compact(options, random: &random, now: later(5)) == 4)
        #expect(throws: DeltaFailure.conflict(.concurrentDeleteDelete, version: 4)) {
            try finish(mutation)
        }
        #expect(try finish(other) == 5)
        #expect(numbers(try allRows(second(table))) == [0, 0])
    }

    @Test func `an append after a deletion is there and one in the middle is not lost`() throws {
        var random = Random(seed: 10)
        let table = try twoParts(&random)
        var appending = try DeltaAppender(try second(table).begin(random: &random))
        try appending.append(
            rowBatch(schema, [[.int(5), .text("b"), .int(0)]]), now: later(2))
        #expect(try finish(try pending(table, 0, 1)) == 3)
        #expect(try appending.commit(now: later(3)) == 4)
        #expect(numbers(try allRows(second(table))) == [1, 5])
    }

    @Test func `settings of a subsystem have one writer at a time`() throws {
        var random = Random(seed: 11)
        let table = try twoParts(&random)
        func domain(_ table: DeltaTable, _ name: String, _ text: String) throws -> TableTransaction
        {
            var transaction = try table.begin(random: &random)
            transaction.setDomain(
                DomainMetadata(domain: name, configuration: text, isRemoved: false))
            return transaction
        }
        let first = try domain(table, "a", "1")
        let second = try domain(table, "a", "2")
        let third = try domain(table, "b", "3")
        _ = try first.commit(CommitOperation("SET"), now: later(1))
        #expect(throws: DeltaFailure.conflict(.domainChanged, version: 3)) {
            try second.commit(CommitOperation("SET"), now: later(1))
        }
        #expect(try third.commit(CommitOperation("SET"), now: later(1)) == 4)
        #expect(try table.snapshot().domains["a"]?.configuration == "1")
    }

    @Test func `partitions are replaced one by one`() throws {
        var random = Random(seed: 12)
        let table = try twoParts(&random)
        let rows: [[Value]] = [[.int(7), .text("new"), .int(1)]]
        #expect(
            try table.overwritePartitions([rowBatch(schema, rows)], random: &random, now: later(2))
                == 3)
        #expect(numbers(try allRows(second(table))) == [0, 7])
    }

    @Test func `moments of commits are told from when they are in the log`() throws {
        var random = Random(seed: 13)
        let table = try twoParts(&random)
        var transaction = try table.begin(random: &random)
        var metadata = transaction.metadata
        metadata.configuration["delta.enableInCommitTimestamps"] = "true"
        try transaction.setMetadata(metadata)
        _ = try transaction.commit(CommitOperation("SET TBLPROPERTIES"), now: later(3))
        let settings = try second(table).snapshot().metadata.configuration
        #expect(settings["delta.inCommitTimestampEnablementVersion"] == "3")
        let text = try table.store.get(
            "bronze/events/_delta_log/" + LogFileName.commitName(3), range: nil
        ).text
        #expect(text.hasPrefix(#"{"commitInfo":{"inCommitTimestamp""#))
        let features = try table.snapshot().tableProtocol
        #expect(features.minReaderVersion == 1 && features.minWriterVersion == 7)
        #expect(features.writerFeatures == ["appendOnly", "invariants", "inCommitTimestamp"])
        // A clock that steps back does not turn the order of versions.
        _ = try table.append(
            [rowBatch(schema, [[.int(9), .null, .int(0)]])], random: &random, now: start)
        let history = try table.history()
        #expect(history[0].timestamp > history[1].timestamp)
    }

    @Test func `rows that break a condition of the table are not written`() throws {
        struct Positive: RowRules {
            func check(_ batch: ColumnBatch) throws(DeltaFailure) {
                for row in 0..<batch.rowCount {
                    if case .int(let number) = batch.columns[0].value(row), number > 0 { continue }
                    throw .violation(
                        RowCondition(kind: .check, name: "positive", expression: "id > 0"),
                        row: "id = \(batch.columns[0].value(row))")
                }
            }
        }
        var random = Random(seed: 14)
        let plain = memoryTable()
        let table = DeltaTable(store: plain.store, path: plain.path) {
            (_) throws(DeltaFailure) in Positive()
        }
        try table.create(
            schema, configuration: ["delta.constraints.positive": "id > 0"], random: &random,
            now: start)
        _ = try table.append(
            [rowBatch(schema, [[.int(1), .null, .null]])], random: &random, now: later(1))
        #expect(throws: DeltaFailure.self) {
            try table.append(
                [rowBatch(schema, [[.int(0), .null, .null]])], random: &random, now: later(2))
        }
        #expect(throws: DeltaFailure.self) {
            try RowEditor(table: table, random: random, now: later(3)).update(where: { _ in true })
            { [.int(-1), $0[1], $0[2]] }
        }
        #expect(numbers(try allRows(second(table))) == [1])
        // Who cannot check must not write.
        #expect(throws: DeltaFailure.unsupportedFeature("checkConstraints", use: .write)) {
            try plain.begin(random: &random)
        }
    }

    @Test func `rows have numbers of their own, whoever wins`() throws {
        var random = Random(seed: 16)
        let table = memoryTable()
        try table.create(
            schema,
            configuration: [
                "delta.enableRowTracking": "true", "delta.enableDeletionVectors": "true",
                "delta.checkpointInterval": "3",
            ], random: &random, now: start)
        func rows(_ ids: Range<Int64>) -> ColumnBatch {
            rowBatch(schema, ids.map { [.int($0), .text("n"), .int(0)] })
        }
        var loser = try DeltaAppender(try second(table).begin(random: &random))
        try loser.append(rows(0..<5), now: later(1))
        _ = try table.append([rows(5..<15)], random: &random, now: later(1))
        #expect(try loser.commit(now: later(2)) == 2)
        let editor = RowEditor(table: table, random: random.fork(), now: later(3))
        try editor.delete { numbers([$0])[0] == 7 }
        _ = try table.append([rows(15..<16)], random: &random, now: later(4))
        let snapshot = try second(table).snapshot()
        let files = snapshot.files.sorted { ($0.baseRowID ?? -1) < ($1.baseRowID ?? -1) }
        #expect(files.map(\.baseRowID) == [0, 10, 15])
        #expect(files.map(\.defaultRowCommitVersion) == [1, 2, 4])
        #expect(files[0].deletionVector?.cardinality == 1)
        #expect(
            snapshot.domains["delta.rowTracking"]?.configuration == #"{"rowIdHighWaterMark":15}"#)
        #expect(
            snapshot.tableProtocol.writerFeatures == [
                "appendOnly", "invariants", "deletionVectors", "domainMetadata", "rowTracking",
            ])
    }

    @Test func `vacuum keeps the lists of deleted rows that are in use`() throws {
        var random = Random(seed: 15)
        let table = try newTable(Self.variants[3], &random)
        let rows: [[Value]] = (0..<50).map { [.int($0), .text("n"), .int(0)] }
        _ = try table.append([rowBatch(schema, rows)], random: &random, now: later(1))
        for step: Int64 in 2...3 {
            _ = try RowEditor(table: table, random: random.fork(), now: later(step)).delete {
                numbers([$0])[0] % step == 0
            }
        }
        let expected = numbers(try allRows(table))
        let report = try table.vacuum(now: later(30 * 86_400_000))
        #expect(report.paths.filter { $0.hasSuffix(".bin") }.count == 1)
        #expect(report.paths.contains { $0.contains("/_change_data/") })
        #expect(numbers(try allRows(second(table))) == expected)
    }
}
