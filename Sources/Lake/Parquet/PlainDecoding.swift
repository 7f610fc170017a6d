// PLAIN: booleans one bit each, lowest first; integers and floats little-endian; byte arrays a
// UInt32 length and the bytes; fixed-length byte arrays just the bytes. The other encodings bring
// their values into this one, or into `ByteArrays`, and are converted here.

import Base
import Columns

extension Leaf {
    /// Bytes of one value in PLAIN, nil where it varies.
    var plainWidth: Int? {
        switch physical {
        case .boolean, .byteArray: nil
        case .int32, .float: 4
        case .int64, .double: 8
        case .int96: 12
        case .fixed: width
        }
    }

    /// The first `count` values in `bytes`.
    func decodePlain(_ bytes: Bytes, count: Int) throws(DecodeFailure) -> ColumnData {
        if conversion == .null {
            guard count == 0 else {
                throw .malformed("values in a column that has only NULL", position: 0)
            }
            return .null(count: 0)
        }
        switch physical {
        case .boolean:
            try ByteReader(bytes).require((count + 7) / 8)
            var flags = [UInt8](repeating: 0, count: count)
            bytes.withUnsafeBytes { source in
                flags.withUnsafeMutableBufferPointer { target in
                    guard let from = source.baseAddress, let to = target.baseAddress else { return }
                    unpackBits(from, bitWidth: 1, count: count, into: to)
                }
            }
            return .boolean(flags)
        case .byteArray: return try convert(try plainByteArrays(bytes, count: count))
        case .int32, .int64, .int96, .float, .double, .fixed:
            let (total, overflow) = count.multipliedReportingOverflow(by: plainWidth ?? 1)
            guard !overflow else {
                throw .invalid(what: "value count", value: Int64(count), position: 0)
            }
            try ByteReader(bytes).require(total)
            return try convertFixed(bytes[0..<total], count: count)
        }
    }

    private func convertFixed(_ bytes: Bytes, count: Int) throws(DecodeFailure) -> ColumnData {
        switch conversion {
        case .int32: return .int32(copyAll(bytes, count))
        case .narrow(8, true):
            return .int32(
                loadAll(bytes, count, as: Int32.self) { Int32(Int8(truncatingIfNeeded: $0)) })
        case .narrow(_, true):
            return .int32(
                loadAll(bytes, count, as: Int32.self) { Int32(Int16(truncatingIfNeeded: $0)) })
        case .narrow(let bits, false):
            let mask: Int32 = bits == 8 ? 0xFF : 0xFFFF
            return .int32(loadAll(bytes, count, as: Int32.self) { $0 & mask })
        case .unsigned32: return .int64(loadAll(bytes, count, as: UInt32.self) { Int64($0) })
        case .int64: return .int64(copyAll(bytes, count))
        case .unsigned64: return .int128(loadAll(bytes, count, as: UInt64.self) { Int128($0) })
        case .decimal32: return .int128(loadAll(bytes, count, as: Int32.self) { Int128($0) })
        case .decimal64: return .int128(loadAll(bytes, count, as: Int64.self) { Int128($0) })
        case .timestamp(.microseconds): return .int64(copyAll(bytes, count))
        case .timestamp(.nanoseconds):
            return .int64(loadAll(bytes, count, as: Int64.self) { floorDivide($0, by: 1000) })
        case .timestamp(.milliseconds): return .int64(try milliseconds(bytes, count: count))
        case .int96: return .int64(try int96(bytes, count: count))
        case .float:
            return .float64(
                loadAll(bytes, count, as: UInt32.self) { Double(Float(bitPattern: $0)) })
        case .double:
            return .float64(copyAll(bytes, count))
        case .float16:
            return .float64(loadAll(bytes, count, as: UInt16.self) { halfPrecision($0) })
        case .uuid:
            return .int128(
                loadAll(bytes, count, as: UInt128.self) {
                    Int128(truncatingIfNeeded: UInt128(bigEndian: $0))
                })
        case .interval: return .interval(intervals(bytes, count: count))
        case .decimalBytes, .bytes, .text, .boolean, .null:
            return try convert(fixedViews(bytes, count: count))
        }
    }

    private func fixedViews(_ bytes: Bytes, count: Int) -> TextColumn {
        let views = bytes.withUnsafeBytes { source in
            (0..<count).map { textView(source, position: $0 * width, count: width) }
        }
        return TextColumn(views: views, buffers: [bytes])
    }

    private func milliseconds(_ bytes: Bytes, count: Int) throws(DecodeFailure) -> [Int64] {
        var overflow = false
        let result = loadAll(bytes, count, as: Int64.self) { value in
            let (product, isTooLarge) = value.multipliedReportingOverflow(by: 1000)
            overflow = overflow || isTooLarge
            return product
        }
        if overflow { throw .malformed("timestamp beyond 64 bits of microseconds", position: 0) }
        return result
    }

