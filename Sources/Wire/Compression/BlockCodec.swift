// Compression of column pages: the size of the result is known beforehand and must match.

import Base
import CCodecs

/// The compressions of a column page, each without any framing of its own beyond the format's.
package enum BlockCodec: Hashable, Sendable {
    case snappy
    case gzip
    case zstd
    /// One lz4 block without a frame.
    case lz4Raw
    /// Only read.
    case brotli
}

/// One block, compressed. `level` is the library's own scale; nil = default.
package func compressBlock(
    _ codec: BlockCodec, _ bytes: Bytes, level: Int? = nil
) throws(CodecFailure) -> Bytes {
    switch codec {
    case .snappy: try CodecCalls.snappy(bytes)
    case .gzip: try CodecCalls.gzip(bytes, level: level ?? 6)
    case .zstd: try CodecCalls.zstd(bytes, level: level ?? 1)
    case .lz4Raw: try CodecCalls.lz4Block(bytes)
    case .brotli: preconditionFailure("brotli is never written")
    }
}

/// The original of one block, which must have exactly `expectedSize` bytes. The caller bounds
/// `expectedSize` before it asks, because that much is allocated.
package func decompressBlock(
    _ codec: BlockCodec, _ bytes: Bytes, expectedSize: Int
) throws(CodecFailure) -> Bytes {
    precondition(expectedSize >= 0, "the size of a block must not be negative")
    let result: Bytes
    let kind: Codec
    switch codec {
    case .snappy:
        kind = .snappy
        let size = try CodecCalls.snappySize(bytes)
        guard size == expectedSize else {
            throw .wrongSize(kind, expected: expectedSize, found: size)
        }
        result = try CodecCalls.unsnappy(bytes, size: size)
    case .gzip:
        kind = .gzip
        result = try StreamDecompression.run(.gzip, bytes, limit: expectedSize)
    case .zstd:
        kind = .zstd
        if let size = try CodecCalls.zstdSize(bytes) {
            guard size == expectedSize else {
                throw .wrongSize(kind, expected: expectedSize, found: size)
            }
            result = try CodecCalls.unzstd(bytes, size: size)
        } else {
            result = try StreamDecompression.run(.zstd, bytes, limit: expectedSize)
        }
    case .lz4Raw:
        kind = .lz4
        result = try CodecCalls.unlz4Block(bytes, size: expectedSize)
    case .brotli: return try CodecCalls.unbrotli(bytes, size: expectedSize)
    }
    guard result.count == expectedSize else {
        throw .wrongSize(kind, expected: expectedSize, found: result.count)
    }
    return result
}

/// CRC-32 as gzip and Parquet pages use it. Of the ASCII digits 1 to 9 it is 0xCBF43926.
package func crc32(_ bytes: Bytes, seed: UInt32 = 0) -> UInt32 {
    bytes.withUnsafeBytes { weir_crc32(seed, $0.baseAddress, $0.count) }
}
