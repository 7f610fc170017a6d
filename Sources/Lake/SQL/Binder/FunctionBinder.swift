// Calls of scalar functions: the fixed signatures of the catalogue, and the functions whose result
// depends on the types of their arguments.

import Base
import Columns

/// Binds calls whose arguments are bound already.
struct FunctionBinder {
    var context: BinderContext

    func bind(
        _ name: ObjectName, _ arguments: [BoundExpression], positions: [Int]
    ) throws(Problem) -> BoundExpression {
        let position = name.position
        let isPlain =
            name.parts.count == 1 || name.parts[name.parts.count - 2].name == "pg_catalog"
        if isPlain, let hint = FunctionCatalog.refused[name.last] {
            throw Problem(
                "0A000", "the function \(name.last) is not supported", hint: hint,
                position: position)
        }
        // Of the schema `weir`, which has few.
        let full = name.parts.map(\.name).joined(separator: ".")
        if !isPlain, FunctionCatalog.isScalar(full) {
            if let result = try signature(full, arguments, positions) { return result }
        }
        // What `regclass` is written with: see `CatalogCalls`.
        if isPlain, name.last == "$relation", arguments.count == 2 {
            return .call(
                .requireRelation,
                [try coerce(arguments[0], to: .int64, at: position), arguments[1]],
                .int64)
        }
        if isPlain, FunctionCatalog.isScalar(name.last) {
            if let result = try special(name.last, arguments, positions, at: position) {
                return result
            }
            if let result = try signature(name.last, arguments, positions) { return result }
        }
        throw missing(name, arguments)
    }

    private func signature(
        _ name: String, _ arguments: [BoundExpression], _ positions: [Int]
    ) throws(Problem) -> BoundExpression? {
        let types = arguments.map(\.type)
        var best: (signature: Signature, exact: Int, preferred: Int)?
        for signature in FunctionCatalog.signatures(name) {
            guard let score = fit(types, signature.parameters) else { continue }
            if let current = best,
                (current.exact, current.preferred) >= (score.exact, score.preferred)
            {
                continue
            }
            best = (signature, score.exact, score.preferred)
        }
        guard let best else { return nil }
        var bound: [BoundExpression] = []
        for (index, argument) in arguments.enumerated() {
            bound.append(
                try coerce(argument, to: best.signature.parameters[index], at: positions[index]))
        }
        return .call(
            best.signature.function, bound + best.signature.defaults, best.signature.result)
    }

    /// `overlay(text PLACING new FROM start [FOR count])`, of bytea, too
    private func overlay(
        _ arguments: [BoundExpression], _ positions: [Int]
    ) throws(Problem) -> BoundExpression {
        let isBinary = arguments[0].type == .binary || arguments[1].type == .binary
        let type: ColumnType = isBinary ? .binary : .text
        let part: ScalarFunction = isBinary ? .binarySubstring : .substring
        let join: ScalarFunction = isBinary ? .binaryConcat : .textConcat
        let text = try coerce(arguments[0], to: type, at: positions[0])
        let new = try coerce(arguments[1], to: type, at: positions[1])
        let start = try coerce(arguments[2], to: .int32, .assignment, at: positions[2])
        let count: BoundExpression =
            arguments.count > 3
            ? try coerce(arguments[3], to: .int32, .assignment, at: positions[3])
            : .call(isBinary ? .octetLength : .length, [new], .int32)
        let one = BoundExpression.literal(.int(1), .int32)
        let before = BoundExpression.call(
            part, [text, one, .call(.subtract, [start, one], .int32)], type)
        let after = BoundExpression.call(part, [text, .call(.add, [start, count], .int32)], type)
        let whole = BoundExpression.call(
            join, [.call(join, [before, new], type), after], type)
        // Parts that can't be are errors only where there is something to put between them.
        return .conditional(
            [
                .init(
                    condition: .or([.isNull(text), .isNull(new)]), value: .literal(.null, type))
            ], otherwise: whole, type)
    }

