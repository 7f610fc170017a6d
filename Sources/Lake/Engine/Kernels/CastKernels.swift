// Casts between all types that PostgreSQL casts between. Text is read and written in PostgreSQL's
// forms.

import Base
import Columns

enum CastKernels {
    /// `argument` as `type`. With `nullOnFailure` a value that does not fit becomes NULL instead of
    /// an error. `now` is what the words `now` and `today` mean in dates.
    static func cast(
        _ argument: Vector, to type: ColumnType, nullOnFailure: Bool, count: Int,
        now: DateTimeText.WallClock
    ) throws(Problem) -> Column {
        if argument.type == type { return argument.column }
        if case .null = argument.type { return Column.nulls(type, count: count) }
        if case .null = argument.column.data { return Column.nulls(type, count: count) }
        let caster = Caster(
            argument: argument, type: type, nullOnFailure: nullOnFailure, count: count, now: now)
        return try caster.cast()
    }
}

/// One cast of one batch.
private final class Caster {
    let argument: Vector
    let type: ColumnType
    let nullOnFailure: Bool
    let count: Int
    let now: DateTimeText.WallClock
    var valid: Validity?

    init(
        argument: Vector, type: ColumnType, nullOnFailure: Bool, count: Int,
        now: DateTimeText.WallClock
    ) {
        self.argument = argument
        self.type = type
        self.nullOnFailure = nullOnFailure
        self.count = count
        self.now = now
        valid = argument.validityFor(count)
    }

    /// Row `row` can't be cast.
    private func fail(_ row: Int, _ problem: Problem) throws(Problem) {
        guard nullOnFailure else { throw problem }
        if valid == nil { valid = Validity(repeating: true, count: count) }
        valid?.set(row, false)
    }

    /// A result for each valid row; `convert` throws for rows that can't be cast.
    @inline(__always)
    private func rows<R>(
        _ zero: R, _ convert: (Int) throws(Problem) -> R
    ) throws(Problem) -> [R] {
        var values = [R](repeating: zero, count: count)
        let wasValid = valid
        for row in ValidRows(wasValid, count) {
            do {
                values[row] = try convert(row)
            } catch {
                try fail(row, error)
            }
        }
        return values
    }

    private func column(_ data: ColumnData) -> Column {
        Column(type: type, data: data, validity: valid)
    }

    private func unsupported() -> Problem {
        Problem(
            "42846", "cannot cast type \(argument.type.sqlName) to \(type.sqlName)")
    }

    func cast() throws(Problem) -> Column {
        switch (argument.type, type) {
        case (_, .variant): return try VariantKernels.from(argument, count: count)
        case (.variant, .json): return try VariantKernels.toJSON(argument, count: count)
        case (.variant, .text): return try VariantKernels.toText(argument, count: count)
        case (.variant, _):
            let texts = try VariantKernels.toText(argument, count: count)
            return try CastKernels.cast(
                Vector(texts), to: type, nullOnFailure: nullOnFailure, count: count,
                now: now)
        case (.text, _): return try fromText()
        case (.json, .text):
            return TextForm.column(argument, count: count)
        case (.json, _): return try fromJSON()
        case (_, .text): return textColumn()
        case (_, .json):
            return JSONKernels.fromAny(argument, count: count)
        case (.boolean, .int16), (.boolean, .int32), (.boolean, .int64):
            let source = argument.booleans
            if type == .int64 {
                return column(.int64(mapRows(source, count: count) { Int64($0) }))
            }
            return column(.int32(mapRows(source, count: count) { Int32($0) }))
        case (.int16, _), (.int32, _), (.int64, _): return try fromInteger()
        case (.float32, _), (.float64, _): return try fromFloat()
        case (.decimal, _): return try fromDecimal()
        case (.date, _), (.timestamp, _), (.timestampTZ, _): return try fromMoment()
        case (.time, .interval):
            let source = argument.int64s
            return column(.interval(mapRows(source, count: count) { Interval(microseconds: $0) }))
        case (.interval, .time):
            let source = argument.intervals
            return column(
                .int64(
                    mapRows(source, count: count) {
                        CalendarMath.split($0.microseconds).time
                    }))
        case (.list(let from), .list(let to)): return try elements(from, to)
        case (.structure(let from), .structure(let to)) where from.count == to.count:
            return try members(to)
        default: throw unsupported()
        }
    }

