// Which kernel computes which function.

import Base
import Columns
import SQL

extension ScalarFunction {
    /// NULL in any argument makes the result NULL.
    var isStrict: Bool {
        switch self {
        case .greatest, .least, .concat, .concatWithSeparator, .makeList, .jsonBuildObject,
            .jsonBuildArray, .textToList, .listConcat, .listPosition, .listRemove,
            .quoteNullable, .format, .overlaps, .jsonSetLax, .listReplace, .listPositions,
            .listPositionFrom, .listFill, .quantified, .makeStructure, .textToListWithNull,
            .listToTextWithNull, .castInZone, .jsonInZone, .requireRelation, .listContains:
            false
        default: true
        }
    }

    /// Whether some arguments are errors. When in doubt, yes.
    var canFail: Bool {
        switch self {
        case .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual, .greatest, .least,
            .lower, .upper, .initcap, .reverse, .length, .octetLength, .strpos, .translate,
            .trimBoth, .trimLeading, .trimTrailing, .left, .right, .startsWith, .ascii, .now,
            .jsonField, .jsonFieldText, .jsonElement, .jsonElementText, .jsonPath, .jsonPathText,
            .jsonHasKey, .jsonContains, .jsonTypeof, .toJSON, .makeList, .listElement,
            .listLength, .listContains, .listToText, .structureField, .mapElement:
            false
        default: true
        }
    }

    fileprivate var arithmetic: ArithmeticOperator? {
        switch self {
        case .add: .add
        case .subtract: .subtract
        case .multiply: .multiply
        case .divide: .divide
        case .modulo: .modulo
        default: nil
        }
    }

    fileprivate var comparison: ComparisonOperator? {
        switch self {
        case .equal: .equal
        case .notEqual: .notEqual
        case .less: .less
        case .lessOrEqual: .lessOrEqual
        case .greater: .greater
        case .greaterOrEqual: .greaterOrEqual
        default: nil
        }
    }
}

enum FunctionKernels {
    /// One call over `count` rows. When all arguments are constants, `count` is 1.
    static func apply(
        _ function: ScalarFunction, _ arguments: [Vector], type: ColumnType, count: Int,
        _ context: QueryContext
    ) throws(Problem) -> Column {
        if let op = function.comparison {
            return ComparisonKernels.compare(op, arguments[0], arguments[1], count: count)
        }
        if let op = function.arithmetic {
            return try arithmetic(op, arguments[0], arguments[1], type: type, count: count)
        }
        if let column = try numeric(function, arguments, type, count, context) { return column }
        if let column = try text(function, arguments, count) { return column }
        if let column = try time(function, arguments, type, count, context) { return column }
        if let column = try json(function, arguments, count) { return column }
        if let column = try JSONChanges.apply(function, arguments, count: count) { return column }
        if let column = try JSONPathKernels.apply(function, arguments, type: type, count: count) {
            return column
        }
        if let column = try ListChanges.apply(function, arguments, type: type, count: count) {
            return column
        }
        return try nested(function, arguments, type, count, context)
    }

    static func arithmetic(
        _ op: ArithmeticOperator, _ left: Vector, _ right: Vector, type: ColumnType, count: Int
    ) throws(Problem) -> Column {
        switch type {
        case .int16, .int32, .int64:
            try IntegerKernels.arithmetic(op, left, right, type: type, count: count)
        case .float32, .float64:
            try FloatKernels.arithmetic(op, left, right, type: type, count: count)
        case .decimal: try DecimalKernels.arithmetic(op, left, right, type: type, count: count)
        default: throw SQLErrors.unsupported("arithmetic on \(type.sqlName)")
        }
    }

