// Functions of numbers.

import Columns

let numberFunctions: FunctionList = {
    var list = FunctionList(.numbers)
    addRounding(&list)
    addWhole(&list)
    addPowers(&list)
    addTrigonometry(&list)
    return list
}()

private func addRounding(_ list: inout FunctionList) {
    for (name, aliases, summary, example, result) in [
        ("abs", [], "The distance from zero.", "abs(-17.4)", "17.4"),
        ("ceil", ["ceiling"], "The next whole number above.", "ceil(42.2)", "43"),
        ("floor", [], "The next whole number below.", "floor(-42.8)", "-43"),
        ("sign", [], "-1, 0 or 1.", "sign(-8.4)", "-1"),
    ] as [(String, [String], String, String, String)] {
        list.add(name, form: "(number) → same", also: aliases, summary, example, result)
    }
    list.add(
        "round", forms: ["(number) → same", "(numeric, integer) → numeric"],
        "The nearest whole number, or with so many digits behind the point.",
        "round(42.4382, 2)", "42.44")
    list.add(
        "trunc", forms: ["(number) → same", "(numeric, integer) → numeric"],
        "Without the digits behind the point, or behind digit n.", "trunc(42.4382, 2)", "42.43")
    list.add(
        "scale", form: "(numeric) → integer", "The digits behind the point.", "scale(8.4100)",
        "4")
    list.add(
        "min_scale", form: "(numeric) → integer",
        "The digits behind the point that are needed.", "min_scale(8.4100)", "2")
    list.add(
        "trim_scale", form: "(numeric) → numeric",
        "The same number; the digits behind the point are those of the expression.",
        "trim_scale(8.41)", "8.41")
    let format: ColumnType = .text
    list.add(
        "to_number", .toNumber, [.text, format], .decimal(precision: 38, scale: 16),
        "The number that a text means by a pattern.", "to_number('12,454.8-', '99G999D9S')::float8",
        "-12454.8")
}

private func addWhole(_ list: inout FunctionList) {
    list.add(
        "mod", form: "(integer or numeric, same) → same", "The rest of a division.", "mod(9, 4)",
        "1")
    list.add(
        "div", form: "(numeric, numeric) → numeric", "The whole quotient.", "div(9, 4)", "2")
    for (name, function, summary, example, result) in [
        (
            "gcd", ScalarFunction.greatestDivisor, "The greatest common divisor.", "gcd(1071, 462)",
            "21"
        ),
        ("lcm", .leastMultiple, "The least common multiple.", "lcm(1071, 462)", "23562"),
    ] {
        list.add(
            name,
            forms: [
                "(integer, integer) → integer", "(bigint, bigint) → bigint",
                "(numeric, numeric) → numeric",
            ],
            signatures: [
                Signature(function, [.int32, .int32], .int32),
                Signature(function, [.int64, .int64], .int64),
            ], summary, example, result)
    }
    list.add(
        "factorial", .factorial, [.int64], .decimal(precision: 38, scale: 0),
        "The product of the numbers up to n, at most 33.", "factorial(5)", "120")
    list.add(
        "width_bucket",
        forms: ["(float8, float8, float8, integer) → integer", "(any, any[]) → integer"],
        signatures: [
            Signature(
                .widthBucket, [.float64, .float64, .float64, .int32], .int32)
        ],
        "The number of the bucket of a histogram that a value falls into.",
        "width_bucket(5.35, 0.024, 10.06, 5)", "3")
    list.add(
        "random", .random, [], .float64, "A number from 0 up to 1.", "random() < 1", "t")
    list.add(
        "setseed", .setSeed, [.float64], .text,
        "Makes `random()` give the same numbers again, in this session.", "setseed(0.5) = ''", "t")
}

