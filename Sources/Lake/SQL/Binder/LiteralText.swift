// Text literals that are read while binding, so that they become constants which files can be
// skipped by, and mistakes get a position. Only the plain forms are read here; other spellings of
// dates, times and intervals stay casts, which the engine evaluates.

import Base
import Columns

/// The value of `text` as `type`; nil when the engine must read it. Without a clock that are moments
/// whose zone is not written, too.
func literalValue(
    _ text: String, as type: ColumnType, at position: Int, _ clock: (any SessionClock)? = nil
) throws(Problem) -> Value? {
    switch type {
    case .text: return .text(text)
    case .boolean:
        guard let flag = booleanValue(trimmed(text)) else { throw malformed(text, type, position) }
        return .boolean(flag)
    case .int16, .int32, .int64: return try integerValue(text, type, position)
    case .decimal(let precision, let scale):
        guard var number = DecimalLiteral(trimmed(text)) else { return nil }
        number.round(toScale: scale)
        guard number.scale <= scale, let unscaled = number.unscaled(atScale: scale),
            unscaled.magnitude < powerOfTen(precision).magnitude
        else { return nil }
        return .decimal(unscaled: unscaled, scale: scale)
    case .float32, .float64:
        guard let number = DecimalLiteral(trimmed(text)), number.digits.count <= 15,
            let value = Double(trimmed(text)), value.isFinite, type == .float64
        else { return nil }
        return .float(value)
    case .date:
        guard let moment = plainMoment(text), moment.time == nil else { return nil }
        return .date(days: moment.days)
    case .timestamp:
        guard let moment = plainMoment(text), moment.offsetSeconds == nil else { return nil }
        return .timestamp(microseconds: moment.microseconds)
    case .timestampTZ:
        guard let moment = plainMoment(text) else { return nil }
        if moment.offsetSeconds == nil {
            guard let known = clock?.moment(ofLocal: moment.microseconds) else { return nil }
            return .timestampTZ(microseconds: known)
        }
        return .timestampTZ(microseconds: moment.microseconds)
    case .interval: return plainInterval(text).map { .interval($0) }
    case .uuid:
        guard let uuid = UUID128(text: trimmed(text)) else {
            throw malformed(text, type, position)
        }
        return .uuid(UInt128(uuid.high) << 64 | UInt128(uuid.low))
    case .list(let element):
        guard let items = plainListItems(text) else { return nil }
        var values: [Value] = []
        for item in items {
            guard let item else {
                values.append(.null)
                continue
            }
            guard let value = try literalValue(item, as: element, at: position, clock) else {
                return nil
            }
            values.append(value)
        }
        return .list(values)
    default: return nil
    }
}

private func malformed(_ text: String, _ type: ColumnType, _ position: Int) -> Problem {
    Problem(
        "22P02", "invalid input syntax for type \(type.plainName): \"\(text)\"",
        position: position)
}

private func trimmed(_ text: String) -> String {
    var bytes = Array(text.utf8)[...]
    while let first = bytes.first, first == 0x20 || (0x09...0x0D).contains(first) {
        bytes.removeFirst()
    }
    while let last = bytes.last, last == 0x20 || (0x09...0x0D).contains(last) {
        bytes.removeLast()
    }
    return String(decoding: bytes, as: UTF8.self)
}

private func booleanValue(_ text: String) -> Bool? {
    switch text.lowercased() {
    case "t", "tr", "tru", "true", "y", "ye", "yes", "on", "1": true
    case "f", "fa", "fal", "fals", "false", "n", "no", "of", "off", "0": false
    default: nil
    }
}

private func integerValue(
    _ text: String, _ type: ColumnType, _ position: Int
) throws(Problem) -> Value {
    let digits = trimmed(text)
    if let value = Int64(digits) {
        let range: ClosedRange<Int64> =
            switch type {
            case .int16: Int64(Int16.min)...Int64(Int16.max)
            case .int32: Int64(Int32.min)...Int64(Int32.max)
            default: Int64.min...Int64.max
            }
        if range.contains(value) { return .int(value) }
    } else {
        let unsigned = digits.hasPrefix("-") || digits.hasPrefix("+") ? 1 : 0
        let rest = digits.utf8.dropFirst(unsigned)
        guard !rest.isEmpty, rest.allSatisfy({ (0x30...0x39).contains($0) }) else {
            throw malformed(text, type, position)
        }
    }
    throw Problem(
        "22003", "value \"\(digits)\" is out of range for type \(type.plainName)",
        position: position)
}

