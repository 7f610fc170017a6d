import Base
import Columns
import Delta
import RowFiles

/// Columns that the files of a folder do not have themselves: `day=2026-01-01/part.parquet`.
struct FolderPartitions: Sendable {
    let fields: [Field]
    /// The values of each file, in the order of the fields.
    let values: [[Value]]

    static let none = FolderPartitions(fields: [], values: [])

    /// From the paths of files, from the folder on. All must name the same columns; their types are
    /// the narrowest that all values are of.
    init(of paths: [String], now: Now) throws(Problem) {
        let parts = paths.map { path in
            path.split(separator: "/").dropLast().compactMap { part -> (String, String)? in
                guard let sign = part.firstIndex(of: "="), sign != part.startIndex else {
                    return nil
                }
                return (
                    TablePath.hiveUnescaped(String(part[..<sign])),
                    TablePath.hiveUnescaped(String(part[part.index(after: sign)...]))
                )
            }
        }
        let names = parts.first?.map(\.0) ?? []
        for (index, file) in parts.enumerated() where file.map(\.0) != names {
            throw Problem(
                "42804", "'\(paths[index])' is not partitioned as '\(paths[0])' is",
                notes: [
                    "found: " + file.map(\.0).joined(separator: ", "),
                    "expected: " + names.joined(separator: ", "),
                ], hint: "read a folder further down")
        }
        var fields: [Field] = []
        var columns: [Column] = []
        for (index, name) in names.enumerated() {
            let texts = Column(
                .text,
                parts.map { file in
                    file[index].1 == Self.null ? .null : .text(file[index].1)
                })
            let (type, column) = try narrowest(texts, now: now)
            fields.append(Field(name, type))
            columns.append(column)
        }
        self.fields = fields
        values = paths.indices.map { row in columns.map { $0.value(row) } }
    }

    private init(fields: [Field], values: [[Value]]) {
        self.fields = fields
        self.values = values
    }

    /// How writers name the folder of NULL.
    private static let null = "__HIVE_DEFAULT_PARTITION__"

    /// Whether rows of file `index` can be within `ranges`.
    func mightMatch(_ index: Int, _ ranges: [ColumnRange]) -> Bool {
        ranges.allSatisfy { range in
            guard let place = fields.firstIndex(where: { $0.name == range.column }) else {
                return true
            }
            return range.contains(values[index][place])
        }
    }

    /// The column of partition field `place` for `count` rows of file `index`.
    func column(_ place: Int, of index: Int, count: Int) -> Column {
        Column(fields[place].type, [Value](repeating: values[index][place], count: count))
    }
}
