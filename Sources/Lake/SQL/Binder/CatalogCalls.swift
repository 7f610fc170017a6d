// Functions that clients of PostgreSQL ask its catalogs with: each is a query of the catalogs, or a
// constant, since what they tell of does not exist here.

import Base
import Columns

enum CatalogCalls {
    /// What a call with so many arguments means, with the arguments as `$1`, `$2`; nil when it is none.
    static func text(_ name: String, _ count: Int) -> String? {
        switch (name, count) {
        case ("pg_table_is_visible", 1):
            """
            (SELECT bool_or("$n".nspname IN ('public', 'pg_catalog')) FROM pg_catalog.pg_class "$c"
             JOIN pg_catalog.pg_namespace "$n" ON "$n".oid = "$c".relnamespace WHERE "$c".oid = $1)
            """
        case ("pg_type_is_visible", 1), ("pg_function_is_visible", 1):
            "CASE WHEN $1 IS NOT NULL THEN true END"
        case ("obj_description", 1), ("obj_description", 2):
            """
            (SELECT max("$d".description) FROM pg_catalog.pg_description "$d"
             WHERE "$d".objoid = $1 AND "$d".objsubid = 0)
            """
        case ("col_description", 2):
            """
            (SELECT max("$d".description) FROM pg_catalog.pg_description "$d"
             WHERE "$d".objoid = $1 AND "$d".objsubid = $2)
            """
        case ("shobj_description", 2), ("pg_get_constraintdef", 1...2),
            ("pg_get_indexdef", 1...3), ("pg_get_serial_sequence", 2), ("pg_get_partkeydef", 1):
            "NULL::text"
        case ("pg_get_expr", 2...3): "($1)::text"
        case ("pg_get_viewdef", 1...2):
            """
            (SELECT max("$v".definition) FROM pg_catalog.pg_views "$v"
             JOIN pg_catalog.pg_namespace "$n" ON "$n".nspname = "$v".schemaname
             JOIN pg_catalog.pg_class "$c" ON "$c".relname = "$v".viewname
              AND "$c".relnamespace = "$n".oid WHERE "$c".oid = $1)
            """
        case ("pg_get_userbyid", 1):
            """
            CASE WHEN $1 IS NOT NULL THEN coalesce((SELECT max("$r".rolname)
             FROM pg_catalog.pg_roles "$r" WHERE "$r".oid = $1), 'unknown (OID=' || $1 || ')') END
            """
        case ("pg_encoding_to_char", 1):
            "CASE $1 WHEN 6 THEN 'UTF8' WHEN 0 THEN 'SQL_ASCII' ELSE '' END"
        case ("pg_is_in_recovery", 0): "false"
        case ("current_schemas", 1):
            "CASE WHEN $1 THEN ARRAY['pg_catalog', 'public'] ELSE ARRAY['public'] END"
        case ("has_table_privilege", 2...3), ("has_schema_privilege", 2...3),
            ("has_database_privilege", 2...3), ("has_column_privilege", 3...4),
            ("has_any_column_privilege", 2...3), ("has_function_privilege", 2...3):
            "true"
        case ("to_regclass", 1): regclass
        default: nil
        }
    }

    /// The number of the relation that a text names; names without a schema are those of `public` and
    /// of the catalogs.
    static let regclass = """
        (SELECT min("$c".oid) FROM pg_catalog.pg_class "$c"
         JOIN pg_catalog.pg_namespace "$n" ON "$n".oid = "$c".relnamespace
         WHERE "$c".relname = split_part(\(folded), '.',
             CASE WHEN strpos($1, '.') > 0 THEN 2 ELSE 1 END)
           AND (strpos($1, '.') > 0 AND "$n".nspname = split_part(\(folded), '.', 1)
                OR strpos($1, '.') = 0 AND "$n".nspname IN ('public', 'pg_catalog')))
        """

    /// A name without quotes is one in lower case.
    private static let folded =
        "CASE WHEN strpos($1, '\"') = 0 THEN lower($1) ELSE replace($1, '\"', '') END"

    /// The same as a cast has it: a text of digits is a number, and no relation is an error.
    static let castRegclass = """
        CASE WHEN $1 ~ '^[0-9]+$' THEN ($1)::bigint ELSE "$relation"(\(regclass), $1) END
        """

    /// The name of the relation with a number.
    static let regclassName = """
        CASE WHEN $1 IS NOT NULL THEN coalesce((SELECT max(
          CASE WHEN "$n".nspname IN ('public', 'pg_catalog') THEN "$c".relname
          ELSE "$n".nspname || '.' || "$c".relname END) FROM pg_catalog.pg_class "$c"
         JOIN pg_catalog.pg_namespace "$n" ON "$n".oid = "$c".relnamespace
         WHERE "$c".oid = $1), $1::text) END
        """