// MARK: Decimals

/// A number as written, exactly.
struct DecimalLiteral {
    var isNegative = false
    /// Without point and leading zeros.
    var digits: [UInt8] = []
    /// Digits behind the point; negative after a positive exponent.
    var scale = 0

    init?(_ text: String) {
        var bytes = Array(text.utf8)[...]
        if let sign = bytes.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
            isNegative = sign == UInt8(ascii: "-")
            bytes.removeFirst()
        }
        var sawPoint = false
        var sawDigit = false
        while let byte = bytes.first {
            if byte == UInt8(ascii: "."), !sawPoint {
                sawPoint = true
            } else if (0x30...0x39).contains(byte) {
                sawDigit = true
                if !(digits.isEmpty && byte == 0x30) { digits.append(byte - 0x30) }
                if sawPoint { scale += 1 }
            } else {
                break
            }
            bytes.removeFirst()
        }
        guard sawDigit else { return nil }
        guard let mark = bytes.first else { return }
        guard mark | 0x20 == UInt8(ascii: "e"),
            let exponent = Int(String(decoding: bytes.dropFirst(), as: UTF8.self)),
            exponent.magnitude < 1000
        else { return nil }
        scale -= exponent
    }

    /// Half away from zero.
    mutating func round(toScale wanted: Int) {
        guard scale > wanted else { return }
        let excess = scale - wanted
        scale = wanted
        guard excess <= digits.count else {
            digits = []
            return
        }
        let roundsUp = digits[digits.count - excess] >= 5
        digits.removeLast(excess)
        guard roundsUp else { return }
        var index = digits.count - 1
        while index >= 0, digits[index] == 9 {
            digits[index] = 0
            index -= 1
        }
        if index >= 0 { digits[index] += 1 } else { digits.insert(1, at: 0) }
    }

    /// The number times 10^scale; nil when it has more than 38 digits.
    func unscaled(atScale wanted: Int) -> Int128? {
        let zeros = wanted - scale
        guard !digits.isEmpty else { return 0 }
        guard zeros >= 0, digits.count + zeros <= 38 else { return nil }
        let value = digits.reduce(Int128(0)) { $0 * 10 + Int128($1) } * powerOfTen(zeros)
        return isNegative ? 0 - value : value
    }
}

/// 10^exponent for 0…38.
func powerOfTen(_ exponent: Int) -> Int128 {
    var result: Int128 = 1
    for _ in 0..<min(max(exponent, 0), 38) { result *= 10 }
    return result
}

// MARK: Dates and times

/// `YYYY-MM-DD`, perhaps with `HH:MM[:SS[.ffffff]]` behind a blank or `T`, and `Z` or an offset.
struct PlainMoment {
    var days: Int32
    var time: Int64?
    var offsetSeconds: Int64?

    /// Since 1970-01-01, in UTC when there is an offset.
    var microseconds: Int64 {
        Int64(days) * 86_400_000_000 + (time ?? 0) - (offsetSeconds ?? 0) * 1_000_000
    }
}

private func plainMoment(_ text: String) -> PlainMoment? {
    var cursor = DigitCursor(bytes: Array(trimmed(text).utf8))
    guard let year = cursor.number(digits: 4), year > 0, cursor.skip("-"),
        let month = cursor.number(digits: 2), cursor.skip("-"),
        let day = cursor.number(digits: 2), let days = dayNumber(year, month, day)
    else { return nil }
    var moment = PlainMoment(days: Int32(days), time: nil, offsetSeconds: nil)
    if cursor.isAtEnd { return moment }
    guard cursor.skip(" ") || cursor.skip("T"), let hour = cursor.number(digits: 2),
        cursor.skip(":"), let minute = cursor.number(digits: 2), hour < 24, minute < 60
    else { return nil }
    var time = Int64(hour * 3600 + minute * 60) * 1_000_000
    if cursor.skip(":") {
        guard let second = cursor.number(digits: 2), second < 60 else { return nil }
        time += Int64(second) * 1_000_000
        if cursor.skip(".") {
            guard let fraction = cursor.fraction() else { return nil }
            time += fraction
        }
    }
    moment.time = time
    _ = cursor.skip(" ")
    if cursor.isAtEnd { return moment }
    if cursor.skip("Z") {
        moment.offsetSeconds = 0
    } else {
        let isWest = cursor.skip("-")
        guard isWest || cursor.skip("+"), let hours = cursor.number(digits: 2), hours < 16 else {
            return nil
        }
        var seconds = Int64(hours) * 3600
        if !cursor.isAtEnd {
            _ = cursor.skip(":")
            guard let minutes = cursor.number(digits: 2), minutes < 60 else { return nil }
            seconds += Int64(minutes) * 60
        }
        moment.offsetSeconds = isWest ? 0 - seconds : seconds
    }
    return cursor.isAtEnd ? moment : nil
}