private func addPowers(_ list: inout FunctionList) {
    for (name, function, aliases, summary, example, result) in [
        ("sqrt", ScalarFunction.sqrt, [], "The square root.", "sqrt(2)", "1.4142135623730951"),
        ("cbrt", .cubeRoot, [], "The cube root.", "cbrt(64.0)", "4"),
        ("exp", .exp, [], "e to a power.", "exp(1.0)", "2.718281828459045"),
        ("ln", .ln, [], "The natural logarithm.", "ln(2.0)", "0.6931471805599453"),
        ("log10", .log10, [], "The logarithm to base 10.", "log10(1000)", "3"),
        ("degrees", .degrees, [], "Radians in degrees.", "degrees(0.5)", "28.64788975654116"),
        ("radians", .radians, [], "Degrees in radians.", "radians(45.0)", "0.7853981633974483"),
    ] as [(String, ScalarFunction, [String], String, String, String)] {
        list.add(
            name, function, [.float64], .float64, also: aliases, summary, example, result)
    }
    list.add(
        "log",
        [
            Signature(.log10, [.float64], .float64),
            Signature(.logarithm, [.float64, .float64], .float64),
        ],
        "The logarithm to base 10, or to the first argument.", "log(2.0, 64.0)", "6")
    list.add(
        "power", .power, [.float64, .float64], .float64, also: ["pow"], "a to the power of b.",
        "power(9, 3)", "729")
    list.add("pi", form: "() → float8", "π.", "pi()", "3.141592653589793")
}

private func addTrigonometry(_ list: inout FunctionList) {
    for (name, function, summary, example, result) in [
        ("sin", ScalarFunction.sine, "The sine, of radians.", "sin(1)", "0.8414709848078965"),
        ("cos", .cosine, "The cosine, of radians.", "cos(1)", "0.5403023058681398"),
        ("tan", .tangent, "The tangent, of radians.", "tan(1)", "1.5574077246549023"),
        ("cot", .cotangent, "The cotangent, of radians.", "cot(0.5)", "1.830487721712452"),
        ("asin", .arcSine, "The arc sine, in radians.", "asin(1)", "1.5707963267948966"),
        ("acos", .arcCosine, "The arc cosine, in radians.", "acos(1)", "0"),
        ("atan", .arcTangent, "The arc tangent, in radians.", "atan(1)", "0.7853981633974483"),
        ("sind", .sineDegrees, "The sine, of degrees.", "sind(30)", "0.5"),
        ("cosd", .cosineDegrees, "The cosine, of degrees.", "cosd(60)", "0.5"),
        ("tand", .tangentDegrees, "The tangent, of degrees.", "tand(45)", "1"),
        ("cotd", .cotangentDegrees, "The cotangent, of degrees.", "cotd(45)", "1"),
        ("asind", .arcSineDegrees, "The arc sine, in degrees.", "asind(0.5)", "30"),
        ("acosd", .arcCosineDegrees, "The arc cosine, in degrees.", "acosd(0.5)", "60"),
        ("atand", .arcTangentDegrees, "The arc tangent, in degrees.", "atand(1)", "45"),
        ("sinh", .hyperbolicSine, "The hyperbolic sine.", "sinh(1)", "1.1752011936438014"),
        ("cosh", .hyperbolicCosine, "The hyperbolic cosine.", "cosh(0)", "1"),
        ("tanh", .hyperbolicTangent, "The hyperbolic tangent.", "tanh(1)", "0.7615941559557649"),
        ("asinh", .areaSine, "The inverse hyperbolic sine.", "asinh(1)", "0.881373587019543"),
        ("acosh", .areaCosine, "The inverse hyperbolic cosine.", "acosh(1)", "0"),
        (
            "atanh", .areaTangent, "The inverse hyperbolic tangent.", "atanh(0.5)",
            "0.5493061443340548"
        ),
    ] {
        list.add(name, function, [.float64], .float64, summary, example, result)
    }
    list.add(
        "atan2", .arcTangent2, [.float64, .float64], .float64,
        "The arc tangent of y / x, in radians.", "atan2(1, 0)", "1.5707963267948966")
    list.add(
        "atan2d", .arcTangent2Degrees, [.float64, .float64], .float64,
        "The arc tangent of y / x, in degrees.", "atan2d(1, 0)", "90")
}
