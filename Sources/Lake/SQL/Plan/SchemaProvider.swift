import Base
import Columns

/// What the binder must know of a relation.
package struct RelationDescription: Hashable, Sendable {
    /// The full name, schema included, as the catalog stores it.
    package var name: QualifiedName
    package var kind: RelationKind
    package var columns: [Field]
    /// Columns that `*` leaves out and that are there by name: `_partition`, `_offset` of a topic.
    package var hiddenColumns: [Field]
    /// The query of a view, which takes the view's place.
    package var viewText: String?
    /// SQL of the values of columns for rows that do not say one.
    package var defaultTexts: [String: String] = [:]
    /// SQL of the columns that are computed from others.
    package var generatedTexts: [String: String] = [:]
    /// Columns that number the rows by themselves; true when rows may bring a number.
    package var identityColumns: [String: Bool] = [:]

    package init(
        name: QualifiedName, kind: RelationKind, columns: [Field], hiddenColumns: [Field] = [],
        viewText: String? = nil
    ) {
        self.name = name
        self.kind = kind
        self.columns = columns
        self.hiddenColumns = hiddenColumns
        self.viewText = viewText
    }
}

/// The catalog as the binder sees it.
package protocol SchemaProvider {
    /// The relation of this name, found in the search path when no schema is given; nil when there
    /// is none (the binder then writes the error and the suggestion). Throws when the catalog can't
    /// answer.
    func relation(_ name: QualifiedName) throws(Problem) -> RelationDescription?

    /// The columns that a table had at another moment; nil when they are those of now.
    func columns(
        of name: QualifiedName, at travel: TimeTravel
    ) throws(Problem) -> [Field]?

    /// About how many rows a relation has; nil when that is not known without much work.
    func rowCount(of name: QualifiedName) -> Int64?

    /// The columns that a version of a table had, with what they are known by whatever their names;
    /// nil when nobody knows.
    func identifiedColumns(
        of name: QualifiedName, version: Int64
    ) throws(Problem) -> [IdentifiedColumn]?

    /// The names that a user could have meant, for suggestions; likelier ones first.
    func relationNames() -> [QualifiedName]
}

/// A column, and what it is known by in all versions of its table.
package struct IdentifiedColumn: Hashable, Sendable {
    package var field: Field
    package var identity: String

    package init(_ field: Field, identity: String) {
        self.field = field
        self.identity = identity
    }
}

extension SchemaProvider {
    package func columns(
        of name: QualifiedName, at travel: TimeTravel
    ) throws(Problem) -> [Field]? { nil }

    package func rowCount(of name: QualifiedName) -> Int64? { nil }

    package func identifiedColumns(
        of name: QualifiedName, version: Int64
    ) throws(Problem) -> [IdentifiedColumn]? { nil }
}