    /// Nanoseconds of the day (8 bytes) and Julian day (4 bytes); day 2440588 is 1970-01-01. Sums
    /// wrap: Spark writes days of far dates so that only wrapping gives the microseconds back.
    private func int96(_ bytes: Bytes, count: Int) throws(DecodeFailure) -> [Int64] {
        var reader = ByteReader(bytes)
        var result: [Int64] = []
        result.reserveCapacity(count)
        for _ in 0..<count {
            let nanoseconds = try reader.int64LE()
            let day = Int64(try reader.int32LE()) - 2_440_588
            result.append(day &* 86_400_000_000 &+ floorDivide(nanoseconds, by: 1000))
        }
        return result
    }

    private func intervals(_ bytes: Bytes, count: Int) -> [Interval] {
        let words = loadAll(bytes, count * 3, as: UInt32.self) { $0 }
        return (0..<count).map { index -> Interval in
            let first: Int = index * 3
            return Interval(
                months: Int32(truncatingIfNeeded: words[first]),
                days: Int32(truncatingIfNeeded: words[first + 1]),
                microseconds: Int64(words[first + 2]) * 1000)
        }
    }
}

/// `count` values as they stand there. All platforms that we build for are little-endian, as the
/// format is.
///
/// Unsafe: the caller has checked that `bytes` holds them; every bit pattern is a value.
private func copyAll<T: BitwiseCopyable>(_ bytes: Bytes, _ count: Int) -> [T] {
    let size = count * MemoryLayout<T>.size
    precondition(bytes.count >= size, "enough bytes for the values")
    return [T](unsafeUninitializedCapacity: count) { target, initialized in
        bytes.withUnsafeBytes { source in
            if let from = source.baseAddress, let to = target.baseAddress {
                UnsafeMutableRawPointer(to).copyMemory(from: from, byteCount: size)
            }
        }
        initialized = count
    }
}

/// Loads `count` little-endian values, each through `convert`.
///
/// Unsafe: the caller has checked that `bytes` holds them.
private func loadAll<Raw: FixedWidthInteger & BitwiseCopyable, T>(
    _ bytes: Bytes, _ count: Int, as type: Raw.Type, _ convert: (Raw) -> T
) -> [T] {
    precondition(bytes.count >= count * MemoryLayout<Raw>.size, "enough bytes for the values")
    return [T](unsafeUninitializedCapacity: count) { target, initialized in
        bytes.withUnsafeBytes { source in
            for index in 0..<count {
                let raw = source.loadUnaligned(
                    fromByteOffset: index &* MemoryLayout<Raw>.size, as: Raw.self)
                target.initializeElement(at: index, to: convert(Raw(littleEndian: raw)))
            }
        }
        initialized = count
    }
}

private func floorDivide(_ value: Int64, by divisor: Int64) -> Int64 {
    let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? quotient - 1 : quotient
}

/// IEEE 754 half precision. (`Float16` is not a type on every platform.)
private func halfPrecision(_ bits: UInt16) -> Double {
    let magnitude: Double
    let fraction = Double(bits & 0x3FF)
    switch bits >> 10 & 0x1F {
    case 0: magnitude = fraction * 0x1p-24
    case 0x1F: magnitude = fraction == 0 ? .infinity : .nan
    case let exponent:
        magnitude =
            (1024 + fraction) * Double(sign: .plus, exponent: Int(exponent) - 25, significand: 1)
    }
    return bits >> 15 == 1 ? -magnitude : magnitude
}

// MARK: Byte arrays

extension Leaf {
    /// Views of the values in a PLAIN page. The page's memory is shared, not copied.
    private func plainByteArrays(_ bytes: Bytes, count: Int) throws(DecodeFailure) -> TextColumn {
        // Each value takes four bytes at least, so the views stay in proportion to the page.
        try ByteReader(bytes).require(min(count, Int.max / 4) * 4)
        var failure: DecodeFailure?
        let views = [TextView](unsafeUninitializedCapacity: count) { target, initialized in
            bytes.withUnsafeBytes { source in
                var position = 0
                for index in 0..<count {
                    guard source.count &- position >= 4 else {
                        failure = .truncated(
                            needed: 4, available: source.count - position, position: position)
                        return
                    }
                    let raw = source.loadUnaligned(fromByteOffset: position, as: UInt32.self)
                    let length = Int(UInt32(littleEndian: raw))
                    position &+= 4
                    guard length <= source.count &- position else {
                        failure = .truncated(
                            needed: length, available: source.count - position, position: position)
                        return
                    }
                    target.initializeElement(
                        at: index, to: textView(source, position: position, count: length))
                    initialized = index &+ 1
                    position &+= length
                }
            }
        }
        if let failure { throw failure }
        return TextColumn(views: views, buffers: [bytes])
    }