    private static func numeric(
        _ function: ScalarFunction, _ arguments: [Vector], _ type: ColumnType, _ count: Int,
        _ context: QueryContext
    ) throws(Problem) -> Column? {
        switch function {
        case .negate: return try unary(.negate, .negate, arguments[0], type, count)
        case .abs: return try unary(.absolute, .absolute, arguments[0], type, count)
        case .sign: return try unary(.sign, .sign, arguments[0], type, count)
        case .ceil: return try unary(.ceiling, .ceiling, arguments[0], type, count)
        case .floor: return try unary(.floor, .floor, arguments[0], type, count)
        case .round, .trunc:
            if case .decimal = type {
                let zero = Vector(constant: .int(0), type: .int32, count: count)
                return try DecimalKernels.round(
                    arguments[0], zero, truncating: function == .trunc, type: type, count: count)
            }
            return try FloatKernels.unary(
                function == .round ? .round : .truncate, arguments[0], type: type, count: count)
        case .roundTo, .truncTo:
            return try DecimalKernels.round(
                arguments[0], arguments[1], truncating: function == .truncTo, type: type,
                count: count)
        case .power:
            return try FloatKernels.power(arguments[0], arguments[1], type: type, count: count)
        case .sqrt: return try float(.squareRoot, arguments[0], type, count)
        case .exp: return try float(.exponential, arguments[0], type, count)
        case .ln: return try float(.naturalLogarithm, arguments[0], type, count)
        case .log10: return try float(.logarithm10, arguments[0], type, count)
        case .cubeRoot: return try float(.cubeRoot, arguments[0], type, count)
        case .sine: return try float(.sine, arguments[0], type, count)
        case .cosine: return try float(.cosine, arguments[0], type, count)
        case .tangent: return try float(.tangent, arguments[0], type, count)
        case .arcSine: return try float(.arcSine, arguments[0], type, count)
        case .arcCosine: return try float(.arcCosine, arguments[0], type, count)
        case .arcTangent: return try float(.arcTangent, arguments[0], type, count)
        case .degrees: return try float(.degrees, arguments[0], type, count)
        case .radians: return try float(.radians, arguments[0], type, count)
        case .hyperbolicSine: return try float(.hyperbolicSine, arguments[0], type, count)
        case .hyperbolicCosine: return try float(.hyperbolicCosine, arguments[0], type, count)
        case .hyperbolicTangent: return try float(.hyperbolicTangent, arguments[0], type, count)
        case .cotangent: return try float(.cotangent, arguments[0], type, count)
        case .areaSine: return try float(.areaSine, arguments[0], type, count)
        case .areaCosine: return try float(.areaCosine, arguments[0], type, count)
        case .areaTangent: return try float(.areaTangent, arguments[0], type, count)
        case .sineDegrees: return try float(.sineDegrees, arguments[0], type, count)
        case .cosineDegrees: return try float(.cosineDegrees, arguments[0], type, count)
        case .tangentDegrees: return try float(.tangentDegrees, arguments[0], type, count)
        case .cotangentDegrees: return try float(.cotangentDegrees, arguments[0], type, count)
        case .arcSineDegrees: return try float(.arcSineDegrees, arguments[0], type, count)
        case .arcCosineDegrees: return try float(.arcCosineDegrees, arguments[0], type, count)
        case .arcTangentDegrees:
            return try float(.arcTangentDegrees, arguments[0], type, count)
        case .arcTangent2Degrees:
            return FloatKernels.arcTangentDegrees(arguments[0], arguments[1], count: count)
        case .logarithm:
            return try FloatKernels.logarithm(arguments[0], arguments[1], count: count)
        case .numberToText:
            return try NumberPatternKernels.toText(arguments[0], arguments[1], count: count)
        case .toNumber:
            guard case .decimal(_, let scale) = type else { return nil }
            return try NumberPatternKernels.toNumber(
                arguments[0], arguments[1], scale: scale, type: type, count: count)
        case .arcTangent2:
            return FloatKernels.arcTangent(arguments[0], arguments[1], count: count)
        case .random:
            var values: [Double] = []
            values.reserveCapacity(count)
            if var seeded = context.seeded {
                for _ in 0..<count { values.append(seeded.next()) }
                context.seed(seeded)
                return Column(type: type, data: .float64(values))
            }
            // 53 random bits are all that a double in [0, 1) can hold.
            for _ in 0..<count {
                values.append(Double(context.random.next() >> 11) * 0x1p-53)
            }
            return Column(type: type, data: .float64(values))
        case .setSeed:
            return try RowKernels.values(arguments, type: type, count: count) {
                (row) throws(Problem) in
                let place = arguments[0].isConstant ? 0 : row
                guard case .float(let seed) = arguments[0].column.value(place) else { return .null }
                guard seed >= -1, seed <= 1 else {
                    throw SQLErrors.invalidParameter(
                        "setseed parameter \(seed) is out of allowed range [-1,1]")
                }
                context.seed(SeededRandom(seed: seed))
                return .text("")
            }
        case .greatest: return extreme(arguments, wantsGreatest: true, type, count)
        case .least: return extreme(arguments, wantsGreatest: false, type, count)
        default:
            return try WholeNumberKernels.apply(function, arguments, type: type, count: count)
        }
    }