    /// `current_setting(name [, missing_ok])`, which is known when the statement is bound.
    private func setting(
        _ arguments: [BoundExpression], _ positions: [Int]
    ) throws(Problem) -> BoundExpression {
        guard let name = arguments[0].literalText else {
            throw Problem(
                "0A000", "current_setting of a computed name is not supported",
                hint: "SELECT name, setting FROM pg_settings", position: positions[0])
        }
        if let value = context.setting(name.lowercased()) { return .literal(.text(value), .text) }
        if arguments.count > 1,
            try coerce(arguments[1], to: .boolean, at: positions[1])
                == .literal(.boolean(true), .boolean)
        {
            return .literal(.null, .text)
        }
        throw Problem(
            "42704", "unrecognized configuration parameter \"\(name)\"",
            hint: "SHOW ALL lists them", position: positions[0])
    }

    private func missing(_ name: ObjectName, _ arguments: [BoundExpression]) -> Problem {
        let types = arguments.map(\.type.plainName).joined(separator: ", ")
        let isKnown =
            FunctionCatalog.names.contains(name.last) && name.parts.count == 1
        let near = isKnown ? nil : nearestName(to: name.last, among: FunctionCatalog.names)
        let hint =
            near.map { "did you mean \"\($0)\"?" }
            ?? "No function matches the given name and argument types. "
            + "You might need to add explicit type casts."
        return Problem(
            "42883", "function \(name.text)(\(types)) does not exist", hint: hint,
            position: name.position)
    }

    // MARK: Functions by name

    private func special(
        _ name: String, _ arguments: [BoundExpression], _ positions: [Int], at position: Int
    ) throws(Problem) -> BoundExpression? {
        switch (name, arguments.count) {
        case ("coalesce", 1...), ("ifnull", 2):
            let (all, type) = try unified(arguments, positions: positions, what: "COALESCE")
            return all.count == 1 ? all[0] : .coalesce(all, type)
        case ("greatest", 1...), ("least", 1...):
            let (all, type) = try unified(
                arguments, positions: positions, what: name.uppercased())
            return .call(name == "greatest" ? .greatest : .least, all, type)
        case ("nullif", 2): return try nullIf(arguments, at: position)
        case ("if", 3):
            let (all, type) = try unified(
                Array(arguments[1...]), positions: Array(positions[1...]), what: "IF")
            let condition = try coerce(arguments[0], to: .boolean, at: positions[0])
            return .conditional(
                [.init(condition: condition, value: all[0])], otherwise: all[1], type)
        case ("concat", 1...): return .call(.concat, try outputs(arguments, positions), .text)
        case ("concat_ws", 2...):
            return .call(.concatWithSeparator, try outputs(arguments, positions), .text)
        case ("abs", 1), ("ceil", 1), ("ceiling", 1), ("floor", 1), ("round", 1), ("trunc", 1),
            ("sign", 1):
            return try oneNumber(name, arguments[0], at: positions[0])
        case ("round", 2), ("trunc", 2): return try rounded(name, arguments, positions)
        case ("mod", 2):
            guard arguments.allSatisfy({ $0.type.isInteger || $0.type.isDecimal }) else {
                return nil
            }
            return try Operators.arithmetic("%", arguments[0], arguments[1], at: position)
        case ("div", 2):
            guard arguments.allSatisfy({ $0.type.isInteger || $0.type.isDecimal }) else {
                return nil
            }
            let quotient = try Operators.arithmetic("/", arguments[0], arguments[1], at: position)
            return try oneNumber("trunc", quotient, at: position)
        case ("bit_length", 1):
            let text =
                arguments[0].type == .binary ? arguments : try texts(arguments, positions)
            return .call(
                .multiply, [.call(.octetLength, text, .int32), .literal(.int(8), .int32)], .int32)
        case ("num_nulls", 1...), ("num_nonnulls", 1...):
            let terms = try known(arguments, positions).map { argument in
                let test: BoundExpression =
                    name == "num_nulls" ? .isNull(argument) : .isNotNull(argument)
                return BoundExpression.conditional(
                    [.init(condition: test, value: .literal(.int(1), .int32))],
                    otherwise: .literal(.int(0), .int32), .int32)
            }
            return terms.dropFirst().reduce(terms[0]) { .call(.add, [$0, $1], .int32) }
        case ("overlay", 3...4): return try overlay(arguments, positions)
        case ("pi", 0): return .literal(.float(Double.pi), .float64)
        case ("version", 0): return .literal(.text(context.versionText), .text)
        case ("current_database", 0), ("current_catalog", 0):
            return .literal(.text(context.database), .text)
        case ("current_schema", 0): return .literal(.text(context.schema), .text)
        case ("current_user", 0), ("session_user", 0), ("user", 0), ("current_role", 0):
            return .literal(.text(context.user), .text)
        case ("current_setting", 1...2): return try setting(arguments, positions)
        case ("pg_client_encoding", 0): return .literal(.text("UTF8"), .text)
        case ("pg_typeof", 1): return .literal(.text(arguments[0].type.plainName), .text)
        default: break
        }
        if let result = try quoting(name, arguments, positions) { return result }
        if let result = try whole(name, arguments, positions, at: position) { return result }
        if let result = try time(name, arguments, positions, at: position) { return result }
        if let result = try json(name, arguments, positions, at: position) { return result }
        return try list(name, arguments, positions)
    }

