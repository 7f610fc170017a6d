// The template patterns of to_char, to_timestamp and to_date.

import Base
import Columns

/// What patterns write: a moment or an interval in its parts.
struct DateTimeFields {
    var date: CivilDate
    /// nil for intervals, which have no calendar.
    var days: Int?
    var hour: Int
    var minute: Int
    var second: Int
    var micro: Int
    var isInfinite = false
    /// Of timestamps without time zone there is none.
    var hasZone = false
    var zone = ZoneOffset(seconds: 0, abbreviation: "UTC")

    /// `moment` is what the clock of the zone shows.
    init(moment: Int64, hasZone: Bool = false) {
        self.hasZone = hasZone
        isInfinite = DateTimeKernels.isInfinite(moment)
        let (days, time) = isInfinite ? (0, 0) : CalendarMath.split(moment)
        self.days = days
        date = CalendarMath.civil(days)
        let seconds = Int(time / 1_000_000)
        (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60)
        micro = Int(time % 1_000_000)
    }

    init(_ interval: Interval) {
        days = nil
        date = CivilDate(
            year: Int(interval.months / 12), month: Int(interval.months % 12),
            day: Int(interval.days))
        let seconds = interval.microseconds / 1_000_000
        hour = Int(seconds / 3600)
        minute = Int(seconds / 60 % 60)
        second = Int(seconds % 60)
        micro = Int(interval.microseconds % 1_000_000)
    }
}

struct DateTimePattern {
    enum Letters { case upper, capitalized, lower }

    enum Element {
        case literal(String)
        /// Number of the year with this many digits.
        case year(Int), isoYear(Int), yearWithComma
        case monthName(Letters), monthShort(Letters), monthNumber, romanMonth(Letters)
        case dayName(Letters), dayShort(Letters)
        case dayOfYear, isoDayOfYear, day, dayOfWeek, isoDayOfWeek
        case hour24, hour12, minute, second, secondOfDay
        /// Digits of the fraction of a second.
        case fraction(Int)
        case milliseconds, microseconds
        case meridiem(Letters, dotted: Bool)
        case quarter, week, isoWeek, weekOfMonth, century, julian
        case zoneName(Letters), zoneOffset, zoneHours, zoneMinutes
        case era(Letters, dotted: Bool)
    }

    struct Item {
        var element: Element
        /// `FM`: no padding.
        var fills = true
        /// `TH` or `th` behind the number.
        var ordinal: Letters?
        /// As written, for messages.
        var name: String
    }

    let items: [Item]

    /// Whether a text says how far its zone is from UTC.
    var namesZone: Bool {
        items.contains {
            switch $0.element {
            case .zoneHours, .zoneMinutes: true
            default: false
            }
        }
    }

    /// Keywords, longer ones before those that they begin with.
    private static let keywords: [(String, Element)] = [
        ("Y,YYY", .yearWithComma), ("YYYY", .year(4)), ("YYY", .year(3)), ("YY", .year(2)),
        ("Y", .year(1)), ("IYYY", .isoYear(4)), ("IYY", .isoYear(3)), ("IY", .isoYear(2)),
        ("IDDD", .isoDayOfYear), ("ID", .isoDayOfWeek), ("IW", .isoWeek), ("I", .isoYear(1)),
        ("MONTH", .monthName(.upper)), ("Month", .monthName(.capitalized)),
        ("month", .monthName(.lower)), ("MON", .monthShort(.upper)),
        ("Mon", .monthShort(.capitalized)), ("mon", .monthShort(.lower)), ("MM", .monthNumber),
        ("MI", .minute), ("MS", .milliseconds), ("DAY", .dayName(.upper)),
        ("Day", .dayName(.capitalized)), ("day", .dayName(.lower)), ("DDD", .dayOfYear),
        ("DD", .day), ("DY", .dayShort(.upper)), ("Dy", .dayShort(.capitalized)),
        ("dy", .dayShort(.lower)), ("D", .dayOfWeek), ("HH24", .hour24), ("HH12", .hour12),
        ("HH", .hour12), ("SSSSS", .secondOfDay), ("SSSS", .secondOfDay), ("SS", .second),
        ("US", .microseconds), ("FF1", .fraction(1)), ("FF2", .fraction(2)),
        ("FF3", .fraction(3)), ("FF4", .fraction(4)), ("FF5", .fraction(5)),
        ("FF6", .fraction(6)), ("AM", .meridiem(.upper, dotted: false)),
        ("PM", .meridiem(.upper, dotted: false)), ("am", .meridiem(.lower, dotted: false)),
        ("pm", .meridiem(.lower, dotted: false)), ("A.M.", .meridiem(.upper, dotted: true)),
        ("P.M.", .meridiem(.upper, dotted: true)), ("a.m.", .meridiem(.lower, dotted: true)),
        ("p.m.", .meridiem(.lower, dotted: true)), ("Q", .quarter), ("WW", .week),
        ("W", .weekOfMonth), ("CC", .century), ("J", .julian), ("TZH", .zoneHours),
        ("TZM", .zoneMinutes), ("TZ", .zoneName(.upper)), ("tz", .zoneName(.lower)),
        ("OF", .zoneOffset), ("BC", .era(.upper, dotted: false)),
        ("AD", .era(.upper, dotted: false)), ("bc", .era(.lower, dotted: false)),
        ("ad", .era(.lower, dotted: false)), ("B.C.", .era(.upper, dotted: true)),
        ("A.D.", .era(.upper, dotted: true)), ("RM", .romanMonth(.upper)),
        ("rm", .romanMonth(.lower)),
    ]

