// The delta encodings and the byte stream split.
//
// | DELTA_BINARY_PACKED | layout |
// |---|---|
// | header | varint block size, varint miniblocks in a block, varint count, zigzag first value |
// | block | zigzag smallest delta, one byte bit width for each miniblock, miniblocks |
// | miniblock | block size / miniblocks times delta − smallest delta in its width, lowest bit first |
//
// DELTA_LENGTH_BYTE_ARRAY: lengths so encoded, then all bytes. DELTA_BYTE_ARRAY: lengths of the
// prefix shared with the previous value, then the suffixes as DELTA_LENGTH_BYTE_ARRAY.
// BYTE_STREAM_SPLIT: the first bytes of all values, then the second bytes, and so on.

import Base

/// Larger blocks are not written by anybody.
private let blockValuesMax = 1 << 20

/// Exactly `count` integers; `reader` stands behind them afterwards. Sums wrap, as the format says.
func decodeDeltaBinaryPacked(
    _ reader: inout ByteReader, count: Int
) throws(DecodeFailure) -> [Int64] {
    let start = reader.position
    let blockSize = Int(try reader.unsignedVarint())
    let miniblocks = Int(try reader.unsignedVarint())
    let total = try reader.unsignedVarlong()
    guard blockSize > 0, blockSize <= blockValuesMax, blockSize % 128 == 0, miniblocks > 0,
        blockSize % miniblocks == 0, (blockSize / miniblocks) % 8 == 0
    else {
        throw .invalid(what: "delta block size", value: Int64(blockSize), position: start)
    }
    guard total == UInt64(count) else {
        throw .invalid(
            what: "delta value count", value: Int64(truncatingIfNeeded: total), position: start)
    }
    var value = try reader.varlong()
    var result: [Int64] = []
    if count == 0 { return result }
    result.reserveCapacity(count)
    result.append(value)
    let perMiniblock = blockSize / miniblocks
    var scratch = [UInt64](repeating: 0, count: perMiniblock)
    while result.count < count {
        let smallest = try reader.varlong()
        let widths = try reader.slice(miniblocks)
        for miniblock in 0..<miniblocks where result.count < count {
            let width = Int(widths[miniblock])
            guard width <= 64 else {
                throw .invalid(
                    what: "delta bit width", value: Int64(width), position: reader.position)
            }
            let take = min(perMiniblock, count - result.count)
            let packed = try reader.slice(perMiniblock * width / 8)
            unpackWide(packed, bitWidth: width, count: take, into: &scratch)
            for index in 0..<take {
                value = value &+ smallest &+ Int64(bitPattern: scratch[index])
                result.append(value)
            }
        }
    }
    return result
}

/// Unpacks values of up to 64 bits.
///
/// Unsafe: reads up to 16 bytes behind the packed values, sound by the slack of `ByteStorage`.
func unpackWide(
    _ packed: Bytes, bitWidth: Int, count: Int, into target: inout [UInt64]
) {
    packed.withUnsafeBytes { source in
        target.withUnsafeMutableBufferPointer { target in
            guard let from = source.baseAddress, let to = target.baseAddress else { return }
            if bitWidth <= 32 {
                unpackBits(from, bitWidth: bitWidth, count: count, into: to)
                return
            }
            let mask: UInt64 = bitWidth == 64 ? ~0 : (1 << UInt64(bitWidth)) &- 1
            for index in 0..<count {
                let bit = index * bitWidth
                let shift = UInt64(bit & 7)
                var word = from.loadUnaligned(fromByteOffset: bit >> 3, as: UInt64.self) >> shift
                if shift > 0 {
                    let high = from.loadUnaligned(fromByteOffset: bit >> 3 + 8, as: UInt8.self)
                    word |= UInt64(high) << (64 - shift)
                }
                to[index] = word & mask
            }
        }
    }
}

/// `count` lengths, none negative, whose sum is at most `limit`.
private func decodeLengths(
    _ reader: inout ByteReader, count: Int, limit: Int
) throws(DecodeFailure) -> [Int] {
    let start = reader.position
    let lengths = try decodeDeltaBinaryPacked(&reader, count: count)
    var result: [Int] = []
    result.reserveCapacity(count)
    var total = 0
    for length in lengths {
        guard length >= 0, length <= Int64(limit - total) else {
            throw .invalid(what: "length of a value", value: length, position: start)
        }
        total += Int(length)
        result.append(Int(length))
    }
    return result
}

/// Values of variable length: the bytes of all of them, and the length of each.
struct ByteArrays {
    var bytes: Bytes
    var lengths: [Int]
}

func decodeDeltaLengthByteArray(
    _ reader: inout ByteReader, count: Int
) throws(DecodeFailure) -> ByteArrays {
    let lengths = try decodeLengths(&reader, count: count, limit: reader.remaining)
    let total = lengths.reduce(0, +)
    return ByteArrays(bytes: try reader.slice(total), lengths: lengths)
}

/// `limit` bounds the bytes of all values together: long shared prefixes can make few bytes large.
func decodeDeltaByteArray(
    _ reader: inout ByteReader, count: Int, limit: Int
) throws(DecodeFailure) -> ByteArrays {
    let start = reader.position
    let prefixes = try decodeDeltaBinaryPacked(&reader, count: count)
    let suffixes = try decodeDeltaLengthByteArray(&reader, count: count)
    var lengths: [Int] = []
    lengths.reserveCapacity(count)
    var previous = 0
    var total = 0
    for index in 0..<count {
        guard prefixes[index] >= 0, prefixes[index] <= Int64(previous) else {
            throw .invalid(what: "prefix length", value: prefixes[index], position: start)
        }
        previous = Int(prefixes[index]) + suffixes.lengths[index]
        total += previous
        guard total <= limit else {
            throw .tooLarge(
                what: "size of delta encoded values", value: Int64(total), limit: Int64(limit))
        }
        lengths.append(previous)
    }
    let bytes = Bytes(count: total) { target in
        suffixes.bytes.withUnsafeBytes { source in
            guard let to = target.baseAddress, let from = source.baseAddress else { return }
            var position = 0
            var before = 0
            var suffix = 0
            for index in 0..<count {
                let prefix = Int(prefixes[index])
                (to + position).copyMemory(from: to + before, byteCount: prefix)
                (to + position + prefix).copyMemory(
                    from: from + suffix, byteCount: suffixes.lengths[index])
                suffix += suffixes.lengths[index]
                before = position
                position += lengths[index]
            }
        }
    }
    return ByteArrays(bytes: bytes, lengths: lengths)
}

/// The `count` values of `width` bytes in their usual order.
func decodeByteStreamSplit(
    _ bytes: Bytes, count: Int, width: Int
) throws(DecodeFailure) -> Bytes {
    let (total, overflow) = count.multipliedReportingOverflow(by: width)
    guard !overflow, total == bytes.count else {
        throw .invalid(what: "byte stream size", value: Int64(bytes.count), position: 0)
    }
    return Bytes(count: total) { target in
        bytes.withUnsafeBytes { source in
            for stream in 0..<width {
                let from = stream * count
                for index in 0..<count { target[index * width + stream] = source[from + index] }
            }
        }
    }
}
