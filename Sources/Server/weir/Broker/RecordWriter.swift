import Base
import Runtime
import WeirClient

/// Writes records in one of the forms, a batch at a time.
struct RecordWriter: ~Copyable {
    private let form: String
    private let keySeparator: String?
    private var out = ByteWriter(capacity: 64 << 10)
    private var count = 0

    init(form: String, keySeparator: String?) {
        self.form = form
        self.keySeparator = keySeparator
        if form == "json" { out.utf8("{\"records\":[") }
    }

    mutating func write(_ record: ConsumedRecord) {
        defer { count += 1 }
        switch form {
        case "json":
            if count > 0 { out.uint8(0x2C) }
            writeObject(record)
        case "ndjson":
            writeObject(record)
            out.uint8(0x0A)
        default:
            if let keySeparator {
                if let key = record.keyBytes { out.bytes(key) }
                out.utf8(keySeparator)
            }
            if let value = record.valueBytes { out.bytes(value) }
            out.uint8(0x0A)
        }
    }

    /// Sends out what was written. One JSON object is kept until it is whole, so that an error on
    /// the way leaves one object too.
    mutating func flush() {
        if form == "json" || out.count == 0 { return }
        out.withUnsafeBytes { writeAll($0, to: 1) }
        out.removeAll()
    }

    mutating func finish() {
        if form == "json" { out.utf8("]}\n") }
        out.withUnsafeBytes { writeAll($0, to: 1) }
        out.removeAll()
    }

    private mutating func writeObject(_ record: ConsumedRecord) {
        out.utf8("{\"topic\":")
        writeJSONString(record.topic, to: &out)
        out.utf8(",\"partition\":\(record.partition),\"offset\":\(record.offset)")
        out.utf8(",\"timestamp\":\(record.timestamp)")
        writeContent("key", record.keyBytes)
        writeContent("value", record.valueBytes)
        out.utf8(",\"headers\":[")
        for (index, header) in record.headers.enumerated() {
            if index > 0 { out.uint8(0x2C) }
            out.utf8("{\"key\":")
            writeJSONString(header.key, to: &out)
            writeContent("value", header.value.map { Bytes($0) })
            out.uint8(0x7D)
        }
        out.utf8("]}")
    }

    /// Text as `name`, other bytes as `name_base64`.
    private mutating func writeContent(_ name: String, _ bytes: Bytes?) {
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
