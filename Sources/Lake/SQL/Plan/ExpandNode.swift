import Columns

/// A function that gives rows.
package enum TableFunction: String, Hashable, Sendable {
    /// (list of T) → T
    case unnest
    /// (int64 start, int64 stop, int64 step) → int64; the same with decimals; with timestamps the
    /// step is an interval, and with timestampTZ the text of a zone may follow, in whose calendar
    /// days and months are counted
    case series
    /// (json) → json, the elements of an array
    case jsonElements
    /// (json) → text
    case jsonElementTexts
    /// (json) → text key, json value
    case jsonMembers
    /// (json) → text key, text value
    case jsonMemberTexts
    /// (json) → text
    case jsonKeys
}

/// One call of a function that gives rows.
package struct TableCall: Hashable, Sendable {
    package var function: TableFunction
    /// Over the input.
    package var arguments: [BoundExpression]
    /// The columns of its rows.
    package var fields: [Field]

    package init(_ function: TableFunction, _ arguments: [BoundExpression], fields: [Field]) {
        self.function = function
        self.arguments = arguments
        self.fields = fields
    }
}

/// Repeats each row of the input for each row that functions give for it: the input's columns, then
/// those of the calls side by side, the shorter ones filled up with NULL, then the number of the
/// row from 1 when it is wanted.
package struct ExpandNode: Hashable, Sendable {
    package var input: LogicalPlan
    package var calls: [TableCall]
    package var ordinality: Field?
    /// A row for which the functions give nothing comes out once, with NULLs.
    package var keepsEmpty: Bool

    package init(
        input: LogicalPlan, calls: [TableCall], ordinality: Field? = nil, keepsEmpty: Bool = false
    ) {
        self.input = input
        self.calls = calls
        self.ordinality = ordinality
        self.keepsEmpty = keepsEmpty
    }

    /// The columns behind those of the input.
    package var added: [Field] { calls.flatMap(\.fields) + (ordinality.map { [$0] } ?? []) }
}
