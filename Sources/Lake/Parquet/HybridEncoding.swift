// The RLE/bit-packed hybrid: levels, dictionary codes and, in newer files, booleans.
//
// | part | layout |
// |---|---|
// | run of one value | varint (length << 1), then the value in ⌈width / 8⌉ bytes, lowest first |
// | packed values | varint (groups << 1 + 1), then groups × 8 values of `width` bits, lowest first |
//
// The last group may be padded behind the last value.

import Base

/// Unpacks `count` values of `bitWidth` ≤ 32 bits, lowest bit first.
///
/// Unsafe: reads 64 bits at a time, up to 8 bytes behind the packed values, which is sound because
/// `ByteStorage` has 64 readable bytes behind its end.
func unpackBits<T: FixedWidthInteger>(
    _ source: UnsafeRawPointer, bitWidth: Int, count: Int, into target: UnsafeMutablePointer<T>
) {
    if bitWidth == 0 {
        target.update(repeating: 0, count: count)
        return
    }
    if bitWidth == 8 {
        for index in 0..<count {
            target[index] = T(
                truncatingIfNeeded: source.load(fromByteOffset: index, as: UInt8.self))
        }
        return
    }
    let mask: UInt64 = (1 << UInt64(bitWidth)) &- 1
    var bit = 0
    for index in 0..<count {
        let word = source.loadUnaligned(fromByteOffset: bit &>> 3, as: UInt64.self)
        target[index] = T(truncatingIfNeeded: (word &>> UInt64(bit & 7)) & mask)
        bit &+= bitWidth
    }
}

/// One run of the hybrid encoding.
enum HybridRun {
    /// `count` times `value`.
    case repeated(value: UInt32, count: Int)
    /// `count` packed values from `position` of the input.
    case packed(position: Int, count: Int)
}

/// Reads the runs of `count` values of `bitWidth` bits.
struct HybridReader {
    private(set) var reader: ByteReader
    private let bitWidth: Int
    private var left: Int

    init(_ bytes: Bytes, bitWidth: Int, count: Int) throws(DecodeFailure) {
        guard bitWidth >= 0, bitWidth <= 32 else {
            throw .invalid(what: "bit width", value: Int64(bitWidth), position: 0)
        }
        reader = ByteReader(bytes)
        self.bitWidth = bitWidth
        left = count
    }

    /// The next run, cut to the values that are wanted; nil behind the last.
    mutating func next() throws(DecodeFailure) -> HybridRun? {
        while left > 0 {
            let header = try reader.unsignedVarint()
            let length = Int(header >> 1)
            // A run of nothing is legal; each costs a byte at least, so they come to an end.
            if length == 0 { continue }
            if header & 1 == 0 {
                var value: UInt32 = 0
                for index in 0..<((bitWidth + 7) / 8) {
                    value |= UInt32(try reader.uint8()) << UInt32(8 * index)
                }
                guard bitWidth == 32 || value >> UInt32(bitWidth) == 0 else {
                    throw .invalid(
                        what: "run value", value: Int64(value), position: reader.position)
                }
                let count = min(length, left)
                left -= count
                return .repeated(value: value, count: count)
            }
            let count = min(length * 8, left)
            let position = reader.position
            let needed = (count * bitWidth + 7) / 8
            try reader.require(needed)
            // Some writers leave out the padding of the last group.
            try reader.skip(min(length * bitWidth, reader.remaining))
            left -= count
            return .packed(position: position, count: count)
        }
        return nil
    }
}

/// Decodes `count` hybrid values into `target`, which has room for them. Returns the largest value.
func decodeHybrid<T: FixedWidthInteger>(
    _ bytes: Bytes, bitWidth: Int, count: Int, into target: UnsafeMutablePointer<T>
) throws(DecodeFailure) -> T.Magnitude {
    var runs = try HybridReader(bytes, bitWidth: bitWidth, count: count)
    var done = 0
    var largest: T.Magnitude = 0
    while let run = try runs.next() {
        switch run {
        case .repeated(let value, let length):
            guard let value = T(exactly: value) else {
                throw .invalid(
                    what: "run value", value: Int64(value), position: runs.reader.position)
            }
            (target + done).update(repeating: value, count: length)
            largest = max(largest, T.Magnitude(truncatingIfNeeded: value))
            done += length
        case .packed(let position, let length):
            bytes.withUnsafeBytes { source in
                guard let base = source.baseAddress else { return }
                unpackBits(
                    base + position, bitWidth: bitWidth, count: length, into: target + done)
            }
            // As bits: codes above Int32.max would wrap to negative numbers.
            for index in done..<(done &+ length) {
                largest = max(largest, T.Magnitude(truncatingIfNeeded: target[index]))
            }
            done += length
        }
    }
    return largest
}

