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
    case cotangent, areaSine, areaCosine, areaTangent
    /// (float64) → float64, angles in degrees; exact where the mathematical value is
    case sineDegrees, cosineDegrees, tangentDegrees, cotangentDegrees
    case arcSineDegrees, arcCosineDegrees, arcTangentDegrees
    /// (float64 y, float64 x) → float64
    case arcTangent2, arcTangent2Degrees
    /// (float64 base, float64) → float64
    case logarithm
    /// (T, T) → T; T: int32, int64, decimal. Never negative.
    case greatestDivisor, leastMultiple
    /// (int64) → decimal(38, 0); negative is error 22003, so is more than 33
    case factorial
    /// (float64 operand, float64 low, float64 high, int32 count) → int32
    case widthBucket
    /// (T, list of T) → int32
    case widthBucketOfList
    /// (decimal) → int32: digits behind the point without zeros at the end
    case minimalScale
    /// (T, T) → T; T: int16, int32, int64
    case bitAnd, bitOr, bitXor
    /// (T) → T
    case bitNot
    /// (T, int32) → T; the shift counts modulo the width of T
    case shiftLeft, shiftRight
    /// (number, text pattern) → text
    case numberToText
    /// (text, text pattern) → decimal(38, 16)
    case toNumber
    /// () → float64 in [0, 1). Volatile.
    case random
    /// (float64 from -1 to 1) → empty text; random() follows it in the session. Volatile.
    case setSeed

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
    /// (text, text pattern, text escape) → text: what such a pattern describes between its marks
    case similarSubstring
    /// (text) → int32, the first scalar's code; (int32) → text
    case ascii, chr
    /// (text, text form) → text: NFC, NFD, NFKC or NFKD
    case normalize
    /// (text) → text: `\\XXXX`, `\\+XXXXXX`, `\\uXXXX` and `\\UXXXXXXXX` become characters
    case unistr
    /// (int32 or int64) → text
    case toHexadecimal
    /// (text pattern, text, …) → text; a NULL value is empty for `%s`, NULL for `%L`, and an error
    /// for `%I`
    case format
    /// (text) → text
    case quoteName, quoteLiteral
    /// (text) → text; NULL becomes the word
    case quoteNullable
    /// (text, boolean isStrict) → list of text
    case parseName
    /// (text, text pattern, text replacement, int32 start[, int32 n], text flags) → text
    case regexReplaceFrom
    /// (text, text pattern, int32 start, text flags) → int32
    case regexCountFrom
    /// (text, text pattern, int32 start, int32 n, text flags, int32 group) → text
    case regexPart
    /// (text, text pattern, int32 start, int32 n, int32 wantsEnd, text flags, int32 group) → int32
    case regexPlace

    // Bytes; positions count bytes.
    /// (binary, binary) → binary: `||`
    case binaryConcat
    /// (binary, text encoding) → int32
    case lengthInEncoding
    /// (binary, int32 start[, int32 count]) → binary
    case binarySubstring
    /// (binary haystack, binary needle) → int32
    case binaryPosition
    /// (binary, binary set) → binary
    case binaryTrimBoth, binaryTrimLeading, binaryTrimTrailing
    /// (text or binary) → text
    case md5
    /// (binary) → binary
    case sha224, sha256, sha384, sha512
    /// (binary, text format) → text; (text, text format) → binary
    case encode, decode
    /// (binary, text encoding) → text; (text, text encoding) → binary
    case convertFrom, convertTo
    /// (binary) → int64
    case bitCount
    /// (binary, int64) → int32; (binary, int32) → int32
    case getBit, getByte
    /// (binary, int64, int32) → binary; (binary, int32, int32) → binary
    case setBit, setByte

    // Time. Everything is in UTC; other zones are added as intervals by the binder.
    /// () → timestampTZ, the time of the statement (of the epoch in a pipeline)
    case now
    /// (date, int32) → date
    case addDays, subtractDays
    /// (date, date) → int32
    case dateDifference
    /// (time, interval) → time, around midnight; days and months do not count
    case addToTime, subtractFromTime
    /// (int32 hour, int32 minute, float64 second) → time
    case makeTime
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
    /// the same and (text zone) → timestampTZ
    case makeTimestampTZ
    /// (int32 years, months, weeks, days, hours, minutes, float64 seconds) → interval
    case makeInterval
    /// (text unit, timestampTZ, text zone) → timestampTZ
    case dateTruncInZone
    /// (timestampTZ, text zone) → timestamp, the clock of the zone; (timestamp, text zone) →
    /// timestampTZ, the moment at which a clock there shows it
    case toZone, fromZone
    /// The same in the time zone of a session, which is one more argument, a text.
    case extractInZone, datePartInZone, toCharInZone, parseTimestampInZone
    case addIntervalInZone, subtractIntervalInZone
    /// (T, text zone, boolean nullOnFailure) → U: a cast from or to what has a timestampTZ in it
    case castInZone
    /// (T, text zone) → T with text in the place of timestampTZ, as JSON has it
    case jsonInZone
    /// (date, timestamp, timestampTZ or interval) → boolean
    case isFinite
    /// (interval) → interval
    case justifyDays, justifyHours, justifyInterval
    /// (T start, T end, T start, T end) → boolean; T: timestamp, timestampTZ. A NULL end or start
    /// leaves a period of one moment.
    case overlaps

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
    /// (json) → text, over lines; (json) → json
    case jsonPretty, jsonStripNulls
    /// (json, list of text path, json value, boolean isAdded) → json
    case jsonSet
    /// the same and (text what NULL does) → json; not strict
    case jsonSetLax
    /// (json, list of text path, json value, boolean isBehind) → json
    case jsonInsert
    /// (json, list of text) → json: `#-`; (json, int32) → json, (json, list of text) → json: `-`
    case jsonDeletePath, jsonDeleteElement, jsonDeleteKeys
    /// (json, list of text) → boolean: `?|`, `?&`
    case jsonHasAny, jsonHasAll
    /// (list of text[, list of text]) → json
    case jsonObjectOfPairs
    /// (json, text path, json variables, boolean isSilent) → boolean, boolean, json, json
    case jsonPathExists, jsonPathMatch, jsonPathQueryArray, jsonPathQueryFirst
    /// the same → list of json
    case jsonPathQuery
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
    /// (list of text, text separator, text null) → text; NULL elements are the third
    case listToTextWithNull
    /// (list of T, T from, T to) → list; not strict
    case listReplace
    /// (list of T, T) → list of int32; not strict
    case listPositions
    /// (list of T, T, int32 start) → int32; not strict
    case listPositionFrom
    /// (T, int32 count) → list of T; not strict in the first
    case listFill
    /// (list of any) → text
    case listDimensions
    /// (list, int32) → list; more than there are, or a negative number, is error 2202E
    case listTrim
    /// (list, int32 dimension) → int32: how long it is; NULL when empty or not there
    case listLengthOf
    /// (list) → int32: the elements in all dimensions
    case cardinality
    /// (text function, boolean isAll, boolean isNegated, T, list of U, …) → boolean: the function
    /// of the value, each element and the rest, joined by OR, or by AND; not strict
    case quantified
    /// (text, text delimiter) → list of text
    case textToList
    /// (text, text delimiter, text null) → list of text
    case textToListWithNull
    /// (any, …) → structure; never NULL
    case makeStructure
    /// (structure, int32 literal member index from 0) → the member's type
    case structureField
    /// (map, key) → value
    case mapElement

    /// () → uuid, version 4. Volatile.
    case generateUUID

    /// (text id) → boolean: ends another query; whether there was one. Volatile.
    case cancelQuery

    /// (int64, text name) → the number; error 42P01 when it is NULL and the name is not.
    case requireRelation

    /// May give another value for every row, so it must not be folded, moved or evaluated twice.
    package var isVolatile: Bool {
        self == .random || self == .setSeed || self == .generateUUID || self == .cancelQuery
    }

    /// Gives one value in a statement, but another in the next one.
    package var isStable: Bool { self == .now }
}
