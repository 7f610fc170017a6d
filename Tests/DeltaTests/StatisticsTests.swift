import Base
import Columns
import Delta
import Testing

struct StatisticsTests {
    private func text(_ columns: [ColumnSummary], limit: Int = 32) -> String {
        FileStatistics.text(rowCount: 4, columns: columns, limit: limit)
    }

    @Test func `statistics mirror nested structures`() {
        let json = text([
            ColumnSummary(path: ["a"], nullCount: 1, minimum: .int(-3), maximum: .int(9)),
            ColumnSummary(
                path: ["s", "x"], nullCount: 0, minimum: .date(days: 0), maximum: .date(days: 1)),
            ColumnSummary(path: ["s", "y"], nullCount: 4),
        ])
        #expect(
            json
                == #"{"numRecords":4,"minValues":{"a":-3,"s":{"x":"1970-01-01"}},"maxValues":{"a":9,"s":{"x":"1970-01-02"}},"nullCount":{"a":1,"s":{"x":0,"y":4}},"tightBounds":true}"#
        )
    }

    @Test func `bounds that the format does not keep are left out`() {
        let json = text([
            ColumnSummary(
                path: ["b"], nullCount: 0, minimum: .boolean(false), maximum: .boolean(true)),
            ColumnSummary(path: ["y"], nullCount: 0, minimum: .binary([1]), maximum: .binary([2])),
            ColumnSummary(
                path: ["f"], nullCount: 0, minimum: .float(-.infinity), maximum: .float(.nan)),
        ])
        #expect(json.contains(#""minValues":{},"maxValues":{}"#))
    }

    @Test func `only the first columns are indexed`() {
        let columns = (0..<40).map { ColumnSummary(path: ["c\($0)"], nullCount: 0) }
        #expect(text(columns).contains("c31"))
        #expect(!text(columns).contains("c32"))
        #expect(text(columns, limit: -1).contains("c39"))
        #expect(text(columns, limit: 0).contains(#""nullCount":{}"#))
    }

    @Test func `long texts are cut so that the bounds still hold`() throws {
        for tail in ["z", "é", "\u{7F}", "\u{10FFFE}"] {
            let long = String(repeating: "a", count: 32) + tail + "zz"
            let json = text([
                ColumnSummary(path: ["t"], nullCount: 0, minimum: .text(long), maximum: .text(long))
            ])
            let statistics = try #require(FileStatistics(file(json)))
            guard case .text(let low)? = statistics.minimum(["t"], .text),
                case .text(let high)? = statistics.maximum(["t"], .text)
            else {
                Issue.record("a bound is missing")
                continue
            }
            #expect(low.utf8.lexicographicallyPrecedes(long.utf8))
            #expect(long.utf8.lexicographicallyPrecedes(high.utf8))
            #expect(high.unicodeScalars.count == 33)
        }
        let unbounded = String(repeating: "a", count: 32) + "\u{10FFFF}b"
        #expect(
            text([ColumnSummary(path: ["t"], nullCount: 0, maximum: .text(unbounded))]).contains(
                #""maxValues":{}"#))
    }

    @Test func `moments are cut to milliseconds and read back as wide bounds`() throws {
        let moment = Value.timestampTZ(microseconds: 1_700_000_000_123_999)
        let json = text([ColumnSummary(path: ["t"], nullCount: 0, minimum: moment, maximum: moment)]
        )
        #expect(json.contains(#""maxValues":{"t":"2023-11-14T22:13:20.123Z"}"#))
        let statistics = try #require(FileStatistics(file(json)))
        #expect(statistics.maximum(["t"], .timestampTZ) == moment)
    }

    private func file(_ statistics: String?) -> AddFile {
        AddFile(path: "a", size: 1, modificationTime: .none, statistics: statistics)
    }

    private func snapshot() throws -> TableSnapshot {
        var random = Random(seed: 1)
        return try memoryTable().create(
            TableSchema([
                Field("i", .int64), Field("f", .float64), Field("t", .text),
                Field("d", .decimal(precision: 9, scale: 2)), Field("p", .int32),
            ]), partitionColumns: ["p"], random: &random, now: start)
    }

    @Test func `files without matching rows are skipped, all others are not`() throws {
        let snapshot = try snapshot()
        var known = file(
            text([
                ColumnSummary(path: ["i"], nullCount: 0, minimum: .int(10), maximum: .int(20)),
                ColumnSummary(path: ["f"], nullCount: 0, minimum: .float(1), maximum: .float(2)),
                ColumnSummary(path: ["t"], nullCount: 4),
                ColumnSummary(
                    path: ["d"], nullCount: 0, minimum: .decimal(unscaled: 150, scale: 2),
                    maximum: .decimal(unscaled: 250, scale: 2)),
            ]))
        known.partitionValues = PartitionValues([.init(column: "p", text: "7")])
        func might(_ column: String, _ lower: Value?, _ upper: Value?) -> Bool {
            snapshot.mightMatch(known, column: column, lower: lower, upper: upper)
        }
        #expect(
            might("i", .int(20), nil) && might("i", nil, .int(10)) && might("i", .int(12), .int(13))
        )
        #expect(!might("i", .int(21), nil) && !might("i", nil, .int(9)))
        #expect(might("i", .float(20), nil) && !might("i", .float(20.5), nil))
        #expect(might("i", .text("x"), nil))
        // NaN may hide in a column of floating point numbers, and is above all others.
        #expect(might("f", .float(3), nil) && !might("f", .float(3), .float(4)))
        #expect(!might("t", .text("a"), nil))
        #expect(might("d", .int(2), .int(2)) && !might("d", .int(3), nil))
        #expect(might("p", .int(7), .int(7)) && !might("p", .int(8), nil))
        #expect(might("unknown", .int(8), nil))
        known.statistics = nil
        #expect(might("i", .int(21), nil))
        known.statistics = "{not json"
        #expect(might("i", .int(21), nil))
        known.partitionValues = PartitionValues([.init(column: "p", text: nil)])
        #expect(!might("p", .int(7), nil))
        known.partitionValues = PartitionValues([.init(column: "p", text: "seven")])
        #expect(might("p", .int(7), nil))
    }

    @Test func `folders of partitions are escaped and never too long`() {
        func folder(_ text: String?) -> String {
            PartitionValues([.init(column: "a b", text: text)]).folder
        }
        #expect(folder("x/y:z=1") == "a b=x%2Fy%3Az%3D1/")
        #expect(folder(nil) == "a b=__HIVE_DEFAULT_PARTITION__/")
        #expect(folder("") == "a b=__HIVE_DEFAULT_PARTITION__/")
        #expect(folder("..") == "a b=../")
        #expect(folder(String(repeating: "x", count: 300)) == "")
        #expect(PartitionValues().folder == "")
    }
}
