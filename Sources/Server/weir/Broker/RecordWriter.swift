import Base
import Runtime
import WeirClient

/// Writes records in one of the forms, a batch at a time.
struct RecordWriter: ~Copyable {
    enum Form: String {
        case text, json, ndjson, csv, tsv
        /// For people: time, place, key and value on one line.
        case lines
    }

    private let form: Form
    private let keySeparator: String?
    private var out = ByteWriter(capacity: 64 << 10)
    private var count = 0

    init(form: Form, keySeparator: String?) {
        self.form = form
        self.keySeparator = keySeparator
        switch form {
        case .json: out.utf8("{\"records\":[")
        case .csv: out.utf8("topic,partition,offset,timestamp,key,value,headers\n")
        default: break
        }
    }

    mutating func write(_ record: ConsumedRecord) {
        defer { count += 1 }
        switch form {
        case .json:
            if count > 0 { out.uint8(0x2C) }
            writeObject(record)
        case .ndjson:
            writeObject(record)
            out.uint8(0x0A)
        case .csv, .tsv: writeRow(record)
        case .lines: writeLine(record)
        case .text:
            if let keySeparator {
                if let key = record.keyBytes { out.bytes(key) }
                out.utf8(keySeparator)
            }
            if let value = record.valueBytes { out.bytes(value) }
            out.uint8(0x0A)
        }
    }

    /// Sends out what was written; false when nobody reads it any more. One JSON object is kept
    /// until it is whole, so that an error on the way leaves one object too.
    mutating func flush() throws(Problem) -> Bool {
        form == .json || out.count == 0 ? true : try send()
    }

    mutating func finish() throws(Problem) -> Bool {
        if form == .json { out.utf8("]}\n") }
        return try send()
    }

    private mutating func send() throws(Problem) -> Bool {
        let code = out.withUnsafeBytes { writeAll($0, to: 1) }
        out.removeAll()
        if code == 0 { return true }
        if let problem = outputProblem(code) { throw problem }
        return false
    }

    private mutating func writeRow(_ record: ConsumedRecord) {
        var headers = ByteWriter(capacity: 64)
        Self.writeHeaders(record, to: &headers)
        let table = TextTable(
            [.init("", isNumber: false)],
            rows: [
                [
                    record.topic, "\(record.partition)", "\(record.offset)", "\(record.timestamp)",
                    Self.content(record.keyBytes), Self.content(record.valueBytes),
                    headers.finish().text,
                ]
            ])
        out.utf8(form == .csv ? table.csvRows() : table.tsv())
    }

    private static func content(_ bytes: Bytes?) -> String? {
        bytes.map { $0.validText ?? "base64:" + base64($0) }
    }

    private mutating func writeLine(_ record: ConsumedRecord) {
        let time = record.timestamp < 0 ? "-" : utcText(wallMicroseconds: record.timestamp * 1000)
        out.utf8("\(time.prefix(23)) \(record.partition)/\(record.offset) ")
        out.utf8(record.keyBytes.map { printable(Self.content($0) ?? "") } ?? "-")
        out.utf8(" ")
        out.utf8(record.valueBytes.map { printable(Self.content($0) ?? "") } ?? "-")
        out.uint8(0x0A)
    }

    private mutating func writeObject(_ record: ConsumedRecord) {
        out.utf8("{\"topic\":")
        writeJSONString(record.topic, to: &out)
        out.utf8(",\"partition\":\(record.partition),\"offset\":\(record.offset)")
        out.utf8(",\"timestamp\":\(record.timestamp)")
        Self.writeContent("key", record.keyBytes, to: &out)
        Self.writeContent("value", record.valueBytes, to: &out)
        out.utf8(",\"headers\":")
        Self.writeHeaders(record, to: &out)
        out.uint8(0x7D)
    }

    private static func writeHeaders(_ record: ConsumedRecord, to out: inout ByteWriter) {
        out.uint8(0x5B)
        for (index, header) in record.headers.enumerated() {
            if index > 0 { out.uint8(0x2C) }
            out.utf8("{\"key\":")
            writeJSONString(header.key, to: &out)
            writeContent("value", header.value.map { Bytes($0) }, to: &out)
            out.uint8(0x7D)
        }
        out.uint8(0x5D)
    }

    /// Text as `name`, other bytes as `name_base64`.
    private static func writeContent(
        _ name: String, _ bytes: Bytes?, to out: inout ByteWriter
    ) {
        guard let bytes else {
            out.utf8(",\"\(name)\":null")
            return
        }
        if bytes.validText != nil {
            out.utf8(",\"\(name)\":")
            bytes.withUnsafeBytes { writeJSONString(utf8: $0, to: &out) }
        } else {
            out.utf8(",\"\(name)_base64\":\"\(base64(bytes))\"")
        }
    }
}