    private func nullIf(
        _ arguments: [BoundExpression], at position: Int
    ) throws(Problem) -> BoundExpression {
        let equal = try Operators.bind("=", arguments[0], arguments[1], at: position)
        var value = arguments[0]
        if value.isUnknownLiteral { value = try coerce(value, to: .text, at: position) }
        return .conditional(
            [.init(condition: equal, value: .literal(.null, value.type))], otherwise: value,
            value.type)
    }

    /// Texts as a client gets them: `t` and `f` for booleans, where a cast gives `true` and `false`.
    private func outputs(
        _ arguments: [BoundExpression], _ positions: [Int]
    ) throws(Problem) -> [BoundExpression] {
        let texts = try texts(arguments, positions)
        return zip(arguments, texts).map { argument, text in
            argument.type == .boolean
                ? .call(.left, [text, .literal(.int(1), .int32)], .text) : text
        }
    }

    private func texts(
        _ arguments: [BoundExpression], _ positions: [Int]
    ) throws(Problem) -> [BoundExpression] {
        var results: [BoundExpression] = []
        for (index, argument) in arguments.enumerated() {
            results.append(
                try coerce(argument, to: .text, .assignment, at: positions[index]))
        }
        return results
    }

    // MARK: Numbers

    private func oneNumber(
        _ name: String, _ argument: BoundExpression, at position: Int
    ) throws(Problem) -> BoundExpression? {
        var operand = argument
        if operand.isUnknownLiteral { operand = try coerce(operand, to: .float64, at: position) }
        guard operand.type.isNumber else { return nil }
        if name == "abs" { return .call(.abs, [operand], operand.type) }
        if operand.type == .float32 { operand = try coerce(operand, to: .float64, at: position) }
        // As in PostgreSQL, integers become double precision for these.
        if operand.type.isInteger { operand = try coerce(operand, to: .float64, at: position) }
        let function: ScalarFunction =
            switch name {
            case "ceil", "ceiling": .ceil
            case "floor": .floor
            case "round": .round
            case "trunc": .trunc
            default: .sign
            }
        guard case .decimal(let precision, let scale) = operand.type else {
            return .call(function, [operand], .float64)
        }
        let digits = precision - scale + (function == .trunc || function == .sign ? 0 : 1)
        return .call(function, [operand], .decimal(integerDigits: max(1, digits), scale: 0))
    }

    private func rounded(
        _ name: String, _ arguments: [BoundExpression], _ positions: [Int]
    ) throws(Problem) -> BoundExpression? {
        var operand = arguments[0]
        guard operand.type.isInteger || operand.type.isDecimal || operand.isUnknownLiteral,
            arguments[1].type.isInteger || arguments[1].isUnknownLiteral
        else { return nil }
        if operand.isUnknownLiteral {
            operand = try coerce(operand, to: .plainNumeric, at: positions[0])
        }
        operand = try Operators.asDecimal(operand, at: positions[0])
        let digits = try coerce(arguments[1], to: .int32, .assignment, at: positions[1])
        guard case .decimal(let precision, let scale) = operand.type else { return nil }
        var resultScale = scale
        if case .literal(.int(let count), _) = digits {
            resultScale = Int(min(max(count, 0), Int64(37)))
        }
        let function: ScalarFunction = name == "round" ? .roundTo : .truncTo
        let shape = min(38 - resultScale, precision - scale + 1)
        return .call(
            function, [operand, digits], .decimal(integerDigits: shape, scale: resultScale))
    }

