// Functions of conditions, types and the session; window functions; functions that give rows.

import Columns

let conditionFunctions: FunctionList = {
    var list = FunctionList(.conditions)
    for (name, form, aliases, summary, example, result) in [
        (
            "coalesce", "(any, …) → any", [], "The first that is not NULL.", "coalesce(NULL, 2, 3)",
            "2"
        ),
        ("ifnull", "(any, any) → any", [], "As coalesce, of two.", "ifnull(NULL, 2)", "2"),
        (
            "nullif", "(any, any) → any", [], "The first, NULL when both are equal.",
            "nullif(1, 2)", "1"
        ),
        (
            "greatest", "(any, …) → any", [], "The greatest, without NULLs.",
            "greatest(1, NULL, 3)", "3"
        ),
        ("least", "(any, …) → any", [], "The least, without NULLs.", "least(1, NULL, 3)", "1"),
        (
            "if", "(boolean, any, any) → any", [],
            "The second when the first is true, or the third.",
            "if(1 < 2, 'yes', 'no')", "yes"
        ),
        (
            "num_nulls", "(any, …) → integer", [], "How many are NULL.", "num_nulls(1, NULL, 2)",
            "1"
        ),
        (
            "num_nonnulls", "(any, …) → integer", [], "How many are not NULL.",
            "num_nonnulls(1, NULL, 2)", "2"
        ),
    ] as [(String, String, [String], String, String, String)] {
        list.add(name, form: form, also: aliases, summary, example, result)
    }
    return list
}()

let systemFunctions: FunctionList = {
    var list = FunctionList(.system)
    list.add(
        "gen_random_uuid", .generateUUID, [], .uuid, also: ["uuid_generate_v4"],
        "A new UUID of version 4.", "length(gen_random_uuid()::text)", "36")
    list.add(
        "pg_typeof", form: "(any) → text", "The name of the type.", "pg_typeof(1 + 1.5)",
        "numeric")
    list.add("version", form: "() → text", "What this is.", "version() <> ''", "t")
    list.add(
        "current_database", form: "() → text", also: ["current_catalog"],
        "The name of the database.", "length(current_database()) > 0", "t")
    list.add(
        "current_schema", form: "() → text", "The schema of names without one.",
        "current_schema()", "public")
    list.add(
        "current_user", form: "→ text", also: ["session_user", "user", "current_role"],
        "Who asks.", "length(current_user) > 0", "t")
    list.add(
        "weir.cancel", .cancelQuery, [.text], .boolean,
        "Ends the running query of an id of weir.queries; false when there is none.",
        "weir.cancel('no such query')", "f")
    list.add(
        "current_setting", form: "(text[, boolean]) → text",
        "The value of a setting; with true, NULL when there is none of that name.",
        "current_setting('no.such', true) IS NULL", "t")
    list.add(
        "pg_client_encoding", form: "() → text", "The encoding of texts.",
        "pg_client_encoding()", "UTF8")
    return list
}()

