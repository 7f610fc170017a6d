import Base
import Columns
import Delta
import Testing

/// A table from the text of its commits, as somebody else might have written them.
func table(commits: [String], from first: Int64 = 0) throws -> DeltaTable {
    let store = LocalObjectStore(disk: MemoryDisk())
    for (index, text) in commits.enumerated() {
        let name = LogFileName.commitName(first + Int64(index))
        try store.put("t/_delta_log/" + name, Bytes(utf8: text))
    }
    return DeltaTable(store: store, path: "t")
}

let plainProtocol = #"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}"#

func metadataLine(_ columns: String, partitionColumns: String = "[]", extra: String = "") -> String
{
    let schema = JSONValue.string(#"{"type":"struct","fields":[\#(columns)]}"#).text
    return #"{"metaData":{"id":"x","format":{"provider":"parquet","options":{}},"#
        + #""schemaString":\#(schema),"partitionColumns":\#(partitionColumns),"#
        + #""configuration":{\#(extra)}}}"#
}

let idColumn = #"{"name":"id","type":"long","nullable":true,"metadata":{}}"#

struct LogReadingTests {
    private let opening = plainProtocol + "\n" + metadataLine(idColumn)

    @Test func `unknown actions, unknown members and empty lines are passed over`() throws {
        let table = try table(commits: [
            "\n" + opening + "\r\n\n" + #"{"future":{"deep":[1,2]}}"# + "\n{}",
            "",
            #"{"add":{"extra":{},"path":"a%20b.parquet","size":3,"dataChange":true}}"#,
        ])
        let snapshot = try table.snapshot()
        #expect(snapshot.version == 2)
        #expect(snapshot.files.map(\.path) == ["a b.parquet"])
        #expect(snapshot.rowCount == nil)
    }

    @Test func `removed files are gone and come back when added again`() throws {
        let table = try table(commits: [
            opening,
            #"{"add":{"path":"a","size":3,"dataChange":true}}"#,
            #"{"add":{"path":"b","size":3,"dataChange":true}}"# + "\n"
                + #"{"remove":{"path":"a","dataChange":true,"deletionTimestamp":5}}"#,
            #"{"add":{"path":"a","size":4,"dataChange":true}}"#,
        ])
        #expect(try table.snapshot(version: 2).files.map(\.path) == ["b"])
        #expect(try table.snapshot(version: 2).tombstones.map(\.path) == ["a"])
        #expect(try table.snapshot().files.map(\.path) == ["b", "a"])
        #expect(try table.snapshot().tombstones.isEmpty)
    }

    @Test(arguments: [
        "../x", "a/../../x", "a/./b", "%2E%2E/x", "a//b", "", "a/%2e%2e", "x%00y", "s3%3A/x",
        "file%3A/etc/x",
    ])
    func `a path outside of the table's folder is refused`(path: String) throws {
        let table = try table(commits: [
            opening, #"{"add":{"path":"\#(path)","size":3,"dataChange":true}}"#,
        ])
        #expect(throws: DeltaFailure.self) { try table.snapshot() }
    }

    /// Whether an address may be read depends on the store: this one has no name in the world.
    @Test(arguments: ["/etc/passwd", "file:///etc/passwd", "file:/x", "s3://bucket/x", "C:/x"])
    func `a file at an address is not read by its name alone`(path: String) throws {
        let table = try table(commits: [
            opening, #"{"add":{"path":"\#(path)","size":3,"dataChange":true}}"#,
        ])
        let snapshot = try table.snapshot()
        #expect(snapshot.files.map { TablePath.encoded($0.path) } == [path])
        #expect(throws: DeltaFailure.self) {
            var scan = try DeltaScan(table, snapshot)
            _ = try scan.next()
        }
    }

    @Test func `a missing version is an error and not a shorter table`() throws {
        let table = try table(commits: [opening, "", ""])
        try table.store.put("t/_delta_log/" + LogFileName.commitName(5), Bytes(utf8: ""))
        #expect(throws: DeltaFailure.gap(path: "t", missing: 3)) { try table.snapshot() }
        #expect(try table.snapshot(version: 2).version == 2)
        #expect(throws: DeltaFailure.versionNotFound(wanted: 9, oldest: 0, latest: 5)) {
            try table.snapshot(version: 9)
        }
    }

    @Test func `a folder without a log is not a table`() throws {
        let table = memoryTable()
        #expect(try !table.exists())
        #expect(throws: DeltaFailure.notATable(path: table.path)) { try table.snapshot() }
    }

    @Test(arguments: ["columnMapping2", "collations", "variantShredding2", "catalogManaged"])
    func `an unknown feature is refused by its name`(feature: String) throws {
        let table = try table(commits: [
            #"{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["timestampNtz","\#(feature)"],"writerFeatures":["timestampNtz","\#(feature)"]}}"#
                + "\n" + metadataLine(idColumn)
        ])
        #expect(throws: DeltaFailure.unsupportedFeature(feature, use: .read)) {
            try table.snapshot()
        }
    }

    @Test(arguments: ["variantShredding", "variantShredding-preview"])
    func `a table of shredded variants is read and not written`(feature: String) throws {
        let table = try table(commits: [
            #"{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["variantType","\#(feature)"],"writerFeatures":["variantType","\#(feature)"]}}"#
                + "\n" + metadataLine(idColumn)
        ])
        #expect(try table.snapshot().version == 0)
        var random = Random(seed: 1)
        #expect(throws: DeltaFailure.unsupportedFeature(feature, use: .write)) {
            _ = try table.begin(random: &random)
        }
    }

    @Test func `a table that needs an unknown writer can be read only`() throws {
        let table = try table(commits: [
            #"{"protocol":{"minReaderVersion":1,"minWriterVersion":7,"writerFeatures":["icebergCompatV2"]}}"#
                + "\n" + metadataLine(idColumn)
        ])
        #expect(try table.snapshot().version == 0)
        var random = Random(seed: 1)
        #expect(throws: DeltaFailure.unsupportedFeature("icebergCompatV2", use: .write)) {
            _ = try table.begin(random: &random)
        }
    }

    @Test func `column mapping of an unknown kind is refused`() throws {
        let mapped = metadataLine(idColumn, extra: #""delta.columnMapping.mode":"position""#)
        let table = try table(commits: [plainProtocol + "\n" + mapped])
        #expect(throws: DeltaFailure.unsupportedFeature("columnMapping by position", use: .read)) {
            try table.snapshot()
        }
    }

    @Test func `partition values come back in their types`() throws {
        let columns = [
            idColumn, #"{"name":"day","type":"date"}"#, #"{"name":"at","type":"timestamp"}"#,
            #"{"name":"n","type":"decimal(5,2)"}"#, #"{"name":"s","type":"string"}"#,
        ].joined(separator: ",")
        let table = try table(commits: [
            plainProtocol + "\n"
                + metadataLine(columns, partitionColumns: #"["day","at","n","s"]"#),
            #"{"add":{"path":"a","size":3,"partitionValues":{"day":"2024-02-29","at":"2024-02-29 01:02:03.5","n":"1.5","s":""}}}"#,
        ])
        let file = try #require(try table.snapshot().files.first)
        let values = file.partitionValues
        #expect(try values.value("day", .date) == .date(days: 19_782))
        #expect(
            try values.value("at", .timestampTZ)
                == .timestampTZ(microseconds: 1_709_168_523_500_000))
        #expect(
            try values.value("n", .decimal(precision: 5, scale: 2))
                == .decimal(unscaled: 150, scale: 2))
        #expect(try values.value("s", .text) == .null)
        #expect(throws: DecodeFailure.self) { try values.value("day", .int32) }
    }

    @Test func `damaged logs are errors that name the place`() throws {
        let table = try table(commits: [opening, #"{"add":{"path":"a","size":3}}"# + "\n{\"add\":"])
        #expect(
            throws: DeltaFailure.corrupt(
                path: "t/_delta_log/00000000000000000001.json",
                detail: "line 2: JSON ends where a value is expected at position 7")
        ) { try table.snapshot() }
    }

    @Test func `no bytes in a log make the reader trap`() throws {
        let seed = Array(
            (opening + "\n"
                + #"{"add":{"path":"p=1/a","partitionValues":{"p":"1"},"size":3,"stats":"{\"numRecords\":1}","deletionVector":{"storageType":"u","pathOrInlineDv":"ab","offset":1,"sizeInBytes":3,"cardinality":1}}}"#
                + "\n" + #"{"txn":{"appId":"a","version":1}}"#
                + "\n" + #"{"remove":{"path":"b","deletionTimestamp":1}}"#
                + "\n" + #"{"domainMetadata":{"domain":"d","configuration":"{}","removed":false}}"#)
                .utf8)
        var random = Random(seed: 4711)
        for _ in 0..<600 {
            var bytes = seed
            for _ in 0..<random.within(1...4) {
                let place = random.below(bytes.count)
                switch random.below(4) {
                case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes.remove(at: place)
                case 2: bytes.insert(contentsOf: Array("99999999999999999999".utf8), at: place)
                default: bytes.removeSubrange(place...)
                }
                if bytes.isEmpty { bytes = [0x7B] }
            }
            let store = LocalObjectStore(disk: MemoryDisk())
            try store.put("t/_delta_log/" + LogFileName.commitName(0), Bytes(bytes))
            let table = DeltaTable(store: store, path: "t")
            do {
                let snapshot = try table.snapshot()
                for file in snapshot.files {
                    _ = snapshot.mightMatch(file, column: "id", lower: .int(1), upper: nil)
                }
                _ = snapshot.rowCount
            } catch {
                #expect(!error.problem.message.isEmpty)
            }
        }
    }

    @Test func `a commit comes back as it was written`() throws {
        var file = AddFile(
            path: "a=b%3A/ü \u{1}.parquet",
            partitionValues: PartitionValues([
                .init(column: "a", text: "b:"), .init(column: "n", text: nil),
            ]),
            size: 12, modificationTime: Timestamp(milliseconds: 99),
            statistics: #"{"numRecords":1}"#)
        file.tags = [JSONMember("k", "v")]
        file.baseRowID = 1 << 60
        let schema = try DeltaSchema(
            TableSchema([
                Field("a", .text), Field("n", .int32), Field("j", .json, isNullable: false),
            ]))
        let actions: [LogAction] = [
            .commitInfo(["operation": "WRITE"]),
            .tableProtocol(
                TableProtocol(
                    minReaderVersion: 3, minWriterVersion: 7, readerFeatures: [],
                    writerFeatures: ["x"])),
            .metadata(
                TableMetadata(
                    id: "i", name: "n", comment: nil, schema: schema, partitionColumns: ["a"],
                    configuration: ["k": "v"])),
            .transaction(
                ApplicationTransaction(
                    appID: "app", version: 7, lastUpdated: Timestamp(milliseconds: 3))),
            .add(file), .remove(RemoveFile(file, at: Timestamp(milliseconds: 100))),
            .domainMetadata(DomainMetadata(domain: "d", configuration: "{}", isRemoved: false)),
            .other(name: "cdc", ["path": "x"]),
        ]
        let bytes = LogAction.serialized(actions)
        #expect(try LogAction.parse(bytes) == actions)
        #expect(bytes.text.contains(#""path":"a=b%253A/%C3%BC%20%01.parquet""#))
    }
}
