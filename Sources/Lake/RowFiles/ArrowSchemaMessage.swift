// The metadata of Arrow's IPC format: https://arrow.apache.org/docs/format/Columnar.html (Schema.fbs,
// Message.fbs). A message on the wire:
//
// | bytes | content |
// |---|---|
// | 4 | FF FF FF FF |
// | 4 | bytes of the metadata, padded to a multiple of 8 |
// | … | the metadata: a FlatBuffer `Message` |
// | … | the body: buffers, each padded to 8 bytes |

import Base
import Columns

/// The columns of a stream as Arrow's `Schema`, and the frames of its messages.
enum ArrowMessages {
    /// Numbers of the union `MessageHeader`.
    private enum Header: UInt8 { case schema = 1, recordBatch = 3 }
    /// `MetadataVersion.V5`
    private static let version: Int16 = 4

    /// Four bytes that say that there is a length, and a length of nothing.
    static let endOfStream: [UInt8] = [0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0]

    // MARK: Schema

    static func schema(_ fields: [Field]) -> [UInt8] {
        var builder = FlatBufferBuilder()
        let list = fields.map { field($0, &builder) }
        let vector = builder.vector(list)
        builder.beginTable()
        builder.field(1, reference: vector)
        let schema = builder.endTable()
        return message(.schema, schema, bodyBytes: 0, &builder)
    }

    /// `Field`: name 0, nullable 1, type 2 and 3, children 5, metadata 6.
    private static func field(_ field: Field, _ builder: inout FlatBufferBuilder) -> Int {
        var children: [Int] = []
        switch field.type {
        case .list(let element): children = [self.field(Field("item", element), &builder)]
        case .structure(let members): children = members.map { self.field($0, &builder) }
        case .map(let key, let value):
            let entries = Field(
                "entries",
                .structure([Field("key", key, isNullable: false), Field("value", value)]),
                isNullable: false)
            children = [self.field(entries, &builder)]
        default: break
        }
        let childVector = builder.vector(children)
        let metadata = extensionName(field.type).map { name in
            let (key, value) = (builder.string("ARROW:extension:name"), builder.string(name))
            let (otherKey, other) = (
                builder.string("ARROW:extension:metadata"), builder.string("")
            )
            var pairs: [Int] = []
            for (key, value) in [(key, value), (otherKey, other)] {
                builder.beginTable()
                builder.field(0, reference: key)
                builder.field(1, reference: value)
                pairs.append(builder.endTable())
            }
            return builder.vector(pairs)
        }
        let name = builder.string(field.name)
        let (kind, type) = self.type(field.type, &builder)
        builder.beginTable()
        if let metadata { builder.field(6, reference: metadata) }
        builder.field(5, reference: childVector)
        builder.field(3, reference: type)
        builder.field(0, reference: name)
        builder.field(2, kind)
        builder.field(1, UInt8(field.isNullable ? 1 : 0))
        return builder.endTable()
    }

    /// Arrow's own names for types beyond its basic ones.
    private static func extensionName(_ type: ColumnType) -> String? {
        switch type {
        case .uuid: "arrow.uuid"
        case .json, .variant: "arrow.json"
        default: nil
        }
    }

    /// The number of the type in the union `Type`, and its table.
    private static func type(
        _ type: ColumnType, _ builder: inout FlatBufferBuilder
    ) -> (UInt8, Int) {
        func table(
            _ kind: UInt8, _ fill: (inout FlatBufferBuilder) -> Void = { _ in }
        ) -> (UInt8, Int) {
            builder.beginTable()
            fill(&builder)
            return (kind, builder.endTable())
        }
        func integer(_ bits: Int32) -> (UInt8, Int) {
            table(2) {
                $0.field(0, bits)
                $0.field(1, UInt8(1))
            }
        }
        switch type {
        case .null: return table(1)
        case .int16: return integer(16)
        case .int32: return integer(32)
        case .int64: return integer(64)
        case .float32: return table(3) { $0.field(0, Int16(1)) }
        case .float64: return table(3) { $0.field(0, Int16(2)) }
        case .binary: return table(4)
        case .text, .json, .variant: return table(5)
        case .boolean: return table(6)
        case .decimal(let precision, let scale):
            return table(7) {
                $0.field(0, Int32(precision))
                $0.field(1, Int32(scale))
                $0.field(2, Int32(128))
            }
        case .date: return table(8) { $0.field(0, Int16(0)) }
        case .time:
            return table(9) {
                $0.field(1, Int32(64))
                $0.field(0, Int16(2))
            }
        case .timestamp: return table(10) { $0.field(0, Int16(2)) }
        case .timestampTZ:
            let zone = builder.string("UTC")
            return table(10) {
                $0.field(1, reference: zone)
                $0.field(0, Int16(2))
            }
        // Months, days and nanoseconds.
        case .interval: return table(11) { $0.field(0, Int16(2)) }
        case .list: return table(12)
        case .structure: return table(13)
        case .uuid: return table(15) { $0.field(0, Int32(16)) }
        case .map: return table(17) { $0.field(0, UInt8(0)) }
        }
    }

    // MARK: Record batches

    /// `nodes` are pairs of length and count of NULLs, `buffers` pairs of place and length.
    static func recordBatch(
        rows: Int, nodes: [Int64], buffers: [Int64], bodyBytes: Int
    ) -> [UInt8] {
        var builder = FlatBufferBuilder()
        let bufferVector = builder.vector(structures: buffers, width: 2)
        let nodeVector = builder.vector(structures: nodes, width: 2)
        builder.beginTable()
        builder.field(0, Int64(rows))
        builder.field(2, reference: bufferVector)
        builder.field(1, reference: nodeVector)
        let batch = builder.endTable()
        return message(.recordBatch, batch, bodyBytes: bodyBytes, &builder)
    }

    /// `Message`: version 0, header 1 and 2, bytes of the body 3.
    private static func message(
        _ kind: Header, _ header: Int, bodyBytes: Int, _ builder: inout FlatBufferBuilder
    ) -> [UInt8] {
        builder.beginTable()
        builder.field(3, Int64(bodyBytes))
        builder.field(2, reference: header)
        builder.field(0, version)
        builder.field(1, kind.rawValue)
        let root = builder.endTable()
        var metadata = builder.finish(root: root)
        while metadata.count % 8 != 0 { metadata.append(0) }
        var frame: [UInt8] = [0xFF, 0xFF, 0xFF, 0xFF]
        withUnsafeBytes(of: Int32(metadata.count).littleEndian) { frame.append(contentsOf: $0) }
        return frame + metadata
    }
}