private struct DigitCursor {
    var bytes: [UInt8]
    var index = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { index == bytes.count }

    mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard index < bytes.count, UInt32(bytes[index]) == character.value else { return false }
        index += 1
        return true
    }

    mutating func number(digits: Int) -> Int? {
        guard index + digits <= bytes.count else { return nil }
        var value = 0
        for byte in bytes[index..<index + digits] {
            guard (0x30...0x39).contains(byte) else { return nil }
            value = value * 10 + Int(byte - 0x30)
        }
        index += digits
        return value
    }

    /// Up to six digits as microseconds; more would have to be rounded.
    mutating func fraction() -> Int64? {
        var value: Int64 = 0
        var count = 0
        while index < bytes.count, (0x30...0x39).contains(bytes[index]) {
            guard count < 6 else { return nil }
            value = value * 10 + Int64(bytes[index] - 0x30)
            count += 1
            index += 1
        }
        guard count > 0 else { return nil }
        for _ in count..<6 { value *= 10 }
        return value
    }
}

/// Days since 1970-01-01 in the Gregorian calendar; nil when there is no such day.
private func dayNumber(_ year: Int, _ month: Int, _ day: Int) -> Int? {
    guard (1...12).contains(month), day >= 1 else { return nil }
    let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    guard day <= lengths[month - 1] else { return nil }
    // Years that begin in March put the leap day last.
    let shifted = month > 2 ? year : year - 1
    let monthFromMarch = (month + 9) % 12
    let dayOfYear = (153 * monthFromMarch + 2) / 5 + day - 1
    let era = shifted / 400
    let yearOfEra = shifted - era * 400
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
}

// MARK: Intervals

/// `5 minutes`, `1 day 2 hours`, `-3 mon`, `1 day 02:30:00`; whole numbers and seconds with a
/// fraction.
func plainInterval(_ text: String) -> Interval? {
    var months: Int64 = 0
    var days: Int64 = 0
    var microseconds: Int64 = 0
    let words = trimmed(text).lowercased().split { $0 == " " || $0 == "\t" }.map(String.init)
    guard !words.isEmpty else { return nil }
    var seen: [PlainUnit] = []
    var index = 0
    /// Whether the time is still far from its limits, so that no sum of two such can overflow.
    func adds(_ more: Int64) -> Bool {
        guard more.magnitude < 1 << 62 else { return false }
        microseconds += more
        return microseconds.magnitude < 1 << 62
    }
    while index < words.count {
        if words[index].contains(":") {
            // With units of the time it is an error that the engine words.
            guard !seen.contains(where: \.isOfTime), let time = clockTime(words[index]) else {
                return nil
            }
            seen += PlainUnit.allCases.filter(\.isOfTime)
            guard adds(time) else { return nil }
            index += 1
            continue
        }
        let (amountText, unitText): (String, String)
        if let split = words[index].firstIndex(where: { $0.isLetter }),
            split != words[index].startIndex
        {
            amountText = String(words[index][..<split])
            unitText = String(words[index][split...])
            index += 1
        } else {
            guard index + 1 < words.count else { return nil }
            amountText = words[index]
            unitText = words[index + 1]
            index += 2
        }
        // A unit that comes twice is an error that the engine words.
        guard let unit = intervalUnit(unitText), !seen.contains(unit) else { return nil }
        seen.append(unit)
        if unit == .second, amountText.contains(".") {
            guard var number = DecimalLiteral(amountText) else { return nil }
            number.round(toScale: 6)
            guard let value = number.unscaled(atScale: 6), let exact = Int64(exactly: value),
                adds(exact)
            else { return nil }
            continue
        }
        guard let amount = Int64(amountText), amount.magnitude < 1_000_000_000 else { return nil }
        var time: Int64 = 0
        switch unit {
        case .year: months += amount * 12
        case .month: months += amount
        case .week: days += amount * 7
        case .day: days += amount
        case .hour: time = amount * 3_600_000_000
        case .minute: time = amount * 60_000_000
        case .second: time = amount * 1_000_000
        case .millisecond: time = amount * 1000
        case .microsecond: time = amount
        }
        guard adds(time) else { return nil }
    }
    guard let wholeMonths = Int32(exactly: months), let wholeDays = Int32(exactly: days) else {
        return nil
    }
    return Interval(months: wholeMonths, days: wholeDays, microseconds: microseconds)
}

