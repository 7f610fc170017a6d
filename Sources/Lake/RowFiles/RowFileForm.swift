import Base
import Columns
import Engine

/// How rows are written in a file.
package enum RowFileForm: Hashable, Sendable {
    case csv(CSVOptions)
    /// One JSON object a line.
    case json

    /// The columns of files, from all of their records: their names, and the narrowest types that
    /// every value is of. Reads the files once. Those of CSV must have the same header.
    package func columns(
        of files: [RowFile], now: Now, limits: RowFileLimits = RowFileLimits()
    ) throws(Problem) -> [Field] {
        switch self {
        case .csv(let options): try csvColumns(files, options, now: now, limits: limits)
        case .json: try jsonColumns(files, limits: limits)
        }
    }

    /// The names in the header of a CSV file, one a column; of JSON lines there is no header.
    package func header(of file: RowFile) throws(Problem) -> [String] {
        guard case .csv(let options) = self else { return [] }
        let reader = try CSVReader(file, options)
        return distinctNames(reader.header, count: reader.columnCount ?? 0)
    }
}

/// The rows of a file in columns of given types.
package struct RowReader {
    private enum Source {
        case csv(CSVReader)
        case json(JSONLinesReader)
    }

    private let name: String
    private var source: Source
    private let fields: [Field]
    /// Where in a CSV file the columns are; nil = it has these columns and no others.
    private let places: [Int]?
    private let now: Now

    /// The columns that `fields` name.
    package init(
        _ file: RowFile, _ form: RowFileForm, named fields: [Field], now: Now,
        limits: RowFileLimits = RowFileLimits()
    ) throws(Problem) {
        name = file.name
        self.fields = fields
        self.now = now
        switch form {
        case .csv(let options):
            var reader = try CSVReader(file, options, limits: limits)
            let names = try reader.columnNames()
            var places: [Int] = []
            for field in fields {
                guard let place = names.firstIndex(of: field.name) else {
                    throw Problem(
                        "42703", "\(file.name) has no column \"\(field.name)\"",
                        notes: ["its columns: " + names.joined(separator: ", ")])
                }
                places.append(place)
            }
            self.places = places
            source = .csv(reader)
        case .json:
            places = nil
            source = .json(JSONLinesReader(file, fields: fields, limits: limits))
        }
    }

    /// All columns of a CSV file, one after the other as `fields` say, whatever its header names.
    package init(
        _ file: RowFile, _ options: CSVOptions, inOrder fields: [Field], now: Now,
        limits: RowFileLimits = RowFileLimits()
    ) throws(Problem) {
        name = file.name
        self.fields = fields
        self.now = now
        places = nil
        let reader = try CSVReader(file, options, limits: limits)
        if let count = reader.columnCount { try Self.check(count, fields, file.name) }
        source = .csv(reader)
    }

    private static func check(_ count: Int, _ fields: [Field], _ name: String) throws(Problem) {
        guard count != fields.count else { return }
        throw Problem(
            "22P04", "\(name) has \(count) columns, expected \(fields.count)",
            notes: ["expected: " + fields.map(\.name).joined(separator: ", ")],
            hint: "name the columns of the file: COPY table (a, b) FROM …")
    }

    /// The next rows; nil at the end of the file. A value that is not of its column's type is an
    /// error with the number of its line.
    package mutating func next() throws(Problem) -> ColumnBatch? {
        switch source {
        case .csv(var reader):
            defer { source = .csv(reader) }
            guard let batch = try reader.next() else { return nil }
            return try typed(batch)
        case .json(let reader): return try reader.next()
        }
    }

    private func typed(_ batch: CSVReader.Batch) throws(Problem) -> ColumnBatch {
        if places == nil { try Self.check(batch.columns.count, fields, name) }
        var columns: [Column] = []
        for (index, field) in fields.enumerated() {
            let texts = batch.columns[places?[index] ?? index]
            do throws(Problem) {
                columns.append(try parseColumn(texts, as: field.type, now: now))
            } catch {
                throw located(error, texts, field, batch.lines)
            }
        }
        return ColumnBatch(columns: columns, rowCount: batch.lines.count)
    }

    /// The error of the first row that can't be read, with its line and column.
    private func located(
        _ problem: Problem, _ texts: Column, _ field: Field, _ lines: [Int]
    ) -> Problem {
        for row in lines.indices {
            do throws(Problem) {
                _ = try parseColumn(texts.slice(row..<(row + 1)), as: field.type, now: now)
            } catch {
                var located = error
                located.message =
                    "\(name), line \(lines[row]), column \"\(field.name)\": \(error.message)"
                return located
            }
        }
        return problem
    }
}
