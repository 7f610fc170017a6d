// Snappy in the chunks of Java's stream library, as Java and several other clients send it.
//
// offset  size  field    meaning
//      0     8  magic    82 53 4E 41 50 50 59 00
//      8     4  version  1, big-endian; readers accept any
//     12     4  minimum  lowest version that can read it, 1
//     16        chunks   each: i32 length, big-endian, then one snappy block of that length

import Base

enum XerialSnappy {
    static let magic: [UInt8] = [0x82, 0x53, 0x4E, 0x41, 0x50, 0x50, 0x59, 0x00]
    static let headerBytes = 16
    /// How much goes into one chunk when we write, as in the stream library.
    static let chunkBytes = 32 * 1024

    /// A plain block can't begin like this: read as a length, the magic would promise a size whose
    /// data could not follow (0x82 0x53 is 10,626, and 0x4E would be a copy before any literal).
    static func isFramed(_ bytes: Bytes) -> Bool {
        bytes.count >= headerBytes && bytes[0..<magic.count] == Bytes(magic)
    }

    static func compress(_ bytes: Bytes) throws(CodecFailure) -> Bytes {
        var writer = ByteWriter(capacity: headerBytes + bytes.count / 2)
        writer.bytes(magic)
        writer.int32(1)
        writer.int32(1)
        var position = 0
        while position < bytes.count {
            let end = min(position + chunkBytes, bytes.count)
            let chunk = try CodecCalls.snappy(bytes[position..<end])
            writer.int32(Int32(chunk.count))
            writer.bytes(chunk)
            position = end
        }
        return writer.finish()
    }

    static func decompress(_ bytes: Bytes, limit: Int) throws(CodecFailure) -> Bytes {
        // First pass: the sum of what the chunks declare, so that the limit comes before the work.
        var total = 0
        var reader = ByteReader(bytes[headerBytes..<bytes.count])
        while !reader.isAtEnd {
            total += try CodecCalls.snappySize(try chunk(&reader))
            if total > limit { throw .tooLarge(.snappy, limit: limit) }
        }
        var writer = ByteWriter(capacity: total)
        reader = ByteReader(bytes[headerBytes..<bytes.count])
        while !reader.isAtEnd {
            let block = try chunk(&reader)
            writer.bytes(
                try CodecCalls.unsnappy(block, size: try CodecCalls.snappySize(block)))
        }
        return writer.finish()
    }

    private static func chunk(_ reader: inout ByteReader) throws(CodecFailure) -> Bytes {
        do throws(DecodeFailure) {
            return try reader.slice(Int(try reader.int32()))
        } catch {
            throw .truncated(.snappy)
        }
    }
}
