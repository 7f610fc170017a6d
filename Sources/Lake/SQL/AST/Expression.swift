/// An expression as written, with the place of the token that names it.
package struct Expression: Hashable, Sendable {
    package var kind: Kind
    /// UTF-8 bytes from the start of the text: the operator, or the first token.
    package var position: Int

    package init(_ kind: Kind, at position: Int) {
        self.kind = kind
        self.position = position
    }

    package indirect enum Kind: Hashable, Sendable {
        case column(ObjectName)
        /// The digits as written.
        case number(String)
        case string(String)
        case boolean(Bool)
        case null
        /// `DEFAULT` among the VALUES of an INSERT.
        case defaultValue
        /// `$1` is 1.
        case parameter(Int)
        /// `DATE '2026-02-16'`
        case typedString(TypeName, String)
        /// `INTERVAL '5' MINUTE`; the unit is nil when the text has its own.
        case interval(String, unit: String?)
        /// `-`, `+` in front.
        case unary(String, Expression)
        case binary(String, Expression, Expression)
        case not(Expression)
        /// Two or more operands.
        case and([Expression])
        case or([Expression])
        case truthTest(Expression, TruthTest, isNegated: Bool)
        case distinctTest(Expression, Expression, isNegated: Bool)
        case between(Expression, Expression, Expression, isNegated: Bool, isSymmetric: Bool)
        case inList(Expression, [Expression], isNegated: Bool)
        case inQuery(Expression, Query, isNegated: Bool)
        case like(LikeTest)
        /// `a = ANY (list or query)`
        case quantified(Expression, operator: String, isAll: Bool, Operand)
        case cast(Expression, TypeName, orNull: Bool)
        case function(FunctionCall)
        case conditional(operand: Expression?, [When], otherwise: Expression?)
        case extract(String, Expression)
        case atTimeZone(Expression, Expression)
        case array([Expression])
        case arrayQuery(Query)
        case row([Expression])
        case element(Expression, Expression)
        case member(Expression, Identifier)
        case scalarQuery(Query)
        case exists(Query)
    }

    package enum TruthTest: String, Hashable, Sendable {
        case null, `true`, `false`, unknown
    }

    package struct When: Hashable, Sendable {
        package var condition: Expression
        package var value: Expression
    }

    package struct LikeTest: Hashable, Sendable {
        package var operand: Expression
        package var pattern: Expression
        package var escape: Expression?
        package var ignoresCase: Bool
        package var isNegated: Bool
    }

    package indirect enum Operand: Hashable, Sendable {
        case list(Expression)
        case query(Query)
    }
}

/// A call as written; aggregates are told apart by the binder.
package struct FunctionCall: Hashable, Sendable {
    package var name: ObjectName
    package var arguments: [Expression]
    /// Of the last arguments, written as `name => value`.
    package var argumentNames: [String] = []
    /// `count(*)`
    package var isStar = false
    package var isDistinct = false
    /// Inside the parentheses, for aggregates.
    package var orderBy: [OrderItem] = []
    /// The order was written as `WITHIN GROUP (ORDER BY …)`.
    package var isWithinGroup = false
    package var filter: Expression?
    /// The `OVER` clause of a window function.
    package var over: WindowReference?
}

package struct OrderItem: Hashable, Sendable {
    package var expression: Expression
    package var isDescending: Bool
    package var nullsFirst: Bool?
}