    private func textColumn() -> Column {
        guard argument.type == .boolean else { return TextForm.column(argument, count: count) }
        // The cast says "true", although the output of a query says "t".
        let source = argument.booleans
        var sink = TextSink(capacity: count)
        for row in 0..<count { sink.append(source.at(row) != 0 ? "true" : "false") }
        return column(.text(sink.finish()))
    }

    // MARK: Numbers

    private func fromInteger() throws(Problem) -> Column {
        let source = argument.wideIntegers
        switch type {
        case .int16:
            return column(
                .int32(
                    try rows(0) { (row) throws(Problem) in
                        guard let value = Int16(exactly: source.at(row)) else {
                            throw SQLErrors.outOfRange("smallint")
                        }
                        return Int32(value)
                    }))
        case .int32:
            return column(
                .int32(
                    try rows(0) { (row) throws(Problem) in
                        guard let value = Int32(exactly: source.at(row)) else {
                            throw SQLErrors.outOfRange("integer")
                        }
                        return value
                    }))
        case .int64: return column(.int64(mapRows(source, count: count) { $0 }))
        case .float32:
            return column(.float64(mapRows(source, count: count) { Double(Float($0)) }))
        case .float64: return column(.float64(mapRows(source, count: count) { Double($0) }))
        case .decimal(let precision, let scale):
            return column(
                .int128(
                    try rows(0) { (row) throws(Problem) in
                        try Self.rescaled(Int128(source.at(row)), 0, precision, scale)
                    }))
        case .boolean:
            return column(.boolean(mapRows(source, count: count) { $0 == 0 ? 0 : 1 }))
        default: throw unsupported()
        }
    }

    /// A number with `from` digits behind the point for a numeric(precision, scale).
    private static func rescaled(
        _ value: Int128, _ from: Int, _ precision: Int, _ scale: Int
    ) throws(Problem) -> Int128 {
        guard let result = DecimalMath.rescale(value, from: from, to: scale),
            result.magnitude < DecimalMath.powers[min(precision, DecimalMath.digitsMax)].magnitude
        else { throw SQLErrors.fieldOverflow(precision: precision, scale: scale) }
        return result
    }

    private func fromFloat() throws(Problem) -> Column {
        let source = argument.doubles
        let isSingle = argument.type == .float32
        switch type {
        case .int16, .int32, .int64:
            let (low, high, name): (Double, Double, String) =
                switch type {
                case .int16: (-32768, 32768, "smallint")
                case .int32: (-2_147_483_648, 2_147_483_648, "integer")
                default: (-9.223372036854775808e18, 9.223372036854775808e18, "bigint")
                }
            let values = try rows(Int64(0)) { (row) throws(Problem) in
                let rounded = source.at(row).rounded(.toNearestOrEven)
                guard rounded >= low, rounded < high else { throw SQLErrors.outOfRange(name) }
                return Int64(rounded)
            }
            if type == .int64 { return column(.int64(values)) }
            return column(.int32(values.map { Int32(truncatingIfNeeded: $0) }))
        case .float32:
            return column(
                .float64(
                    try rows(0) { (row) throws(Problem) in
                        let value = source.at(row)
                        let single = Float(value)
                        if single.isInfinite, value.isFinite { throw SQLErrors.floatOverflow }
                        if single == 0, value != 0 { throw SQLErrors.floatUnderflow }
                        return Double(single)
                    }))
        case .float64: return column(.float64(mapRows(source, count: count) { $0 }))
        case .decimal(let precision, let scale):
            return column(
                .int128(
                    try rows(0) { (row) throws(Problem) in
                        let value = source.at(row)
                        guard value.isFinite else {
                            throw Problem(
                                "0A000",
                                "cannot convert \(NumberText.float64(value)) to numeric")
                        }
                        return try Self.decimal(value, isSingle ? 6 : 15, precision, scale)
                    }))
        default: throw unsupported()
        }
    }

    /// A float as a numeric has only the digits that it surely has: 15, or 6 of a real.
    private static func decimal(
        _ value: Double, _ digits: Int, _ precision: Int, _ scale: Int
    ) throws(Problem) -> Int128 {
        let text = digits == 6 ? Float(value).description : value.description
        let overflow = SQLErrors.fieldOverflow(precision: precision, scale: scale)
        let bytes = Array(text.utf8)
        let significant = NumberText.significantDigits(bytes)
        guard let parts = significant else { throw overflow }
        var (magnitude, exponent) = (parts.magnitude, parts.exponent)
        if parts.count > digits {
            magnitude = DecimalMath.divideByPower(magnitude, parts.count - digits)
            exponent += parts.count - digits
        }
        let shift = exponent + scale
        let scaled: Int128?
        if shift < 0 {
            scaled = DecimalMath.divideByPower(magnitude, -shift)
        } else {
            scaled = DecimalMath.rescale(magnitude, from: 0, to: shift)
        }
        guard let scaled,
            scaled < DecimalMath.powers[min(precision, DecimalMath.digitsMax)]
        else { throw overflow }
        return value < 0 ? -scaled : scaled
    }