    /// Functions that keep the scale of numerics, and those of bits and buckets.
    private func whole(
        _ name: String, _ arguments: [BoundExpression], _ positions: [Int], at position: Int
    ) throws(Problem) -> BoundExpression? {
        switch (name, arguments.count) {
        case ("gcd", 2), ("lcm", 2):
            guard arguments.contains(where: \.type.isDecimal),
                let type = commonType(arguments[0].type, arguments[1].type), type.isDecimal
            else { return nil }
            let both = [
                try coerce(arguments[0], to: type, at: positions[0]),
                try coerce(arguments[1], to: type, at: positions[1]),
            ]
            guard name == "lcm", case .decimal(_, let scale) = type else {
                return .call(.greatestDivisor, both, type)
            }
            return .call(.leastMultiple, both, .decimal(precision: 38, scale: scale))
        case ("scale", 1), ("min_scale", 1), ("trim_scale", 1):
            var number = arguments[0]
            guard number.type.isInteger || number.type.isDecimal || number.isUnknownLiteral else {
                return nil
            }
            if let text = number.literalText, number.isUnknownLiteral,
                let written = DecimalLiteral(text), (0...37).contains(written.scale)
            {
                number = try coerce(
                    number, to: .decimal(precision: 38, scale: written.scale), at: position)
            }
            number = try Operators.asDecimal(number, at: position)
            guard case .decimal(_, let scale) = number.type else { return nil }
            if name == "trim_scale" { return number }
            if name == "min_scale" { return .call(.minimalScale, [number], .int32) }
            return .conditional(
                [.init(condition: .isNull(number), value: .literal(.null, .int32))],
                otherwise: .literal(.int(Int64(scale)), .int32), .int32)
        case ("width_bucket", 2):
            guard case .list(let element) = arguments[1].type,
                let type = commonType(arguments[0].type, element)
            else { return nil }
            return .call(
                .widthBucketOfList,
                [
                    try coerce(arguments[0], to: type, at: positions[0]),
                    try coerce(arguments[1], to: .list(type), at: positions[1]),
                ], .int32)
        default: return nil
        }
    }

    /// Functions that take values of any type as text.
    private func quoting(
        _ name: String, _ arguments: [BoundExpression], _ positions: [Int]
    ) throws(Problem) -> BoundExpression? {
        switch (name, arguments.count) {
        case ("format", 1...):
            guard arguments[0].type == .text || arguments[0].isUnknownLiteral else { return nil }
            return .call(.format, try outputs(arguments, positions), .text)
        case ("quote_literal", 1):
            return .call(.quoteLiteral, try texts(arguments, positions), .text)
        case ("quote_nullable", 1):
            return .call(.quoteNullable, try texts(arguments, positions), .text)
        default: return nil
        }
    }

    // MARK: Time

    private func time(
        _ name: String, _ arguments: [BoundExpression], _ positions: [Int], at position: Int
    ) throws(Problem) -> BoundExpression? {
        let now = BoundExpression.call(.now, [], .timestampTZ)
        switch (name, arguments.count) {
        case ("current_date", 0): return .cast(now, to: .date, .strict)
        case ("localtime", 0): return .cast(now, to: .time, .strict)
        case ("localtimestamp", 0): return .cast(now, to: .timestamp, .strict)
        case ("timeofday", 0):
            let pattern = BoundExpression.literal(
                .text("Dy Mon DD HH24:MI:SS.US YYYY TZ"), .text)
            return .call(.toChar, [now, pattern], .text)
        case ("make_timestamptz", 6):
            guard let clock = context.clock else { return nil }
            let types: [ColumnType] = [.int32, .int32, .int32, .int32, .int32, .float64]
            var parts: [BoundExpression] = []
            for (index, type) in types.enumerated() {
                parts.append(try coerce(arguments[index], to: type, at: positions[index]))
            }
            let zone = BoundExpression.literal(.text(clock.zoneName), .text)
            return .call(.makeTimestampTZ, parts + [zone], .timestampTZ)
        case ("date", 1): return try converted(arguments[0], to: .date, .explicit, at: position)
        case ("age", 1):
            guard arguments[0].type.category == .time else { return nil }
            let type: ColumnType = arguments[0].type == .timestampTZ ? .timestampTZ : .timestamp
            let today = BoundExpression.cast(
                .cast(now, to: .date, .strict), to: type, .strict)
            return .call(
                .age, [today, try coerce(arguments[0], to: type, at: position)], .interval)
        case ("extract", 2):
            guard let field = arguments[0].literalText else { return nil }
            return try FunctionBinder.extract(field, from: arguments[1], at: position)
        case ("timezone", 2):
            return try TimeZones.shift(arguments[1], to: arguments[0], at: position)
        case ("to_char", 2) where arguments[0].type.isDecimal:
            // Any precision will do; the scale stays that of the argument.
            return .call(
                .numberToText,
                [arguments[0], try coerce(arguments[1], to: .text, at: positions[1])], .text)
        case ("overlaps", 4): return try overlaps(arguments, positions)
        case ("date_part", 2) where arguments[1].type == .date:
            // Dates have the fields of midnight here, unlike in extract.
            return .call(
                .datePart,
                [
                    try coerce(arguments[0], to: .text, at: positions[0]),
                    try coerce(arguments[1], to: .timestamp, at: positions[1]),
                ], .float64)
        default: return nil
        }
    }

