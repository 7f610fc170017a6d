/// A whole query: common table expressions, a body, and the order of its result.
package struct Query: Hashable, Sendable {
    package var commonTables: [CommonTable] = []
    /// `WITH RECURSIVE`: its queries may read themselves.
    package var isRecursive = false
    package var body: QueryBody
    package var orderBy: [OrderItem] = []
    package var limit: Expression?
    package var offset: Expression?
    /// `FETCH FIRST n ROWS WITH TIES`
    package var keepsTies = false
    /// `EMIT ON WINDOW CLOSE` of a materialized view.
    package var emitsOnWindowClose = false
    package var position: Int
}

package struct CommonTable: Hashable, Sendable {
    package var name: Identifier
    package var columns: [Identifier]
    /// `AS MATERIALIZED` is true, `AS NOT MATERIALIZED` false.
    package var isMaterialized: Bool?
    package var query: Query
}

package indirect enum QueryBody: Hashable, Sendable {
    case select(Select)
    case values([[Expression]])
    case setOperation(SetOperation)
    /// In parentheses with an order or limit of its own.
    case nested(Query)
}

/// `a UNION ALL b UNION ALL c` is one operation with three operands.
package struct SetOperation: Hashable, Sendable {
    package enum Kind: String, Hashable, Sendable { case union, intersect, except }

    package var kind: Kind
    package var isAll: Bool
    package var operands: [QueryBody]
    package var position: Int
}

package struct Select: Hashable, Sendable {
    package enum Distinct: Hashable, Sendable {
        case no
        case yes
        case on([Expression])
    }

    package var distinct: Distinct = .no
    package var items: [SelectItem] = []
    package var from: [FromItem] = []
    package var filter: Expression?
    package var groupBy: [GroupItem] = []
    /// `GROUP BY DISTINCT`: equal grouping sets count once.
    package var hasDistinctGroups = false
    package var having: Expression?
    /// `WINDOW name AS (…)`
    package var windows: [NamedWindow] = []
    /// Rows that stay, by a condition over window functions.
    package var qualify: Expression?
    package var position: Int
}

/// An item of GROUP BY.
package indirect enum GroupItem: Hashable, Sendable {
    case expression(Expression)
    /// `()`
    case empty
    /// `ROLLUP (a, (b, c))`: every prefix of the list.
    case rollup([Expression])
    /// `CUBE (a, (b, c))`: every subset of the list.
    case cube([Expression])
    /// `GROUPING SETS (…)`: the sets of its items, one after the other.
    case sets([GroupItem])

    /// All expressions inside.
    package var expressions: [Expression] {
        switch self {
        case .expression(let expression): [expression]
        case .empty: []
        case .rollup(let list), .cube(let list): list
        case .sets(let items): items.flatMap(\.expressions)
        }
    }
}

package struct NamedWindow: Hashable, Sendable {
    package var name: Identifier
    package var window: WindowSpecification
}

package enum SelectItem: Hashable, Sendable {
    case expression(Expression, alias: Identifier?)
    /// `*` or `t.*`
    case star(qualifier: ObjectName?, position: Int)
}

package struct TableAlias: Hashable, Sendable {
    package var name: Identifier
    package var columns: [Identifier]
}

package indirect enum FromItem: Hashable, Sendable {
    case table(TableReference)
    case query(Query, alias: TableAlias?, isLateral: Bool, position: Int)
    case function(FunctionItem)
    case window(WindowFunction)
    case join(Join)
}

/// `unnest(a) WITH ORDINALITY`, `ROWS FROM (f(…), g(…))`: their rows side by side.
package struct FunctionItem: Hashable, Sendable {
    package var calls: [FunctionCall]
    package var hasOrdinality: Bool
    package var alias: TableAlias?
    package var position: Int
}

package struct TableReference: Hashable, Sendable {
    package enum Travel: Hashable, Sendable {
        case version(Expression)
        case timestamp(Expression)
    }

    package var name: ObjectName
    /// `STREAM(t)`
    package var isStream = false
    package var travel: Travel?
    package var alias: TableAlias?
    /// `TABLESAMPLE BERNOULLI (p)`: about so many rows of a hundred.
    package var sample: Expression?
}

extension TableReference {
    /// The table as it is now, under its own name.
    package init(_ name: ObjectName) { self.init(name: name) }
}

/// `TUMBLE(t, ts, size)`, `HOP(t, ts, slide, size)` and their relatives.
package struct WindowFunction: Hashable, Sendable {
    package enum Kind: String, Hashable, Sendable { case tumble, hop, cumulate, session }

    package var kind: Kind
    package var input: FromItem
    package var arguments: [Expression]
    package var alias: TableAlias?
    package var position: Int
}

package struct Join: Hashable, Sendable {
    package enum Condition: Hashable, Sendable {
        case none
        case on(Expression)
        case using([Identifier])
        case natural
    }

    package var kind: JoinKind
    package var left: FromItem
    package var right: FromItem
    package var condition: Condition
    package var position: Int
}
