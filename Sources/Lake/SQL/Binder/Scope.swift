import Base
import Columns

/// The columns that names can mean at some place of a query, and the tables they come from.
struct Scope {
    struct Entry {
        var name: String
        /// Alias or name of the table; nil for merged columns of USING.
        var table: String?
        var schema: String?
        /// Over the input of the clause: a column, or a merge of two.
        var expression: BoundExpression
        /// Left out of `*`.
        var isHidden = false
        /// Reached only with its table's name in front: the sources of a merged column.
        var needsQualifier = false
    }

    var entries: [Entry] = []
    /// Tables in order of appearance, for `t.*` and for errors.
    var tables: [Table] = []

    struct Table {
        var name: String
        var schema: String?
        /// The name that its alias hides.
        var hiddenName: String?
        /// A function's only column: the table's name means its value.
        var isScalar = false
    }

    /// The scope of one table whose columns are `schema`, hidden ones last.
    init() {}

    init(table: String, schema: String?, fields: [Field], hiddenCount: Int = 0) {
        tables = [Table(name: table, schema: schema)]
        for (index, field) in fields.enumerated() {
            entries.append(
                Entry(
                    name: field.name, table: table, schema: schema,
                    expression: .column(index, field.type),
                    isHidden: index >= fields.count - hiddenCount))
        }
    }

    /// Columns of both, the right ones `width` further on.
    func joined(with right: Scope, width: Int) -> Scope {
        var result = self
        result.tables += right.tables
        result.entries += right.entries.map { entry in
            var moved = entry
            moved.expression = entry.expression.mapColumns { $0 < 0 ? $0 : $0 + width }
            return moved
        }
        return result
    }

    // MARK: Resolution

    /// What a name found.
    enum Finding {
        case found(BoundExpression)
        case missing
        case ambiguous
        /// The name of a table: a whole row.
        case table
    }

    func find(_ name: ObjectName) -> Finding {
        let wanted = name.last
        let matches: [Entry]
        switch name.parts.count {
        case 1: matches = entries.filter { $0.name == wanted && !$0.needsQualifier }
        case 2:
            let table = name.parts[0].name
            let own = entries.filter { $0.name == wanted && $0.table == table }
            matches = own.isEmpty ? metadata(name, table: nil) : own
        case 3 where name.parts[1].name == Self.metadataPart:
            matches = metadata(name, table: name.parts[0].name)
        default:
            let table = name.parts[name.parts.count - 2].name
            let schema = name.parts[name.parts.count - 3].name
            matches = entries.filter {
                $0.name == wanted && $0.table == table && $0.schema == schema
            }
        }
        if matches.count == 1 { return .found(matches[0].expression) }
        if matches.count > 1 { return .ambiguous }
        if name.parts.count == 1, let table = tables.first(where: { $0.name == wanted }) {
            let columns = table.isScalar ? entries.filter { $0.table == wanted } : []
            return columns.count == 1 ? .found(columns[0].expression) : .table
        }
        return .missing
    }

    /// Hidden columns about rows have names of two parts: `_metadata.row_id`.
    private static let metadataPart = "_metadata"

    private func metadata(_ name: ObjectName, table: String?) -> [Entry] {
        guard name.parts[name.parts.count - 2].name == Self.metadataPart else { return [] }
        let whole = Self.metadataPart + "." + name.last
        return entries.filter { entry in
            entry.name == whole && entry.isHidden
                && (table.map { $0 == entry.table } ?? !entry.needsQualifier)
        }
    }

    /// The visible columns of a table, or of all.
    func star(table: String?, schema: String?) -> [Entry] {
        guard let table else { return entries.filter { !$0.isHidden && !$0.needsQualifier } }
        return entries.filter {
            $0.table == table && !$0.isHidden && (schema == nil || $0.schema == schema)
        }
    }

    /// What a column of the input is called, for errors.
    func name(ofColumn column: Int) -> String {
        let entry = entries.first {
            if case .column(column, _) = $0.expression { true } else { false }
        }
        guard let entry else { return "?" }
        return entry.table.map { "\($0).\(entry.name)" } ?? entry.name
    }

    func hasTable(_ name: String) -> Bool { tables.contains { $0.name == name } }

    // MARK: Errors

    func missing(_ name: ObjectName) -> Problem {
        let wanted = name.last
        if name.parts.count > 1 {
            let table = name.parts[name.parts.count - 2].name
            guard hasTable(table) else {
                if let aliased = tables.first(where: { $0.hiddenName == table }) {
                    return Problem(
                        "42P01", "invalid reference to FROM-clause entry for table \"\(table)\"",
                        hint: "Perhaps you meant to reference the table alias "
                            + "\"\(aliased.name)\".", position: name.position)
                }
                let near = nearestName(to: table, among: tables.map(\.name))
                let inFrom = tables.map(\.name).joined(separator: ", ")
                return Problem(
                    "42P01", "missing FROM-clause entry for table \"\(table)\"",
                    hint: suggestion(near, list: "tables: \(inFrom)"), position: name.position)
            }
            let columns = entries.filter { $0.table == table }.map(\.name)
            return Problem(
                "42703", "column \(table).\(wanted) does not exist",
                hint: columnHint(wanted, columns), position: name.position)
        }
        let columns = entries.filter { !$0.needsQualifier }.map(\.name)
        var hint = columnHint(wanted, columns)
        if nearestName(to: wanted, among: columns) == nil {
            let text = "a text stands in single quotes: \(quotedLiteral(wanted))"
            hint = hint.map { "\(text)  \($0)" } ?? text
        }
        return Problem(
            "42703", "column \"\(wanted)\" does not exist", hint: hint,
            position: name.position)
    }
}

private func suggestion(_ near: String?, list: String) -> String? {
    let question = near.map { "did you mean \"\($0)\"?" }
    return [question, list].compactMap { $0 }.joined(separator: "  ")
}

/// `did you mean "x"?  columns: …`
func columnHint(_ wanted: String, _ columns: [String]) -> String? {
    let near = nearestName(to: wanted, among: columns)
    guard !columns.isEmpty else { return nil }
    var list = "columns: " + columns.prefix(20).joined(separator: ", ")
    if columns.count > 20 { list += ", …" }
    return suggestion(near, list: list)
}
