// Variants from the columns they are stored in. A group `metadata`, `value` holds them as they are;
// a shredded one has a `typed_value` beside `value`, whose parts are put together again here:
//
// | value | typed_value | meaning |
// |---|---|---|
// | NULL | NULL | missing: of a member of an object that it is not there, elsewhere null |
// | there | NULL | the value |
// | NULL | there | the value has the type of the column |
// | there | there | an object of which some members are in columns of their own |

import Base
import Columns

/// How a variant, or a member or element of one, is stored: places among the group's members.
struct VariantPlan: Sendable {
    indirect enum Typed: Sendable {
        case scalar(VariantScalar)
        case list(VariantPlan)
        case object([(name: Bytes, plan: VariantPlan)])
        /// A type that the format does not allow here.
        case refused(String)
    }

    /// Only at the top.
    var metadata: Int?
    var value: Int?
    var typed: (place: Int, content: Typed)?
}

/// The variant's type of a typed column.
enum VariantScalar: Hashable, Sendable {
    case boolean
    case integer(VariantPrimitive)
    case float, double
    case decimal(VariantPrimitive, scale: Int)
    case text, binary, uuid
}

extension VariantPlan {
    /// nil when the group is not that of a variant.
    init?(variant node: Node) {
        self.init(group: node)
        metadata = node.children.firstIndex {
            $0.element.name == "metadata" && $0.element.type == .byteArray
        }
        if metadata == nil || value == nil && typed == nil { return nil }
    }

    private init(group node: Node) {
        for (place, child) in node.children.enumerated() {
            if child.element.name == "value", child.element.type == .byteArray { value = place }
            if child.element.name == "typed_value" { typed = (place, Self.typed(child)) }
        }
    }

    private static func typed(_ node: Node) -> Typed {
        if let physical = node.element.type {
            guard node.element.repetition != .repeated,
                let scalar = VariantScalar(node.element, physical)
            else {
                return .refused("shredded variant values of \(physical) \(node.element.annotation)")
            }
            return .scalar(scalar)
        }
        if node.element.annotation == .list, node.children.count == 1,
            node.children[0].element.repetition == .repeated
        {
            let repeated = node.children[0]
            let isElement = repeated.isElement(ofList: node.element.name)
            let element = isElement ? repeated : repeated.children[0]
            return element.isLeaf
                ? .refused("elements of a shredded variant without value and typed_value")
                : .list(VariantPlan(group: element))
        }
        guard node.element.annotation == .none else {
            return .refused("shredded variant values of \(node.element.annotation)")
        }
        var members: [(name: Bytes, plan: VariantPlan)] = []
        for child in node.children {
            if child.isLeaf || child.element.repetition == .repeated {
                return .refused("members of a shredded variant without value and typed_value")
            }
            members.append((Bytes(utf8: child.element.name), VariantPlan(group: child)))
        }
        return .object(members)
    }
}

extension VariantScalar {
    /// nil for types that a variant does not have.
    fileprivate init?(_ element: SchemaElement, _ physical: PhysicalType) {
        switch (physical, element.annotation) {
        case (.boolean, .none): self = .boolean
        case (.int32, .integer(8, true)): self = .integer(.int8)
        case (.int32, .integer(16, true)): self = .integer(.int16)
        case (.int32, .integer(32, true)), (.int32, .none): self = .integer(.int32)
        case (.int32, .date): self = .integer(.date)
        case (.int64, .integer(64, true)), (.int64, .none): self = .integer(.int64)
        case (.int64, .timestamp(.microseconds, let isUTC)):
            self = .integer(isUTC ? .timestamp : .timestampNTZ)
        case (.int64, .timestamp(.nanoseconds, let isUTC)):
            self = .integer(isUTC ? .timestampNanos : .timestampNTZNanos)
        case (.int64, .time(.microseconds, isAdjustedToUTC: false)): self = .integer(.time)
        case (.float, .none): self = .float
        case (.double, .none): self = .double
        case (.int32, .decimal(1...9, let scale)) where scale <= 9:
            self = .decimal(.decimal4, scale: scale)
        case (.int64, .decimal(1...18, let scale)) where scale <= 18:
            self = .decimal(.decimal8, scale: scale)
        case (.byteArray, .decimal(1...38, let scale)) where scale <= 38,
            (.fixed, .decimal(1...38, let scale)) where scale <= 38:
            self = .decimal(.decimal16, scale: scale)
        case (.byteArray, .string): self = .text
        case (.byteArray, .none): self = .binary
        case (.fixed, .uuid) where element.typeLength == 16: self = .uuid
        default: return nil
        }
    }
}

/// The variants in `column`, a structure with the members that `plan` speaks of.
func unshredded(_ column: Column, _ plan: VariantPlan) throws(DecodeFailure) -> Column {
    guard case .structure(let members) = column.data, let place = plan.metadata else {
        throw .malformed("a variant without its members", position: 0)
    }
    if plan.typed == nil, let value = plan.value, members[value].nullCount == column.nullCount {
        return Column(
            type: .variant, data: .structure([members[place].asBinary, members[value].asBinary]),
            validity: column.validity)
    }
    let metadata = members[place].asBinary
    guard case .text(let names) = metadata.data else {
        return Column(type: .variant, data: .null(count: column.count))
    }
    var assembler = VariantAssembler()
    var values = TextBuilder()
    values.reserveCapacity(column.count)
    for row in 0..<column.count {
        if column.isNull(row) {
            values.appendEmpty()
            continue
        }
        try assembler.use(names, row)
        let value = try assembler.value(plan, members, row) ?? VariantBuilder.null
        value.withUnsafeBytes { values.append($0) }
    }
    let built = Column(type: .binary, data: .text(values.finish()))
    return Column(
        type: .variant, data: .structure([metadata, built]), validity: column.validity)
}