    /// `(start, end) OVERLAPS (start, end)`, where an end may be a length.
    private func overlaps(
        _ arguments: [BoundExpression], _ positions: [Int]
    ) throws(Problem) -> BoundExpression? {
        var bounds = arguments
        for start in [0, 2] where arguments[start + 1].type == .interval {
            bounds[start + 1] = try Operators.bind(
                "+", arguments[start], arguments[start + 1], at: positions[start])
        }
        var type = ColumnType.null
        if bounds.contains(where: { $0.type == .time }) {
            // Times of day are compared as moments of one day.
            bounds = try bounds.enumerated().map { index, bound throws(Problem) in
                let time = try coerce(bound, to: .time, at: positions[index])
                return .call(
                    .addInterval,
                    [
                        .literal(.timestamp(microseconds: 0), .timestamp),
                        try coerce(time, to: .interval, at: positions[index]),
                    ], .timestamp)
            }
        }
        for bound in bounds {
            guard let wider = commonType(type, bound.type) else { return nil }
            type = wider
        }
        if type == .null { type = .timestampTZ }
        guard type.category == .time else { return nil }
        if type == .date { type = .timestamp }
        var moments: [BoundExpression] = []
        for (index, bound) in bounds.enumerated() {
            moments.append(try coerce(bound, to: type, at: positions[index]))
        }
        return .call(.overlaps, moments, .boolean)
    }

    /// `extract(field FROM operand)`
    static func extract(
        _ field: String, from operand: BoundExpression, at position: Int
    ) throws(Problem) -> BoundExpression {
        var source = operand
        if source.isUnknownLiteral { source = try coerce(source, to: .timestampTZ, at: position) }
        guard source.type.category == .time || source.type == .interval || source.type == .time
        else {
            throw Problem(
                "42883",
                "function pg_catalog.extract(unknown, \(source.type.plainName)) does not exist",
                hint: "No function matches the given name and argument types. "
                    + "You might need to add explicit type casts.", position: position)
        }
        let fields = [
            "year", "month", "day", "hour", "minute", "second", "epoch", "dow", "isodow", "doy",
            "week", "quarter", "decade", "century", "millennium", "isoyear", "julian",
            "milliseconds", "microseconds", "timezone", "timezone_hour", "timezone_minute",
            "years", "y", "yr", "yrs", "months", "mon", "mons", "days", "d", "hours", "h", "hr",
            "hrs", "minutes", "m", "min", "mins", "seconds", "s", "sec", "secs", "weeks", "w",
            "quarters", "qtr", "decades", "dec", "decs", "centuries", "c", "cent", "millennia",
            "mil", "mils", "millisecond", "ms", "msec", "msecs", "microsecond", "us", "usec",
            "usecs", "timezone_h", "timezone_m",
        ]
        guard fields.contains(field) else {
            let near = nearestName(to: field, among: fields)
            throw Problem(
                "22023",
                "unit \"\(field)\" not recognized for type \(source.type.plainName)",
                hint: near.map { "did you mean \"\($0)\"?" }, position: position)
        }
        let scale =
            switch field {
            case "epoch", "second", "julian", "seconds", "s", "sec", "secs": 6
            case "milliseconds", "millisecond", "ms", "msec", "msecs": 3
            default: 0
            }
        return .call(
            .extract, [.literal(.text(field), .text), source],
            .decimal(precision: 20 + scale, scale: scale))
    }

