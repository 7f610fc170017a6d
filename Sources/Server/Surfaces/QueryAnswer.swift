import Base
import Columns
import Node
import RowFiles

/// The answer to a query, piece by piece as its rows come: memory for one piece, whatever the result.
///
/// `@unchecked Sendable` is sound because one thread at a time asks for the next piece, and turns are
/// handed on through a lock.
final class QueryAnswer: @unchecked Sendable {
    private enum Writer {
        case json
        case rows(RowWriter)
        case arrow(ArrowStreamWriter)
    }

    private let cursor: StatementCursor
    private let form: QueryForm
    private let writer: Writer
    private let started: Now
    private let now: @Sendable () -> Now
    private let background: Background
    private var isFirstRow = true
    private var isFinished = false

    /// An answer begins when there are so many bytes, or so much time has passed: errors until then
    /// have a status of their own.
    private static let firstBytes = 256 << 10
    private static let firstWait = Duration.milliseconds(250)
    private static let pieceBytes = 64 << 10
    private static let pieceWait = Duration.milliseconds(50)

    init(
        _ cursor: StatementCursor, _ form: QueryForm, started: Now,
        now: @escaping @Sendable () -> Now, in background: @escaping Background
    ) throws(Problem) {
        self.cursor = cursor
        self.form = form
        self.started = started
        self.now = now
        self.background = background
        switch form {
        case .json: writer = .json
        case .ndjson: writer = .rows(try RowWriter(.json, fields: cursor.columns))
        case .csv:
            writer = .rows(try RowWriter(.csv(CSVOptions()), fields: cursor.columns))
        case .arrow: writer = .arrow(ArrowStreamWriter(fields: cursor.columns))
        }
    }

    func response() throws(Problem) -> HTTPResponse {
        var output = ByteWriter(capacity: 4096)
        writeHead(&output)
        try write(&output, bytes: Self.firstBytes, wait: Self.firstWait)
        var response = HTTPResponse(
            status: 200, headers: [.init(name: "Content-Type", value: form.contentType)],
            body: output.finish())
        response = response.with("X-Weir-Query-Id", cursor.query.id)
        if isFinished {
            return response.with("X-Weir-Truncated", cursor.isTruncated ? "true" : "false")
        }
        response.headers.append(.init(name: "Trailer", value: "X-Weir-Truncated"))
        response.rest = HTTPStream(
            in: background,
            next: { () throws(Problem) in try self.next() },
            cancel: { [query = cursor.query] in query.end(because: .abandoned) },
            trailer: {
                .init(name: "X-Weir-Truncated", value: self.cursor.isTruncated ? "true" : "false")
            })
        return response
    }

    private func next() throws(Problem) -> Bytes? {
        if isFinished { return nil }
        var output = ByteWriter(capacity: Self.pieceBytes)
        try write(&output, bytes: Self.pieceBytes, wait: Self.pieceWait)
        return output.finish()
    }

    /// Writes rows until there are `bytes` of them, the time is up, or all are written.
    private func write(
        _ output: inout ByteWriter, bytes: Int, wait: Duration
    ) throws(Problem) {
        let begun = now().monotonic
        while output.count < bytes {
            guard let batch = try cursor.next() else {
                writeTail(&output)
                isFinished = true
                return
            }
            switch writer {
            case .json: writeJSON(shown(batch), &output)
            case .rows(let writer): output.bytes(writer.rows(shown(batch)))
            case .arrow(let writer): output.bytes(try writer.rows(batch))
            }
            if output.count > 0, now().monotonic - begun >= wait { return }
        }
    }

    /// The rows with their moments as the session's clock shows them. Arrow has moments, not texts.
    private func shown(_ batch: ColumnBatch) -> ColumnBatch {
        cursor.shown(batch, asISO: form != .csv)
    }

    private func writeHead(_ output: inout ByteWriter) {
        switch writer {
        case .json:
            output.utf8("{\"query_id\":")
            writeJSONString(cursor.query.id, to: &output)
            output.utf8(",\"columns\":")
            JSONValue.array(
                cursor.columns.map {
                    ["name": .string($0.name), "type": .string($0.type.sqlName)]
                }
            ).write(to: &output)
            output.utf8(",\"rows\":[")
        case .rows(let writer): if !cursor.columns.isEmpty { output.bytes(writer.head()) }
        case .arrow(let writer): output.bytes(writer.head())
        }
    }

    private func writeJSON(_ batch: ColumnBatch, _ output: inout ByteWriter) {
        let writer = JSONRowWriter(batch)
        for row in 0..<batch.rowCount {
            if !isFirstRow { output.uint8(0x2C) }
            isFirstRow = false
            writer.array(row, to: &output)
        }
    }

    private func writeTail(_ output: inout ByteWriter) {
        switch writer {
        case .json:
            let elapsed = now().monotonic - started.monotonic
            let scan = cursor.scan
            let rest: JSONValue = [
                "command": .string(cursor.tag),
                "row_count": .int(cursor.columns.isEmpty ? 0 : cursor.rowCount),
                "truncated": .bool(cursor.isTruncated),
                "notices": .array(cursor.notices.map { .string($0) }),
                "elapsed_ms": .double(Double(elapsed.wholeNanoseconds / 1000) / 1000),
                "scan": [
                    "files_read": .int(scan.filesRead),
                    "files_skipped": .int(scan.filesSkipped),
                    "bytes_read": .int(scan.bytesRead),
                ],
            ]
            output.utf8("],")
            // Without its brace: the object has begun.
            rest.serialized().withUnsafeBytes {
                output.bytes(UnsafeRawBufferPointer(rebasing: $0[1...]))
            }
        case .rows: break
        case .arrow(let writer): output.bytes(writer.tail())
        }
    }
}
