// ALP, the adaptive lossless encoding of decimal-like floats and doubles (AlpEncoding.md of the
// format; its layout is final since August 2026). Only read: few readers know it yet.
//
// | page | bytes | |
// |---|---|---|
// | compression mode | 1 | 0: ALP |
// | integer encoding | 1 | 0: frame of reference and bit packing |
// | log₂ of the values in a vector | 1 | 3 to 15 |
// | number of values | 4 | Int32; NULLs are not counted |
// | offsets | 4 each | UInt32 for each vector, from the first offset on |
// | vectors | | one behind the other, without gaps |
//
// | vector | bytes | |
// |---|---|---|
// | exponent e, factor f | 1, 1 | f ≤ e ≤ 10 (float) or 18 (double) |
// | number of exceptions | 2 | UInt16 |
// | frame of reference | 4 or 8 | the smallest integer, signed |
// | bit width | 1 | |
// | integers | ⌈n × width / 8⌉ | less the frame, lowest bit first; sums wrap |
// | exceptions: places | 2 each | UInt16, from 0 |
// | exceptions: values | 4 or 8 each | their bits as they were |
//
// A value is integer × 10^f × 10^−e, in two multiplications of its own precision.

import Base

/// A float or double, and the integers it is made of.
protocol AlpValue: BinaryFloatingPoint {
    associatedtype Integer: FixedWidthInteger & SignedInteger
    init(_ integer: Integer)
    init(bits: UInt64)
    /// 10^0, 10^1, … as literals: computed powers would not be rounded correctly.
    static var powers: [Self] { get }
    /// 10^0, 10^−1, …
    static var inversePowers: [Self] { get }
}

extension Float: AlpValue {
    init(bits: UInt64) { self.init(bitPattern: UInt32(truncatingIfNeeded: bits)) }

    static let powers: [Float] = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10]

    static let inversePowers: [Float] = [
        1, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10,
    ]

    typealias Integer = Int32
}

extension Double: AlpValue {
    init(bits: UInt64) { self.init(bitPattern: bits) }

    static let powers: [Double] = [
        1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
        1e17, 1e18,
    ]

    static let inversePowers: [Double] = [
        1, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11, 1e-12, 1e-13, 1e-14,
        1e-15, 1e-16, 1e-17, 1e-18,
    ]

    typealias Integer = Int64
}

/// The `count` values of a page.
func decodeAlp<Value: AlpValue>(
    _ bytes: Bytes, count: Int, as type: Value.Type
) throws(DecodeFailure) -> [Value] {
    var reader = ByteReader(bytes)
    let mode = try reader.uint8()
    guard mode == 0 else { throw .unsupported("ALP compression mode \(mode)") }
    let integers = try reader.uint8()
    guard integers == 0 else { throw .unsupported("ALP integer encoding \(integers)") }
    let logVector = try reader.uint8()
    guard (3...15).contains(logVector) else {
        throw .invalid(what: "ALP vector size", value: Int64(logVector), position: 2)
    }
    let total = try reader.int32LE()
    guard Int(total) == count else {
        throw .invalid(what: "ALP value count", value: Int64(total), position: 3)
    }
    let perVector = 1 << Int(logVector)
    let vectors = (count + perVector - 1) / perVector
    let body = reader.rest()
    var offsets = ByteReader(body)
    // Offsets and heads, before memory for the values is taken.
    try offsets.require(vectors * (4 + 5 + Value.Integer.bitWidth / 8))
    var result = [Value]()
    result.reserveCapacity(count)
    var scratch = [UInt64](repeating: 0, count: min(perVector, count))
    for vector in 0..<vectors {
        let offset = Int(try offsets.uint32LE())
        // The layout leaves no choice, so another offset is damage.
        guard offset >= vectors * 4, offset <= body.count else {
            throw .invalid(
                what: "offset of an ALP vector", value: Int64(offset), position: 7 + vector * 4)
        }
        try decodeAlpVector(
            body[offset..<body.count], count: min(perVector, count - result.count), &scratch,
            into: &result)
    }
    return result
}

private func decodeAlpVector<Value: AlpValue>(
    _ bytes: Bytes, count: Int, _ scratch: inout [UInt64], into result: inout [Value]
) throws(DecodeFailure) {
    var reader = ByteReader(bytes)
    let exponent = Int(try reader.uint8())
    let factor = Int(try reader.uint8())
    guard exponent < Value.powers.count, factor <= exponent else {
        throw .malformed("ALP exponent \(exponent) with factor \(factor)", position: 0)
    }
    let exceptions = Int(try reader.uint16LE())
    guard exceptions <= count else {
        throw .invalid(what: "number of ALP exceptions", value: Int64(exceptions), position: 2)
    }
    let frame: Value.Integer
    if Value.Integer.bitWidth == 32 {
        frame = Value.Integer(truncatingIfNeeded: try reader.int32LE())
    } else {
        frame = Value.Integer(truncatingIfNeeded: try reader.int64LE())
    }
    let width = Int(try reader.uint8())
    guard width <= Value.Integer.bitWidth else {
        throw .invalid(what: "ALP bit width", value: Int64(width), position: reader.position)
    }
    unpackWide(
        try reader.slice((count * width + 7) / 8), bitWidth: width, count: count, into: &scratch)
    let first = result.count
    let power = Value.powers[factor]
    let inverse = Value.inversePowers[exponent]
    for index in 0..<count {
        let integer = Value.Integer(truncatingIfNeeded: scratch[index]) &+ frame
        result.append(Value(integer) * power * inverse)
    }
    var places = ByteReader(try reader.slice(exceptions * 2))
    for _ in 0..<exceptions {
        let place = Int(try places.uint16LE())
        guard place < count else {
            throw .invalid(
                what: "place of an ALP exception", value: Int64(place), position: places.position)
        }
        let bits =
            Value.Integer.bitWidth == 32
            ? UInt64(try reader.uint32LE()) : UInt64(bitPattern: try reader.int64LE())
        result[first + place] = Value(bits: bits)
    }
}