    /// Keywords of numbers may also be written in lower case.
    private static let lowercaseKeywords: [(String, Element)] = keywords.filter {
        switch $0.1 {
        case .monthName, .monthShort, .dayName, .dayShort, .meridiem, .zoneName, .era, .romanMonth:
            false
        default: true
        }
    }.map { ($0.0.lowercased(), $0.1) }

    init(_ text: String) throws(Problem) {
        guard text.utf8.count <= 1024 else {
            throw SQLErrors.invalidParameter("a date and time pattern has at most 1024 bytes")
        }
        var items: [Item] = []
        var rest = text[...]
        func literal(_ text: String) {
            if let last = items.last, case .literal(let before) = last.element {
                items[items.count - 1].element = .literal(before + text)
            } else {
                items.append(Item(element: .literal(text), name: text))
            }
        }
        var fills = true
        while let first = rest.first {
            // Names are in no language but English; `TM` leaves padding away, as `FM` does.
            if rest.hasPrefix("FM") || rest.hasPrefix("fm") || rest.hasPrefix("TM")
                || rest.hasPrefix("tm")
            {
                fills = false
                rest.removeFirst(2)
                continue
            }
            if rest.hasPrefix("FX") {
                rest.removeFirst(2)
                continue
            }
            if first == "\"" {
                rest.removeFirst()
                let end = rest.firstIndex(of: "\"") ?? rest.endIndex
                literal(String(rest[..<end]))
                rest = rest[end...].dropFirst()
                continue
            }
            if first == "\\", rest.count > 1 {
                rest.removeFirst()
                literal(String(rest.removeFirst()))
                continue
            }
            let found =
                Self.keywords.first { rest.hasPrefix($0.0) }
                ?? Self.lowercaseKeywords.first { rest.hasPrefix($0.0) }
            guard let (name, element) = found else {
                literal(String(rest.removeFirst()))
                continue
            }
            rest.removeFirst(name.count)
            var item = Item(element: element, fills: fills, name: name)
            fills = true
            if rest.hasPrefix("TH") { item.ordinal = .upper }
            if rest.hasPrefix("th") { item.ordinal = .lower }
            if item.ordinal != nil { rest.removeFirst(2) }
            items.append(item)
        }
        self.items = items
    }

    /// Refuses what only calendar dates have.
    func checkForIntervals() throws(Problem) {
        for item in items {
            switch item.element {
            case .monthName, .monthShort, .dayName, .dayShort, .dayOfWeek, .isoDayOfWeek, .era,
                .zoneName, .zoneOffset, .zoneHours, .zoneMinutes:
                throw Problem(
                    "22007", "invalid format specification for an interval value",
                    hint: "Intervals are not tied to specific calendar dates.")
            default: break
            }
        }
    }

    // MARK: Writing

    func format(_ fields: DateTimeFields) -> String {
        var output = ""
        for item in items { output += text(item, fields) }
        return output
    }