/// Decodes `count` hybrid values that must not exceed `maximum`.
func decodeHybrid<T: FixedWidthInteger>(
    _ bytes: Bytes, bitWidth: Int, count: Int, maximum: T, what: String
) throws(DecodeFailure) -> [T] {
    var failure: DecodeFailure?
    var largest: T.Magnitude = 0
    let result = [T](unsafeUninitializedCapacity: count) { target, initialized in
        guard let base = target.baseAddress, count > 0 else { return }
        do throws(DecodeFailure) {
            largest = try decodeHybrid(bytes, bitWidth: bitWidth, count: count, into: base)
            initialized = count
        } catch {
            failure = error
        }
    }
    if let failure { throw failure }
    guard result.count == count else {
        throw .truncated(needed: count, available: result.count, position: 0)
    }
    guard largest <= T.Magnitude(truncatingIfNeeded: maximum) else {
        throw .invalid(what: what, value: Int64(truncatingIfNeeded: largest), position: 0)
    }
    return result
}

/// Decodes `count` levels of the old `BIT_PACKED` encoding, which packs from the highest bit down.
func decodeBitPackedLevels(
    _ bytes: Bytes, bitWidth: Int, count: Int, maximum: UInt8
) throws(DecodeFailure) -> [UInt8] {
    try ByteReader(bytes).require((count * bitWidth + 7) / 8)
    var result: [UInt8] = []
    result.reserveCapacity(count)
    var bit = 0
    for _ in 0..<count {
        var value = 0
        for _ in 0..<bitWidth {
            value = value << 1 | Int(bytes[bit >> 3] >> UInt8(7 - bit & 7) & 1)
            bit += 1
        }
        guard value <= Int(maximum) else {
            throw .invalid(what: "level", value: Int64(value), position: bit >> 3)
        }
        result.append(UInt8(value))
    }
    return result
}

/// The bits that a number up to `maximum` needs.
func bitWidth(of maximum: Int) -> Int { Int.bitWidth - maximum.leadingZeroBitCount }

/// Writes `values` as runs of eight or more equal values and packed groups of eight.
func encodeHybrid<T: FixedWidthInteger>(
    _ values: UnsafeBufferPointer<T>, bitWidth: Int, into output: inout ByteWriter
) {
    var packedFrom = 0
    var index = 0
    while index < values.count {
        let value = values[index]
        var end = index + 1
        while end < values.count, values[end] == value { end += 1 }
        // The packed values before the run must fill their last group, with values of the run.
        let padding = (8 - (index - packedFrom) % 8) % 8
        if end - index >= padding + 8 {
            let packed = UnsafeBufferPointer(rebasing: values[packedFrom..<(index + padding)])
            encodePacked(packed, bitWidth: bitWidth, into: &output)
            output.unsignedVarlong(UInt64(end - index - padding) << 1)
            var rest = UInt64(truncatingIfNeeded: value)
            for _ in 0..<((bitWidth + 7) / 8) {
                output.uint8(UInt8(truncatingIfNeeded: rest))
                rest >>= 8
            }
            packedFrom = end
        }
        index = end
    }
    encodePacked(
        UnsafeBufferPointer(rebasing: values[packedFrom...]), bitWidth: bitWidth, into: &output)
}

private func encodePacked<T: FixedWidthInteger>(
    _ values: UnsafeBufferPointer<T>, bitWidth: Int, into output: inout ByteWriter
) {
    if values.isEmpty { return }
    let groups = (values.count + 7) / 8
    output.unsignedVarlong(UInt64(groups) << 1 | 1)
    var word: UInt64 = 0
    var used = 0
    for index in 0..<(groups * 8) {
        let value = index < values.count ? UInt64(truncatingIfNeeded: values[index]) : 0
        word |= value << UInt64(used)
        used += bitWidth
        // Widths are at most 32, so at most 31 + 32 bits are ever waiting.
        if used >= 32 {
            output.uint32LE(UInt32(truncatingIfNeeded: word))
            word >>= 32
            used -= 32
        }
    }
    while used > 0 {
        output.uint8(UInt8(truncatingIfNeeded: word))
        word >>= 8
        used -= 8
    }
}
