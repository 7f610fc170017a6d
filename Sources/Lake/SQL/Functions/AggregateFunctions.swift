// Aggregates, by name and as people see them.

import Columns

extension FunctionCatalog {
    static let aggregates: [String: AggregateFunction] = [
        "count": .count, "sum": .sum, "avg": .average, "min": .minimum, "max": .maximum,
        "stddev": .standardDeviationSample, "stddev_samp": .standardDeviationSample,
        "stddev_pop": .standardDeviationPopulation, "variance": .varianceSample,
        "var_samp": .varianceSample, "var_pop": .variancePopulation, "bool_and": .boolAnd,
        "every": .boolAnd, "bool_or": .boolOr, "string_agg": .stringAgg, "array_agg": .arrayAgg,
        "jsonb_agg": .jsonAgg, "json_agg": .jsonAgg, "first": .first, "last": .last,
        "any_value": .anyValue, "jsonb_object_agg": .jsonObjectAgg,
        "json_object_agg": .jsonObjectAgg,
        "bit_and": .bitAnd, "bit_or": .bitOr, "bit_xor": .bitXor, "corr": .correlation,
        "covar_pop": .covariancePopulation, "covar_samp": .covarianceSample,
        "regr_avgx": .regressionAverageX, "regr_avgy": .regressionAverageY,
        "regr_count": .regressionCount, "regr_intercept": .regressionIntercept,
        "regr_r2": .regressionR2, "regr_slope": .regressionSlope, "regr_sxx": .regressionSXX,
        "regr_sxy": .regressionSXY, "regr_syy": .regressionSYY,
        "percentile_cont": .percentileContinuous, "percentile_disc": .percentileDiscrete,
        "mode": .mode, "arg_min": .argumentOfLeast, "min_by": .argumentOfLeast,
        "arg_max": .argumentOfGreatest, "max_by": .argumentOfGreatest,
        "approx_count_distinct": .approximateCountDistinct,
        "approx_percentile": .approximatePercentile,
    ]
}

