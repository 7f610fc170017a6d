import Base
import Columns

/// Records of a CSV file as columns of text, chunk after chunk.
///
/// A field that begins with a quote ends with one, and may have delimiters, line breaks and doubled
/// quotes in it; in other fields a quote is a character like any other. Lines end with LF or CR LF.
/// Empty lines between records are no records, unless there is one column. An unquoted field that is
/// the text for NULL is NULL. Anything else is error 22P04 with the number of the line.
package struct CSVReader {
    /// Rows of text, and the line on which each begins.
    package struct Batch: Sendable {
        package var columns: [Column]
        package var lines: [Int]
    }

    private let options: CSVOptions
    private var source: ChunkReader
    /// The names in the header; empty without one.
    package private(set) var header: [String] = []
    /// How many fields each record must have; known from the first record on.
    package private(set) var columnCount: Int?
    private var at = 0
    private var line = 1

    /// Reads the header, if the file has one.
    package init(
        _ file: RowFile, _ options: CSVOptions = CSVOptions(),
        limits: RowFileLimits = RowFileLimits()
    ) throws(Problem) {
        try options.check()
        self.options = options
        source = ChunkReader(file, limits)
        try source.advance(from: 0, line: 1)
        at = source.chunk.withUnsafeBytes { $0.starts(with: [0xEF, 0xBB, 0xBF]) } ? 3 : 0
        if options.hasHeader, let names = try records(1, null: nil) {
            header = names.columns.map { column in
                guard case .text(let text) = column.data else { return "" }
                return text.string(0)
            }
        }
    }

    /// A name for each column: that of the header, or its number. Before the first record.
    mutating func columnNames() throws(Problem) -> [String] {
        if header.isEmpty, columnCount == nil {
            let (start, firstLine) = (at, line)
            _ = try records(1, null: nil)
            // Nothing of the chunk was given away yet.
            (at, line) = (start, firstLine)
        }
        return distinctNames(header, count: columnCount ?? 0)
    }

    /// The next records; nil at the end of the file.
    package mutating func next() throws(Problem) -> Batch? {
        try records(.max, null: Array(options.null.utf8))
    }

    /// At most `count` records of one chunk.
    private mutating func records(_ count: Int, null: [UInt8]?) throws(Problem) -> Batch? {
        while true {
            let (fields, scan) = source.chunk.withUnsafeBytes { bytes in
                var fields = CSVFields(null: null, columnCount: columnCount)
                var scan = CSVScan(bytes, at: at, line: line, options, isLast: source.isLast)
                scan.read(count, into: &fields)
                return (fields, scan)
            }
            // What was whole comes before what is wrong.
            if let failure = scan.failure, fields.rowCount == 0 {
                throw problem(failure.line, failure.what)
            }
            at = scan.at
            line = scan.line
            if fields.rowCount > 0 {
                columnCount = fields.columnCount
                try checkText(fields)
                return fields.batch(of: source.chunk)
            }
            if source.isLast { return nil }
            try source.advance(from: at, line: line)
            at = 0
        }
    }

    private func problem(_ line: Int, _ what: String) -> Problem {
        Problem("22P04", "\(source.file.name), line \(line): \(what)")
    }

    /// Text is UTF-8, or an error that names the record.
    private func checkText(_ fields: CSVFields) throws(Problem) {
        func isText(_ range: Range<Int>) -> Bool {
            source.chunk.withUnsafeBytes { bytes in
                String(validating: bytes[range], as: UTF8.self) != nil
            }
        }
        if isText(fields.starts[0]..<at) { return }
        for (row, start) in fields.starts.enumerated() {
            let end = row + 1 < fields.starts.count ? fields.starts[row + 1] : at
            if !isText(start..<end) {
                throw Problem(
                    "22021",
                    "\(source.file.name), line \(fields.lines[row]): the record is not valid UTF-8",
                    hint: "convert the file: iconv -f latin1 -t utf8")
            }
        }
    }
}
