import Base
import Columns
import Delta
import Foundation
import Testing

/// All rows of a snapshot as JSON objects, sorted by column `id`.
func rows(_ table: DeltaTable, _ snapshot: TableSnapshot, _ ranges: [ColumnRange] = []) throws
    -> [JSONValue]
{
    var scan = try DeltaScan(table, snapshot, ranges: ranges)
    var rows: [JSONValue] = []
    while let batch = try scan.next() {
        for row in 0..<batch.rowCount {
            rows.append(
                .object(
                    zip(scan.schema.fields, batch.values(row)).map { field, value in
                        JSONMember(field.name, text(value, field.type))
                    }))
        }
    }
    return rows.sorted { ($0["id"]?.intValue ?? 0) < ($1["id"]?.intValue ?? 0) }
}

/// As `expected.json` of the golden tables spells values.
func text(_ value: Value, _ type: ColumnType) -> JSONValue {
    switch (value, type) {
    case (.null, _): return .null
    case (.boolean(let flag), _): return .bool(flag)
    case (.int(let number), _): return .int(number)
    case (.float(let number), _): return .number("\(number)")
    case (.decimal(let unscaled, let scale), _):
        return .string(DecimalText.plain(unscaled, scale: scale))
    case (.text(let text), _), (.json(let text), _): return .string(text)
    case (.binary(let bytes), _):
        return .string(bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined())
    case (.date(let days), _): return .string(CalendarText.date(days: days))
    case (.timestamp(let moment), _):
        return .string(CalendarText.timestamp(microseconds: moment, digits: 6, separator: "T"))
    case (.timestampTZ(let moment), _):
        return .string(
            CalendarText.timestamp(microseconds: moment, digits: 6, separator: "T") + "Z")
    case (.list(let items), .list(let element)): return .array(items.map { text($0, element) })
    case (.structure(let items), .structure(let fields)):
        return .object(zip(fields, items).map { JSONMember($0.name, text($1, $0.type)) })
    case (.map(let entries), .map(let key, let item)):
        return .array(entries.map { .array([text($0.key, key), text($0.value, item)]) })
    case (.uuid(let bits), _):
        return .string(
            UUID128(
                high: UInt64(truncatingIfNeeded: bits >> 64), low: UInt64(truncatingIfNeeded: bits)
            ).description)
    default: return .string("\(value)")
    }
}

struct GoldenTableTests {
    @Test(arguments: ["types", "partitioned", "nested", "checkpointed"])
    func `tables of delta-rs are read row by row`(name: String) throws {
        let golden = try GoldenTable(name)
        let snapshot = try golden.table.snapshot()
        #expect(snapshot.version == golden.expected["version"]?.intValue)
        let expected = try #require(golden.expected["rows"]?.arrayValue)
        let found = try rows(golden.table, snapshot)
        #expect(found.count == expected.count)
        for (found, expected) in zip(found, expected) {
            for member in expected.members ?? [] {
                let value = try #require(found[member.key])
                #expect(
                    sameNumber(value, member.value) || value == member.value,
                    "\(name).\(member.key)")
            }
            #expect(found.members?.count == expected.members?.count)
        }
    }

    private func sameNumber(_ left: JSONValue, _ right: JSONValue) -> Bool {
        guard let left = left.doubleValue, let right = right.doubleValue else { return false }
        return left == right
    }

    @Test func `a checkpoint stands for the commits that are gone`() throws {
        let golden = try GoldenTable("checkpointed")
        let snapshot = try golden.table.snapshot()
        #expect(snapshot.lastTransaction(of: "stream-0") == 6)
        #expect(snapshot.lastTransaction(of: "stream-1") == 7)
        #expect(snapshot.tombstones.count == 1)
        #expect(snapshot.checkpointInterval == 1000)
        #expect(try golden.table.snapshot(version: 8).version == 8)
        #expect(throws: DeltaFailure.self) { try golden.table.snapshot(version: 3) }
    }

    @Test func `statistics of delta-rs skip files`() throws {
        let golden = try GoldenTable("types")
        let snapshot = try golden.table.snapshot()
        let ranges = [ColumnRange(column: "id", lower: .int(4), upper: .int(9))]
        #expect(try DeltaScan(golden.table, snapshot, ranges: ranges).files.count == 1)
        let found = try rows(golden.table, snapshot, ranges).compactMap { $0["id"]?.intValue }
        #expect(found == [4])
        let partitioned = try GoldenTable("partitioned")
        let days = [ColumnRange(column: "day", lower: .date(days: 19_724), upper: nil)]
        let scan = try DeltaScan(partitioned.table, try partitioned.table.snapshot(), ranges: days)
        #expect(scan.files.count == 1)
    }

    /// With WEIR_DELTA_IN set, the tables in that folder are read and compared with what Weir's own
    /// `expected.json` or a peer's says: see data/golden/delta/append_with_peers.py.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["WEIR_DELTA_IN"] != nil))
    func `tables that peers appended to are read`() throws {
        let root = try #require(ProcessInfo.processInfo.environment["WEIR_DELTA_IN"])
        for name in try FileManager.default.contentsOfDirectory(atPath: root).sorted() {
            let folder = URL(fileURLWithPath: root).appendingPathComponent(name)
            let disk = try memoryDisk(copying: folder, to: name)
            let table = DeltaTable(store: LocalObjectStore(disk: disk), path: name)
            let expected = try JSONValue(
                parsing: Bytes(try Data(contentsOf: folder.appendingPathComponent("expected.json")))
            )
            #expect(JSONValue.array(try rows(table, try table.snapshot())) == expected, "\(name)")
        }
    }

    @Test func `a damaged checkpoint is an error when nothing replaces it`() throws {
        let golden = try GoldenTable("checkpointed")
        let path = "checkpointed/_delta_log/" + LogFileName.checkpointName(8)
        let content = try golden.table.store.get(path, range: nil)
        var random = Random(seed: 3)
        for _ in 0..<60 {
            var bytes = content.array
            for _ in 0..<random.within(1...3) {
                bytes[random.below(bytes.count)] = UInt8(truncatingIfNeeded: random.next())
            }
            try golden.table.store.replace(path, Bytes(bytes))
            let table = DeltaTable(store: golden.table.store, path: "checkpointed")
            do {
                let snapshot = try table.snapshot()
                #expect(snapshot.version == 10)
            } catch {
                #expect(!error.problem.message.isEmpty)
            }
        }
    }
}