extension Column {
    /// Of a leaf without any page, the layout that its values would have had.
    fileprivate var asBinary: Column {
        guard case .null(let count) = data else { return self }
        return Column(
            type: .binary,
            data: .text(TextColumn(views: [TextView](repeating: .empty, count: count))),
            validity: Validity(repeating: false, count: count))
    }
}

private struct VariantAssembler {
    private var metadata = Bytes.empty
    private var names: VariantNames?
    private var numbers: [Bytes: Int] = [:]

    /// Takes the names of a row; rows that share them are common.
    mutating func use(_ column: TextColumn, _ row: Int) throws(DecodeFailure) {
        let isSame = column.withBytes(row) { bytes in
            names != nil && metadata.withUnsafeBytes { $0.elementsEqual(bytes) }
        }
        if isSame { return }
        metadata = column.withBytes(row) { Bytes($0) }
        let known = try VariantNames(metadata)
        names = known
        numbers = known.numbers
    }

    /// The value of one row of a group with `value` and `typed_value`; nil when it is missing.
    func value(
        _ plan: VariantPlan, _ members: [Column], _ row: Int
    ) throws(DecodeFailure) -> Bytes? {
        var rest: Bytes?
        if let place = plan.value, !members[place].isNull(row),
            case .text(let texts) = members[place].data
        {
            rest = texts.withBytes(row) { Bytes($0) }
        }
        guard let typed = plan.typed else { return rest }
        if case .refused(let what) = typed.content { throw .unsupported(what) }
        let column = members[typed.place]
        if column.isNull(row) { return rest }
        switch typed.content {
        case .scalar(let scalar):
            guard rest == nil else { throw Self.conflict }
            return try scalarValue(scalar, column, row)
        case .list(let plan):
            guard rest == nil else { throw Self.conflict }
            guard case .list(let offsets, let element) = column.data,
                case .structure(let inner) = element.data
            else { throw .malformed("a shredded list of another shape", position: 0) }
            var elements: [Bytes] = []
            for index in offsets[row]..<offsets[row + 1] {
                elements.append(try value(plan, inner, Int(index)) ?? VariantBuilder.null)
            }
            return VariantBuilder.array(elements)
        case .object(let fields): return try object(fields, column, row, rest)
        case .refused: return nil
        }
    }

    private static var conflict: DecodeFailure {
        .malformed("a variant with both value and typed_value", position: 0)
    }

    private func object(
        _ fields: [(name: Bytes, plan: VariantPlan)], _ column: Column, _ row: Int, _ rest: Bytes?
    ) throws(DecodeFailure) -> Bytes {
        guard let names, case .structure(let columns) = column.data else {
            throw .malformed("a shredded object of another shape", position: 0)
        }
        var members: [VariantMember] = []
        if let rest {
            guard case .object(let others) = try VariantNode(rest) else {
                throw .malformed("a variant that is no object has shredded members", position: 0)
            }
            members = others
        }
        for member in members where member.name >= names.count {
            throw .invalid(
                what: "name of a variant member", value: Int64(member.name), position: 0)
        }
        let stored = Set(members.map(\.name))
        for (field, column) in zip(fields, columns) {
            let number = numbers[field.name]
            if let number, stored.contains(number) {
                throw .malformed(
                    "member \"\(field.name.text)\" of a variant is stored twice", position: 0)
            }
            guard case .structure(let inner) = column.data, !column.isNull(row),
                let value = try value(field.plan, inner, row)
            else { continue }
            guard let number else {
                throw .malformed(
                    "the metadata of a variant lacks the name \"\(field.name.text)\"", position: 0)
            }
            members.append(VariantMember(name: number, value: value))
        }
        return VariantBuilder.object(members, names)
    }

    private func scalarValue(
        _ scalar: VariantScalar, _ column: Column, _ row: Int
    ) throws(DecodeFailure) -> Bytes {
        switch (scalar, column.data) {
        case (.boolean, .boolean(let values)):
            return VariantBuilder.primitive(values[row] != 0 ? .yes : .no)
        case (.integer(let type), .int32(let values)):
            return VariantBuilder.primitive(type, UInt128(truncatingIfNeeded: values[row]))
        case (.integer(let type), .int64(let values)):
            return VariantBuilder.primitive(type, UInt128(truncatingIfNeeded: values[row]))
        case (.float, .float64(let values)):
            return VariantBuilder.primitive(.float, UInt128(Float(values[row]).bitPattern))
        case (.double, .float64(let values)):
            return VariantBuilder.primitive(.double, UInt128(values[row].bitPattern))
        case (.decimal(let type, let scale), .int128(let values)):
            return VariantBuilder.decimal(type, unscaled: values[row], scale: scale)
        case (.uuid, .int128(let values)):
            return VariantBuilder.uuid(UInt128(truncatingIfNeeded: values[row]))
        case (.text, .text(let values)):
            return values.withBytes(row) { VariantBuilder.text($0) }
        case (.binary, .text(let values)):
            return values.withBytes(row) { VariantBuilder.binary($0) }
        default: throw .malformed("a shredded value of another type", position: 0)
        }
    }
}
