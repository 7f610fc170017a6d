import Base
import Columns

extension DateTimePattern {
    /// What a text says in the places that the pattern names.
    private struct Found {
        var year: Int?
        var isBC = false
        var month = 1
        var day = 1
        var dayOfYear: Int?
        var julian: Int?
        var hour = 0
        var isTwelveHour = false
        var isAfternoon: Bool?
        var minute = 0
        var second = 0
        var micro = 0
        var secondOfDay: Int?
        var century: Int?
        var isoYear: Int?
        var isoWeek: Int?
        var isoDay: Int?
        var isoDayOfYear: Int?
        /// Of the year, and of the month.
        var week: Int?
        var weekOfMonth: Int?
        var zoneMinutes = 0
    }

    /// The day and the time that `text` says. Separators in text and pattern stand for each other;
    /// what is behind the pattern's last field is ignored.
    func parse(_ text: String) throws(Problem) -> (day: Int, time: Int64) {
        let bytes = Array(text.utf8)
        return try bytes.withUnsafeBufferPointer {
            (buffer) throws(Problem) -> (day: Int, time: Int64) in
            var cursor = ByteCursor(UnsafeRawBufferPointer(buffer))
            var found = Found()
            for (index, item) in items.enumerated() {
                try read(item, isFollowedByDigits(index), &cursor, &found)
            }
            return try moment(found, text)
        }
    }

    private func isFollowedByDigits(_ index: Int) -> Bool {
        guard index + 1 < items.count else { return false }
        switch items[index + 1].element {
        case .literal, .monthName, .monthShort, .dayName, .dayShort, .meridiem, .era, .zoneName:
            return false
        default: return true
        }
    }

    private func read(
        _ item: Item, _ isFollowedByDigits: Bool, _ cursor: inout ByteCursor,
        _ found: inout Found
    ) throws(Problem) {
        func invalid(_ cursor: ByteCursor) -> Problem {
            let rest = cursor.bytes[min(cursor.index, cursor.bytes.count)...].prefix(20)
            return Problem(
                "22007",
                "invalid value \"\(String(decoding: rest, as: UTF8.self))\" for \"\(item.name)\"")
        }
        func number(_ width: Int) throws(Problem) -> Int {
            cursor.skipSpaces()
            let isNegative = cursor.next == 0x2D
            if isNegative || cursor.next == 0x2B { cursor.index += 1 }
            let (value, digits) = cursor.number(limit: isFollowedByDigits ? width : 9)
            if digits == 0 {
                if cursor.isAtEnd { return 0 }
                throw invalid(cursor)
            }
            return isNegative ? -value : value
        }
        func skipSeparators() {
            while !cursor.isAtEnd, !cursor.isDigit, !cursor.isLetter, cursor.next != 0x2D,
                cursor.next != 0x2B
            {
                cursor.index += 1
            }
        }
        /// A year of `digits` digits; fewer than four are completed.
        func year(_ digits: Int) throws(Problem) -> Int {
            skipSeparators()
            let start = cursor.index
            let value = try number(digits)
            return digits == 4
                ? value : Self.completed(value, digits: min(digits, cursor.index - start))
        }
        switch item.element {
        case .literal(let text):
            for byte in text.utf8 {
                if cursor.isAtEnd { return }
                let isSeparator = !((byte | 0x20) &- 0x61 < 26 || byte &- 0x30 < 10)
                if isSeparator {
                    if !cursor.isDigit && !cursor.isLetter { cursor.index += 1 }
                } else {
                    cursor.index += 1
                }
            }
        case .year(let digits): found.year = try year(digits)
        case .yearWithComma:
            let thousands = try number(1)
            _ = cursor.take(0x2C)
            found.year = thousands * 1000 + (try number(3))
        case .monthNumber: found.month = try number(2)
        case .monthName, .monthShort:
            cursor.skipSpaces()
            guard let month = DateTimeParser.month(named: cursor.word()) else {
                throw invalid(cursor)
            }
            found.month = month
        case .dayName, .dayShort:
            cursor.skipSpaces()
            if cursor.word().isEmpty { throw invalid(cursor) }
        case .day: found.day = try number(2)
        case .dayOfYear: found.dayOfYear = try number(3)
        case .julian: found.julian = try number(8)
        case .dayOfWeek, .quarter: _ = try number(1)
        case .isoDayOfWeek: found.isoDay = try number(1)
        case .week: found.week = try number(2)
        case .weekOfMonth: found.weekOfMonth = try number(1)
        case .isoWeek: found.isoWeek = try number(2)
        case .isoDayOfYear: found.isoDayOfYear = try number(3)
        case .century: found.century = try number(2)
        case .isoYear(let digits): found.isoYear = try year(digits)
        case .romanMonth:
            cursor.skipSpaces()
            let letters = cursor.word()
            guard let month = Self.romanMonths.firstIndex(of: letters) else {
                throw invalid(cursor)
            }
            found.month = month + 1
        case .hour24: found.hour = try number(2)
        case .hour12:
            found.hour = try number(2)
            found.isTwelveHour = true
        case .minute: found.minute = try number(2)
        case .second: found.second = try number(2)
        case .secondOfDay: found.secondOfDay = try number(5)
        case .milliseconds, .microseconds, .fraction:
            cursor.skipSpaces()
            var value = 0
            var digits = 0
            while cursor.isDigit {
                if digits < 6 { value = value * 10 + Int(cursor.next - 0x30) }
                digits += 1
                cursor.index += 1
            }
            while digits < 6 {
                value *= 10
                digits += 1
            }
            found.micro = value
        case .meridiem:
            cursor.skipSpaces()
            guard cursor.isLetter else { throw invalid(cursor) }
            found.isAfternoon = cursor.next | 0x20 == 0x70
            while cursor.isLetter || cursor.next == 0x2E { cursor.index += 1 }
        case .era:
            cursor.skipSpaces()
            found.isBC = cursor.next | 0x20 == 0x62
            while cursor.isLetter || cursor.next == 0x2E { cursor.index += 1 }
        case .zoneName, .zoneOffset:
            throw Problem(
                "0A000", "formatting field \"\(item.name)\" is only supported in to_char")
        case .zoneHours:
            cursor.skipSpaces()
            if let seconds = DateTimeText.offset(&cursor) {
                found.zoneMinutes = seconds / 60
            } else if !["z", "utc", "gmt"].contains(cursor.word()) {
                throw invalid(cursor)
            }
        case .zoneMinutes:
            let minutes = try number(2)
            found.zoneMinutes += found.zoneMinutes < 0 ? -minutes : minutes
        }
        if item.ordinal != nil {
            for _ in 0..<2 where cursor.isLetter { cursor.index += 1 }
        }
    }