    private static func float(
        _ function: FloatFunction, _ argument: Vector, _ type: ColumnType, _ count: Int
    ) throws(Problem) -> Column {
        try FloatKernels.unary(function, argument, type: type, count: count)
    }

    private static func unary(
        _ floatFunction: FloatFunction, _ decimalFunction: DecimalKernels.Unary,
        _ argument: Vector, _ type: ColumnType, _ count: Int
    ) throws(Problem) -> Column {
        switch type {
        case .decimal:
            return try DecimalKernels.unary(decimalFunction, argument, type: type, count: count)
        case .int16, .int32, .int64:
            return decimalFunction == .absolute
                ? try IntegerKernels.absolute(argument, type: type, count: count)
                : try IntegerKernels.negate(argument, type: type, count: count)
        default:
            return try FloatKernels.unary(floatFunction, argument, type: type, count: count)
        }
    }

    /// GREATEST and LEAST: folds pair by pair; a NULL gives way to the other side.
    private static func extreme(
        _ arguments: [Vector], wantsGreatest: Bool, _ type: ColumnType, _ count: Int
    ) -> Column {
        var best = Vector.aligned(arguments[0], to: type, count: count)
        for argument in arguments.dropFirst() {
            let next = Vector.aligned(argument, to: type, count: count)
            let flags = ComparisonKernels.compare(
                wantsGreatest ? .greater : .less, Vector(next), Vector(best), count: count)
            guard case .boolean(let better) = flags.data else { return best }
            var places: [Int32] = []
            places.reserveCapacity(count)
            for row in 0..<count {
                let takesNext =
                    best.isNull(row) || (!next.isNull(row) && better[row] == 1)
                places.append(Int32(takesNext ? count + row : row))
            }
            best = Column.concatenation([best, next]).gather(places)
        }
        return best
    }

    private static func text(
        _ function: ScalarFunction, _ arguments: [Vector], _ count: Int
    ) throws(Problem) -> Column? {
        switch function {
        case .textConcat: return try TextKernels.concatenate(arguments, count: count)
        case .concat: return try TextKernels.concatenateSkippingNulls(arguments, count: count)
        case .concatWithSeparator: return try TextKernels.join(arguments, count: count)
        case .lower: return TextKernels.lower(arguments[0], count: count)
        case .upper: return TextKernels.upper(arguments[0], count: count)
        case .initcap: return TextKernels.capitalized(arguments[0], count: count)
        case .reverse: return TextKernels.reversed(arguments[0], count: count)
        case .length: return TextKernels.length(arguments[0], count: count)
        case .octetLength: return TextKernels.octetLength(arguments[0], count: count)
        case .substring:
            return try TextKernels.substring(
                arguments[0], arguments[1], arguments.count > 2 ? arguments[2] : nil,
                count: count)
        case .strpos: return try TextKernels.strpos(arguments[0], arguments[1], count: count)
        case .replace: return try TextKernels.replace(arguments, count: count)
        case .translate: return try TextKernels.translate(arguments, count: count)
        case .trimBoth: return TextKernels.trim(arguments[0], arguments[1], .both, count: count)
        case .trimLeading:
            return TextKernels.trim(arguments[0], arguments[1], .leading, count: count)
        case .trimTrailing:
            return TextKernels.trim(arguments[0], arguments[1], .trailing, count: count)
        case .lpad, .rpad:
            return try TextKernels.pad(
                arguments[0], arguments[1], arguments[2], atStart: function == .lpad,
                count: count)
        case .left: return TextKernels.left(arguments[0], arguments[1], count: count)
        case .right: return TextKernels.right(arguments[0], arguments[1], count: count)
        case .splitPart:
            return try TextKernels.splitPart(
                arguments[0], arguments[1], arguments[2], count: count)
        case .startsWith:
            return try TextKernels.startsWith(arguments[0], arguments[1], count: count)
        case .repeat: return try TextKernels.repeated(arguments[0], arguments[1], count: count)
        case .like, .iLike:
            return try TextKernels.like(
                arguments[0], arguments[1], arguments.count > 2 ? arguments[2] : nil,
                ignoringCase: function == .iLike, count: count)
        case .regexFound, .regexMatch, .regexMatches, .regexCount, .regexSubstring, .regexReplace,
            .regexSplit, .similar, .similarSubstring, .regexReplaceFrom, .regexCountFrom,
            .regexPart, .regexPlace:
            return try RegexKernels.apply(function, arguments, count: count)
        case .ascii: return TextKernels.firstScalar(arguments[0], count: count)
        case .chr: return try TextKernels.character(arguments[0], count: count)
        default:
            if let column = try QuotingKernels.apply(function, arguments, count: count) {
                return column
            }
            return try ByteKernels.apply(function, arguments, count: count)
        }
    }