    private func fromDecimal() throws(Problem) -> Column {
        let source = argument.int128s
        let from = DecimalKernels.scale(argument.type)
        switch type {
        case .int16, .int32, .int64:
            let name = type == .int64 ? "bigint" : type == .int32 ? "integer" : "smallint"
            let (low, high): (Int64, Int64) =
                switch type {
                case .int16: (Int64(Int16.min), Int64(Int16.max))
                case .int32: (Int64(Int32.min), Int64(Int32.max))
                default: (.min, .max)
                }
            let values = try rows(Int64(0)) { (row) throws(Problem) in
                let rounded = DecimalMath.divideByPower(source.at(row), from)
                guard rounded >= Int128(low), rounded <= Int128(high) else {
                    throw SQLErrors.outOfRange(name)
                }
                return Int64(rounded)
            }
            if type == .int64 { return column(.int64(values)) }
            return column(.int32(values.map { Int32(truncatingIfNeeded: $0) }))
        case .float64:
            return column(
                .float64(
                    mapRows(source, count: count) { DecimalMath.double($0, scale: from) }))
        case .float32:
            return column(
                .float64(
                    mapRows(source, count: count) {
                        Double(Float(DecimalMath.double($0, scale: from)))
                    }))
        case .decimal(let precision, let scale):
            return column(
                .int128(
                    try rows(0) { (row) throws(Problem) in
                        try Self.rescaled(source.at(row), from, precision, scale)
                    }))
        default: throw unsupported()
        }
    }

    // MARK: Moments

    private func fromMoment() throws(Problem) -> Column {
        switch (argument.type, type) {
        case (.timestamp, .timestampTZ), (.timestampTZ, .timestamp):
            return column(.int64(argument.int64s.values))
        case (.date, .timestamp), (.date, .timestampTZ):
            let source = argument.int32s
            return column(
                .int64(
                    try rows(0) { (row) throws(Problem) in
                        let day = source.at(row)
                        if day == CalendarMath.dateInfinity { return CalendarMath.infinity }
                        if day == CalendarMath.dateMinusInfinity {
                            return CalendarMath.minusInfinity
                        }
                        guard let moment = CalendarMath.moment(days: Int(day), time: 0) else {
                            throw Problem("22008", "date out of range for timestamp")
                        }
                        return moment
                    }))
        case (.timestamp, .time), (.timestampTZ, .time):
            let source = argument.int64s
            var values = [Int64](repeating: 0, count: count)
            for row in 0..<count where valid?[row] ?? true {
                let moment = source.at(row)
                if DateTimeKernels.isInfinite(moment) {
                    // An infinite moment has no time of day.
                    if valid == nil { valid = Validity(repeating: true, count: count) }
                    valid?.set(row, false)
                } else {
                    values[row] = CalendarMath.split(moment).time
                }
            }
            return column(.int64(values))
        case (.timestamp, .date), (.timestampTZ, .date):
            let source = argument.int64s
            return column(
                .int32(
                    mapRows(source, count: count) { moment in
                        if moment == CalendarMath.infinity { return CalendarMath.dateInfinity }
                        if moment == CalendarMath.minusInfinity {
                            return CalendarMath.dateMinusInfinity
                        }
                        return Int32(
                            truncatingIfNeeded: CalendarMath.floorDivide(
                                moment, CalendarMath.microsecondsPerDay))
                    }))
        default: throw unsupported()
        }
    }

    // MARK: From text

    /// A result for the text of each valid row.
    @inline(__always)
    private func textRows<R>(
        _ zero: R, _ convert: (UnsafeRawBufferPointer) throws(Problem) -> R
    ) throws(Problem) -> [R] {
        let texts = argument.texts.values
        return try TextReader.with(texts) { (reader) throws(Problem) -> [R] in
            try rows(zero) { (row) throws(Problem) -> R in try convert(reader[row]) }
        }
    }