    private func text(_ item: Item, _ fields: DateTimeFields) -> String {
        func number(_ value: Int, _ width: Int) -> String {
            let digits = String(value.magnitude)
            let padding = item.fills ? max(0, width - digits.utf8.count) : 0
            var text = (value < 0 ? "-" : "") + String(repeating: "0", count: padding) + digits
            if let ordinal = item.ordinal { text += Self.ordinalSuffix(value, ordinal) }
            return text
        }
        func name(_ name: String, _ letters: Letters, width: Int) -> String {
            let padding = item.fills ? max(0, width - name.utf8.count) : 0
            return Self.cased(name, letters) + String(repeating: " ", count: padding)
        }
        let days = fields.days ?? 0
        let year =
            fields.days == nil || fields.date.year > 0 ? fields.date.year : 1 - fields.date.year
        let month = fields.date.month
        switch item.element {
        case .literal(let text): return text
        case .year(4): return number(year, 4)
        case .year(let digits): return number(year % Self.power(digits), digits)
        case .yearWithComma:
            return "\(year / 1000)," + String(String(1000 + year % 1000).dropFirst())
        case .isoYear(let digits):
            var isoYear = fields.days == nil ? year : CalendarMath.isoWeek(days).year
            if isoYear <= 0, fields.days != nil { isoYear = 1 - isoYear }
            return number(digits == 4 ? isoYear : isoYear % Self.power(digits), digits)
        case .monthName(let letters):
            return month < 1 ? "" : name(DateTimeParser.months[month - 1], letters, width: 9)
        case .monthShort(let letters):
            let full = month < 1 ? "" : DateTimeParser.months[month - 1]
            return Self.cased(String(full.prefix(3)), letters)
        case .monthNumber: return number(month, 2)
        case .romanMonth(let letters):
            return month < 1 ? "" : name(Self.roman[month - 1], letters, width: 4)
        case .dayName(let letters):
            return name(
                DateTimeParser.weekdays[CalendarMath.dayOfWeek(days)], letters, width: 9)
        case .dayShort(let letters):
            let full = DateTimeParser.weekdays[CalendarMath.dayOfWeek(days)]
            return Self.cased(String(full.prefix(3)), letters)
        case .dayOfYear:
            return number(
                fields.days == nil
                    ? fields.date.year * 360 + month * 30 + fields.date.day
                    : CalendarMath.dayOfYear(days), 3)
        case .isoDayOfYear:
            let weekday = (CalendarMath.dayOfWeek(days) + 6) % 7
            return number((CalendarMath.isoWeek(days).week - 1) * 7 + weekday + 1, 3)
        case .day: return number(fields.date.day, 2)
        case .dayOfWeek: return number(CalendarMath.dayOfWeek(days) + 1, 1)
        case .isoDayOfWeek: return number((CalendarMath.dayOfWeek(days) + 6) % 7 + 1, 1)
        case .hour24: return number(fields.hour, 2)
        case .hour12:
            let hour = fields.hour % 12
            return number(hour == 0 ? 12 : hour, 2)
        case .minute: return number(fields.minute, 2)
        case .second: return number(fields.second, 2)
        case .secondOfDay:
            return number((fields.hour * 60 + fields.minute) * 60 + fields.second, 1)
        case .fraction(let digits):
            return Self.leadingZeros(fields.micro / Self.power(6 - digits), digits)
        case .milliseconds: return Self.leadingZeros(fields.micro / 1000, 3)
        case .microseconds: return Self.leadingZeros(fields.micro, 6)
        case .meridiem(let letters, let dotted):
            let isMorning = fields.hour % 24 < 12
            let plain = dotted ? (isMorning ? "a.m." : "p.m.") : (isMorning ? "am" : "pm")
            return letters == .upper ? plain.uppercased() : plain
        case .quarter: return month < 1 ? "" : number((month - 1) / 3 + 1, 1)
        case .week:
            let dayOfYear =
                fields.days == nil
                ? fields.date.year * 360 + month * 30 + fields.date.day
                : CalendarMath.dayOfYear(days)
            return number((dayOfYear - 1) / 7 + 1, 2)
        case .isoWeek: return number(CalendarMath.isoWeek(days).week, 2)
        case .weekOfMonth: return number((fields.date.day - 1) / 7 + 1, 1)
        case .century where fields.days == nil: return number(year / 100, 2)
        case .century:
            return number(DateTimeUnit.century.dateField(days) ?? 0, 2)
        case .julian: return number(days + 2_440_588, 1)
        case .zoneName(let letters):
            guard fields.hasZone else { return "" }
            return letters == .upper
                ? fields.zone.abbreviation.uppercased() : fields.zone.abbreviation.lowercased()
        case .zoneOffset:
            var output: [UInt8] = []
            DateTimeText.append(
                zoneSeconds: fields.zone.seconds / 60 * 60, hasMinutes: false, to: &output)
            return String(decoding: output, as: UTF8.self)
        case .zoneHours:
            let hours = Int(fields.zone.seconds.magnitude) / 3600
            return (fields.zone.seconds < 0 ? "-" : "+") + Self.leadingZeros(hours, 2)
        case .zoneMinutes:
            return Self.leadingZeros(Int(fields.zone.seconds.magnitude) / 60 % 60, 2)
        case .era(let letters, let dotted):
            let isBefore = fields.days != nil && fields.date.year <= 0
            let plain = dotted ? (isBefore ? "b.c." : "a.d.") : (isBefore ? "bc" : "ad")
            return letters == .upper ? plain.uppercased() : plain
        }
    }

    private static let roman = [
        "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii",
    ]

    private static func power(_ digits: Int) -> Int { (0..<digits).reduce(1) { p, _ in p * 10 } }

    private static func leadingZeros(_ value: Int, _ width: Int) -> String {
        let digits = String(value.magnitude)
        return (value < 0 ? "-" : "")
            + String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }

    private static func cased(_ lower: String, _ letters: Letters) -> String {
        switch letters {
        case .lower: lower
        case .upper: lower.uppercased()
        case .capitalized: lower.prefix(1).uppercased() + lower.dropFirst()
        }
    }

    private static func ordinalSuffix(_ value: Int, _ letters: Letters) -> String {
        let last = Int(value.magnitude % 100)
        let suffix =
            switch (last / 10, last % 10) {
            case (1, _): "th"
            case (_, 1): "st"
            case (_, 2): "nd"
            case (_, 3): "rd"
            default: "th"
            }
        return letters == .upper ? suffix.uppercased() : suffix
    }
}
