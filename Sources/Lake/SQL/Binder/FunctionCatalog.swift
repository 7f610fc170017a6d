// Names of functions with fixed argument and result types. Functions whose types depend on their
// arguments (coalesce, round, JSON and list functions, …) are in FunctionBinder.

import Columns

/// One way to call a function.
struct Signature {
    var function: ScalarFunction
    var parameters: [ColumnType]
    var result: ColumnType
    /// Appended to the arguments when it is called with fewer.
    var defaults: [BoundExpression] = []
}

enum FunctionCatalog {
    /// The signatures of a name; empty when there are none.
    static func signatures(_ name: String) -> [Signature] { table[name] ?? [] }

    /// All names that can be called, for suggestions and completion.
    package static let names: [String] =
        (Array(table.keys) + FunctionBinder.names + aggregates.keys + windowFunctions
        + TableFunctions.names).sorted()

    /// Functions that need OVER; aggregates may have it.
    static let windowFunctions = [
        "row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile", "lag", "lead",
        "first_value", "last_value", "nth_value",
    ]

    static let aggregates: [String: AggregateFunction] = [
        "count": .count, "sum": .sum, "avg": .average, "min": .minimum, "max": .maximum,
        "stddev": .standardDeviationSample, "stddev_samp": .standardDeviationSample,
        "stddev_pop": .standardDeviationPopulation, "variance": .varianceSample,
        "var_samp": .varianceSample, "var_pop": .variancePopulation, "bool_and": .boolAnd,
        "every": .boolAnd, "bool_or": .boolOr, "string_agg": .stringAgg, "array_agg": .arrayAgg,
        "jsonb_agg": .jsonAgg, "json_agg": .jsonAgg, "first": .first, "last": .last,
        "any_value": .first, "jsonb_object_agg": .jsonObjectAgg, "json_object_agg": .jsonObjectAgg,
        "bit_and": .bitAnd, "bit_or": .bitOr, "bit_xor": .bitXor, "corr": .correlation,
        "covar_pop": .covariancePopulation, "covar_samp": .covarianceSample,
        "regr_avgx": .regressionAverageX, "regr_avgy": .regressionAverageY,
        "regr_count": .regressionCount, "regr_intercept": .regressionIntercept,
        "regr_r2": .regressionR2, "regr_slope": .regressionSlope, "regr_sxx": .regressionSXX,
        "regr_sxy": .regressionSXY, "regr_syy": .regressionSYY,
        "percentile_cont": .percentileContinuous, "percentile_disc": .percentileDiscrete,
        "mode": .mode,
    ]

    private static func one(
        _ function: ScalarFunction, _ parameters: [ColumnType], _ result: ColumnType,
        defaults: [BoundExpression] = []
    ) -> Signature {
        Signature(
            function: function, parameters: parameters, result: result, defaults: defaults)
    }

    private static let blank = BoundExpression.literal(.text(" "), .text)

    private static let table: [String: [Signature]] = {
        var table: [String: [Signature]] = [:]
        let add: Add = { names, signatures in
            for name in names { table[name, default: []] += signatures }
        }
        addText(add)
        addNumbers(add)
        addTimes(add)
        add(["gen_random_uuid", "uuid_generate_v4"], [one(.generateUUID, [], .uuid)])
        add(["jsonb_typeof", "json_typeof"], [one(.jsonTypeof, [.json], .text)])
        add(
            ["jsonb_array_length", "json_array_length"],
            [one(.jsonArrayLength, [.json], .int32)])
        add(["string_to_array"], [one(.textToList, [.text, .text], .list(.text))])
        return table
    }()

    private typealias Add = (_ names: [String], _ signatures: [Signature]) -> Void