    // MARK: JSON and lists

    private func json(
        _ name: String, _ arguments: [BoundExpression], _ positions: [Int], at position: Int
    ) throws(Problem) -> BoundExpression? {
        switch name {
        case "jsonb_build_object", "json_build_object":
            guard arguments.count % 2 == 0 else {
                throw Problem(
                    "22023", "argument list must have even number of elements",
                    hint: "The arguments of \(name)() must consist of alternating keys and "
                        + "values.", position: position)
            }
            var members: [BoundExpression] = []
            for (index, argument) in arguments.enumerated() {
                let isKey = index % 2 == 0
                members.append(
                    isKey || argument.isUnknownLiteral
                        ? try coerce(argument, to: .text, .assignment, at: positions[index])
                        : argument)
            }
            return .call(.jsonBuildObject, members, .json)
        case "jsonb_build_array", "json_build_array":
            return .call(.jsonBuildArray, try known(arguments, positions), .json)
        case "to_jsonb", "to_json":
            guard arguments.count == 1 else { return nil }
            return .call(.toJSON, try known(arguments, positions), .json)
        case "array_to_json", "row_to_json":
            guard (1...2).contains(arguments.count) else { return nil }
            if arguments.count == 2 {
                // How it is laid out is nothing that jsonb keeps.
                _ = try coerce(arguments[1], to: .boolean, at: positions[1])
            }
            switch arguments[0].type {
            case .list where name == "array_to_json",
                .structure where name == "row_to_json":
                return .call(.toJSON, [arguments[0]], .json)
            case .json where name == "row_to_json": return arguments[0]
            default: return nil
            }
        case "jsonb_extract_path", "jsonb_extract_path_text", "json_extract_path",
            "json_extract_path_text":
            guard arguments.count > 1, isJSON(arguments[0]) else { return nil }
            let source = try coerce(arguments[0], to: .json, at: positions[0])
            let path = BoundExpression.call(
                .makeList, try texts(Array(arguments[1...]), Array(positions[1...])),
                .list(.text))
            return name.hasSuffix("text")
                ? .call(.jsonPathText, [source, path], .text)
                : .call(.jsonPath, [source, path], .json)
        case "json_extract":
            guard arguments.count == 2, isJSON(arguments[0]), let path = arguments[1].literalText
            else { return nil }
            guard let steps = jsonPathSteps(path) else {
                throw Problem(
                    "22023", "invalid JSON path \"\(path)\"",
                    hint: "write it as $.name.other[0]", position: positions[1])
            }
            return .call(
                .jsonPath,
                [
                    try coerce(arguments[0], to: .json, at: positions[0]),
                    .literal(.list(steps.map { .text($0) }), .list(.text)),
                ], .json)
        case "parse_json", "try_parse_json":
            guard arguments.count == 1 else { return nil }
            let text = try coerce(arguments[0], to: .text, at: positions[0])
            let mode: CastMode = name == "parse_json" ? .strict : .nullOnFailure
            return .cast(.cast(text, to: .json, mode), to: .variant, mode)
        case "variant_get", "try_variant_get":
            return try variantGet(name, arguments, positions)
        default: return nil
        }
    }

    /// `variant_get(v, '$.a[0]' [, 'type'])`
    private func variantGet(
        _ name: String, _ arguments: [BoundExpression], _ positions: [Int]
    ) throws(Problem) -> BoundExpression? {
        guard arguments.count == 2 || arguments.count == 3, let path = arguments[1].literalText
        else { return nil }
        guard arguments[0].type == .variant || arguments[0].type == .json else { return nil }
        guard let steps = jsonPathSteps(path) else {
            throw Problem(
                "22023", "invalid path \"\(path)\"", hint: "write it as $.name.other[0]",
                position: positions[1])
        }
        let source = try coerce(arguments[0], to: .variant, .assignment, at: positions[0])
        let found = BoundExpression.call(
            .variantPath, [source, .literal(.list(steps.map { .text($0) }), .list(.text))],
            .variant)
        guard arguments.count == 3 else { return found }
        guard let wanted = arguments[2].literalText else { return nil }
        let type: TypeName
        do throws(Problem) { type = try Parser.typeName(wanted) } catch {
            var problem = error
            problem.position = positions[2]
            throw problem
        }
        var named = type
        named.position = positions[2]
        return try explicitCast(
            found, to: named, orNull: name == "try_variant_get", at: positions[2])
    }

