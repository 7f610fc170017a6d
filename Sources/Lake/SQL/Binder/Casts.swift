// Conversions between types: which happen without being asked, which on assignment, which only when
// written. An unknown literal ('…' or NULL before its type is known) is a literal of type `.null`.

import Base
import Columns

enum CastContext: Int, Comparable {
    case implicit, assignment, explicit

    static func < (left: CastContext, right: CastContext) -> Bool {
        left.rawValue < right.rawValue
    }
}

extension BoundExpression {
    /// A `'…'` or NULL whose type is still open.
    var isUnknownLiteral: Bool { if case .literal(_, .null) = self { true } else { false } }

    /// The text of an unknown or a text literal.
    var literalText: String? {
        if case .literal(.text(let text), _) = self { text } else { nil }
    }
}

/// The least explicit context in which `from` becomes `to`; nil when there is no such cast.
func castContext(from: ColumnType, to: ColumnType) -> CastContext? {
    if from == to || from == .null { return .implicit }
    if case .list(let inner) = from, case .list(let target) = to {
        return castContext(from: inner, to: target)
    }
    switch (from, to) {
    case (.int16, .int32), (.int16, .int64), (.int32, .int64): return .implicit
    case (.int64, .int32), (.int64, .int16), (.int32, .int16): return .assignment
    case (.int16, .decimal), (.int32, .decimal), (.int64, .decimal), (.decimal, .decimal):
        return .implicit
    case (.float32, .decimal), (.float64, .decimal), (.float64, .float32): return .assignment
    case (_, _) where from.isNumber && to.isFloat: return .implicit
    case (_, _) where (from.isDecimal || from.isFloat) && to.isInteger: return .assignment
    case (.date, .timestamp), (.date, .timestampTZ), (.timestamp, .timestampTZ): return .implicit
    case (.timestamp, .date), (.timestampTZ, .date), (.timestampTZ, .timestamp): return .assignment
    case (.timestamp, .time), (.timestampTZ, .time), (.interval, .time): return .assignment
    case (.time, .interval): return .implicit
    case (.boolean, .int32), (.int32, .boolean): return .explicit
    case (.variant, .json), (.json, .variant): return .assignment
    case (_, .variant): return .assignment
    case (.variant, .text): return .assignment
    case (.variant, .interval), (.variant, .null), (.variant, .structure), (.variant, .map):
        return nil
    case (.variant, _): return .explicit
    case (.json, .boolean): return .explicit
    case (.json, _) where to.isNumber: return .explicit
    case (_, .text): return .assignment
    case (.text, _): return .explicit
    case (.list, .json), (.structure, .json), (.map, .json): return .explicit
    default: return nil
    }
}

/// `expression` as `type`, if that is allowed in `context`; nil when it is not.
func converted(
    _ expression: BoundExpression, to type: ColumnType, _ context: CastContext,
    mode: CastMode = .strict, at position: Int
) throws(Problem) -> BoundExpression? {
    if case .literal(let value, .null) = expression {
        guard case .text(let text) = value else { return .literal(.null, type) }
        if mode == .strict {
            if let known = try literalValue(text, as: type, at: position) {
                return .literal(known, type)
            }
        }
        return .cast(.literal(.text(text), .text), to: type, mode)
    }
    let from = expression.type
    if from == type { return expression }
    guard let needed = castContext(from: from, to: type), needed <= context else { return nil }
    if case .literal(let value, _) = expression, let folded = numericLiteral(value, as: type) {
        return .literal(folded, type)
    }
    return .cast(expression, to: type, mode)
}

/// A numeric constant in another numeric type, when that is exact.
private func numericLiteral(_ value: Value, as type: ColumnType) -> Value? {
    switch (value, type) {
    case (.null, _): return .null
    case (.int(let number), .int16): return Int16(exactly: number) == nil ? nil : value
    case (.int(let number), .int32): return Int32(exactly: number) == nil ? nil : value
    case (.int, .int64): return value
    case (.int(let number), .float64):
        return number.magnitude < 1 << 53 ? .float(Double(number)) : nil
    case (.int(let number), .decimal(let precision, let scale)):
        return rescaled(Int128(number), from: 0, precision, scale)
    case (.decimal(let unscaled, let from), .decimal(let precision, let scale)):
        return rescaled(unscaled, from: from, precision, scale)
    case (.decimal(let unscaled, let scale), .float64):
        // Both are exact, so the quotient is the nearest double.
        guard unscaled.magnitude < 1 << 53, scale <= 22 else { return nil }
        return .float(Double(Int64(unscaled)) / Double(powerOfTen(scale)))
    default: return nil
    }
}

private func rescaled(
    _ unscaled: Int128, from: Int, _ precision: Int, _ scale: Int
) -> Value? {
    guard scale >= from else { return nil }
    let (product, overflow) = unscaled.multipliedReportingOverflow(by: powerOfTen(scale - from))
    guard !overflow, product.magnitude < powerOfTen(precision).magnitude else { return nil }
    return .decimal(unscaled: product, scale: scale)
}

/// `expression` as `type`, or the error that PostgreSQL gives.
func coerce(
    _ expression: BoundExpression, to type: ColumnType, _ context: CastContext = .implicit,
    at position: Int
) throws(Problem) -> BoundExpression {
    if let result = try converted(expression, to: type, context, at: position) { return result }
    throw Problem(
        "42846",
        "cannot cast type \(expression.type.plainName) to \(type.plainName)", position: position)
}

/// A written cast.
func explicitCast(
    _ expression: BoundExpression, to name: TypeName, orNull: Bool, at position: Int
) throws(Problem) -> BoundExpression {
    var type = try columnType(name)
    let from = expression.type
    if type == .plainNumeric, name.arguments.isEmpty, name.dimensions == 0 {
        // `numeric` keeps all digits of what has a scale already.
        if from.isDecimal { return expression }
        if let shape = from.decimalShape {
            type = .decimal(integerDigits: shape.integerDigits, scale: 0)
        }
        if let text = expression.literalText, expression.isUnknownLiteral,
            let number = DecimalLiteral(text), (0...37).contains(number.scale)
        {
            type = .decimal(precision: 38, scale: number.scale)
        }
    }
    let mode: CastMode = orNull ? .nullOnFailure : .strict
    guard let result = try converted(expression, to: type, .explicit, mode: mode, at: position)
    else {
        throw Problem(
            "42846", "cannot cast type \(from.plainName) to \(type.plainName)",
            position: position)
    }
    guard type == .text, let length = name.arguments.first, name.dimensions == 0 else {
        return result
    }
    guard length > 0, length <= 10_485_760 else {
        throw Problem(
            "22023", "length for type \(name.name) must be at least 1", position: name.position)
    }
    return .call(.left, [result, .literal(.int(Int64(length)), .int32)], .text)
}

/// All expressions in the one type that fits them.
func unified(
    _ expressions: [BoundExpression], positions: [Int], what: String
) throws(Problem) -> (expressions: [BoundExpression], type: ColumnType) {
    var type = ColumnType.null
    for (index, expression) in expressions.enumerated() {
        guard let wider = commonType(type, expression.type) else {
            throw Problem(
                "42804",
                "\(what) types \(type.plainName) and \(expression.type.plainName) "
                    + "cannot be matched",
                hint: "cast one of them, for example to text", position: positions[index])
        }
        type = wider
    }
    if type == .null { type = .text }
    var results: [BoundExpression] = []
    for (index, expression) in expressions.enumerated() {
        results.append(try coerce(expression, to: type, at: positions[index]))
    }
    return (results, type)
}