let windowFunctionList: FunctionList = {
    var list = FunctionList(.windows, .window)
    let rows = "FROM (VALUES (1), (2), (2)) AS t(x) ORDER BY x"
    for (name, form, summary, call, result) in [
        (
            "row_number", "() → bigint", "The number of the row in its partition.",
            "row_number() OVER (ORDER BY x)", "1, 2, 3"
        ),
        (
            "rank", "() → bigint", "The number of the first row of its peers.",
            "rank() OVER (ORDER BY x)", "1, 2, 2"
        ),
        (
            "dense_rank", "() → bigint", "The number of its group of peers.",
            "dense_rank() OVER (ORDER BY x)", "1, 2, 2"
        ),
        (
            "percent_rank", "() → float8", "The rank as a share of the rows.",
            "percent_rank() OVER (ORDER BY x)", "0, 0.5, 0.5"
        ),
        (
            "cume_dist", "() → float8", "The share of rows up to its peers.",
            "round(cume_dist() OVER (ORDER BY x)::numeric, 2)", "0.33, 1.00, 1.00"
        ),
        (
            "ntile", "(integer) → integer", "Which of n equal buckets the row is in.",
            "ntile(2) OVER (ORDER BY x)", "1, 1, 2"
        ),
        (
            "lag", "(any[, integer[, any]]) → any", "The value n rows before.",
            "lag(x, 1, 0) OVER (ORDER BY x)", "0, 1, 2"
        ),
        (
            "lead", "(any[, integer[, any]]) → any", "The value n rows behind.",
            "lead(x, 1, 0) OVER (ORDER BY x)", "2, 2, 0"
        ),
        (
            "first_value", "(any) → any", "The value of the frame's first row.",
            "first_value(x) OVER (ORDER BY x)", "1, 1, 1"
        ),
        (
            "last_value", "(any) → any", "The value of the frame's last row.",
            "last_value(x) OVER (ORDER BY x)", "1, 2, 2"
        ),
        (
            "nth_value", "(any, integer) → any", "The value of the frame's row n.",
            "nth_value(x, 1) OVER (ORDER BY x)", "1, 1, 1"
        ),
    ] as [(String, String, String, String, String)] {
        list.add(name, form: form, summary, "\(call) \(rows)", result)
    }
    return list
}()

let rowFunctions: FunctionList = {
    var list = FunctionList(.rows, .rows)
    for (name, form, aliases, summary, example, result) in [
        (
            "generate_series", "(start, stop[, step]) → rows", [],
            "Numbers or moments from one to another.", "generate_series(1, 3)", "1, 2, 3"
        ),
        (
            "generate_subscripts", "(any[], integer[, boolean]) → rows of integer", [],
            "The places of a dimension of an array, backwards when true is given.",
            "generate_subscripts(ARRAY['a', 'b'], 1)", "1, 2"
        ),
        ("unnest", "(any[], …) → rows", [], "The elements.", "unnest(ARRAY[1, 2])", "1, 2"),
        (
            "jsonb_array_elements", "(jsonb) → rows of jsonb", ["json_array_elements"],
            "The elements.", "jsonb_array_elements('[1, true]')", "1, true"
        ),
        (
            "jsonb_array_elements_text", "(jsonb) → rows of text", ["json_array_elements_text"],
            "The elements as text.", "jsonb_array_elements_text('[\"a\", 1]')", "a, 1"
        ),
        (
            "jsonb_each", "(jsonb) → rows of key, value", ["json_each"], "The members.",
            "key FROM jsonb_each('{\"a\": 1, \"b\": 2}')", "a, b"
        ),
        (
            "jsonb_each_text", "(jsonb) → rows of key, value", ["json_each_text"],
            "The members as text.", "value FROM jsonb_each_text('{\"a\": 1, \"b\": \"x\"}')",
            "1, x"
        ),
        (
            "jsonb_object_keys", "(jsonb) → rows of text", ["json_object_keys"], "The keys.",
            "jsonb_object_keys('{\"a\": 1, \"b\": 2}')", "a, b"
        ),
        (
            "jsonb_path_query", "(jsonb, text[, jsonb[, boolean]]) → rows of jsonb", [],
            "What a JSONPath finds.", "jsonb_path_query('{\"a\": [1, 3, 5]}', '$.a[*] ? (@ > 2)')",
            "3, 5"
        ),
        (
            "string_to_table", "(text, text[, text]) → rows of text", [],
            "What stands between delimiters.", "string_to_table('x,y', ',')", "x, y"
        ),
        (
            "regexp_split_to_table", "(text, text[, text]) → rows of text", [],
            "What stands between matches.", "regexp_split_to_table('hello world', '\\s+')",
            "hello, world"
        ),
        (
            "regexp_matches", "(text, text[, text]) → rows of text[]", [],
            "The groups of the first match, of all with the flag g.",
            "regexp_matches('foobar', '(o.)')", "{oo}"
        ),
    ] as [(String, String, [String], String, String, String)] {
        list.add(name, form: form, also: aliases, summary, example, result)
    }
    return list
}()
