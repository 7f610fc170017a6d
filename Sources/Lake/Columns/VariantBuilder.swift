import Base

/// Writes values of a variant (layout: `Variant.swift`), each into bytes of its own, from which the
/// values around it are put together.
package enum VariantBuilder {
    /// Metadata without names.
    package static let emptyMetadata = Bytes([0x01, 0x00, 0x00])
    package static let null = Bytes([0])

    /// Metadata with these names, which must be distinct. They are numbered in this order.
    package static func metadata(_ names: [Bytes]) -> Bytes {
        let total = names.reduce(0) { $0 + $1.count }
        let width = byteWidth(max(total, names.count))
        let isSorted = zip(names, names.dropFirst()).allSatisfy { $0 < $1 }
        var output = ByteWriter(capacity: 1 + (names.count + 2) * width + total)
        output.uint8(UInt8(width - 1) << 6 | (isSorted ? 0x10 : 0) | 1)
        output.unsigned(names.count, width)
        var position = 0
        output.unsigned(0, width)
        for name in names {
            position += name.count
            output.unsigned(position, width)
        }
        for name in names { output.bytes(name) }
        return output.finish()
    }

    /// A primitive of fixed size; `bits` are its little-endian bytes.
    package static func primitive(_ type: VariantPrimitive, _ bits: UInt128 = 0) -> Bytes {
        let count = type.byteCount ?? 0
        return Bytes(
            [type.rawValue << 2]
                + (0..<count).map { UInt8(truncatingIfNeeded: bits >> UInt128(8 * $0)) })
    }

    package static func decimal(
        _ type: VariantPrimitive, unscaled: Int128, scale: Int
    ) -> Bytes {
        let count = (type.byteCount ?? 1) - 1
        let bits = UInt128(truncatingIfNeeded: unscaled)
        return Bytes(
            [type.rawValue << 2, UInt8(truncatingIfNeeded: scale)]
                + (0..<count).map { UInt8(truncatingIfNeeded: bits >> UInt128(8 * $0)) })
    }

    package static func uuid(_ bits: UInt128) -> Bytes { primitive(.uuid, bits.byteSwapped) }

    package static func text(_ content: UnsafeRawBufferPointer) -> Bytes {
        guard content.count < 64 else { return long(.text, content) }
        var output = ByteWriter(capacity: 1 + content.count)
        output.uint8(UInt8(content.count) << 2 | 1)
        output.bytes(content)
        return output.finish()
    }

    package static func binary(_ content: UnsafeRawBufferPointer) -> Bytes {
        long(.binary, content)
    }

    private static func long(
        _ type: VariantPrimitive, _ content: UnsafeRawBufferPointer
    ) -> Bytes {
        var output = ByteWriter(capacity: 5 + content.count)
        output.uint8(type.rawValue << 2)
        output.uint32LE(UInt32(content.count))
        output.bytes(content)
        return output.finish()
    }

    package static func array(_ elements: [Bytes]) -> Bytes {
        let total = elements.reduce(0) { $0 + $1.count }
        let width = byteWidth(total)
        let isLarge = elements.count > 255
        var output = ByteWriter(capacity: 5 + (elements.count + 1) * width + total)
        output.uint8(UInt8(width - 1) << 2 | (isLarge ? 0x10 : 0) | 3)
        output.unsigned(elements.count, isLarge ? 4 : 1)
        output.offsets(elements, width)
        for element in elements { output.bytes(element) }
        return output.finish()
    }

    /// An object; `names` gives the names that the members' numbers stand for.
    package static func object(_ members: [VariantMember], _ names: VariantNames) -> Bytes {
        let members = members.sorted { names[$0.name] < names[$1.name] }
        let total = members.reduce(0) { $0 + $1.value.count }
        let width = byteWidth(total)
        let nameWidth = byteWidth(members.reduce(0) { max($0, $1.name) })
        let isLarge = members.count > 255
        var output = ByteWriter(capacity: 5 + (members.count + 1) * (width + nameWidth) + total)
        output.uint8(
            UInt8(width - 1) << 2 | UInt8(nameWidth - 1) << 4 | (isLarge ? 0x40 : 0) | 2)
        output.unsigned(members.count, isLarge ? 4 : 1)
        for member in members { output.unsigned(member.name, nameWidth) }
        output.offsets(members.map(\.value), width)
        for member in members { output.bytes(member.value) }
        return output.finish()
    }

    private static func byteWidth(_ value: Int) -> Int {
        value < 1 << 8 ? 1 : (value < 1 << 16 ? 2 : (value < 1 << 24 ? 3 : 4))
    }
}

extension ByteWriter {
    fileprivate mutating func unsigned(_ value: Int, _ width: Int) {
        for index in 0..<width { uint8(UInt8(truncatingIfNeeded: value >> (8 * index))) }
    }

    fileprivate mutating func offsets(_ values: [Bytes], _ width: Int) {
        var position = 0
        unsigned(0, width)
        for value in values {
            position += value.count
            unsigned(position, width)
        }
    }
}
