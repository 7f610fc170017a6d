// All functions by name. Names of functions with fixed argument and result types are resolved by
// the signatures of their entries, the others (coalesce, round, JSON and list functions, …) by
// FunctionBinder. A name without an entry does not exist.

import Base
import Columns

package enum FunctionCatalog {
    /// Every function, by chapter and name.
    package static let entries: [FunctionEntry] = {
        let lists = [
            textFunctions, patternFunctions, binaryFunctions, numberFunctions, timeFunctions,
            jsonFunctions, arrayFunctions, conditionFunctions, systemFunctions,
            aggregateFunctions, windowFunctionList, rowFunctions,
        ]
        return lists.flatMap { $0.entries.sorted { $0.name < $1.name } }
    }()

    private static let byName: [String: [FunctionEntry]] = {
        var table: [String: [FunctionEntry]] = [:]
        for entry in entries {
            for name in [entry.name] + entry.aliases { table[name, default: []].append(entry) }
        }
        return table
    }()

    /// What goes by this name; an aggregate and a scalar function may share one.
    package static func named(_ name: String) -> [FunctionEntry] { byName[name] ?? [] }

    /// The signatures of a name; empty when there are none.
    static func signatures(_ name: String) -> [Signature] {
        named(name).flatMap(\.signatures)
    }

    static func isScalar(_ name: String) -> Bool {
        named(name).contains { $0.kind == .scalar }
    }

    /// Functions of PostgreSQL that do not exist here, and what to do instead.
    static let refused: [String: String] = {
        var refused = [
            "current_time": "there is no type time with time zone; use localtime or now()",
            "jsonb_populate_record": "name the columns: FROM jsonb_to_record(j) AS t(a int)",
            "jsonb_populate_recordset": "name the columns: FROM jsonb_to_recordset(j) AS t(a int)",
            "jsonb_to_record": "call it in FROM: jsonb_to_record(j) AS t(a int, b text)",
            "jsonb_to_recordset": "call it in FROM: jsonb_to_recordset(j) AS t(a int, b text)",
            "regexp_quote": "use the flag q of regexp functions",
            "pg_sleep": "the engine does not wait",
            "set_config": "write SET name = value",
        ]
        for name in [
            "json_populate_record", "json_populate_recordset", "json_to_record",
            "json_to_recordset",
        ] {
            refused[name] = refused["jsonb" + name.dropFirst(4)]
        }
        for name in ["to_tsvector", "to_tsquery", "plainto_tsquery", "ts_rank", "ts_headline"] {
            refused[name] = "there is no text search; use regexp_like or ILIKE"
        }
        for name in ["xmlparse", "xpath", "xmlelement", "xmlagg", "xmlforest", "query_to_xml"] {
            refused[name] = "there is no type xml"
        }
        for name in ["nextval", "currval", "setval", "lastval"] {
            refused[name] = "there are no sequences; use gen_random_uuid() or row_number()"
        }
        return refused
    }()

    /// All names that can be called, for suggestions and completion.
    package static let names: [String] = byName.keys.sorted()

    /// Functions that need OVER; aggregates may have it.
    static let windowFunctions: [String] = entries.filter { $0.kind == .window }.map(\.name)

    /// The names of functions that give rows.
    static let rowFunctionNames: [String] =
        entries.filter { $0.kind == .rows }.flatMap { [$0.name] + $0.aliases }
}

/// How well arguments fit a signature: more exact matches win, then more preferred types.
func fit(_ arguments: [ColumnType], _ parameters: [ColumnType]) -> (exact: Int, preferred: Int)? {
    guard arguments.count == parameters.count else { return nil }
    var exact = 0
    var preferred = 0
    for (argument, parameter) in zip(arguments, parameters) {
        if argument == parameter {
            exact += 1
        } else if argument == .null {
            // An unknown literal is most likely a text.
            preferred += parameter == .text ? 2 : parameter.isPreferred ? 1 : 0
        } else if castContext(from: argument, to: parameter) == .implicit {
            preferred += parameter.isPreferred ? 1 : 0
        } else {
            return nil
        }
    }
    return (exact, preferred)
}