    /// A call of a function that takes (jsonb, path[, variables[, isSilent]]).
    func path(
        _ function: ScalarFunction, _ arguments: [BoundExpression], _ positions: [Int]
    ) throws(Problem) -> BoundExpression? {
        guard (2...4).contains(arguments.count), isJSON(arguments[0]) else { return nil }
        let types: [ColumnType] = [.json, .text, .json, .boolean]
        var all: [BoundExpression] = []
        for (index, argument) in arguments.enumerated() {
            guard
                let part = try converted(
                    argument, to: types[index], .implicit, at: positions[index])
            else { return nil }
            all.append(part)
        }
        if all.count < 3 { all.append(.literal(.json("{}"), .json)) }
        if all.count < 4 { all.append(.literal(.boolean(false), .boolean)) }
        return .call(function, all, .list(.json))
    }

    private func isJSON(_ argument: BoundExpression) -> Bool {
        argument.type == .json || argument.isUnknownLiteral
    }

    /// Open literals become text.
    private func known(
        _ arguments: [BoundExpression], _ positions: [Int]
    ) throws(Problem) -> [BoundExpression] {
        var results: [BoundExpression] = []
        for (index, argument) in arguments.enumerated() {
            results.append(
                argument.isUnknownLiteral
                    ? try coerce(argument, to: .text, at: positions[index]) : argument)
        }
        return results
    }

    /// The steps of `$.a.b[0]`.
    private func jsonPathSteps(_ path: String) -> [String]? {
        guard path.hasPrefix("$") else { return nil }
        var steps: [String] = []
        var current = ""
        for scalar in path.unicodeScalars.dropFirst() {
            switch scalar {
            case ".", "[", "]":
                if !current.isEmpty { steps.append(current) }
                current = ""
            case "\"", "'": continue
            default: current.unicodeScalars.append(scalar)
            }
        }
        if !current.isEmpty { steps.append(current) }
        return steps
    }

    /// Lists one behind the other, where one side may be an element.
    private func joined(
        _ name: String, _ arguments: [BoundExpression], _ positions: [Int]
    ) throws(Problem) -> BoundExpression? {
        let sides = (
            isElement: [name == "array_prepend", name == "array_append"],
            types: arguments.map(\.type)
        )
        var elements: [ColumnType] = []
        for (index, type) in sides.types.enumerated() {
            if sides.isElement[index] {
                elements.append(type)
            } else if case .list(let element) = type {
                elements.append(element)
            } else {
                guard type == .null else { return nil }
                elements.append(.null)
            }
        }
        guard let element = commonType(elements[0], elements[1]), element != .null else {
            return nil
        }
        var lists: [BoundExpression] = []
        for (index, argument) in arguments.enumerated() {
            lists.append(
                sides.isElement[index]
                    ? .call(
                        .makeList, [try coerce(argument, to: element, at: positions[index])],
                        .list(element))
                    : try coerce(argument, to: .list(element), at: positions[index]))
        }
        return .call(.listConcat, lists, .list(element))
    }

