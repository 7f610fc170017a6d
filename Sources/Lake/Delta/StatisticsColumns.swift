// Statistics of files as columns of a checkpoint, beside their text or in its place:
//
// | column of `add` | members |
// |---|---|
// | stats_parsed | numRecords, minValues{…}, maxValues{…}, nullCount{…}, tightBounds |
// | partitionValues_parsed | the partition columns |
//
// with the types of the table's columns, under the names that its files have. Readers can then skip
// files without reading JSON (`delta.checkpoint.writeStatsAsStruct`).

import Base
import Columns

struct StatisticsColumns: Sendable {
    /// The members that `add` gets; none when they are not wanted.
    let fields: [Field]
    private let partitions: [Field]

    init(_ snapshot: TableSnapshot, isWanted: Bool) throws(DeltaFailure) {
        guard isWanted else {
            fields = []
            partitions = []
            return
        }
        let metadata = snapshot.metadata
        let stored = try metadata.fileSchema().fields
        var members = [Field("numRecords", .int64)]
        let bounded = Self.leaves(stored) { type in
            switch type {
            case .int16, .int32, .int64, .float32, .float64, .decimal, .text, .date, .timestamp,
                .timestampTZ:
                type
            default: nil
            }
        }
        if !bounded.isEmpty {
            members.append(Field("minValues", .structure(bounded)))
            members.append(Field("maxValues", .structure(bounded)))
        }
        let counted = Self.leaves(stored) { type in
            switch type {
            case .list, .map, .variant, .null: nil
            default: .int64
            }
        }
        if !counted.isEmpty { members.append(Field("nullCount", .structure(counted))) }
        members.append(Field("tightBounds", .boolean))
        partitions = metadata.partitionColumns.compactMap { name in
            snapshot.schema.fields.first { $0.name == name }.map {
                // Identifiers are text to everybody else.
                Field(metadata.physicalName(of: name), $0.type == .uuid ? .text : $0.type)
            }
        }
        var all = [Field("stats_parsed", .structure(members))]
        if !partitions.isEmpty {
            all.append(Field("partitionValues_parsed", .structure(partitions)))
        }
        fields = all
    }

    /// The same structures with other leaves; those that become nil are left out.
    private static func leaves(
        _ fields: [Field], _ change: (ColumnType) -> ColumnType?
    ) -> [Field] {
        fields.compactMap { field in
            guard case .structure(let members) = field.type else {
                return change(field.type).map { Field(field.name, $0) }
            }
            let inner = leaves(members, change)
            return inner.isEmpty ? nil : Field(field.name, .structure(inner))
        }
    }

    /// The value of one of `fields` for a file. What cannot be read is NULL: unknown.
    func value(_ field: Field, of file: AddFile) -> Value {
        guard field.name == "stats_parsed" else {
            return .structure(
                partitions.map { field in
                    (try? file.partitionValues.value(field.name, field.type)) ?? .null
                })
        }
        let json = file.statistics.flatMap { try? JSONValue(parsing: $0) } ?? .null
        return Self.value(json, field.type)
    }

    private static func value(_ json: JSONValue, _ type: ColumnType) -> Value {
        switch (json, type) {
        case (.object, .structure(let fields)):
            return .structure(fields.map { value(json[$0.name] ?? .null, $0.type) })
        case (.bool(let flag), .boolean): return .boolean(flag)
        default: return FileStatistics.value(json, type) ?? .null
        }
    }
}

extension TableMetadata {
    /// The columns that have statistics when the table names them itself
    /// (`delta.dataSkippingStatsColumns`), as paths in files; nil when it does not.
    var statisticsPaths: [[String]]? {
        guard let text = configuration["delta.dataSkippingStatsColumns"] else { return nil }
        return Self.columnPaths(text).map { physicalPath(of: $0) }
    }

    /// `a, b.c, `d e`` as paths: a name in backticks may have dots, commas and blanks.
    package static func columnPaths(_ text: String) -> [[String]] {
        var paths: [[String]] = []
        var path: [String] = []
        var name = ""
        var isQuoted = false
        func trimmed(_ text: String) -> String {
            String(text.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        }
        for character in text {
            switch character {
            case "`": isQuoted.toggle()
            case "." where !isQuoted:
                path.append(trimmed(name))
                name = ""
            case "," where !isQuoted:
                paths.append(path + [trimmed(name)])
                (path, name) = ([], "")
            default: name.append(character)
            }
        }
        paths.append(path + [trimmed(name)])
        return paths.filter { $0 != [""] }
    }

    /// Those of `columns` that a file has statistics of.
    func columnsWithStatistics(_ columns: [ColumnSummary]) -> [ColumnSummary] {
        guard let paths = statisticsPaths else {
            return indexedColumns < 0 ? columns : Array(columns.prefix(indexedColumns))
        }
        return columns.filter { column in paths.contains { column.path.starts(with: $0) } }
    }
}
