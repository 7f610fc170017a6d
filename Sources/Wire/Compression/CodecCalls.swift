// The calls into the C shim. Every pointer stays inside of the closure that provides it, and every
// output buffer is as long as the capacity that is passed with it.

import Base
import CCodecs

enum CodecCalls {
    typealias Call = (UnsafeRawPointer?, Int, UnsafeMutableRawPointer?, Int) -> Int64

    static func gzip(_ bytes: Bytes, level: Int) throws(CodecFailure) -> Bytes {
        try compress(.gzip, bytes, bound: weir_gzip_bound(bytes.count)) {
            weir_gzip_compress($0, $1, $2, $3, Int32(min(max(level, 0), 9)))
        }
    }

    static func snappy(_ bytes: Bytes) throws(CodecFailure) -> Bytes {
        try compress(.snappy, bytes, bound: weir_snappy_bound(bytes.count)) {
            weir_snappy_compress($0, $1, $2, $3)
        }
    }

    static func lz4Frame(_ bytes: Bytes, level: Int) throws(CodecFailure) -> Bytes {
        try compress(.lz4, bytes, bound: weir_lz4_frame_bound(bytes.count)) {
            weir_lz4_frame_compress($0, $1, $2, $3, Int32(min(max(level, -1000), 12)))
        }
    }

    static func lz4Block(_ bytes: Bytes) throws(CodecFailure) -> Bytes {
        try compress(.lz4, bytes, bound: weir_lz4_block_bound(bytes.count)) {
            weir_lz4_block_compress($0, $1, $2, $3)
        }
    }

    static func zstd(_ bytes: Bytes, level: Int) throws(CodecFailure) -> Bytes {
        try compress(.zstd, bytes, bound: weir_zstd_bound(bytes.count)) {
            weir_zstd_compress($0, $1, $2, $3, Int32(min(max(level, -1000), 22)))
        }
    }

    static func snappySize(_ bytes: Bytes) throws(CodecFailure) -> Int {
        let size = bytes.withUnsafeBytes { weir_snappy_size($0.baseAddress, $0.count) }
        // An element of two bytes yields at most 64, so a larger claim is a lie.
        guard size >= 0, size <= Int64(bytes.count) &* 64 else { throw .corrupt(.snappy) }
        return Int(size)
    }

    static func unsnappy(_ bytes: Bytes, size: Int) throws(CodecFailure) -> Bytes {
        try decompress(.snappy, bytes, size: size) { weir_snappy_decompress($0, $1, $2, $3) }
    }

    static func unlz4Block(_ bytes: Bytes, size: Int) throws(CodecFailure) -> Bytes {
        try decompress(.lz4, bytes, size: size) { weir_lz4_block_decompress($0, $1, $2, $3) }
    }

    static func unbrotli(_ bytes: Bytes, size: Int) throws(CodecFailure) -> Bytes {
        let storage = ByteStorage(count: size)
        let written = bytes.withUnsafeBytes {
            weir_brotli_decompress($0.baseAddress, $0.count, storage.base, storage.count)
        }
        guard written == Int64(size) else { throw .corruptBlock(.brotli) }
        return Bytes(storage: storage, start: 0, count: size)
    }

    /// The size that a single frame declares; nil when only decompressing can tell.
    static func zstdSize(_ bytes: Bytes) throws(CodecFailure) -> Int? {
        let size = bytes.withUnsafeBytes { weir_zstd_size($0.baseAddress, $0.count) }
        if size == Int64(WEIR_CODEC_UNKNOWN) { return nil }
        guard size >= 0 else { throw .corrupt(.zstd) }
        return Int(size)
    }

    static func unzstd(_ bytes: Bytes, size: Int) throws(CodecFailure) -> Bytes {
        try decompress(.zstd, bytes, size: size) { weir_zstd_decompress($0, $1, $2, $3) }
    }

    private static func compress(
        _ codec: Codec, _ bytes: Bytes, bound: Int64, _ call: Call
    ) throws(CodecFailure) -> Bytes {
        guard bound >= 0 else { throw .unavailable(codec) }
        let storage = ByteStorage(count: Int(bound))
        let written = bytes.withUnsafeBytes {
            call($0.baseAddress, $0.count, storage.base, storage.count)
        }
        guard written >= 0 else { throw .unavailable(codec) }
        return trimmed(storage, Int(written))
    }

