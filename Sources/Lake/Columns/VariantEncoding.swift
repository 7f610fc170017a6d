import Base

/// A value as a variant: its names and its bytes.
package struct VariantEncoding: Hashable, Sendable {
    package let metadata: Bytes
    package let value: Bytes

    /// Encodes `value`, of type `type`. What has no form of its own in a variant (intervals, keys of
    /// maps that are no texts) is text as `text` writes it. Numbers of JSON become the smallest type
    /// that holds them exactly, else a double. Of members with one name the last counts.
    package init(
        _ value: Value, _ type: ColumnType, text: (Value, ColumnType) -> String
    ) throws(DecodeFailure) {
        let tree = try Self.tree(value, type, text)
        var names: Set<Bytes> = []
        tree.collectNames(&names)
        metadata = VariantBuilder.metadata(names.sorted())
        let known = try VariantNames(metadata)
        self.value = tree.bytes(known, known.numbers)
    }

    private indirect enum Tree {
        case leaf(Bytes)
        case array([Tree])
        case object([(name: Bytes, value: Tree)])

        func collectNames(_ names: inout Set<Bytes>) {
            switch self {
            case .leaf: break
            case .array(let elements): for element in elements { element.collectNames(&names) }
            case .object(let members):
                for member in members {
                    names.insert(member.name)
                    member.value.collectNames(&names)
                }
            }
        }

        func bytes(_ names: VariantNames, _ numbers: [Bytes: Int]) -> Bytes {
            switch self {
            case .leaf(let bytes): return bytes
            case .array(let elements):
                return VariantBuilder.array(elements.map { $0.bytes(names, numbers) })
            case .object(let members):
                var last: OrderedMap<Int, Bytes> = [:]
                for member in members {
                    guard let number = numbers[member.name] else { continue }
                    last[number] = member.value.bytes(names, numbers)
                }
                return VariantBuilder.object(
                    last.map { VariantMember(name: $0.key, value: $0.value) }, names)
            }
        }
    }

    private static func tree(
        _ value: Value, _ type: ColumnType, _ text: (Value, ColumnType) -> String
    ) throws(DecodeFailure) -> Tree {
        switch value {
        case .null: return .leaf(VariantBuilder.null)
        case .boolean(let flag): return .leaf(VariantBuilder.primitive(flag ? .yes : .no))
        case .int(let number): return .leaf(integer(number))
        case .float(let number):
            return type == .float32
                ? .leaf(VariantBuilder.primitive(.float, UInt128(Float(number).bitPattern)))
                : .leaf(VariantBuilder.primitive(.double, UInt128(number.bitPattern)))
        case .decimal(let unscaled, let scale): return .leaf(decimal(unscaled, scale))
        case .text(let string): return .leaf(self.text(string))
        case .binary(let bytes):
            return .leaf(bytes.withUnsafeBytes { VariantBuilder.binary($0) })
        case .date(let days):
            return .leaf(
                VariantBuilder.primitive(.date, UInt128(UInt32(bitPattern: days))))
        case .time(let time):
            return .leaf(
                VariantBuilder.primitive(.time, UInt128(UInt64(bitPattern: time))))
        case .timestamp(let moment):
            return .leaf(
                VariantBuilder.primitive(.timestampNTZ, UInt128(UInt64(bitPattern: moment))))
        case .timestampTZ(let moment):
            return .leaf(
                VariantBuilder.primitive(.timestamp, UInt128(UInt64(bitPattern: moment))))
        case .uuid(let bits): return .leaf(VariantBuilder.uuid(bits))
        case .interval: return .leaf(self.text(text(value, type)))
        case .json(let content): return tree(try JSONValue(parsing: content))
        case .variant(let metadata, let bytes):
            return tree(
                try JSONValue(variant: Bytes(metadata), value: Bytes(bytes)))
        case .list(let items):
            guard case .list(let element) = type else { return .leaf(VariantBuilder.null) }
            var elements: [Tree] = []
            for item in items { elements.append(try tree(item, element, text)) }
            return .array(elements)
        case .structure(let items):
            guard case .structure(let fields) = type else { return .leaf(VariantBuilder.null) }
            var members: [(name: Bytes, value: Tree)] = []
            for (field, item) in zip(fields, items) {
                members.append((Bytes(utf8: field.name), try tree(item, field.type, text)))
            }
            return .object(members)
        case .map(let entries):
            guard case .map(let key, let inner) = type else { return .leaf(VariantBuilder.null) }
            var members: [(name: Bytes, value: Tree)] = []
            for entry in entries {
                members.append(
                    (Bytes(utf8: text(entry.key, key)), try tree(entry.value, inner, text)))
            }
            return .object(members)
        }
    }

    private static func tree(_ json: JSONValue) -> Tree {
        switch json {
        case .null: return .leaf(VariantBuilder.null)
        case .bool(let flag): return .leaf(VariantBuilder.primitive(flag ? .yes : .no))
        case .number(let digits): return .leaf(number(digits))
        case .string(let string): return .leaf(text(string))
        case .array(let items): return .array(items.map { tree($0) })
        case .object(let members):
            return .object(members.map { (Bytes(utf8: $0.key), tree($0.value)) })
        }
    }

    private static func text(_ string: String) -> Bytes {
        var string = string
        return string.withUTF8 { VariantBuilder.text(UnsafeRawBufferPointer($0)) }
    }

    private static func integer(_ number: Int64) -> Bytes {
        let bits = UInt128(UInt64(bitPattern: number))
        if Int8(exactly: number) != nil { return VariantBuilder.primitive(.int8, bits) }
        if Int16(exactly: number) != nil { return VariantBuilder.primitive(.int16, bits) }
        if Int32(exactly: number) != nil { return VariantBuilder.primitive(.int32, bits) }
        return VariantBuilder.primitive(.int64, bits)
    }

    private static func decimal(_ unscaled: Int128, _ scale: Int) -> Bytes {
        let digits = String(unscaled.magnitude).utf8.count
        let type: VariantPrimitive =
            max(digits, scale) <= 9 ? .decimal4 : max(digits, scale) <= 18 ? .decimal8 : .decimal16
        return VariantBuilder.decimal(type, unscaled: unscaled, scale: scale)
    }

    /// A number of JSON.
    private static func number(_ digits: String) -> Bytes {
        if let number = Int64(digits) { return integer(number) }
        let parts = digits.split(separator: ".", omittingEmptySubsequences: false)
        let scale = parts.count == 2 ? parts[1].utf8.count : 0
        let whole = parts.joined()
        if parts.count <= 2, scale <= 38, whole.utf8.count <= 39, let unscaled = Int128(whole),
            unscaled.magnitude < 100_000_000_000_000_000_000_000_000_000_000_000_000
        {
            return decimal(unscaled, scale)
        }
        let double = Double(digits) ?? .nan
        return VariantBuilder.primitive(.double, UInt128(double.bitPattern))
    }
}
