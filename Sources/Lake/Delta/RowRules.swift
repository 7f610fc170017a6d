// Conditions that a table puts on its rows, as texts of SQL:
//
// | kind | where the log has it |
// |---|---|
// | check constraint | setting `delta.constraints.<name>` |
// | invariant | column metadata `delta.invariants`: {"expression":{"expression":…}} |
// | generated column | column metadata `delta.generationExpression`: the value must be that |
//
// This room does not evaluate SQL: whoever opens a table can bring somebody who does.

import Base
import Columns

/// Checks rows before they are written.
package protocol RowRules: Sendable {
    /// Throws `violation` when a row of `batch`, which has the table's columns in their order,
    /// breaks a condition.
    func check(_ batch: ColumnBatch) throws(DeltaFailure)
}

/// Makes the rules of a table. Throws when a condition cannot be understood: then nothing may be
/// written.
package typealias RowRulesMaker = @Sendable (TableMetadata) throws(DeltaFailure) -> any RowRules

/// One condition of a table.
package struct RowCondition: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        case check
        case invariant(column: String)
        /// The column is what the expression says, or both are NULL.
        case generated(column: String)
    }

    package var kind: Kind
    /// What people call it.
    package var name: String
    /// In SQL, over the columns of the table.
    package var expression: String

    package init(kind: Kind, name: String, expression: String) {
        self.kind = kind
        self.name = name
        self.expression = expression
    }
}

extension DeltaField {
    package static let generationKey = "delta.generationExpression"
    static let invariantKey = "delta.invariants"
    /// The value of rows that do not say one, as SQL.
    package static let defaultKey = "CURRENT_DEFAULT"

    /// The SQL of a column that is computed from others.
    package var generationExpression: String? { metadataValue(Self.generationKey)?.stringValue }

    /// The SQL of the value of rows that do not say one.
    package var defaultExpression: String? { metadataValue(Self.defaultKey)?.stringValue }
}

extension TableMetadata {
    static let constraintPrefix = "delta.constraints."

    /// The conditions on rows, in the order of settings and columns.
    package var rowConditions: [RowCondition] {
        var conditions: [RowCondition] = []
        for (key, text) in configuration where key.hasPrefix(Self.constraintPrefix) {
            let name = String(key.dropFirst(Self.constraintPrefix.count))
            conditions.append(RowCondition(kind: .check, name: name, expression: text))
        }
        for field in schema.fields {
            if let text = field.generationExpression {
                conditions.append(
                    RowCondition(
                        kind: .generated(column: field.name), name: field.name, expression: text))
            }
            guard let invariant = field.metadataValue(DeltaField.invariantKey) else { continue }
            // The text is JSON inside of JSON; one that cannot be read must not be overlooked.
            let json = invariant.stringValue.flatMap { try? JSONValue(parsing: $0) } ?? invariant
            let text = json["expression"]?["expression"]?.stringValue ?? json.text
            conditions.append(
                RowCondition(
                    kind: .invariant(column: field.name), name: field.name, expression: text))
        }
        return conditions
    }

    /// The feature that demands a check of every row; nil when none does.
    var rowRuleFeature: String? {
        guard let condition = rowConditions.first else { return nil }
        switch condition.kind {
        case .check: return "checkConstraints"
        case .invariant: return "invariants"
        case .generated: return "generatedColumns"
        }
    }
}

extension DeltaTable {
    /// Who checks the rows of the table, when its settings want it: for those who compute rows that
    /// somebody else will write. Throws when nobody here can.
    package func rowRules(of metadata: TableMetadata) throws(DeltaFailure) -> (any RowRules)? {
        guard let feature = metadata.rowRuleFeature else { return nil }
        guard let maker = rulesMaker else { throw .unsupportedFeature(feature, use: .write) }
        return try maker(metadata)
    }
}
