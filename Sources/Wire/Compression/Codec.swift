// How record batches and column pages are made smaller, behind one interface.

import Base

/// Why bytes could not be compressed or restored.
package enum CodecFailure: Error, Equatable, Sendable {
    /// The compressed bytes break their format.
    case corrupt(Codec)
    /// The compressed bytes end too early.
    case truncated(Codec)
    /// The restored bytes would exceed `limit`.
    case tooLarge(Codec, limit: Int)
    /// The restored bytes are fewer or more than the caller knows they must be.
    case wrongSize(Codec, expected: Int, found: Int)
    /// A compressed page breaks its format, or is not of the size that it must have.
    case corruptBlock(BlockCodec)
    /// The library could not allocate its working memory, or the input is beyond what it takes.
    case unavailable(Codec)
}

extension CodecFailure: CustomStringConvertible {
    package var description: String {
        switch self {
        case .corrupt(let codec): "the \(codec) data is corrupt"
        case .truncated(let codec): "the \(codec) data ends too early"
        case .tooLarge(let codec, let limit):
            "the \(codec) data expands beyond the limit of \(limit) bytes"
        case .wrongSize(let codec, let expected, let found):
            "the \(codec) data expands to \(found) bytes, \(expected) were expected"
        case .corruptBlock(let codec): "the \(codec) page is corrupt"
        case .unavailable(let codec): "no memory for \(codec)"
        }
    }
}

extension CodecFailure {
    /// The same failure as a reader of a record batch reports it.
    package var decodeFailure: DecodeFailure {
        switch self {
        case .tooLarge(let codec, let limit):
            .tooLarge(
                what: "size of expanded \(codec) data", value: Int64(limit) + 1,
                limit: Int64(limit))
        default: .malformed(description, position: 0)
        }
    }
}

/// The compressions of a record batch. The raw value is the number in the lowest three bits of the
/// batch's attributes.
package enum Codec: UInt8, CaseIterable, Hashable, Sendable {
    case none = 0
    case gzip = 1
    case snappy = 2
    case lz4 = 3
    case zstd = 4

    /// How snappy data is laid out: one block, or the chunks that Java's stream library writes.
    package enum SnappyFraming: Sendable { case block, xerial }

    /// The codec that configuration files and clients call `name`; nil when there is none.
    package init?(name: String) {
        switch name {
        case "none", "uncompressed": self = .none
        case "gzip": self = .gzip
        case "snappy": self = .snappy
        case "lz4": self = .lz4
        case "zstd": self = .zstd
        default: return nil
        }
    }

    package var name: String {
        switch self {
        case .none: "none"
        case .gzip: "gzip"
        case .snappy: "snappy"
        case .lz4: "lz4"
        case .zstd: "zstd"
        }
    }

    /// The bytes in this codec's stream format. `level` is the library's own scale; nil = default.
    package func compress(
        _ bytes: Bytes, level: Int? = nil, snappyFraming: SnappyFraming = .block
    ) throws(CodecFailure) -> Bytes {
        switch self {
        case .none: bytes
        case .gzip: try CodecCalls.gzip(bytes, level: level ?? 6)
        case .snappy:
            switch snappyFraming {
            case .block: try CodecCalls.snappy(bytes)
            case .xerial: try XerialSnappy.compress(bytes)
            }
        case .lz4: try CodecCalls.lz4Frame(bytes, level: level ?? 0)
        case .zstd: try CodecCalls.zstd(bytes, level: level ?? 3)
        }
    }

    /// The original bytes, at most `limit` of them. Sizes that the data declares are checked before
    /// anything is allocated; where none is declared, output stops at the limit.
    package func decompress(_ bytes: Bytes, limit: Int) throws(CodecFailure) -> Bytes {
        precondition(limit >= 0, "the limit of a decompression must not be negative")
        switch self {
        case .none:
            guard bytes.count <= limit else { throw .tooLarge(self, limit: limit) }
            return bytes
        case .gzip, .lz4:
            return try StreamDecompression.run(self, bytes, limit: limit)
        case .zstd:
            if let size = try CodecCalls.zstdSize(bytes) {
                guard size <= limit else { throw .tooLarge(self, limit: limit) }
                return try CodecCalls.unzstd(bytes, size: size)
            }
            return try StreamDecompression.run(self, bytes, limit: limit)
        case .snappy:
            if XerialSnappy.isFramed(bytes) {
                return try XerialSnappy.decompress(bytes, limit: limit)
            }
            let size = try CodecCalls.snappySize(bytes)
            guard size <= limit else { throw .tooLarge(self, limit: limit) }
            return try CodecCalls.unsnappy(bytes, size: size)
        }
    }
}

extension Codec: CustomStringConvertible {
    package var description: String { name }
}