    private static func time(
        _ function: ScalarFunction, _ arguments: [Vector], _ type: ColumnType, _ count: Int,
        _ context: QueryContext
    ) throws(Problem) -> Column? {
        switch function {
        case .now:
            let now = context.now.wallMicroseconds
            return Column(type: type, data: .int64([Int64](repeating: now, count: count)))
        case .addDays, .subtractDays:
            return try DateTimeKernels.addDays(
                arguments[0], arguments[1], subtracting: function == .subtractDays, count: count)
        case .dateDifference:
            return try DateTimeKernels.dateDifference(arguments[0], arguments[1], count: count)
        case .addInterval, .subtractInterval:
            return try DateTimeKernels.addInterval(
                arguments[0], arguments[1], subtracting: function == .subtractInterval,
                type: type, count: count)
        case .timestampDifference:
            return try DateTimeKernels.difference(arguments[0], arguments[1], count: count)
        case .addIntervals, .subtractIntervals:
            return try DateTimeKernels.addIntervals(
                arguments[0], arguments[1], subtracting: function == .subtractIntervals,
                count: count)
        case .negateInterval: return try DateTimeKernels.negate(arguments[0], count: count)
        case .multiplyInterval, .divideInterval:
            return try DateTimeKernels.scale(
                arguments[0], arguments[1], dividing: function == .divideInterval, count: count)
        case .dateTrunc:
            return try DateTimeKernels.truncate(
                arguments[0], arguments[1], type: type, count: count)
        case .dateBin:
            return try DateTimeKernels.bin(
                arguments[0], arguments[1], arguments[2], type: type, count: count)
        case .extract, .datePart:
            return try DateTimeKernels.extract(
                arguments[0], arguments[1], type: type, count: count)
        case .age: return try DateTimeKernels.age(arguments[0], arguments[1], count: count)
        case .toChar: return try DateTimeKernels.toChar(arguments[0], arguments[1], count: count)
        case .toTimestamp: return try DateTimeKernels.fromEpoch(arguments[0], count: count)
        case .parseTimestamp, .parseDate:
            return try DateTimeKernels.parse(
                arguments[0], arguments[1], asDate: function == .parseDate, count: count)
        case .makeDate: return try DateTimeKernels.makeDate(arguments, count: count)
        case .makeTimestamp: return try DateTimeKernels.makeTimestamp(arguments, count: count)
        default:
            if let column = try ZoneKernels.apply(
                function, arguments, type: type, count: count, context)
            {
                return column
            }
            return try IntervalKernels.apply(function, arguments, type: type, count: count)
        }
    }

