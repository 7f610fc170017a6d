// The functions that the engine evaluates row by row. The binder resolves names and operators of SQL
// to these, casts arguments to the listed types and states the result type in the call.

/// A scalar function after binding. Unless its comment says otherwise a function is strict: NULL in
/// any argument gives NULL. `T` stands for one type that all arguments named so share; decimals
/// named `T` may differ in precision and scale, and the result has the scale of the call's type.
package enum ScalarFunction: String, CaseIterable, Hashable, Sendable {
    // Numbers. T: int16, int32, int64, float32, float64, decimal.
    /// (T, T) → T. Overflow is error 22003.
    case add, subtract, multiply
    /// (T, T) → T. Integers truncate towards zero; zero divisor is error 22012. Decimals round half
    /// away from zero to the scale of the result.
    case divide
    /// (T, T) → T, sign of the dividend; zero divisor is error 22012.
    case modulo
    /// (T) → T
    case negate, abs
    /// (T) → T; T: float64, decimal. -1, 0 or 1.
    case sign
    /// (T) → T; T: float64, decimal (the result then has scale 0).
    case ceil, floor
    /// (T) → T; T: float64 (half to even), decimal (half away from zero, scale 0).
    case round
    /// (T) → T; T: float64, decimal (scale 0).
    case trunc
    /// (decimal, int32 digits) → decimal with the scale of the call's type.
    case roundTo, truncTo
    /// (float64, float64) → float64
    case power
    /// (float64) → float64; outside of the domain error 2201F (sqrt) or 2201E (logarithms).
    case sqrt, exp, ln, log10
    /// (float64) → float64; infinity, or a value without an arc, is error 22003.
    case cubeRoot, sine, cosine, tangent, arcSine, arcCosine, arcTangent, degrees, radians
    case hyperbolicSine, hyperbolicCosine, hyperbolicTangent
    /// (float64 y, float64 x) → float64
    case arcTangent2
    /// () → float64 in [0, 1). Volatile.
    case random

    // Comparison. T: any type, list and structure element by element. NaN equals NaN and is the
    // greatest float, as in PostgreSQL. Text compares bytewise (collation C).
    /// (T, T) → boolean
    case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual
    /// (T, …) → T; ignores NULLs, NULL only when all are.
    case greatest, least

    // Text; positions and lengths count Unicode scalars unless named octet.
    /// (text, text) → text, the operator `||`
    case textConcat
    /// (text, …) → text; NULLs are skipped, never NULL
    case concat
    /// (text separator, text, …) → text; NULL separator gives NULL, other NULLs are skipped
    case concatWithSeparator
    /// (text) → text
    case lower, upper, initcap, reverse
    /// (text) → int32
    case length
    /// (text or binary) → int32
    case octetLength
    /// (text, int32 start[, int32 count]) → text; start may be below 1; negative count error 22011
    case substring
    /// (text haystack, text needle) → int32, 1-based, 0 when absent
    case strpos
    /// (text, text from, text to) → text
    case replace
    /// (text, text from, text to) → text, character by character
    case translate
    /// (text, text characters) → text
    case trimBoth, trimLeading, trimTrailing
    /// (text, int32 length, text fill) → text
    case lpad, rpad
    /// (text, int32) → text; negative counts leave away from the other end
    case left, right
    /// (text, text delimiter, int32 field) → text; field 0 is error 22023, negative from the end
    case splitPart
    /// (text, text prefix) → boolean
    case startsWith
    /// (text, int32) → text
    case `repeat`
    /// (text, text pattern[, text escape]) → boolean; escape is `\` by default, "" is none
    case like, iLike
    /// (text, text pattern, text flags) → boolean: the pattern is found
    case regexFound
    /// (text, text pattern, text flags) → list of text: the groups of the first match, or all of it;
    /// NULL when there is none
    case regexMatch
    /// (text, text pattern, text flags) → list of lists of text: of every match
    case regexMatches
    /// (text, text pattern, text flags) → int32
    case regexCount
    /// (text, text pattern, text flags) → text: the first match; its first group when the flags have
    /// a `1`
    case regexSubstring
    /// (text, text pattern, text replacement, text flags) → text: of the first match, of all with `g`
    case regexReplace
    /// (text, text pattern, text flags) → list of text: what is between the matches
    case regexSplit
    /// (text, text pattern, text escape) → boolean: SQL's own regular expressions
    case similar
    /// (text) → int32, the first scalar's code; (int32) → text
    case ascii, chr

    // Time. Everything is in UTC; other zones are added as intervals by the binder.
    /// () → timestampTZ, the time of the statement (of the epoch in a pipeline)
    case now
    /// (date, int32) → date
    case addDays, subtractDays
    /// (date, date) → int32
    case dateDifference
    /// (T, interval) → T; T: timestamp, timestampTZ
    case addInterval, subtractInterval
    /// (T, T) → interval of days and microseconds; T: timestamp, timestampTZ
    case timestampDifference
    /// (interval, interval) → interval
    case addIntervals, subtractIntervals
    /// (interval) → interval
    case negateInterval
    /// (interval, float64) → interval
    case multiplyInterval, divideInterval
    /// (text unit, T) → T; T: timestamp, timestampTZ, interval
    case dateTrunc
    /// (interval stride, T, T origin) → T; T: timestamp, timestampTZ
    case dateBin
    /// (text field, T) → decimal; T: date, timestamp, timestampTZ, interval
    case extract
    /// (text field, T) → float64, as `extract`
    case datePart
    /// (T, T) → interval of months, days and microseconds; T: timestamp, timestampTZ
    case age
    /// (T, text format) → text; T: timestamp, timestampTZ, interval
    case toChar
    /// (float64 seconds since 1970) → timestampTZ
    case toTimestamp
    /// (text, text format) → timestampTZ
    case parseTimestamp
    /// (text, text format) → date
    case parseDate
    /// (int32 year, int32 month, int32 day) → date
    case makeDate
    /// (int32, int32, int32, int32 hour, int32 minute, float64 second) → timestamp
    case makeTimestamp

    // JSON.
    /// (json, text) → json: `->`; (json, text) → text: `->>`
    case jsonField, jsonFieldText
    /// (json, int32) → json, text; negative from the end
    case jsonElement, jsonElementText
    /// (json, list of text) → json: `#>`; text: `#>>`
    case jsonPath, jsonPathText
    /// (json, text) → boolean: `?`
    case jsonHasKey
    /// (json, json) → boolean: `@>`
    case jsonContains
    /// (json, json) → json: `||`
    case jsonConcat
    /// (json, text) → json: `-`
    case jsonDeleteKey
    /// (json) → text
    case jsonTypeof
    /// (json) → int32; not an array is error 22023
    case jsonArrayLength
    /// (text key, any value, …) → json; NULL values become null, a NULL key is error 22023
    case jsonBuildObject
    /// (any, …) → json; NULLs become null
    case jsonBuildArray
    /// (any) → json
    case toJSON
    /// (variant, list of text) → variant; NULL where the path leads nowhere
    case variantPath

    // Lists, structures, maps.
    /// (T, …) → list of T; not strict
    case makeList
    /// (list of T, int32 from 1) → T; NULL when outside
    case listElement
    /// (list) → int32
    case listLength
    /// (list of T, T) → boolean with the NULL rules of `= ANY`
    case listContains
    /// (list, list) → list; a NULL side adds nothing, two of them are NULL
    case listConcat
    /// (list of T, T) → int32 from 1; NULL equals NULL, and is the result when there is none
    case listPosition
    /// (list of T, T) → list without the elements that equal it
    case listRemove
    /// (list, int32 from, int32 to) → list
    case listSlice
    /// (list, list) → boolean: a common element; all elements of the second in the first
    case listOverlaps, listContainsAll
    /// (list of text, text separator) → text; NULL elements are skipped
    case listToText
    /// (text, text delimiter) → list of text
    case textToList
    /// (structure, int32 literal member index from 0) → the member's type
    case structureField
    /// (map, key) → value
    case mapElement

    /// () → uuid, version 4. Volatile.
    case generateUUID

    /// May give another value for every row, so it must not be folded, moved or evaluated twice.
    package var isVolatile: Bool { self == .random || self == .generateUUID }

    /// Gives one value in a statement, but another in the next one.
    package var isStable: Bool { self == .now }
}