    func views(_ arrays: ByteArrays) -> TextColumn {
        var views: [TextView] = []
        views.reserveCapacity(arrays.lengths.count)
        arrays.bytes.withUnsafeBytes { source in
            var position = 0
            for length in arrays.lengths {
                views.append(textView(source, position: position, count: length))
                position += length
            }
        }
        return TextColumn(views: views, buffers: [arrays.bytes])
    }

    /// Byte arrays as the column wants them.
    func convert(_ values: TextColumn) throws(DecodeFailure) -> ColumnData {
        switch conversion {
        case .decimalBytes: return .int128(try decimals(values))
        case .text:
            try requireText(values)
            return .text(values)
        default: return .text(values)
        }
    }

    private func requireText(_ values: TextColumn) throws(DecodeFailure) {
        // Lengths under 128 are ASCII too, so one pass over the page settles most of them.
        if values.buffers.allSatisfy({ $0.withUnsafeBytes(isASCII) }) { return }
        for view in values.views where !values.withBytes(of: view, isValidUTF8) {
            throw .malformed("text is not valid UTF-8", position: view.isInline ? 0 : view.position)
        }
    }

    /// Big-endian two's complement of any length.
    private func decimals(_ values: TextColumn) throws(DecodeFailure) -> [Int128] {
        var result: [Int128] = []
        result.reserveCapacity(values.count)
        for view in values.views {
            guard let number = values.withBytes(of: view, decimalNumber) else {
                throw .invalid(what: "length of a decimal", value: Int64(view.count), position: 0)
            }
            result.append(number)
        }
        return result
    }
}

/// The view of `count` bytes at `position` of buffer 0.
///
/// Unsafe: reads 12 bytes whatever `count` is, which is sound because `ByteStorage` has 64 readable
/// bytes behind its end; the caller has checked that position + count is inside.
@inline(__always)
private func textView(_ source: UnsafeRawBufferPointer, position: Int, count: Int) -> TextView {
    guard let base = source.baseAddress else { return .empty }
    let from = base + position
    let prefix = UInt64(UInt32(littleEndian: from.loadUnaligned(as: UInt32.self)))
    if count > 12 {
        return TextView(
            low: UInt64(count) | prefix << 32, high: UInt64(UInt32(position)) << 32)
    }
    let rest = UInt64(littleEndian: (from + 4).loadUnaligned(as: UInt64.self))
    if count > 4 {
        let kept = UInt64(count - 4) * 8
        return TextView(
            low: UInt64(count) | prefix << 32, high: kept == 64 ? rest : rest & (1 << kept &- 1))
    }
    let kept = UInt64(count) * 8
    return TextView(low: UInt64(count) | (prefix & (1 << kept &- 1)) << 32, high: 0)
}

func decimalNumber(_ bytes: UnsafeRawBufferPointer) -> Int128? {
    guard let first = bytes.first else { return nil }
    let isNegative = first >= 0x80
    var value: Int128 = isNegative ? -1 : 0
    let extra = max(bytes.count - 16, 0)
    // Bytes beyond the sixteenth must only repeat the sign.
    for byte in bytes.prefix(extra) where byte != (isNegative ? 0xFF : 0) { return nil }
    for byte in bytes.dropFirst(extra) { value = value << 8 | Int128(byte) }
    return (value < 0) == isNegative ? value : nil
}

func isASCII(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var seen: UInt64 = 0
    var position = 0
    while position &+ 8 <= bytes.count {
        seen |= bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self)
        position &+= 8
    }
    while position < bytes.count {
        seen |= UInt64(bytes[position])
        position &+= 1
    }
    return seen & 0x8080_8080_8080_8080 == 0
}

/// Well-formed UTF-8 by table 3-7 of the Unicode standard.
func isValidUTF8(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var index = 0
    let count = bytes.count
    while index < count {
        let first = bytes[index]
        index += 1
        if first < 0x80 { continue }
        let more: Int
        var range: ClosedRange<UInt8> = 0x80...0xBF
        switch first {
        case 0xC2...0xDF: more = 1
        case 0xE0:
            more = 2
            range = 0xA0...0xBF
        case 0xE1...0xEC, 0xEE...0xEF: more = 2
        case 0xED:
            more = 2
            range = 0x80...0x9F
        case 0xF0:
            more = 3
            range = 0x90...0xBF
        case 0xF1...0xF3: more = 3
        case 0xF4:
            more = 3
            range = 0x80...0x8F
        default: return false
        }
        guard count - index >= more, range.contains(bytes[index]) else { return false }
        for later in 1..<more where bytes[index + later] & 0xC0 != 0x80 { return false }
        index += more
    }
    return true
}