    private func fromText() throws(Problem) -> Column {
        let now = self.now
        switch type {
        case .boolean:
            return column(
                .boolean(
                    try textRows(0) { (text) throws(Problem) in
                        guard let flag = NumberText.boolean(text) else {
                            throw SQLErrors.invalidInput("boolean", DateTimeText.message(text))
                        }
                        return flag ? 1 : 0
                    }))
        case .int16:
            return column(
                .int32(
                    try textRows(0) { (text) throws(Problem) in
                        Int32(
                            try Self.integer(text, "smallint", Int64(Int16.min)...Int64(Int16.max)))
                    }))
        case .int32:
            return column(
                .int32(
                    try textRows(0) { (text) throws(Problem) in
                        Int32(
                            try Self.integer(text, "integer", Int64(Int32.min)...Int64(Int32.max)))
                    }))
        case .int64:
            return column(
                .int64(
                    try textRows(0) { (text) throws(Problem) in
                        try Self.integer(text, "bigint", Int64.min...Int64.max)
                    }))
        case .float32, .float64:
            let isSingle = type == .float32
            return column(
                .float64(
                    try textRows(0) { (text) throws(Problem) in try Self.float(text, isSingle) }))
        case .decimal(let precision, let scale):
            return column(
                .int128(
                    try textRows(0) { (text) throws(Problem) in
                        try Self.decimal(text, precision, scale)
                    }))
        case .date:
            return column(
                .int32(
                    try textRows(0) { (text) throws(Problem) in
                        try DateTimeText.date(text, now: now)
                    }))
        case .time:
            return column(
                .int64(
                    try textRows(0) { (text) throws(Problem) in
                        try DateTimeText.timeOfDay(text, now: now)
                    }))
        case .timestamp, .timestampTZ:
            let withZone = type == .timestampTZ
            return column(
                .int64(
                    try textRows(0) { (text) throws(Problem) in
                        try DateTimeText.timestamp(text, withZone: withZone, now: now)
                    }))
        case .interval:
            return column(
                .interval(
                    try textRows(Interval()) { (text) throws(Problem) in
                        try IntervalText.parse(text)
                    }))
        case .uuid:
            return column(
                .int128(
                    try textRows(0) { (text) throws(Problem) in
                        guard let bits = UUIDText.parse(text) else {
                            throw SQLErrors.invalidInput("uuid", DateTimeText.message(text))
                        }
                        return Int128(truncatingIfNeeded: bits)
                    }))
        case .json:
            return try bytesFromText { (text) throws(Problem) in
                try JSONNormalizer.normalize(text)
            }
        case .binary:
            return try bytesFromText { (text) throws(Problem) in
                try BinaryText.parse(text)
            }
        case .list(let element): return try listsFromText(element)
        default: throw unsupported()
        }
    }

    private func bytesFromText(
        _ convert: (UnsafeRawBufferPointer) throws(Problem) -> [UInt8]
    ) throws(Problem) -> Column {
        let texts = argument.texts.values
        var sink = TextSink(capacity: count)
        let results = try textRowsInOrder(texts, convert)
        for result in results { sink.append(result) }
        return column(.text(sink.finish()))
    }

    private func textRowsInOrder(
        _ texts: TextColumn,
        _ convert: (UnsafeRawBufferPointer) throws(Problem) -> [UInt8]
    ) throws(Problem) -> [[UInt8]] {
        try TextReader.with(texts) { (reader) throws(Problem) -> [[UInt8]] in
            try rows([]) { (row) throws(Problem) -> [UInt8] in try convert(reader[row]) }
        }
    }

    private static func integer(
        _ text: UnsafeRawBufferPointer, _ name: String, _ range: ClosedRange<Int64>
    ) throws(Problem) -> Int64 {
        switch NumberText.integer(text) {
        case .value(let value) where range.contains(value): return value
        case .failure(.syntax): throw SQLErrors.invalidInput(name, DateTimeText.message(text))
        default: throw SQLErrors.textOutOfRange(name, DateTimeText.message(text))
        }
    }

    private static func float(
        _ text: UnsafeRawBufferPointer, _ isSingle: Bool
    ) throws(Problem) -> Double {
        let name = isSingle ? "real" : "double precision"
        switch NumberText.float(text) {
        case .value(let value):
            guard isSingle else { return value }
            let single = Float(value)
            if single.isInfinite && value.isFinite || single == 0 && value != 0 {
                throw Problem(
                    "22003", "\"\(DateTimeText.message(text))\" is out of range for type \(name)")
            }
            return Double(single)
        case .failure(.syntax): throw SQLErrors.invalidInput(name, DateTimeText.message(text))
        case .failure(.range):
            throw Problem(
                "22003", "\"\(DateTimeText.message(text))\" is out of range for type \(name)")
        }
    }

