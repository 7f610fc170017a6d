import Base
import Columns
import Delta
import Parquet
import Testing

/// Features that only other engines write: their logs by hand, after the specification.
struct ForeignFeatureTests {
    // MARK: Column mapping

    private func mapped(_ name: String, _ type: String, _ id: Int, _ physical: String) -> String {
        #"{"name":"\#(name)","type":\#(type),"nullable":true,"metadata":{"#
            + #""delta.columnMapping.id":\#(id),"#
            + #""delta.columnMapping.physicalName":"\#(physical)"}}"#
    }

    private func mappedTable(mode: String) throws -> ForeignTable {
        let foreign = ForeignTable()
        let inner = mapped("y", #""long""#, 4, "col-y")
        let columns = [
            mapped("id number", #""long""#, 1, "col-a"), mapped("day", #""date""#, 2, "col-d"),
            mapped("s", #"{"type":"struct","fields":[\#(inner)]}"#, 3, "col-s"),
            mapped("later", #""string""#, 5, "col-later"),
        ]
        try foreign.begin(
            reader: 2, writer: 5, columns: columns.joined(separator: ","),
            partitionColumns: #"["day"]"#,
            settings:
                #""delta.columnMapping.mode":"\#(mode)","delta.columnMapping.maxColumnId":"5""#)
        // By id the names in the file mean nothing.
        let names = mode == "id" ? ["x1", "x3"] : ["col-a", "col-s"]
        let schema = TableSchema([
            Field(names[0], .int64), Field(names[1], .structure([Field("col-y", .int64)])),
        ])
        for (file, day) in [("a", "2024-01-01"), ("b", "2024-01-02")] {
            let first: Int64 = file == "a" ? 1 : 100
            try foreign.putFile(
                "\(file).parquet", schema,
                [[.int(first), .structure([.int(7)])], [.int(first + 1), .structure([.null])]],
                fieldIDs: [1, 3])
            let stats =
                #"{\"numRecords\":2,\"minValues\":{\"col-a\":\#(first)},"#
                + #"\"maxValues\":{\"col-a\":\#(first + 1)}}"#
            try foreign.commit(
                try foreign.add(
                    "\(file).parquet",
                    #""partitionValues":{"col-d":"\#(day)"},"stats":"\#(stats)""#))
        }
        return foreign
    }

    @Test(arguments: ["name", "id"])
    func `columns are found under their names in the files`(mode: String) throws {
        let foreign = try mappedTable(mode: mode)
        let table = foreign.table
        #expect(
            try table.snapshot().schema.fields.map(\.name) == ["id number", "day", "s", "later"])
        let rows = try allRows(table)
        #expect(
            rows.first == [.int(1), .date(days: 19_723), .structure([.int(7)]), .null])
        #expect(numbers(rows) == [1, 2, 100, 101])
        let ranges = [ColumnRange(column: "id number", lower: .int(50))]
        #expect(try DeltaScan(table, try table.snapshot(), ranges: ranges).files.count == 1)
        let days = [ColumnRange(column: "day", upper: .date(days: 19_723))]
        #expect(numbers(try allRows(table, columns: ["id number"], days)) == [1, 2])
    }

    @Test func `rows are written under the names of the files`() throws {
        let table = try mappedTable(mode: "name").table
        var random = Random(seed: 1)
        let schema = try table.snapshot().schema
        let row: [Value] = [
            .int(7), .date(days: 19_725), .structure([.int(8)]), .text("new"),
        ]
        _ = try table.append([rowBatch(schema, [row])], random: &random, now: later(1))
        #expect(try allRows(second(table)).last == row)
        let file = try #require(try table.snapshot().files.last)
        #expect(file.partitionValues.entries.map(\.column) == ["col-d"])
        #expect(file.path.hasPrefix("col-d=2024-01-03/"))
        #expect(FileStatistics(file)?.maximum(["col-s", "col-y"], .int64) == .int(8))
        let parquet = try ParquetFile(try table.store.get("t/" + file.path, range: nil))
        #expect(parquet.schema.fields.map(\.name) == ["col-a", "col-s", "col-later"])
        #expect(parquet.fieldIDs == [1, 3, 5])
    }

    // MARK: Type widening

    @Test func `files from before a change of type are cast`() throws {
        let foreign = ForeignTable()
        func column(_ name: String, _ type: String, from old: String) -> String {
            #"{"name":"\#(name)","type":"\#(type)","nullable":true,"metadata":{"#
                + #""delta.typeChanges":[{"toType":"\#(type)","fromType":"\#(old)"}]}}"#
        }
        try foreign.begin(
            reader: 3, writer: 7, readerFeatures: ["typeWidening", "timestampNtz"],
            writerFeatures: ["typeWidening", "timestampNtz"],
            columns: [
                column("a", "long", from: "short"), column("b", "double", from: "integer"),
                column("c", "decimal(20,4)", from: "decimal(10,2)"),
                column("d", "decimal(22,1)", from: "long"),
                column("e", "timestamp_ntz", from: "date"),
                column("f", "double", from: "float"),
            ].joined(separator: ","))
        let old = TableSchema([
            Field("a", .int16), Field("b", .int32),
            Field("c", .decimal(precision: 10, scale: 2)), Field("d", .int64), Field("e", .date),
            Field("f", .float32),
        ])
        try foreign.putFile(
            "old.parquet", old,
            [
                [
                    .int(-3), .int(5), .decimal(unscaled: 125, scale: 2), .int(9),
                    .date(days: 2), .float(0.5),
                ],
                [.null, .null, .null, .null, .null, .null],
            ])
        try foreign.commit(try foreign.add("old.parquet"))
        #expect(
            try allRows(foreign.table) == [
                [
                    .int(-3), .float(5), .decimal(unscaled: 12_500, scale: 4),
                    .decimal(unscaled: 90, scale: 1),
                    .timestamp(microseconds: 2 * 86_400_000_000), .float(0.5),
                ], [.null, .null, .null, .null, .null, .null],
            ])
        // Bounds of the file are in the old type's form: they must not hide its rows.
        let moments = [
            ColumnRange(column: "e", lower: .timestamp(microseconds: 86_400_000_000))
        ]
        #expect(try allRows(foreign.table, moments).count == 2)
    }

    // MARK: Forms of the log

    private func plainTable(versions: Int) throws -> ForeignTable {
        let foreign = ForeignTable()
        try foreign.begin(reader: 1, writer: 2, columns: idColumn)
        for version in 1..<versions {
            let name = "f\(version).parquet"
            try foreign.putFile(
                name, TableSchema([Field("id", .int64)]), [[.int(Int64(version))]])
            try foreign.commit(try foreign.add(name))
        }
        return foreign
    }

    @Test func `files that stand for several commits are read in their place`() throws {
        let foreign = try plainTable(versions: 6)
        let first = LogFileName.commitName(2).dropLast(5)
        let last = LogFileName.commitName(4).dropLast(5)
        // It says something else than the commits, so that the test can tell what was read.
        try foreign.put(
            "_delta_log/\(first).\(last).compacted.json",
            try foreign.add("f4.parquet") + "\n"
                + #"{"remove":{"path":"f2.parquet","dataChange":true}}"#)
        #expect(
            try foreign.table.snapshot().files.map(\.path) == [
                "f1.parquet", "f4.parquet", "f5.parquet",
            ])
        #expect(try foreign.table.snapshot(version: 3).fileCount == 3)
        try foreign.store.delete("t/_delta_log/" + LogFileName.commitName(3))
        #expect(try foreign.table.snapshot().fileCount == 3)
        #expect(throws: DeltaFailure.self) { try foreign.table.snapshot(version: 3) }
    }

    @Test func `a damaged file for several commits only costs time`() throws {
        let foreign = try plainTable(versions: 6)
        let first = LogFileName.commitName(2).dropLast(5)
        let last = LogFileName.commitName(5).dropLast(5)
        try foreign.put("_delta_log/\(first).\(last).compacted.json", "{")
        #expect(try foreign.table.snapshot().fileCount == 5)
    }

    @Test func `a version that contradicts its checksum is read from the commits`() throws {
        var random = Random(seed: 5)
        let table = memoryTable()
        try table.create(
            twoColumns, configuration: ["delta.checkpointInterval": "2"], random: &random,
            now: start)
        for number in 1...3 { try commitFile(table, &random, at: later(Int64(number))) }
        let folder = "bronze/events/_delta_log/"
        for version: Int64 in 1...3 {
            #expect(table.store.exists(folder + LogFileName.checksumName(version)))
            #expect(second(table).checksumDifference(try table.snapshot(version: version)) == nil)
        }
        // A checkpoint that lost a file.
        let thinner = try table.snapshot(version: 1)
        let other = memoryTable()
        try other.create(twoColumns, random: &random, now: start)
        try commitFile(other, &random)
        try other.writeCheckpoint(of: try other.snapshot())
        let wrong = try other.store.get(folder + LogFileName.checkpointName(1), range: nil)
        try table.store.replace(folder + LogFileName.checkpointName(2), wrong)
        #expect(thinner.fileCount == 1)
        #expect(try second(table).snapshot().fileCount == 3)
        // A checksum that is wrong itself does not make the table unreadable.
        try table.store.replace(
            folder + LogFileName.checksumName(3),
            Bytes(utf8: #"{"numFiles":9,"tableSizeBytes":1}"#))
        #expect(try second(table).snapshot().version == 3)
        #expect(second(table).checksumDifference(try table.snapshot()) != nil)
    }

    /// Rows of a checkpoint of the second kind or with typed statistics, as JSON lines say them.
    private func checkpoint(_ schema: TableSchema, _ lines: [String]) throws -> Bytes {
        let rows = try lines.map { try JSONValue(parsing: $0) }
        func value(_ json: JSONValue?, _ type: ColumnType) -> Value {
            guard let json, !json.isNull else { return .null }
            switch type {
            case .text: return .text(json.stringValue ?? "")
            case .boolean: return .boolean(json.boolValue ?? false)
            case .structure(let fields):
                return .structure(fields.map { value(json[$0.name], $0.type) })
            case .list(let element):
                return .list((json.arrayValue ?? []).map { value($0, element) })
            case .map:
                return .map(
                    (json.members ?? []).map {
                        Value.MapEntry(key: .text($0.key), value: value($0.value, .text))
                    })
            default: return .int(json.intValue ?? 0)
            }
        }
        let batch = rowBatch(
            schema, rows.map { row in schema.fields.map { value(row[$0.name], $0.type) } })
        var writer = try ParquetWriter(schema: schema)
        try writer.write(batch)
        return try writer.finish().file
    }

    private let protocolColumn = Field(
        "protocol",
        .structure([Field("minReaderVersion", .int32), Field("minWriterVersion", .int32)]))
    private let metadataColumn = Field(
        "metaData",
        .structure([
            Field("id", .text), Field("schemaString", .text),
            Field("partitionColumns", .list(.text)),
        ]))

    @Test func `statistics and partition values that are columns only are read`() throws {
        let foreign = ForeignTable()
        try foreign.begin(
            reader: 1, writer: 2,
            columns: idColumn + #",{"name":"p","type":"integer","nullable":true,"metadata":{}}"#,
            partitionColumns: #"["p"]"#)
        try foreign.putFile(
            "a.parquet", TableSchema([Field("id", .int64)]), [[.int(1)], [.int(2)]])
        let size = try foreign.store.size("t/a.parquet")
        let bounds = ColumnType.structure([Field("id", .int64)])
        let schema = TableSchema([
            protocolColumn, metadataColumn,
            Field(
                "add",
                .structure([
                    Field("path", .text), Field("size", .int64), Field("dataChange", .boolean),
                    Field("partitionValues_parsed", .structure([Field("p", .int32)])),
                    Field(
                        "stats_parsed",
                        .structure([
                            Field("numRecords", .int64), Field("minValues", bounds),
                            Field("maxValues", bounds), Field("nullCount", bounds),
                        ])),
                ])),
        ])
        let text = try JSONValue(
            parsing: String(
                metadataLine(
                    idColumn + #",{"name":"p","type":"integer","nullable":true,"metadata":{}}"#,
                    partitionColumns: #"["p"]"#)))
        let add =
            #"{"add":{"path":"a.parquet","size":\#(size),"dataChange":false,"#
            + #""partitionValues_parsed":{"p":5},"stats_parsed":{"numRecords":2,"#
            + #""minValues":{"id":1},"maxValues":{"id":2},"nullCount":{"id":0}}}}"#
        try foreign.put(
            "_delta_log/" + LogFileName.checkpointName(0),
            try checkpoint(schema, [plainProtocol, text.text, add]))
        let table = foreign.table
        let snapshot = try table.snapshot()
        #expect(snapshot.rowCount == 2)
        #expect(try allRows(table) == [[.int(1), .int(5)], [.int(2), .int(5)]])
        let high = [ColumnRange(column: "id", lower: .int(3))]
        #expect(try DeltaScan(table, snapshot, ranges: high).files.isEmpty)
        let other = [ColumnRange(column: "p", upper: .int(4))]
        #expect(try DeltaScan(table, snapshot, ranges: other).files.isEmpty)
    }

    @Test(arguments: ["json", "parquet", "classic"])
    func `checkpoints of the second kind are read with their sidecars`(form: String) throws {
        let foreign = ForeignTable()
        try foreign.begin(
            reader: 3, writer: 7, readerFeatures: ["v2Checkpoint"],
            writerFeatures: ["v2Checkpoint"], columns: idColumn)
        for number: Int64 in 1...3 {
            try foreign.putFile(
                "f\(number).parquet", TableSchema([Field("id", .int64)]), [[.int(number)]])
        }
        let addColumn = Field(
            "add",
            .structure([
                Field("path", .text), Field("size", .int64), Field("dataChange", .boolean),
                Field("partitionValues", .map(key: .text, value: .text)),
            ]))
        let sidecar = "016ae953-37a9-438e-8683-9a9a4a79a395.parquet"
        try foreign.put(
            "_delta_log/_sidecars/" + sidecar,
            try checkpoint(
                TableSchema([addColumn]),
                [try foreign.add("f1.parquet"), try foreign.add("f2.parquet")]))
        let features = #""readerFeatures":["v2Checkpoint"],"writerFeatures":["v2Checkpoint"]"#
        let lines = [
            #"{"checkpointMetadata":{"version":0}}"#,
            #"{"protocol":{"minReaderVersion":3,"minWriterVersion":7,\#(features)}}"#,
            metadataLine(idColumn),
            #"{"sidecar":{"path":"\#(sidecar)","sizeInBytes":1,"modificationTime":1}}"#,
        ]
        let stem = String(LogFileName.commitName(0).dropLast(5))
        let id = "80a083e8-7026-4e79-81be-64bd76c43a11"
        if form == "json" {
            try foreign.put(
                "_delta_log/\(stem).checkpoint.\(id).json", lines.joined(separator: "\n"))
        } else {
            let schema = TableSchema([
                Field("checkpointMetadata", .structure([Field("version", .int64)])),
                Field(
                    "protocol",
                    .structure([
                        Field("minReaderVersion", .int32), Field("minWriterVersion", .int32),
                        Field("readerFeatures", .list(.text)),
                        Field("writerFeatures", .list(.text)),
                    ])),
                metadataColumn,
                Field(
                    "sidecar",
                    .structure([Field("path", .text), Field("sizeInBytes", .int64)])),
            ])
            let name =
                form == "classic"
                ? LogFileName.checkpointName(0) : "\(stem).checkpoint.\(id).parquet"
            try foreign.put("_delta_log/" + name, try checkpoint(schema, lines))
        }
        try foreign.commit(try foreign.add("f3.parquet"))
        try foreign.store.delete("t/_delta_log/" + LogFileName.commitName(0))
        #expect(numbers(try allRows(foreign.table)) == [1, 2, 3])
        // Without the sidecar nothing may be read, rather than a part of the rows.
        try foreign.store.delete("t/_delta_log/_sidecars/" + sidecar)
        #expect(throws: DeltaFailure.self) { try foreign.table.snapshot() }
    }

    @Test func `the moment of a version is the one in its commit`() throws {
        let foreign = ForeignTable()
        try foreign.begin(
            reader: 1, writer: 7, writerFeatures: ["inCommitTimestamp"], columns: idColumn,
            settings: #""delta.enableInCommitTimestamps":"true""#)
        for version in 1...3 {
            try foreign.commit(
                #"{"commitInfo":{"inCommitTimestamp":\#(version * 1000),"timestamp":7}}"#)
        }
        #expect(try foreign.table.version(at: Timestamp(milliseconds: 2500)) == 2)
        #expect(try foreign.table.snapshot().timestamp.milliseconds == 3000)
    }

    @Test(arguments: ["catalogManaged", "collations-preview", "futureThing"])
    func `what we do not know is refused by its name`(feature: String) throws {
        let foreign = ForeignTable()
        try foreign.begin(
            reader: 3, writer: 7, readerFeatures: [feature], writerFeatures: [feature],
            columns: idColumn)
        #expect(throws: DeltaFailure.unsupportedFeature(feature, use: .read)) {
            try foreign.table.snapshot()
        }
    }

    @Test func `a column of a type that we do not know is refused by its name`() throws {
        let foreign = ForeignTable()
        try foreign.begin(
            reader: 1, writer: 2,
            columns: #"{"name":"v","type":"geometry","nullable":true,"metadata":{}}"#)
        let failure = #expect(throws: DeltaFailure.self) { try foreign.table.snapshot() }
        #expect(failure?.problem.message.contains("geometry") == true)
    }

    @Test(arguments: ["icebergCompatV2", "collations", "unheardOf"])
    func `a table with a feature of writers is read and not changed`(feature: String) throws {
        let foreign = ForeignTable()
        try foreign.begin(reader: 1, writer: 7, writerFeatures: [feature], columns: idColumn)
        var random = Random(seed: 1)
        #expect(try foreign.table.snapshot().version == 0)
        #expect(throws: DeltaFailure.unsupportedFeature(feature, use: .write)) {
            try foreign.table.begin(random: &random)
        }
    }
}