    static let regnamespace = """
        (SELECT min("$n".oid) FROM pg_catalog.pg_namespace "$n" WHERE "$n".nspname = $1)
        """

    static let regnamespaceName = """
        CASE WHEN $1 IS NOT NULL THEN coalesce((SELECT max("$n".nspname)
         FROM pg_catalog.pg_namespace "$n" WHERE "$n".oid = $1), $1::text) END
        """

    /// `text` with its arguments bound where they stand: the tables in it hide none of their columns.
    static func expression(
        _ text: String, _ arguments: [Expression], types: [String]
    ) throws(Problem) -> Expression {
        var body = text
        var inputs: [String] = []
        for (index, type) in types.enumerated() where text.contains("$\(index + 1)") {
            body = body.replacing("$\(index + 1)", with: "\"$a\".\"#\(index + 1)\"")
            inputs.append("($\(index + 1))::\(type) AS \"#\(index + 1)\"")
        }
        let whole =
            inputs.isEmpty
            ? text
            : "(SELECT \(body) FROM (SELECT \(inputs.joined(separator: ", "))) AS \"$a\")"
        return try Parser.expression(whole, parameters: arguments)
    }

    /// The types of the arguments that count.
    static func types(_ name: String) -> [String] {
        switch name {
        case "to_regclass": ["text"]
        case "current_schemas": ["boolean"]
        case "pg_get_expr": ["text"]
        default: ["bigint", "bigint"]
        }
    }
}

extension Binder {
    /// The expression behind a function of the catalogs; nil when it is none.
    func catalogCall(_ call: FunctionCall) throws(Problem) -> Expression? {
        guard call.name.parts.count == 1 || call.name.parts.first?.name == "pg_catalog",
            !call.isStar, !call.isDistinct, call.orderBy.isEmpty, call.filter == nil,
            call.over == nil
        else { return nil }
        if call.name.last == "format_type", call.arguments.count == 2 {
            return try formatType(call.arguments[0], call.arguments[1])
        }
        let name = call.name.last
        guard let text = CatalogCalls.text(name, call.arguments.count) else { return nil }
        return try CatalogCalls.expression(
            text, call.arguments, types: CatalogCalls.types(name))
    }

    /// `x::regclass`: the number of what a text names, the name of what a number stands for. PostgreSQL
    /// has types that are both at once.
    func registeredName(
        _ operand: Expression, _ value: BoundExpression, as type: String, at position: Int
    ) throws(Problem) -> Expression? {
        let isName = value.type == .text || value.isUnknownLiteral
        guard isName || value.type.isInteger else { return nil }
        switch type {
        case "regclass":
            return try CatalogCalls.expression(
                isName ? CatalogCalls.castRegclass : CatalogCalls.regclassName, [operand],
                types: [isName ? "text" : "bigint"])
        case "regnamespace":
            return try CatalogCalls.expression(
                isName ? CatalogCalls.regnamespace : CatalogCalls.regnamespaceName, [operand],
                types: [isName ? "text" : "bigint"])
        case "regtype":
            if isName { return nil }
            return try formatType(operand, Expression(.null, at: position))
        default: return nil
        }
    }

    private func formatType(
        _ number: Expression, _ modifier: Expression
    ) throws(Problem) -> Expression {
        let names = [
            ("int2", "smallint"), ("int4", "integer"), ("int8", "bigint"), ("float4", "real"),
            ("float8", "double precision"), ("bool", "boolean"), ("bpchar", "character"),
            ("varchar", "character varying"), ("time", "time without time zone"),
            ("timestamp", "timestamp without time zone"), ("char", "\"char\""),
            ("timestamptz", "timestamp with time zone"), ("timetz", "time with time zone"),
        ].map { "WHEN '\($0)' THEN '\($1)'" }.joined(separator: " ")
        let isArray = "\"$t\".typname LIKE '\\_%'"
        let base = "CASE WHEN \(isArray) THEN substr(\"$t\".typname, 2) ELSE \"$t\".typname END"
        return try CatalogCalls.expression(
            """
            CASE WHEN $1 IS NULL THEN NULL WHEN $1 = 0 THEN '-' ELSE coalesce((SELECT max(
             CASE \(base) \(names) ELSE \(base) END
             || CASE WHEN $2 < 4 OR $2 IS NULL THEN ''
                WHEN \(base) IN ('varchar', 'bpchar') THEN '(' || ($2 - 4) || ')'
                WHEN \(base) = 'numeric' THEN '(' || (($2 - 4) >> 16) || ','
                     || (($2 - 4) & 65535) || ')' ELSE '' END
             || CASE WHEN \(isArray) THEN '[]' ELSE '' END)
             FROM pg_catalog.pg_type "$t" WHERE "$t".oid = $1), '???') END
            """, [number, modifier], types: ["bigint", "integer"])
    }
}
