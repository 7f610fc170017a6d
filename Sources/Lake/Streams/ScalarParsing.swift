// Numbers and moments from the text of a JSON value, without building strings. Anything unusual is
// refused with nil, and the row says so.

import Base

/// A whole number; "1e3" and "5.0" are accepted when they are whole.
func parseInteger(_ raw: UnsafeRawBufferPointer) -> Int64? {
    var index = 0
    let negative = raw.first == 0x2D
    if negative { index = 1 }
    guard index < raw.count else { return nil }
    var value: Int64 = 0
    while index < raw.count {
        let digit = raw[index] &- 0x30
        guard digit <= 9 else { return parseUnusualInteger(raw) }
        let (product, overflow) = value.multipliedReportingOverflow(by: 10)
        let (sum, carry) =
            negative
            ? product.subtractingReportingOverflow(Int64(digit))
            : product.addingReportingOverflow(Int64(digit))
        if overflow || carry { return nil }
        value = sum
        index += 1
    }
    return value
}

@inline(never)
private func parseUnusualInteger(_ raw: UnsafeRawBufferPointer) -> Int64? {
    guard let value = parseDouble(raw), abs(value) < 9_007_199_254_740_992,
        value == value.rounded()
    else { return nil }
    return Int64(value)
}

/// A finite double. Up to 15 digits with a small exponent are exact by one multiplication or
/// division; the rest goes to the C library.
func parseDouble(_ raw: UnsafeRawBufferPointer) -> Double? {
    var mantissa: Int64 = 0
    var digits = 0
    var fraction = 0
    var index = raw.first == 0x2D ? 1 : 0
    var seenPoint = false
    while index < raw.count {
        let byte = raw[index]
        if byte == 0x2E, !seenPoint {
            seenPoint = true
        } else if byte &- 0x30 <= 9, digits < 15 {
            mantissa = mantissa * 10 + Int64(byte - 0x30)
            digits += 1
            if seenPoint { fraction += 1 }
        } else {
            return parseUnusualDouble(raw)
        }
        index += 1
    }
    guard digits > 0 else { return nil }
    let magnitude = Double(mantissa) / powersOfTen[fraction]
    return raw.first == 0x2D ? -magnitude : magnitude
}

@inline(never)
private func parseUnusualDouble(_ raw: UnsafeRawBufferPointer) -> Double? {
    guard let value = Double(String(decoding: raw, as: UTF8.self)), value.isFinite else {
        return nil
    }
    return value
}

private let powersOfTen: [Double] = [
    1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
]

/// A decimal scaled by 10^scale, rounded half away from zero; nil when it needs more digits than
/// `precision`.
func parseDecimal(_ raw: UnsafeRawBufferPointer, precision: Int, scale: Int) -> Int128? {
    let negative = raw.first == 0x2D
    var value: Int128 = 0
    var fraction = 0
    var seenPoint = false
    var seenDigit = false
    var roundUp = false
    for byte in raw.dropFirst(negative ? 1 : 0) {
        if byte == 0x2E, !seenPoint {
            seenPoint = true
            continue
        }
        let digit = byte &- 0x30
        guard digit <= 9 else { return nil }
        seenDigit = true
        if seenPoint {
            fraction += 1
            if fraction == scale + 1 { roundUp = digit >= 5 }
            if fraction > scale { continue }
        }
        let (product, overflow) = value.multipliedReportingOverflow(by: 10)
        if overflow { return nil }
        value = product + Int128(digit)
    }
    guard seenDigit else { return nil }
    while fraction < scale {
        let (product, overflow) = value.multipliedReportingOverflow(by: 10)
        if overflow { return nil }
        value = product
        fraction += 1
    }
    if roundUp { value += 1 }
    var bound: Int128 = 1
    for _ in 0..<min(precision, 38) { bound *= 10 }
    guard value < bound else { return nil }
    return negative ? -value : value
}

private func daysIn(month: Int, of year: Int) -> Int {
    switch month {
    case 2: (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
}

/// Reads digits, one place after the other.
private struct DigitCursor {
    let raw: UnsafeRawBufferPointer
    var index = 0

    init(raw: UnsafeRawBufferPointer) { self.raw = raw }

    var next: UInt8? { index < raw.count ? raw[index] : nil }

    mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        index += 1
        return true
    }

    mutating func number(digits: Int) -> Int? {
        guard index + digits <= raw.count else { return nil }
        var value = 0
        for _ in 0..<digits {
            let digit = raw[index] &- 0x30
            guard digit <= 9 else { return nil }
            value = value * 10 + Int(digit)
            index += 1
        }
        return value
    }

    /// `YYYY-MM-DD` as days since 1970-01-01.
    mutating func date() -> Int? {
        guard let year = number(digits: 4), take(0x2D), let month = number(digits: 2),
            take(0x2D), let day = number(digits: 2), year >= 1, month >= 1, month <= 12, day >= 1,
            day <= daysIn(month: month, of: year)
        else { return nil }
        return daysSinceEpoch(year: year, month: month, day: day)
    }
}

func parseDate(_ raw: UnsafeRawBufferPointer) -> Int32? {
    var cursor = DigitCursor(raw: raw)
    guard let days = cursor.date(), cursor.next == nil else { return nil }
    return Int32(days)
}

/// Microseconds since 1970-01-01 of an ISO 8601 moment: `YYYY-MM-DD`, then `T` or a space,
/// `HH:MM[:SS[.ffffff…]]`, then `Z`, `±HH[[:]MM]` or nothing (UTC). Without `zoned` the zone is
/// read and ignored, as PostgreSQL does for `timestamp`.
func parseTimestamp(_ raw: UnsafeRawBufferPointer, zoned: Bool) -> Int64? {
    var cursor = DigitCursor(raw: raw)
    guard let days = cursor.date() else { return nil }
    var seconds = days * 86_400
    var microseconds = 0
    if cursor.next == nil { return Int64(seconds) * 1_000_000 }
    guard cursor.take(0x54) || cursor.take(0x20) || cursor.take(0x74) else { return nil }
    guard let hour = cursor.number(digits: 2), cursor.take(0x3A),
        let minute = cursor.number(digits: 2), hour <= 24, minute <= 59
    else { return nil }
    seconds += hour * 3600 + minute * 60
    if cursor.take(0x3A) {
        guard let second = cursor.number(digits: 2), second <= 60 else { return nil }
        seconds += second
        if cursor.take(0x2E) {
            var scale = 100_000
            guard cursor.number(digits: 1) != nil else { return nil }
            cursor.index -= 1
            while let byte = cursor.next, byte &- 0x30 <= 9 {
                microseconds += Int(byte - 0x30) * scale
                scale /= 10
                cursor.index += 1
            }
        }
    }
    if !cursor.take(0x5A), !cursor.take(0x7A), let sign = cursor.next {
        guard sign == 0x2B || sign == 0x2D else { return nil }
        cursor.index += 1
        guard let hours = cursor.number(digits: 2), hours <= 15 else { return nil }
        var offset = hours * 3600
        if cursor.next != nil {
            _ = cursor.take(0x3A)
            guard let minutes = cursor.number(digits: 2), minutes <= 59 else { return nil }
            offset += minutes * 60
        }
        if zoned { seconds -= sign == 0x2B ? offset : -offset }
    }
    guard cursor.next == nil else { return nil }
    return Int64(seconds) * 1_000_000 + Int64(microseconds)
}