    private static let romanMonths = [
        "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii",
    ]

    /// Years of fewer digits lie nearest to 2020.
    private static func completed(_ value: Int, digits: Int) -> Int {
        switch digits {
        case 1: value + 2000
        case 2: value < 70 ? value + 2000 : value + 1900
        case 3: value < 100 ? value + 2000 : value + 1000
        default: value
        }
    }

    private func moment(_ found: Found, _ text: String) throws(Problem) -> (day: Int, time: Int64) {
        func outOfRange() -> Problem { SQLErrors.dateTimeOutOfRange(text) }
        var hour = found.hour
        if found.isTwelveHour || found.isAfternoon != nil {
            guard hour >= 1 || found.isAfternoon == nil, hour <= 12 else {
                throw Problem(
                    "22007", "hour \"\(hour)\" is invalid for the 12-hour clock",
                    hint: "Use the 24-hour clock, or give an hour between 1 and 12.")
            }
            if found.isAfternoon == true, hour < 12 { hour += 12 }
            if found.isAfternoon == false, hour == 12 { hour = 0 }
        }
        guard hour >= 0, hour < 24, found.minute >= 0, found.minute < 60, found.second >= 0,
            found.second < 60
        else { throw outOfRange() }
        let seconds = found.secondOfDay ?? (hour * 60 + found.minute) * 60 + found.second
        guard seconds >= 0, seconds < 86_400 else { throw outOfRange() }
        let time =
            Int64(seconds - found.zoneMinutes * 60) * 1_000_000 + Int64(found.micro)
        if let julian = found.julian { return (julian - 2_440_588, time) }
        if found.isoYear != nil || found.isoWeek != nil {
            guard found.year == nil, found.dayOfYear == nil else {
                throw Problem(
                    "22007", "invalid combination of date conventions",
                    hint: "Do not mix Gregorian and ISO week date conventions in a formatting "
                        + "template.")
            }
            return (try isoDay(found), time)
        }
        var year = found.year ?? found.century.map { ($0 - 1) * 100 + 1 } ?? 0
        if found.isBC { year = 1 - year }
        guard abs(year) < 300_000 else { throw outOfRange() }
        // Without a year it is 1 BC, as in PostgreSQL.
        if let dayOfYear = found.dayOfYear {
            guard dayOfYear >= 1, dayOfYear <= (CalendarMath.isLeap(year) ? 366 : 365) else {
                throw outOfRange()
            }
            let first = CalendarMath.days(CivilDate(year: year, month: 1, day: 1))
            return (first + dayOfYear - 1, time)
        }
        // Zero is what was not said.
        let month = found.month == 0 ? 1 : found.month
        var day = found.day == 0 ? 1 : found.day
        if let week = found.week {
            let first = CalendarMath.days(CivilDate(year: year, month: 1, day: 1))
            return (first + (max(week, 1) - 1) * 7, time)
        }
        if let week = found.weekOfMonth { day = (max(week, 1) - 1) * 7 + 1 }
        guard month >= 1, month <= 12, day >= 1,
            day <= CalendarMath.daysInMonth(year: year, month: month)
        else { throw outOfRange() }
        return (
            CalendarMath.days(CivilDate(year: year, month: month, day: day)), time
        )
    }

    /// The day of a year of weeks.
    private func isoDay(_ found: Found) throws(Problem) -> Int {
        let year = found.isoYear ?? 0
        guard abs(year) < 300_000 else { throw SQLErrors.timestampOutOfRange }
        // The 4th of January lies in the first week.
        let fourth = CalendarMath.days(CivilDate(year: year, month: 1, day: 4))
        let monday = fourth - (CalendarMath.dayOfWeek(fourth) + 6) % 7
        if let day = found.isoDayOfYear { return monday + day - 1 }
        let week = found.isoWeek ?? 1
        guard (1...53).contains(week) else { throw SQLErrors.timestampOutOfRange }
        return monday + (week - 1) * 7 + max(found.isoDay ?? 1, 1) - 1
    }
}