    private static func json(
        _ function: ScalarFunction, _ arguments: [Vector], _ count: Int
    ) throws(Problem) -> Column? {
        switch function {
        case .jsonField, .jsonFieldText:
            return try JSONKernels.field(
                arguments[0], arguments[1], asText: function == .jsonFieldText, count: count)
        case .jsonElement, .jsonElementText:
            return try JSONKernels.element(
                arguments[0], arguments[1], asText: function == .jsonElementText, count: count)
        case .jsonPath, .jsonPathText:
            return try JSONKernels.path(
                arguments[0], arguments[1], asText: function == .jsonPathText, count: count)
        case .jsonHasKey: return try JSONKernels.hasKey(arguments[0], arguments[1], count: count)
        case .jsonContains: return JSONKernels.contains(arguments[0], arguments[1], count: count)
        case .jsonConcat: return JSONKernels.concatenate(arguments[0], arguments[1], count: count)
        case .jsonDeleteKey:
            return try JSONKernels.deleteKey(arguments[0], arguments[1], count: count)
        case .jsonTypeof: return JSONKernels.typeName(arguments[0], count: count)
        case .jsonArrayLength: return try JSONKernels.arrayLength(arguments[0], count: count)
        case .jsonBuildObject: return try JSONKernels.buildObject(arguments, count: count)
        case .jsonBuildArray: return JSONKernels.buildArray(arguments, count: count)
        case .toJSON: return JSONKernels.fromAny(arguments[0], count: count)
        case .variantPath:
            return try VariantKernels.path(arguments[0], arguments[1], count: count)
        default: return nil
        }
    }

    private static func nested(
        _ function: ScalarFunction, _ arguments: [Vector], _ type: ColumnType, _ count: Int,
        _ context: QueryContext
    ) throws(Problem) -> Column {
        switch function {
        case .listConcat, .listPosition, .listRemove, .listSlice, .listOverlaps,
            .listContainsAll:
            return ListKernels.several(function, arguments, type: type, count: count)
                ?? Column.nulls(type, count: count)
        case .makeList: return ListKernels.make(arguments, type: type, count: count)
        case .listElement:
            return ListKernels.element(arguments[0], arguments[1], type: type, count: count)
        case .listLength: return ListKernels.length(arguments[0], count: count)
        case .listContains:
            return ListKernels.contains(arguments[0], arguments[1], count: count)
        case .listToText: return ListKernels.toText(arguments[0], arguments[1], count: count)
        case .listToTextWithNull:
            return ListKernels.toText(
                arguments[0], arguments[1], null: arguments[2], count: count)
        case .textToListWithNull:
            return try ListKernels.fromText(
                arguments[0], arguments[1], null: arguments[2], type: type, count: count)
        case .quantified:
            return try QuantifiedKernels.apply(arguments, count: count, context)
        case .textToList:
            return try ListKernels.fromText(
                arguments[0], arguments[1], type: type, count: count)
        case .makeStructure:
            guard case .structure(let fields) = type else { break }
            let members = zip(arguments, fields).map {
                Vector.aligned($0, to: $1.type, count: count)
            }
            return Column(type: type, data: .structure(members))
        case .structureField:
            guard case .int(let index) = arguments[1].value(0) else {
                throw SQLErrors.invalidParameter("the member of a structure is a number")
            }
            return ListKernels.member(arguments[0], Int(index), type: type, count: count)
        case .mapElement:
            return ListKernels.mapElement(arguments[0], arguments[1], type: type, count: count)
        case .cancelQuery:
            return try RowKernels.booleans(arguments, count: count) { (row) throws(Problem) in
                context.cancel(query: arguments[0].text(row) ?? "")
            }
        case .requireRelation:
            for row in 0..<count where arguments[0].isNull(row) && !arguments[1].isNull(row) {
                throw Problem(
                    "42P01", "relation \"\(arguments[1].text(row) ?? "")\" does not exist")
            }
            return arguments[0].materialized.relabeled(type)
        case .generateUUID:
            var values: [Int128] = []
            values.reserveCapacity(count)
            for _ in 0..<count {
                let uuid = context.random.uuid()
                values.append(
                    Int128(truncatingIfNeeded: UInt128(uuid.high) << 64 | UInt128(uuid.low)))
            }
            return Column(type: type, data: .int128(values))
        default: break
        }
        throw SQLErrors.unsupported("the function \(function.rawValue)")
    }
}
