import Base

extension JSONValue {
    /// A variant as JSON: what JSON has no form for becomes text, as people write it (dates and
    /// times in UTC, binary in hexadecimal). Fails on bytes that are no variant.
    package init(variant metadata: Bytes, value: Bytes) throws(DecodeFailure) {
        self = try Self.json(value, try VariantNames(metadata), depth: 0)
    }

    private static func json(
        _ bytes: Bytes, _ names: VariantNames, depth: Int
    ) throws(DecodeFailure) -> JSONValue {
        guard depth < Limits.nestingDepth else {
            throw .tooLarge(
                what: "nesting of a variant", value: Int64(depth),
                limit: Int64(Limits.nestingDepth))
        }
        switch try VariantNode(bytes) {
        case .primitive(let type, let content): return try json(type, content)
        case .text(let content):
            guard let text = content.validText else {
                throw .malformed("text of a variant is not valid UTF-8", position: 0)
            }
            return .string(text)
        case .object(let members):
            var result: [JSONMember] = []
            for member in members {
                guard member.name < names.count else {
                    throw .invalid(
                        what: "name of a variant member", value: Int64(member.name), position: 0)
                }
                guard let name = names[member.name].validText else {
                    throw .malformed("name of a variant is not valid UTF-8", position: 0)
                }
                result.append(JSONMember(name, try json(member.value, names, depth: depth + 1)))
            }
            return .object(result)
        case .array(let elements):
            var result: [JSONValue] = []
            for element in elements { result.append(try json(element, names, depth: depth + 1)) }
            return .array(result)
        }
    }

    private static func json(
        _ type: VariantPrimitive, _ content: Bytes
    ) throws(DecodeFailure) -> JSONValue {
        var reader = ByteReader(content)
        switch type {
        case .null: return .null
        case .yes: return .bool(true)
        case .no: return .bool(false)
        case .int8: return .int(try reader.int8())
        case .int16: return .int(Int16(bitPattern: try reader.uint16LE()))
        case .int32: return .int(try reader.int32LE())
        case .int64: return .int(try reader.int64LE())
        case .double: return .double(Double(bitPattern: try reader.uint64LE()))
        case .float: return .double(Double(Float(bitPattern: try reader.uint32LE())))
        case .decimal4, .decimal8, .decimal16:
            let scale = Int(try reader.uint8())
            guard scale <= 38 else {
                throw .invalid(what: "scale of a variant", value: Int64(scale), position: 0)
            }
            let digits: Int128
            switch type {
            case .decimal4: digits = Int128(try reader.int32LE())
            case .decimal8: digits = Int128(try reader.int64LE())
            default:
                let low = try reader.uint64LE()
                digits = Int128(try reader.int64LE()) << 64 | Int128(low)
            }
            return .number(decimalText(digits, scale: scale))
        case .date: return .string(dateText(days: Int64(try reader.int32LE())))
        case .timestamp, .timestampNTZ:
            let text = momentText(try reader.int64LE(), unitsPerSecond: 1_000_000)
            return .string(type == .timestamp ? text + "Z" : text)
        case .timestampNanos, .timestampNTZNanos:
            let text = momentText(try reader.int64LE(), unitsPerSecond: 1_000_000_000)
            return .string(type == .timestampNanos ? text + "Z" : text)
        case .time: return .string(timeText(try reader.int64LE(), unitsPerSecond: 1_000_000))
        case .uuid: return .string(uuidText(content))
        case .binary: return .string(Hexadecimal.text(content.array))
        case .text: return .string(content.text)
        }
    }
}

private func decimalText(_ unscaled: Int128, scale: Int) -> String {
    var digits = String(unscaled.magnitude)
    digits = String(repeating: "0", count: max(0, scale + 1 - digits.count)) + digits
    if scale > 0 { digits.insert(".", at: digits.index(digits.endIndex, offsetBy: -scale)) }
    return (unscaled < 0 ? "-" : "") + digits
}

private func dateText(days: Int64) -> String {
    let (year, month, day) = civilDate(daysSinceEpoch: Int(days))
    return "\(padded(Int64(year), 4))-\(padded(Int64(month), 2))-\(padded(Int64(day), 2))"
}

private func momentText(_ value: Int64, unitsPerSecond: Int64) -> String {
    let unitsPerDay = unitsPerSecond * 86_400
    var (days, rest) = value.quotientAndRemainder(dividingBy: unitsPerDay)
    if rest < 0 {
        days -= 1
        rest += unitsPerDay
    }
    return dateText(days: days) + "T" + timeText(rest, unitsPerSecond: unitsPerSecond)
}

private func timeText(_ value: Int64, unitsPerSecond: Int64) -> String {
    let seconds = value / unitsPerSecond
    let text =
        "\(padded(seconds / 3600, 2)):\(padded(seconds / 60 % 60, 2)):\(padded(seconds % 60, 2))"
    let rest = value % unitsPerSecond
    if rest == 0 { return text }
    return text + "." + padded(rest, unitsPerSecond == 1_000_000 ? 6 : 9)
}

private func padded(_ value: Int64, _ width: Int) -> String {
    let digits = String(value.magnitude)
    return (value < 0 ? "-" : "") + String(repeating: "0", count: max(0, width - digits.count))
        + digits
}

private func uuidText(_ bytes: Bytes) -> String {
    var text = ""
    for (index, byte) in bytes.array.enumerated() {
        if [4, 6, 8, 10].contains(index) { text += "-" }
        text += Hexadecimal.text([byte])
    }
    return text
}
