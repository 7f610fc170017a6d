// The time zone of a session, put into the plan: whatever depends on it becomes a function that names
// the zone, so that a plan means the same whoever runs it. Without a zone moments are shown and read
// in UTC.

import Columns

/// The clock of a session's time zone.
package protocol SessionClock: Sendable {
    /// What the engine finds the zone by.
    var zoneName: String { get }
    /// The moment at which the clock shows `local`, both in microseconds since 1970; nil when that is
    /// out of range.
    func moment(ofLocal local: Int64) -> Int64?
}

/// A zone's clock that is that of UTC, by name: for what must not depend on the session.
package struct UTCClock: SessionClock {
    package var zoneName: String { ":UTC" }

    package init() {}

    package func moment(ofLocal local: Int64) -> Int64? { local }
}

extension ColumnType {
    /// Whether there are values of `timestamptz` in it. Those of a variant are known only when it is
    /// read.
    var hasMoments: Bool { replacingMoments(by: .timestamp) != self }

    /// The type with another one in the place of `timestamptz`.
    package func replacingMoments(by other: ColumnType) -> ColumnType {
        switch self {
        case .timestampTZ: other
        case .list(let element): .list(element.replacingMoments(by: other))
        case .map(let key, let value):
            .map(
                key: key.replacingMoments(by: other), value: value.replacingMoments(by: other))
        case .structure(let fields):
            .structure(
                fields.map { field in
                    var field = field
                    field.type = field.type.replacingMoments(by: other)
                    return field
                })
        default: self
        }
    }
}

struct ZonedExpressions {
    /// nil for UTC, in which the functions without a zone work.
    let clock: (any SessionClock)?

    init(_ clock: (any SessionClock)?) { self.clock = clock }

    func plan(_ plan: LogicalPlan) -> LogicalPlan {
        let below = plan.mapInputs(self.plan).mapExpressions(expression)
        if case .scan(var node) = below, case .timestamp(let time) = node.travel {
            node.travel = .timestamp(expression(time))
            return .scan(node)
        }
        guard clock != nil else { return below }
        switch below {
        case .aggregate(var node):
            node.aggregates = node.aggregates.map {
                NamedAggregate($0.name, aggregate($0.call))
            }
            return .aggregate(node)
        case .over(var node):
            for index in node.calls.indices {
                guard case .aggregate(let call) = node.calls[index].function else { continue }
                // The arguments of a window call stand beside it.
                var changed = call
                changed.arguments = node.calls[index].arguments
                changed = aggregate(changed)
                node.calls[index].arguments = changed.arguments
                node.calls[index].function = .aggregate(changed)
            }
            return .over(node)
        case .expand(var node):
            for index in node.calls.indices {
                let call = node.calls[index]
                guard call.function == .series, call.fields[0].type == .timestampTZ else {
                    continue
                }
                node.calls[index].arguments = call.arguments + [zone]
            }
            return .expand(node)
        default: return below
        }
    }

    func expression(_ expression: BoundExpression) -> BoundExpression {
        let inner = expression.mapChildren(self.expression)
        switch inner {
        case .cast(let operand, let type, let mode): return cast(operand, type, mode)
        case .call(let function, let arguments, let type)
        where clock == nil && (function == .toZone || function == .fromZone):
            // In UTC a moment and what the clock shows are one number.
            guard let name = arguments[1].literalText, TimeZones.isUTC(name) else { return inner }
            return .cast(arguments[0], to: type, .strict)
        case .call(let function, let arguments, let type) where clock != nil:
            return call(function, arguments, type)
        default: return inner
        }
    }

    /// The zone as the last argument of a function.
    private var zone: BoundExpression { .literal(.text(clock?.zoneName ?? ":UTC"), .text) }

    private func cast(
        _ operand: BoundExpression, _ type: ColumnType, _ mode: CastMode
    ) -> BoundExpression {
        let plain = BoundExpression.cast(operand, to: type, mode)
        if case .literal(.text(let text), .text) = operand, type.hasMoments, mode == .strict,
            let value = (try? literalValue(text, as: type, at: 0, clock ?? UTCClock())) ?? nil
        {
            return .literal(value, type)
        }
        let from = operand.type
        // Words such as today mean a day of the session's clock.
        let mayBeWord = from == .text && [.date, .time, .timestamp].contains(type)
        guard clock != nil, from != type, from != .null, type != .variant,
            from.hasMoments || type.hasMoments || mayBeWord
        else { return plain }
        return .call(
            .castInZone,
            [operand, zone, .literal(.boolean(mode == .nullOnFailure), .boolean)], type)
    }

    private func call(
        _ function: ScalarFunction, _ arguments: [BoundExpression], _ type: ColumnType
    ) -> BoundExpression {
        let zoned: ScalarFunction
        switch function {
        case .dateTrunc where arguments[1].type == .timestampTZ: zoned = .dateTruncInZone
        case .extract where arguments[1].type == .timestampTZ: zoned = .extractInZone
        case .datePart where arguments[1].type == .timestampTZ: zoned = .datePartInZone
        case .toChar where arguments[0].type == .timestampTZ: zoned = .toCharInZone
        case .addInterval where type == .timestampTZ: zoned = .addIntervalInZone
        case .subtractInterval where type == .timestampTZ: zoned = .subtractIntervalInZone
        case .parseTimestamp: zoned = .parseTimestampInZone
        case .age where arguments[0].type == .timestampTZ:
            return .call(.age, arguments.map { cast($0, .timestamp, .strict) }, type)
        case .toJSON, .jsonBuildObject, .jsonBuildArray:
            return .call(function, arguments.map(asJSON), type)
        default: return .call(function, arguments, type)
        }
        return .call(zoned, arguments + [zone], type)
    }

    /// The value with its moments as JSON has them.
    private func asJSON(_ value: BoundExpression) -> BoundExpression {
        guard value.type.hasMoments else { return value }
        return .call(.jsonInZone, [value, zone], value.type.replacingMoments(by: .text))
    }

    private func aggregate(_ call: AggregateCall) -> AggregateCall {
        guard call.function == .jsonAgg || call.function == .jsonObjectAgg else { return call }
        var call = call
        call.arguments = call.arguments.map(asJSON)
        return call
    }
}