    private static func addText(_ add: Add) {
        add(["lower"], [one(.lower, [.text], .text)])
        add(["upper"], [one(.upper, [.text], .text)])
        add(["initcap"], [one(.initcap, [.text], .text)])
        add(["reverse"], [one(.reverse, [.text], .text)])
        add(["length", "char_length", "character_length"], [one(.length, [.text], .int32)])
        add(
            ["octet_length"],
            [one(.octetLength, [.text], .int32), one(.octetLength, [.binary], .int32)])
        add(
            ["substring", "substr"],
            [
                one(.substring, [.text, .int32], .text),
                one(.substring, [.text, .int32, .int32], .text),
            ])
        add(["strpos", "position"], [one(.strpos, [.text, .text], .int32)])
        add(["replace"], [one(.replace, [.text, .text, .text], .text)])
        add(["translate"], [one(.translate, [.text, .text, .text], .text)])
        for (name, function) in [
            ("btrim", ScalarFunction.trimBoth), ("trim", .trimBoth), ("ltrim", .trimLeading),
            ("rtrim", .trimTrailing),
        ] {
            add(
                [name],
                [
                    one(function, [.text], .text, defaults: [blank]),
                    one(function, [.text, .text], .text),
                ])
        }
        for (name, function) in [("lpad", ScalarFunction.lpad), ("rpad", .rpad)] {
            add(
                [name],
                [
                    one(function, [.text, .int32], .text, defaults: [blank]),
                    one(function, [.text, .int32, .text], .text),
                ])
        }
        add(["left"], [one(.left, [.text, .int32], .text)])
        add(["right"], [one(.right, [.text, .int32], .text)])
        add(["split_part"], [one(.splitPart, [.text, .text, .int32], .text)])
        add(["starts_with"], [one(.startsWith, [.text, .text], .boolean)])
        add(["repeat"], [one(.repeat, [.text, .int32], .text)])
        addPatterns(add)
        add(["ascii"], [one(.ascii, [.text], .int32)])
        add(["chr"], [one(.chr, [.int32], .text)])
    }

    /// Regular expressions; without flags there are none.
    private static func addPatterns(_ add: Add) {
        let none = BoundExpression.literal(.text(""), .text)
        for (name, function, result) in [
            ("regexp_like", ScalarFunction.regexFound, ColumnType.boolean),
            ("regexp_match", .regexMatch, .list(.text)),
            ("regexp_split_to_array", .regexSplit, .list(.text)),
        ] {
            add(
                [name],
                [
                    one(function, [.text, .text], result, defaults: [none]),
                    one(function, [.text, .text, .text], result),
                ])
        }
        add(
            ["regexp_replace"],
            [
                one(.regexReplace, [.text, .text, .text], .text, defaults: [none]),
                one(.regexReplace, [.text, .text, .text, .text], .text),
            ])
        add(["regexp_count"], [one(.regexCount, [.text, .text], .int32, defaults: [none])])
        add(["regexp_substr"], [one(.regexSubstring, [.text, .text], .text, defaults: [none])])
        // What the parser makes of SIMILAR TO.
        add(["similar_to"], [one(.similar, [.text, .text, .text], .boolean)])
        let group = BoundExpression.literal(.text("1"), .text)
        add(["substring"], [one(.regexSubstring, [.text, .text], .text, defaults: [group])])
    }

    private static func addNumbers(_ add: Add) {
        for (name, function) in [
            ("sqrt", ScalarFunction.sqrt), ("exp", .exp), ("ln", .ln), ("log", .log10),
            ("log10", .log10), ("cbrt", .cubeRoot), ("sin", .sine), ("cos", .cosine),
            ("tan", .tangent), ("asin", .arcSine), ("acos", .arcCosine), ("atan", .arcTangent),
            ("degrees", .degrees), ("radians", .radians), ("sinh", .hyperbolicSine),
            ("cosh", .hyperbolicCosine), ("tanh", .hyperbolicTangent),
        ] {
            add([name], [one(function, [.float64], .float64)])
        }
        add(["atan2"], [one(.arcTangent2, [.float64, .float64], .float64)])
        add(["power", "pow"], [one(.power, [.float64, .float64], .float64)])
        add(["random"], [one(.random, [], .float64)])
    }

    private static func addTimes(_ add: Add) {
        let stamps: [ColumnType] = [.timestampTZ, .timestamp]
        add(
            [
                "now", "current_timestamp", "transaction_timestamp", "statement_timestamp",
                "clock_timestamp",
            ],
            [one(.now, [], .timestampTZ)])
        add(
            ["date_trunc"],
            (stamps + [.interval]).map { one(.dateTrunc, [.text, $0], $0) })
        add(
            ["date_part"],
            (stamps + [.date, .interval]).map { one(.datePart, [.text, $0], .float64) })
        add(["date_bin"], stamps.map { one(.dateBin, [.interval, $0, $0], $0) })
        add(["age"], stamps.map { one(.age, [$0, $0], .interval) })
        add(["to_char"], (stamps + [.interval]).map { one(.toChar, [$0, .text], .text) })
        add(
            ["to_timestamp"],
            [
                one(.toTimestamp, [.float64], .timestampTZ),
                one(.parseTimestamp, [.text, .text], .timestampTZ),
            ])
        add(["to_date"], [one(.parseDate, [.text, .text], .date)])
        add(["make_date"], [one(.makeDate, [.int32, .int32, .int32], .date)])
        add(
            ["make_timestamp"],
            [
                one(
                    .makeTimestamp, [.int32, .int32, .int32, .int32, .int32, .float64],
                    .timestamp)
            ])
    }
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
