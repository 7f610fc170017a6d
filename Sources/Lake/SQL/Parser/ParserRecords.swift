// jsonb_to_record and jsonb_to_recordset with the columns that they give: queries in their place.

import Base

extension Parser {
    private static let recordFunctions = [
        "jsonb_to_record", "json_to_record", "jsonb_to_recordset", "json_to_recordset",
    ]

    /// `jsonb_to_record(j) AS t(a int, b text)`, `jsonb_to_recordset(j) AS t(…)`: a query that reads
    /// the members of each object by their names; nil for other functions.
    mutating func recordItem(
        _ call: FunctionCall, at position: Int
    ) throws(Problem) -> FromItem? {
        let name = call.name.last
        guard Self.recordFunctions.contains(name), call.arguments.count == 1 else { return nil }
        let hasAs = accept(.as)
        var alias: Identifier?
        if !isNext("("), isIdentifier() { alias = takeWord() }
        guard hasAs || alias != nil, accept("(") else {
            throw Problem(
                "42601",
                "a column definition list is required for functions returning \"record\"",
                hint: "\(name)(…) AS t(a int, b text)", position: call.name.position)
        }
        var columns: [String] = []
        var names: Set<String> = []
        repeat {
            let place = token.position
            let column = try identifier("the name of a column").name
            guard names.insert(column).inserted else {
                throw Problem(
                    "42701", "column name \"\(column)\" specified more than once", position: place)
            }
            let start = token.position
            let type = try typeName()
            columns.append(
                Self.member(column, type, spelling: source(start..<lastEnd))
                    + " AS \(quotedIdentifier(column))")
        } while accept(",")
        try expect(")")
        let list = columns.joined(separator: ", ")
        let rows =
            name.hasSuffix("set")
            ? "jsonb_array_elements(($1)::jsonb) AS \"$r\"(\"$j\")"
            : "(SELECT ($1)::jsonb AS \"$j\") AS \"$r\""
        let query = try Self.query("SELECT \(list) FROM \(rows)", parameters: call.arguments)
        return .query(
            query,
            alias: TableAlias(
                name: alias ?? Identifier(name, position: call.name.position), columns: []),
            isLateral: true, position: position)
    }

    /// The member `column` of an object as a value of `type`.
    private static func member(_ column: String, _ type: TypeName, spelling: String) -> String {
        let key = "'" + column.replacing("'", with: "''") + "'"
        let (value, text) = ("\"$j\" -> \(key)", "\"$j\" ->> \(key)")
        if type.dimensions == 1 {
            let element = String(spelling.prefix { $0 != "[" })
            let isJSON = ["json", "jsonb"].contains(type.name)
            let elements = isJSON ? "jsonb_array_elements" : "jsonb_array_elements_text"
            return """
                CASE WHEN jsonb_typeof(\(value)) = 'array'
                  THEN ARRAY(SELECT "$e"::\(element) FROM \(elements)(
                    CASE WHEN jsonb_typeof(\(value)) = 'array' THEN \(value) END) AS "$l"("$e"))
                  ELSE (\(text))::\(spelling) END
                """
        }
        if type.dimensions == 0, ["json", "jsonb"].contains(type.name) {
            return "nullif((\(value))::jsonb, 'null'::jsonb)::\(spelling)"
        }
        return "(\(text))::\(spelling)"
    }
}
