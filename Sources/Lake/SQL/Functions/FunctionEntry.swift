// What is known about a function: one entry from which calls are resolved, completion and
// suggestions are made, and docs/operating/sql-functions.md is written.

import Columns

/// A function as people see it, with the ways to call it.
package struct FunctionEntry: Sendable {
    package enum Kind: String, Sendable { case scalar, aggregate, window, rows }

    /// The chapters of the documentation, in its order.
    package enum Family: String, CaseIterable, Sendable {
        case text = "Text"
        case patterns = "Regular expressions"
        case binary = "Bytes and digests"
        case numbers = "Numbers"
        case times = "Dates, times and intervals"
        case json = "JSON and variants"
        case arrays = "Arrays"
        case conditions = "Conditions"
        case system = "Session and types"
        case aggregates = "Aggregates"
        case windows = "Window functions"
        case rows = "Functions that give rows"
    }

    package var name: String
    /// Other names for the same.
    package var aliases: [String]
    package var kind: Kind
    package var family: Family
    /// `(text, integer) → text`, one for each way to call it.
    package var forms: [String]
    /// One sentence.
    package var summary: String
    /// What stands behind SELECT, and the text of the only column of its rows. Empty when there is
    /// nothing to show that is the same on every day and machine.
    package var example: String
    package var result: String
    /// Empty for functions whose types depend on their arguments: `FunctionBinder` has those.
    var signatures: [Signature]
}

/// The entries while they are written down.
struct FunctionList {
    private(set) var entries: [FunctionEntry] = []
    private let family: FunctionEntry.Family
    private let kind: FunctionEntry.Kind

    init(_ family: FunctionEntry.Family, _ kind: FunctionEntry.Kind = .scalar) {
        self.family = family
        self.kind = kind
    }

    /// A function with one way to call it.
    mutating func add(
        _ name: String, _ function: ScalarFunction, _ parameters: [ColumnType],
        _ result: ColumnType, also aliases: [String] = [], defaults: [BoundExpression] = [],
        _ summary: String, _ example: String, _ text: String
    ) {
        add(
            name, [Signature(function, parameters, result, defaults: defaults)], also: aliases,
            summary, example, text)
    }

    /// A function with several ways.
    mutating func add(
        _ name: String, _ signatures: [Signature], also aliases: [String] = [],
        _ summary: String, _ example: String, _ text: String
    ) {
        var forms: [String] = []
        for signature in signatures where !forms.contains(signature.form) {
            forms.append(signature.form)
        }
        entries.append(
            FunctionEntry(
                name: name, aliases: aliases, kind: kind, family: family, forms: forms,
                summary: summary, example: example, result: text, signatures: signatures))
    }

    /// A function whose types follow from its arguments: `form` says how.
    mutating func add(
        _ name: String, form: String, also aliases: [String] = [], _ summary: String,
        _ example: String, _ text: String
    ) {
        add(name, forms: [form], also: aliases, summary, example, text)
    }

    mutating func add(
        _ name: String, forms: [String], also aliases: [String] = [],
        signatures: [Signature] = [], _ summary: String, _ example: String, _ text: String
    ) {
        entries.append(
            FunctionEntry(
                name: name, aliases: aliases, kind: kind, family: family, forms: forms,
                summary: summary, example: example, result: text, signatures: signatures))
    }
}

/// One way to call a function.
struct Signature: Sendable {
    var function: ScalarFunction
    var parameters: [ColumnType]
    var result: ColumnType
    /// Appended to the arguments when it is called with fewer.
    var defaults: [BoundExpression]

    init(
        _ function: ScalarFunction, _ parameters: [ColumnType], _ result: ColumnType,
        defaults: [BoundExpression] = []
    ) {
        self.function = function
        self.parameters = parameters
        self.result = result
        self.defaults = defaults
    }

    fileprivate var form: String {
        let names = parameters.map(\.shortName).joined(separator: ", ")
        return "(\(names)) → \(result.shortName)"
    }
}

extension ColumnType {
    /// The name as people write it.
    fileprivate var shortName: String {
        switch self {
        case .time: "time"
        case .timestamp: "timestamp"
        case .timestampTZ: "timestamptz"
        case .float64: "float8"
        case .list(let element): element.shortName + "[]"
        default: plainName
        }
    }
}