    private static func decompress(
        _ codec: Codec, _ bytes: Bytes, size: Int, _ call: Call
    ) throws(CodecFailure) -> Bytes {
        let storage = ByteStorage(count: size)
        let written = bytes.withUnsafeBytes {
            call($0.baseAddress, $0.count, storage.base, storage.count)
        }
        guard written >= 0 else { throw failure(codec, written) }
        return Bytes(storage: storage, start: 0, count: Int(written))
    }

    static func failure(_ codec: Codec, _ status: Int64) -> CodecFailure {
        switch status {
        case Int64(WEIR_CODEC_TRUNCATED): .truncated(codec)
        case Int64(WEIR_CODEC_NO_MEMORY): .unavailable(codec)
        default: .corrupt(codec)
        }
    }

    /// The first `count` bytes of `storage`, copied when more than half of it would lie idle.
    static func trimmed(_ storage: ByteStorage, _ count: Int) -> Bytes {
        let bytes = Bytes(storage: storage, start: 0, count: count)
        return storage.count > 4096 && count < storage.count / 2 ? bytes.compacted() : bytes
    }
}

/// Decompression of data that does not say how large it becomes.
enum StreamDecompression {
    static func run(_ codec: Codec, _ bytes: Bytes, limit: Int) throws(CodecFailure) -> Bytes {
        guard let kind = streamKind(codec), let stream = weir_stream_open(kind, limit) else {
            throw .unavailable(codec)
        }
        defer { weir_stream_close(stream) }
        // One byte more than allowed tells "exactly at the limit" from "beyond".
        let most = limit == .max ? limit : limit + 1
        var output = ByteStorage(count: try firstCapacity(codec, bytes, limit: limit, most: most))
        var used = 0
        var position = 0
        var atBoundary: Int32 = 0
        while true {
            if used == output.count {
                if used >= most { throw .tooLarge(codec, limit: limit) }
                let larger = ByteStorage(count: min(most, max(output.count * 2, 4096)))
                larger.base.copyMemory(from: output.base, byteCount: used)
                output = larger
            }
            let before = position
            let written = bytes.withUnsafeBytes {
                weir_stream_step(
                    stream, $0.baseAddress, $0.count, &position, output.base + used,
                    output.count - used, &atBoundary)
            }
            guard written >= 0 else { throw CodecCalls.failure(codec, written) }
            used += Int(written)
            if used > limit { throw .tooLarge(codec, limit: limit) }
            if atBoundary != 0 && position == bytes.count {
                return CodecCalls.trimmed(output, used)
            }
            // No progress with room to write means that the input stops in the middle.
            if written == 0 && position == before && used < output.count {
                throw .truncated(codec)
            }
        }
    }

    private static func streamKind(_ codec: Codec) -> weir_stream_kind? {
        switch codec {
        case .gzip: WEIR_STREAM_GZIP
        case .lz4: WEIR_STREAM_LZ4
        case .zstd: WEIR_STREAM_ZSTD
        case .none, .snappy: nil
        }
    }

    /// What to allocate first. Declarations inside the data are hints that the input's own length
    /// must make plausible: 1,032 times is the most that deflate can do, 255 times for lz4.
    private static func firstCapacity(
        _ codec: Codec, _ bytes: Bytes, limit: Int, most: Int
    ) throws(CodecFailure) -> Int {
        var hint = bytes.count &* 4
        switch codec {
        case .gzip where bytes.count >= 18:
            var trailer = ByteReader(bytes[bytes.count - 4..<bytes.count])
            let size = (try? trailer.uint32LE()).map(Int.init) ?? 0
            if size <= bytes.count &* 1032 { hint = size + 1 }
        case .lz4:
            let size = bytes.withUnsafeBytes { weir_lz4_frame_size($0.baseAddress, $0.count) }
            if size > Int64(limit) { throw .tooLarge(codec, limit: limit) }
            if size >= 0, size <= Int64(bytes.count) &* 255 { hint = Int(size) + 1 }
        default: break
        }
        return min(most, max(hint, 64))
    }
}