let aggregateFunctions: FunctionList = {
    var list = FunctionList(.aggregates, .aggregate)
    let rows = "FROM (VALUES (1, 'a'), (2, 'b'), (4, NULL)) AS t(x, s)"
    for (name, form, aliases, summary, call, result) in [
        (
            "count", "(*) or (any) → bigint", [], "The rows, or those that are not NULL.",
            "count(s)", "2"
        ),
        ("sum", "(number or interval) → wider", [], "The sum.", "sum(x)", "7"),
        (
            "rank", "(any, …) WITHIN GROUP (ORDER BY any, …) → bigint", [],
            "The rank that a row with these values would have.",
            "rank(3) WITHIN GROUP (ORDER BY x)", "3"
        ),
        (
            "dense_rank", "(any, …) WITHIN GROUP (ORDER BY any, …) → bigint", [],
            "The number that its group of peers would have.",
            "dense_rank(3) WITHIN GROUP (ORDER BY x)", "3"
        ),
        (
            "percent_rank", "(any, …) WITHIN GROUP (ORDER BY any, …) → float8", [],
            "The rank that it would have as a share of the rows.",
            "round((percent_rank(3) WITHIN GROUP (ORDER BY x))::numeric, 4)", "0.6667"
        ),
        (
            "cume_dist", "(any, …) WITHIN GROUP (ORDER BY any, …) → float8", [],
            "The share of rows up to its peers, with itself.",
            "cume_dist(3) WITHIN GROUP (ORDER BY x)", "0.75"
        ),
        (
            "avg", "(number or interval) → numeric, float8 or interval", [], "The average.",
            "round(avg(x), 2)", "2.33"
        ),
        ("min", "(any) → same", [], "The least.", "min(x)", "1"),
        ("max", "(any) → same", [], "The greatest.", "max(s)", "b"),
        (
            "stddev_samp", "(number) → float8", ["stddev"], "The sample's standard deviation.",
            "round(stddev_samp(x)::numeric, 4)", "1.5275"
        ),
        (
            "stddev_pop", "(number) → float8", [], "The population's standard deviation.",
            "round(stddev_pop(x)::numeric, 4)", "1.2472"
        ),
        (
            "var_samp", "(number) → float8", ["variance"], "The sample's variance.",
            "round(var_samp(x)::numeric, 4)", "2.3333"
        ),
        (
            "var_pop", "(number) → float8", [], "The population's variance.",
            "round(var_pop(x)::numeric, 4)", "1.5556"
        ),
        (
            "bool_and", "(boolean) → boolean", ["every"], "Whether all are true.",
            "bool_and(x > 0)", "t"
        ),
        ("bool_or", "(boolean) → boolean", [], "Whether one is true.", "bool_or(x > 3)", "t"),
        ("bit_and", "(integer) → same", [], "The bits that all have.", "bit_and(x)", "0"),
        ("bit_or", "(integer) → same", [], "The bits that one has.", "bit_or(x)", "7"),
        ("bit_xor", "(integer) → same", [], "The bits that an odd number has.", "bit_xor(x)", "7"),
        (
            "string_agg", "(text or bytea, same) → same", [],
            "The values with a delimiter between them.", "string_agg(s, ',' ORDER BY s DESC)",
            "b,a"
        ),
        (
            "array_agg", "(any) → any[]", [], "All values, NULLs, too.", "array_agg(x ORDER BY x)",
            "{1,2,4}"
        ),
        (
            "jsonb_agg", "(any) → jsonb", ["json_agg"], "All values as a JSON array.",
            "jsonb_agg(s ORDER BY x)", "[\"a\", \"b\", null]"
        ),
        (
            "jsonb_object_agg", "(key, any) → jsonb", ["json_object_agg"],
            "An object of keys and values.", "jsonb_object_agg(x, s)",
            "{\"1\": \"a\", \"2\": \"b\", \"4\": null}"
        ),
        (
            "first", "(any) → same", [], "The first value in the order given, NULL or not.",
            "first(x ORDER BY x DESC)", "4"
        ),
        (
            "last", "(any) → same", [], "The last value in the order given, NULL or not.",
            "last(x ORDER BY x DESC)", "1"
        ),
        (
            "any_value", "(any) → same", [], "One of the values that are not NULL.",
            "any_value(s ORDER BY x)", "a"
        ),
        (
            "arg_min", "(any, any) → first", ["min_by"],
            "The first argument where the second is least.",
            "arg_min(s, x)", "a"
        ),
        (
            "arg_max", "(any, any) → first", ["max_by"],
            "The first argument where the second is greatest.", "arg_max(s, -x)", "a"
        ),
        (
            "approx_count_distinct", "(any) → bigint", [],
            "About how many different values there are, within 1 in 100 as a rule.",
            "approx_count_distinct(x)", "3"
        ),
        (
            "approx_percentile", "(number, float8) → float8", [],
            "About the value below which a share of the values lies.", "approx_percentile(x, 0.5)",
            "2"
        ),
        (
            "percentile_cont", "(float8) WITHIN GROUP (ORDER BY number or interval) → same", [],
            "The value at a share of the order, between two if need be.",
            "percentile_cont(0.75) WITHIN GROUP (ORDER BY x)", "3"
        ),
        (
            "percentile_disc", "(float8) WITHIN GROUP (ORDER BY any) → same", [],
            "The first value whose place is at least a share of the order.",
            "percentile_disc(0.5) WITHIN GROUP (ORDER BY x)", "2"
        ),
        (
            "mode", "() WITHIN GROUP (ORDER BY any) → same", [], "The most frequent value.",
            "mode() WITHIN GROUP (ORDER BY x)", "1"
        ),
        ("corr", "(float8 y, float8 x) → float8", [], "The correlation.", "corr(2 * x, x)", "1"),
        (
            "covar_pop", "(float8 y, float8 x) → float8", [], "The population's covariance.",
            "round(covar_pop(x, x)::numeric, 4)", "1.5556"
        ),
        (
            "covar_samp", "(float8 y, float8 x) → float8", [], "The sample's covariance.",
            "round(covar_samp(x, x)::numeric, 4)", "2.3333"
        ),
        (
            "regr_avgx", "(float8 y, float8 x) → float8", [], "The average of x.",
            "round(regr_avgx(x, x)::numeric, 4)", "2.3333"
        ),
        (
            "regr_avgy", "(float8 y, float8 x) → float8", [], "The average of y.",
            "round(regr_avgy(x, x)::numeric, 4)", "2.3333"
        ),
        (
            "regr_count", "(float8 y, float8 x) → bigint", [], "The rows in which neither is NULL.",
            "regr_count(x, x)", "3"
        ),
        (
            "regr_intercept", "(float8 y, float8 x) → float8", [], "Where the line meets x = 0.",
            "round(regr_intercept(2 * x + 1, x)::numeric, 4)", "1.0000"
        ),
        (
            "regr_r2", "(float8 y, float8 x) → float8", [], "The square of the correlation.",
            "round(regr_r2(2 * x, x)::numeric, 4)", "1.0000"
        ),
        (
            "regr_slope", "(float8 y, float8 x) → float8", [], "The slope of the line.",
            "round(regr_slope(2 * x, x)::numeric, 4)", "2.0000"
        ),
        (
            "regr_sxx", "(float8 y, float8 x) → float8", [], "The sum of squares of x.",
            "round(regr_sxx(x, x)::numeric, 4)", "4.6667"
        ),
        (
            "regr_sxy", "(float8 y, float8 x) → float8", [], "The sum of products.",
            "round(regr_sxy(x, x)::numeric, 4)", "4.6667"
        ),
        (
            "regr_syy", "(float8 y, float8 x) → float8", [], "The sum of squares of y.",
            "round(regr_syy(x, x)::numeric, 4)", "4.6667"
        ),
    ] as [(String, String, [String], String, String, String)] {
        list.add(name, form: form, also: aliases, summary, "\(call) \(rows)", result)
    }
    list.add(
        "grouping", form: "(any, …) → integer",
        "Which of the arguments are not grouped by in this row of GROUPING SETS, as bits.",
        "grouping(x) FROM (VALUES (1)) AS t(x) GROUP BY ROLLUP (x) ORDER BY 1", "0, 1")
    return list
}()