    private func list(
        _ name: String, _ arguments: [BoundExpression], _ positions: [Int]
    ) throws(Problem) -> BoundExpression? {
        if ["array_append", "array_prepend", "array_cat"].contains(name), arguments.count == 2 {
            return try joined(name, arguments, positions)
        }
        if name == "array_fill" { return try filled(arguments, positions) }
        guard let first = arguments.first, case .list(let element) = first.type else { return nil }
        switch (name, arguments.count) {
        case ("cardinality", 1):
            if case .list = element { return .call(.cardinality, [first], .int32) }
            return .call(.listLength, [first], .int32)
        case ("array_ndims", 1):
            let isEmpty = BoundExpression.call(
                .equal, [.call(.listLength, [first], .int32), .literal(.int(0), .int32)],
                .boolean)
            return .conditional(
                [
                    .init(
                        condition: .or([isEmpty, .isNull(first)]), value: .literal(.null, .int32))
                ], otherwise: .literal(.int(Int64(first.type.dimensions)), .int32), .int32)
        case ("array_dims", 1): return .call(.listDimensions, [first], .text)
        case ("array_length", 2), ("array_upper", 2), ("array_lower", 2):
            let dimension = try coerce(arguments[1], to: .int32, .assignment, at: positions[1])
            // NULL rather than 0 for an empty array, as in PostgreSQL.
            let length = BoundExpression.call(.listLengthOf, [first, dimension], .int32)
            guard name == "array_lower" else { return length }
            return .conditional(
                [.init(condition: .isNull(length), value: .literal(.null, .int32))],
                otherwise: .literal(.int(1), .int32), .int32)
        case ("trim_array", 2):
            return .call(
                .listTrim,
                [first, try coerce(arguments[1], to: .int32, .assignment, at: positions[1])],
                first.type)
        case ("array_positions", 2), ("array_position", 3), ("array_replace", 3):
            let others = name == "array_replace" ? 1...2 : 1...1
            var type = element
            for index in others {
                guard let wider = commonType(type, arguments[index].type) else { return nil }
                type = wider
            }
            var all = [try coerce(first, to: .list(type), at: positions[0])]
            for index in others {
                all.append(try coerce(arguments[index], to: type, at: positions[index]))
            }
            if name == "array_replace" { return .call(.listReplace, all, .list(type)) }
            if name == "array_positions" { return .call(.listPositions, all, .list(.int32)) }
            all.append(try coerce(arguments[2], to: .int32, .assignment, at: positions[2]))
            return .call(.listPositionFrom, all, .int32)
        case ("array_position", 2), ("array_remove", 2):
            guard let type = commonType(element, arguments[1].type) else { return nil }
            let list = try coerce(first, to: .list(type), at: positions[0])
            let value = try coerce(arguments[1], to: type, at: positions[1])
            return name == "array_position"
                ? .call(.listPosition, [list, value], .int32)
                : .call(.listRemove, [list, value], .list(type))
        case ("array_slice", 3):
            return .call(
                .listSlice,
                [
                    first, try coerce(arguments[1], to: .int32, .assignment, at: positions[1]),
                    try coerce(arguments[2], to: .int32, .assignment, at: positions[2]),
                ], first.type)
        case ("array_to_string", 2...3):
            let separator = try coerce(arguments[1], to: .text, at: positions[1])
            let texts: BoundExpression =
                element == .text ? first : .cast(first, to: .list(.text), .strict)
            if arguments.count == 2 { return .call(.listToText, [texts, separator], .text) }
            let null = try coerce(arguments[2], to: .text, at: positions[2])
            return .call(.listToTextWithNull, [texts, separator, null], .text)
        default: return nil
        }
    }

    /// `array_fill(value, lengths)`: the lengths of the dimensions are written out.
    private func filled(
        _ arguments: [BoundExpression], _ positions: [Int]
    ) throws(Problem) -> BoundExpression? {
        guard (2...3).contains(arguments.count) else { return nil }
        guard arguments.count == 2 else {
            throw Problem(
                "0A000", "array_fill with lower bounds is not supported",
                hint: "arrays begin at 1", position: positions[2])
        }
        let lengths = try coerce(arguments[1], to: .list(.int32), at: positions[1])
        let sizes: [BoundExpression]
        switch lengths {
        case .call(.makeList, let items, _): sizes = items
        case .literal(.list(let values), _): sizes = values.map { .literal($0, .int32) }
        default:
            throw Problem(
                "0A000", "array_fill needs its dimensions written out",
                hint: "write array_fill(value, ARRAY[2, 3])", position: positions[1])
        }
        guard sizes.count <= 6 else {
            throw Problem(
                "54000", "number of array dimensions exceeds the maximum allowed (6)",
                position: positions[1])
        }
        var value = arguments[0]
        if value.isUnknownLiteral { value = try coerce(value, to: .text, at: positions[0]) }
        if sizes.isEmpty { return .literal(.list([]), .list(value.type)) }
        for size in sizes.reversed() {
            value = .call(.listFill, [value, size], .list(value.type))
        }
        return value
    }
}

extension ColumnType {
    /// 2 for an array of arrays.
    fileprivate var dimensions: Int {
        if case .list(let element) = self { element.dimensions + 1 } else { 0 }
    }
}
