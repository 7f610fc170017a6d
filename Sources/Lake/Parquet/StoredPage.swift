// A page as it stands in the file: its header, and bytes that may be compressed.

import Base
import Compression

struct StoredPage {
    var header: PageHeader
    var stored: Bytes
    /// Of its header in the file.
    var position: Int64
    /// Header included.
    var byteCount: Int
}

extension StoredPage {
    /// The page at `cursor` of `part`, which moves behind it.
    init(
        in part: FilePart, at cursor: inout Int, _ options: ParquetReadOptions
    ) throws(ParquetFailure) {
        let position = part.position + Int64(cursor)
        let rest = part.bytes[cursor..<part.bytes.count]
        var reader = ThriftReader(rest)
        let header = try decoding(at: position) { () throws(DecodeFailure) in
            try PageHeader(&reader)
        }
        try self.init(
            header, headerBytes: reader.position, rest, position: position, options: options)
        cursor += byteCount
    }

    /// A page whose header was read from the begin of `bytes` already.
    init(
        _ header: PageHeader, headerBytes: Int, _ bytes: Bytes, position: Int64,
        options: ParquetReadOptions
    ) throws(ParquetFailure) {
        try header.checkSize(options)
        guard header.compressedBytes <= bytes.count - headerBytes else {
            throw .corrupt(
                "a page of \(header.compressedBytes) bytes runs past its column chunk",
                position: position)
        }
        self.header = header
        self.position = position
        byteCount = headerBytes + header.compressedBytes
        stored = bytes[headerBytes..<byteCount]
    }

    /// Compares the checksum, if there is one.
    func verify() throws(ParquetFailure) {
        guard let checksum = header.checksum else { return }
        let found = crc32(stored)
        guard found == checksum else {
            throw .corrupt(
                "page checksum mismatch: expected \(hex(checksum)), found \(hex(found))",
                position: position)
        }
    }

    /// What was compressed. `codec` is that of the column chunk.
    func expanded(_ codec: Int32) throws(ParquetFailure) -> Bytes {
        try expanded(stored, to: header.uncompressedBytes, codec)
    }

    /// The values of a version 2 page, whose levels take the first bytes and are never compressed.
    func expandedValues(
        _ codec: Int32, behind levelBytes: Int, isCompressed: Bool
    ) throws(ParquetFailure) -> Bytes {
        let tail = stored[levelBytes..<stored.count]
        let size = header.uncompressedBytes - levelBytes
        let content =
            isCompressed && !(tail.isEmpty && size == 0)
            ? try expanded(tail, to: size, codec) : tail
        guard content.count == size else {
            throw .corrupt(
                "a page has \(content.count) bytes of values and claims \(size)",
                position: position)
        }
        return content
    }

    private func expanded(
        _ bytes: Bytes, to size: Int, _ number: Int32
    ) throws(ParquetFailure) -> Bytes {
        let codec: BlockCodec
        switch number {
        case 0:
            guard bytes.count == size else {
                throw .corrupt(
                    "an uncompressed page of \(bytes.count) bytes claims \(size)",
                    position: position)
            }
            return bytes
        case 1: codec = .snappy
        case 2: codec = .gzip
        case 3: throw .unsupported("LZO compression")
        case 4: codec = .brotli
        case 5: return try expandedHadoopLZ4(bytes, to: size)
        case 6: codec = .zstd
        case 7: codec = .lz4Raw
        default: throw .unsupported("compression codec \(number)")
        }
        // Some writers store nothing at all for a page without values.
        if bytes.isEmpty, size == 0 { return bytes }
        do {
            return try decompressBlock(codec, bytes, expectedSize: size)
        } catch {
            throw .corrupt(error.description, position: position)
        }
    }

    /// The old LZ4: frames of big-endian original and compressed size as Hadoop wrote them, or one
    /// bare block.
    private func expandedHadoopLZ4(_ bytes: Bytes, to size: Int) throws(ParquetFailure) -> Bytes {
        if let framed = hadoopFrames(bytes, to: size) { return framed }
        do {
            return try decompressBlock(.lz4Raw, bytes, expectedSize: size)
        } catch {
            throw .corrupt(error.description, position: position)
        }
    }

    private func hadoopFrames(_ bytes: Bytes, to size: Int) -> Bytes? {
        var reader = ByteReader(bytes)
        var pieces: [Bytes] = []
        var total = 0
        do {
            while !reader.isAtEnd {
                let original = Int(try reader.uint32())
                let block = try reader.slice(Int(try reader.uint32()))
                guard original <= size - total else { return nil }
                pieces.append(try decompressBlock(.lz4Raw, block, expectedSize: original))
                total += original
            }
        } catch {
            return nil
        }
        return total == size ? Bytes.joined(pieces) : nil
    }
}

extension PageHeader {
    /// Refuses pages that would fill the memory.
    func checkSize(_ options: ParquetReadOptions) throws(ParquetFailure) {
        let most = max(compressedBytes, uncompressedBytes)
        guard most <= options.pageBytesMax else {
            throw .tooLarge(
                what: "size of a page", value: Int64(most), limit: Int64(options.pageBytesMax))
        }
    }
}
