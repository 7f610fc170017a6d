import Base
import Columns
import Streams

/// Objects of a file, one a line, as columns of declared types. Empty lines are none.
final class JSONLinesReader {
    private var source: ChunkReader
    private var decoder: JSONRowDecoder
    private var lines: JSONLines
    private let name: String

    init(_ file: RowFile, fields: [Field], limits: RowFileLimits) {
        name = file.name
        source = ChunkReader(file, limits)
        decoder = JSONRowDecoder(fields: fields)
        lines = JSONLines()
    }

    func next() throws(Problem) -> ColumnBatch? {
        while true {
            var numbers: [Int] = []
            while let payload = lines.next(in: source.chunk, isLast: source.isLast) {
                numbers.append(lines.number)
                decoder.append(payload)
            }
            if !numbers.isEmpty {
                if let first = decoder.errors.first {
                    throw Problem(
                        "22P02", "\(name), line \(numbers[first.row]): \(first.message)",
                        hint: lines.arrayHint)
                }
                let columns = decoder.finish()
                return ColumnBatch(columns: columns, rowCount: numbers.count)
            }
            if source.isLast { return nil }
            try source.advance(from: lines.start, line: lines.number + 1)
            lines.chunkMoved()
        }
    }
}

/// The lines of a chunk that are not empty.
struct JSONLines {
    /// Where the next line begins in the chunk.
    private(set) var start = 0
    /// The number of the line that was given last.
    private(set) var number = 0
    private var beginsWithBracket = false

    var arrayHint: String? {
        beginsWithBracket
            ? "the file is one JSON array: write an object a line (jq -c '.[]')" : nil
    }

    mutating func chunkMoved() { start = 0 }

    mutating func next(in chunk: Bytes, isLast: Bool) -> Bytes? {
        while start < chunk.count {
            let found = chunk.withUnsafeBytes { bytes -> (end: Int, next: Int, isBlank: Bool)? in
                var end = start
                var isBlank = true
                while end < bytes.count, bytes[end] != 0x0A {
                    if isBlank, ![0x20, 0x09, 0x0D].contains(bytes[end]) { isBlank = false }
                    end += 1
                }
                if end == bytes.count, !isLast { return nil }
                return (end, min(end + 1, bytes.count), isBlank)
            }
            guard let found else { return nil }
            let payload = chunk[start..<found.end]
            start = found.next
            number += 1
            if found.isBlank { continue }
            if number == 1 { beginsWithBracket = payload.withUnsafeBytes { $0.first == 0x5B } }
            return payload
        }
        return nil
    }
}