private enum PlainUnit: CaseIterable {
    case year, month, week, day, hour, minute, second, millisecond, microsecond

    var isOfTime: Bool {
        switch self {
        case .year, .month, .week, .day: false
        case .hour, .minute, .second, .millisecond, .microsecond: true
        }
    }
}

private func intervalUnit(_ text: String) -> PlainUnit? {
    switch text {
    case "year", "years", "yr", "yrs", "y": .year
    case "month", "months", "mon", "mons": .month
    case "week", "weeks", "w": .week
    case "day", "days", "d": .day
    case "hour", "hours", "hr", "hrs", "h": .hour
    case "minute", "minutes", "min", "mins", "m": .minute
    case "second", "seconds", "sec", "secs", "s": .second
    case "millisecond", "milliseconds", "ms", "msec", "msecs": .millisecond
    case "microsecond", "microseconds", "us", "usec", "usecs": .microsecond
    default: nil
    }
}

private func clockTime(_ text: String) -> Int64? {
    let isNegative = text.hasPrefix("-")
    let parts = (isNegative ? String(text.dropFirst()) : text)
        .split(separator: ":", omittingEmptySubsequences: false)
    guard (2...3).contains(parts.count), let hours = Int64(parts[0]), let minutes = Int64(parts[1]),
        (0..<1_000_000).contains(hours), (0..<60).contains(minutes)
    else { return nil }
    var total = (hours * 60 + minutes) * 60_000_000
    if parts.count == 3 {
        guard var seconds = DecimalLiteral(String(parts[2])), !seconds.isNegative else {
            return nil
        }
        seconds.round(toScale: 6)
        guard let value = seconds.unscaled(atScale: 6), value < 60_000_000 else { return nil }
        total += Int64(value)
    }
    return isNegative ? 0 - total : total
}

// MARK: Lists

/// `{a,b,"c d",NULL}` in one dimension; nil when it is something else.
private func plainListItems(_ text: String) -> [String?]? {
    let bytes = Array(trimmed(text).utf8)
    guard bytes.first == UInt8(ascii: "{"), bytes.last == UInt8(ascii: "}"), bytes.count >= 2
    else { return nil }
    if bytes.dropFirst().dropLast().allSatisfy({ $0 == 0x20 }) { return [] }
    var items: [String?] = []
    var item: [UInt8] = []
    var isQuoted = false
    var wasQuoted = false
    var index = 1
    while index < bytes.count - 1 {
        let byte = bytes[index]
        index += 1
        switch byte {
        case UInt8(ascii: "\\"):
            guard index < bytes.count - 1 else { return nil }
            item.append(bytes[index])
            index += 1
        case UInt8(ascii: "\""):
            isQuoted.toggle()
            wasQuoted = true
        case UInt8(ascii: ",") where !isQuoted:
            items.append(listItem(item, wasQuoted))
            item = []
            wasQuoted = false
        case UInt8(ascii: "{") where !isQuoted, UInt8(ascii: "}") where !isQuoted: return nil
        default: item.append(byte)
        }
    }
    guard !isQuoted else { return nil }
    items.append(listItem(item, wasQuoted))
    return items
}

private func listItem(_ bytes: [UInt8], _ wasQuoted: Bool) -> String? {
    let text = String(decoding: bytes, as: UTF8.self)
    if wasQuoted { return text }
    let bare = trimmed(text)
    return bare.lowercased() == "null" ? nil : bare
}