    private static func decimal(
        _ text: UnsafeRawBufferPointer, _ precision: Int, _ scale: Int
    ) throws(Problem) -> Int128 {
        switch NumberText.decimal(text, scale: scale) {
        case .value(let value):
            guard value.magnitude < DecimalMath.powers[min(precision, 38)].magnitude else {
                throw SQLErrors.fieldOverflow(precision: precision, scale: scale)
            }
            return value
        case .failure(.syntax):
            throw SQLErrors.invalidInput("numeric", DateTimeText.message(text))
        case .failure(.range):
            throw SQLErrors.fieldOverflow(precision: precision, scale: scale)
        }
    }

    // MARK: From JSON

    /// jsonb to a number, a boolean: the document must be one.
    private func fromJSON() throws(Problem) -> Column {
        let documents = argument
        let type = self.type
        let now = self.now
        let values = try rows(Value.null) { (row) throws(Problem) -> Value in
            guard case .json(let text) = documents.value(row) else { return .null }
            let tree = JSONOrder.tree(text)
            func mismatch(_ kind: String) -> Problem {
                SQLErrors.invalidParameter("cannot cast jsonb \(kind) to type \(type.sqlName)")
            }
            switch (tree, type) {
            case (.bool(let flag), .boolean): return .boolean(flag)
            case (.number(let digits), .int16), (.number(let digits), .int32),
                (.number(let digits), .int64):
                let scale = digits.utf8.firstIndex(of: 0x2E) == nil ? 0 : 20
                guard let number = NumberText.decimalValue(digits, scale: scale) else {
                    throw SQLErrors.outOfRange(type.sqlName)
                }
                let source = Vector(
                    constant: .decimal(unscaled: number, scale: scale),
                    type: .decimal(precision: 38, scale: scale), count: 1)
                return try CastKernels.cast(
                    source, to: type, nullOnFailure: false, count: 1, now: now
                ).value(0)
            case (.number(let digits), .float32), (.number(let digits), .float64),
                (.number(let digits), .decimal):
                let source = Vector(constant: .text(digits), type: .text, count: 1)
                return try CastKernels.cast(
                    source, to: type, nullOnFailure: false, count: 1, now: now
                ).value(0)
            case (.null, _): throw mismatch("null")
            case (.bool, _): throw mismatch("boolean")
            case (.number, _): throw mismatch("numeric")
            case (.string, _): throw mismatch("string")
            case (.array, _): throw mismatch("array")
            case (.object, _): throw mismatch("object")
            }
        }
        switch type {
        case .boolean, .int16, .int32, .int64, .float32, .float64, .decimal:
            return Column(type, values)
        default: throw unsupported()
        }
    }

    // MARK: Nested types

    private func elements(
        _ from: ColumnType, _ to: ColumnType
    ) throws(Problem) -> Column {
        guard case .list(let offsets, let element) = argument.column.data else {
            throw unsupported()
        }
        let inner = try CastKernels.cast(
            Vector(element), to: to, nullOnFailure: nullOnFailure, count: element.count, now: now)
        return column(.list(offsets: offsets, element: inner))
    }

    private func members(_ fields: [Field]) throws(Problem) -> Column {
        guard case .structure(let members) = argument.column.data else { throw unsupported() }
        var results: [Column] = []
        for (member, field) in zip(members, fields) {
            results.append(
                try CastKernels.cast(
                    Vector(member), to: field.type, nullOnFailure: nullOnFailure,
                    count: member.count, now: now))
        }
        return column(.structure(results))
    }

    /// `{a,"b c",NULL}`
    private func listsFromText(_ element: ColumnType) throws(Problem) -> Column {
        let texts = argument
        let now = self.now
        let values = try rows(Value.null) { (row) throws(Problem) -> Value in
            guard case .text(let text) = texts.value(row) else { return .null }
            var items: [Value] = []
            for item in try ListText.parse(text) {
                guard let item else {
                    items.append(.null)
                    continue
                }
                let source = Vector(constant: .text(item), type: .text, count: 1)
                items.append(
                    try CastKernels.cast(
                        source, to: element, nullOnFailure: false, count: 1, now: now
                    ).value(0))
            }
            return .list(items)
        }
        return Column(type, values)
    }
}
