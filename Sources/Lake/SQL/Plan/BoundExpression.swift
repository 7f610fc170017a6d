import Columns

/// What a cast does with a value that the target type can't hold.
package enum CastMode: Hashable, Sendable {
    /// Error 22P02, 22003, 22007 …
    case strict
    /// NULL
    case nullOnFailure
}

/// An expression whose names are resolved and whose types are settled: no implicit conversion is
/// left to the engine. Columns are positions in the schema of the node's input.
package indirect enum BoundExpression: Hashable, Sendable {
    case column(Int, ColumnType)
    case literal(Value, ColumnType)
    case call(ScalarFunction, [BoundExpression], ColumnType)
    case cast(BoundExpression, to: ColumnType, CastMode)
    /// `CASE`: the value of the first branch whose condition is true. Later branches must not be
    /// evaluated for rows that an earlier branch took (they may fail there).
    case conditional([Branch], otherwise: BoundExpression?, ColumnType)
    /// Three-valued, two or more operands.
    case and([BoundExpression])
    case or([BoundExpression])
    case not(BoundExpression)
    /// Never NULL.
    case isNull(BoundExpression)
    case isNotNull(BoundExpression)
    /// `IS DISTINCT FROM`: NULL equals NULL; never NULL. Both have one type.
    case isDistinct(BoundExpression, BoundExpression)
    /// `IN (…)`; all have one type. With the NULL rules of SQL.
    case inList(BoundExpression, [BoundExpression], isNegated: Bool)
    /// The first operand that is not NULL.
    case coalesce([BoundExpression], ColumnType)
    /// A column of a query around this one, by the depth of that query. Only while a statement is
    /// being bound: joins take its place.
    case outer(level: Int, column: Int, ColumnType)
    /// What the binder's query of this number gives for the operands, the columns around it that
    /// it reads. Only while a statement is being bound.
    case subquery(Int, [BoundExpression], ColumnType)

    package struct Branch: Hashable, Sendable {
        package var condition: BoundExpression
        package var value: BoundExpression

        package init(condition: BoundExpression, value: BoundExpression) {
            self.condition = condition
            self.value = value
        }
    }

    package var type: ColumnType {
        switch self {
        case .column(_, let type), .literal(_, let type), .call(_, _, let type),
            .cast(_, let type, _), .conditional(_, _, let type), .coalesce(_, let type),
            .outer(_, _, let type), .subquery(_, _, let type):
            type
        case .and, .or, .not, .isNull, .isNotNull, .isDistinct, .inList: .boolean
        }
    }

    /// The operands, in order.
    package var children: [BoundExpression] {
        switch self {
        case .column, .literal, .outer: []
        case .call(_, let arguments, _), .subquery(_, let arguments, _): arguments
        case .cast(let operand, _, _), .not(let operand), .isNull(let operand),
            .isNotNull(let operand):
            [operand]
        case .conditional(let branches, let otherwise, _):
            branches.flatMap { [$0.condition, $0.value] } + (otherwise.map { [$0] } ?? [])
        case .and(let operands), .or(let operands), .coalesce(let operands, _): operands
        case .isDistinct(let left, let right): [left, right]
        case .inList(let operand, let list, _): [operand] + list
        }
    }

    /// The same expression over other operands: `transform` is called once for each of `children`.
    package func mapChildren<Failure: Error>(
        _ transform: (BoundExpression) throws(Failure) -> BoundExpression
    ) throws(Failure) -> BoundExpression {
        func all(_ operands: [BoundExpression]) throws(Failure) -> [BoundExpression] {
            var results: [BoundExpression] = []
            results.reserveCapacity(operands.count)
            for operand in operands { results.append(try transform(operand)) }
            return results
        }
        switch self {
        case .column, .literal, .outer: return self
        case .subquery(let number, let arguments, let type):
            return .subquery(number, try all(arguments), type)
        case .call(let function, let arguments, let type):
            return .call(function, try all(arguments), type)
        case .cast(let operand, let type, let mode):
            return .cast(try transform(operand), to: type, mode)
        case .conditional(let branches, let otherwise, let type):
            var changed: [Branch] = []
            for branch in branches {
                changed.append(
                    Branch(
                        condition: try transform(branch.condition),
                        value: try transform(branch.value)))
            }
            guard let otherwise else { return .conditional(changed, otherwise: nil, type) }
            return .conditional(changed, otherwise: try transform(otherwise), type)
        case .and(let operands): return .and(try all(operands))
        case .or(let operands): return .or(try all(operands))
        case .not(let operand): return .not(try transform(operand))
        case .isNull(let operand): return .isNull(try transform(operand))
        case .isNotNull(let operand): return .isNotNull(try transform(operand))
        case .isDistinct(let left, let right):
            return .isDistinct(try transform(left), try transform(right))
        case .inList(let operand, let list, let isNegated):
            return .inList(try transform(operand), try all(list), isNegated: isNegated)
        case .coalesce(let operands, let type): return .coalesce(try all(operands), type)
        }
    }

    /// Calls `body` with every column position that the expression reads; repeats are possible.
    package func forEachColumn(_ body: (Int) -> Void) {
        if case .column(let index, _) = self { return body(index) }
        for child in children { child.forEachColumn(body) }
    }

    /// The expression with every column position replaced.
    package func mapColumns(_ transform: (Int) -> Int) -> BoundExpression {
        if case .column(let index, let type) = self { return .column(transform(index), type) }
        return mapChildren { $0.mapColumns(transform) }
    }

    /// Reads no column, and gives one value in the whole statement.
    package var isConstant: Bool {
        switch self {
        case .column, .outer, .subquery: false
        case .call(let function, let arguments, _):
            !function.isVolatile && arguments.allSatisfy(\.isConstant)
        default: children.allSatisfy(\.isConstant)
        }
    }

    package var isVolatile: Bool {
        if case .call(let function, _, _) = self, function.isVolatile { return true }
        return children.contains(where: \.isVolatile)
    }

    /// Nodes of the tree, for bounds on rewriting.
    package var size: Int { children.reduce(1) { $0 + $1.size } }

    /// The operands of a conjunction, or the expression itself.
    package var conjuncts: [BoundExpression] {
        if case .and(let operands) = self { return operands.flatMap(\.conjuncts) }
        return [self]
    }

    /// All of `conditions` at once; nil when there are none.
    package static func all(of conditions: [BoundExpression]) -> BoundExpression? {
        conditions.count > 1 ? .and(conditions) : conditions.first
    }
}
