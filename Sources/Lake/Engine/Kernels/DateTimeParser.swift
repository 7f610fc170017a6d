/// Reads dates and times that are not in plain ISO form: month names, slashes, compact digits,
/// twelve-hour times, zones by name, eras, and the special words.
struct DateTimeParser {
    private var cursor: ByteCursor
    private let clock: DateTimeText.WallClock
    private var now: Int64 { clock.microseconds }
    private var year: Int?
    private var month: Int?
    private var day: Int?
    private var time: Int64?
    private var zone: Int?
    private var zoneName: String?
    private var isBC = false
    private var isAfternoon: Bool?
    private var special: DateTimeText.Parsed?
    /// A date need not be there.
    private var isTimeAlone = false
    /// Numbers whose meaning follows from those around them.
    private var numbers: [(value: Int, digits: Int)] = []

    init(_ text: UnsafeRawBufferPointer, now: DateTimeText.WallClock) {
        cursor = ByteCursor(text)
        clock = now
    }

    static let months = [
        "january", "february", "march", "april", "may", "june", "july", "august", "september",
        "october", "november", "december",
    ]
    static let weekdays = [
        "sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday",
    ]

    /// The number of the month with this name or this beginning of at least three letters.
    static func month(named word: String) -> Int? {
        guard word.utf8.count >= 3 else { return nil }
        if word == "sept" { return 9 }
        return months.firstIndex { $0 == word || (word.utf8.count == 3 && $0.hasPrefix(word)) }
            .map { $0 + 1 }
    }

    mutating func parse() -> DateTimeText.Outcome {
        if let failure = fields() { return .failure(failure) }
        return finish()
    }

    private mutating func fields() -> DateTimeText.Failure? {
        guard !cursor.isAtEnd, cursor.bytes.count <= 128 else { return .syntax }
        var fields = 0
        while !cursor.isAtEnd {
            fields += 1
            if fields > 25 { return .syntax }
            if NumberText.isSpace(cursor.next) || cursor.next == 0x2C {
                cursor.index += 1
                continue
            }
            if let failure = field() { return failure }
        }
        return nil
    }

    /// The time of a day, with a date or without one.
    mutating func parseTime() -> DateTimeText.Outcome {
        isTimeAlone = true
        if let failure = fields() { return .failure(failure) }
        if year != nil || day != nil || month != nil {
            guard time != nil else { return .failure(.syntax) }
            return finish()
        }
        if let special {
            guard special.infinity == nil, numbers.isEmpty else { return .failure(.syntax) }
            return .value(special)
        }
        // 131415 and 1314 without colons.
        if time == nil, numbers.count == 1, [4, 6].contains(numbers[0].digits) {
            let digits = numbers[0].digits == 4 ? numbers[0].value * 100 : numbers[0].value
            let (hour, minute, second) = (digits / 10_000, digits / 100 % 100, digits % 100)
            guard hour < 24, minute < 60, second <= 60 else { return .failure(.range) }
            time = Int64((hour * 60 + minute) * 60 + second) * 1_000_000
            numbers = []
        }
        guard let time, numbers.isEmpty else { return .failure(.syntax) }
        var parsed = DateTimeText.Parsed()
        parsed.time = time
        return halved(parsed)
    }

    private mutating func field() -> DateTimeText.Failure? {
        if cursor.isDigit { return digits() }
        if cursor.isLetter { return word() }
        if time != nil || special != nil || day != nil || (isTimeAlone && numbers.count == 1),
            let offset = DateTimeText.offset(&cursor)
        {
            return setZone(offset)
        }
        let isSign = cursor.next == 0x2B || cursor.next == 0x2D
        if time != nil, isSign, cursor.peek(1) &- 0x30 < 10 { return .zoneOffset }
        // "-infinity" is the only other thing that begins with a sign.
        if cursor.take(0x2D), cursor.isLetter, cursor.word() == "infinity", isEmpty {
            special = DateTimeText.Parsed(infinity: -1)
            return nil
        }
        return .syntax
    }

    private var isEmpty: Bool {
        year == nil && month == nil && day == nil && time == nil && numbers.isEmpty
            && special == nil
    }

    private mutating func setZone(_ seconds: Int) -> DateTimeText.Failure? {
        if zone != nil { return .syntax }
        zone = seconds
        return nil
    }

    private mutating func setTime(_ value: Int64) -> DateTimeText.Failure? {
        if time != nil { return .syntax }
        time = value
        return nil
    }

    private mutating func digits() -> DateTimeText.Failure? {
        let start = cursor.index
        let (value, count) = cursor.number()
        switch cursor.next {
        case 0x3A where count <= 2:
            cursor.index = start
            switch DateTimeText.time(&cursor) {
            case .failure(let failure): return failure
            case .value(let value): return setTime(value)
            }
        case 0x2D, 0x2F, 0x2E:
            // A compact date behind which a zone or nothing follows is not a dashed date.
            if cursor.next == 0x2D, count >= 6, time != nil { break }
            return dashed(value, count, separator: cursor.next)
        default: break
        }
        if count == 8, year == nil, month == nil, day == nil {
            year = value / 10_000
            month = value / 100 % 100
            day = value % 100
            _ = cursor.take(0x54) || cursor.take(0x74)
            return nil
        }
        if count == 6, day != nil, time == nil {
            let (hour, minute, second) = (value / 10_000, value / 100 % 100, value % 100)
            guard hour < 24, minute < 60, second <= 60 else { return .range }
            let micro = cursor.microseconds() ?? 0
            let seconds = (hour * 60 + minute) * 60 + second
            return setTime(Int64(seconds) * 1_000_000 + Int64(micro))
        }
        numbers.append((value, count))
        return numbers.count > 3 ? .syntax : nil
    }

    /// `YYYY-MM-DD`, `MM/DD/YYYY`, `DD-Mon-YYYY`, `YYYY-Mon-DD`
    private mutating func dashed(
        _ first: Int, _ firstDigits: Int, separator: UInt8
    ) -> DateTimeText.Failure? {
        guard year == nil, day == nil, cursor.take(separator) else { return .syntax }
        var second = 0
        var named: Int?
        if firstDigits >= 3, cursor.peek(2) &- 0x30 < 10, cursor.peek(3) &- 0x30 >= 10 {
            // Three digits behind the year are a day of the year.
            let (dayOfYear, digits) = cursor.number(limit: 4)
            guard digits == 3 else { return .syntax }
            return setDay(dayOfYear, ofYear: first)
        }
        if cursor.isLetter {
            named = Self.month(named: cursor.word())
            if named == nil { return .syntax }
        } else {
            let (value, count) = cursor.number()
            guard count > 0, count <= 4 else { return .syntax }
            second = value
        }
        guard cursor.take(separator) else { return .syntax }
        let (third, thirdDigits) = cursor.number()
        guard thirdDigits > 0 else { return .syntax }
        if firstDigits >= 3 {
            (year, month, day) = (first, named ?? second, third)
        } else {
            year = Self.fullYear(third, thirdDigits)
            if let named {
                (month, day) = (named, first)
            } else {
                (month, day) = (first, second)
            }
        }
        if cursor.next | 0x20 == 0x74, cursor.peek(1) &- 0x30 < 10 { cursor.index += 1 }
        return nil
    }

    private mutating func setDay(_ number: Int, ofYear wanted: Int) -> DateTimeText.Failure? {
        guard wanted > 0, wanted < 300_000, number >= 1,
            number <= (CalendarMath.isLeap(wanted) ? 366 : 365)
        else { return .range }
        let start = CalendarMath.days(CivilDate(year: wanted, month: 1, day: 1))
        let date = CalendarMath.civil(start + number - 1)
        (year, month, day) = (date.year, date.month, date.day)
        return nil
    }

    /// `J2460370`: days of the Julian period.
    private mutating func julianDay() -> DateTimeText.Failure? {
        guard isEmpty else { return .syntax }
        let (number, digits) = cursor.number(limit: 9)
        guard digits > 0, cursor.isAtEnd || !cursor.isLetter else { return .syntax }
        let date = CalendarMath.civil(number - 2_440_588)
        guard date.year > 0 else { return .range }
        (year, month, day) = (date.year, date.month, date.day)
        return nil
    }

    /// Two digits mean 1970 to 2069.
    static func fullYear(_ value: Int, _ digits: Int) -> Int {
        digits > 2 ? value : value < 70 ? value + 2000 : value + 1900
    }

    private mutating func word() -> DateTimeText.Failure? {
        let start = cursor.index
        let word = cursor.word()
        if let number = Self.month(named: word) {
            if month != nil { return .syntax }
            month = number
            _ = cursor.take(0x2E)
            return nil
        }
        if word.utf8.count >= 3, Self.weekdays.contains(where: { $0.hasPrefix(word) }) {
            return nil
        }
        switch word {
        case "j" where cursor.isDigit: return julianDay()
        case "z", "utc", "gmt", "zulu", "ut":
            if word != "z", let offset = DateTimeText.offset(&cursor) {
                // "UTC+3" follows POSIX: positive is west.
                return setZone(-offset)
            }
            return setZone(0)
        case "t":
            let isExpected = year != nil || day != nil || (isTimeAlone && numbers.isEmpty)
            return isExpected && time == nil && cursor.isDigit ? nil : .syntax
        case "am", "pm":
            if isAfternoon != nil { return .syntax }
            isAfternoon = word == "pm"
        case "bc": isBC = true
        case "ad": break
        case "epoch": return setSpecial(0)
        case "now":
            // By the clock of the session, whose offset it is then in.
            let failure = setSpecial(now + Int64(localSeconds) * 1_000_000)
            zone = localSeconds
            return failure
        case "today": return setSpecial(day: 0)
        case "tomorrow": return setSpecial(day: 1)
        case "yesterday": return setSpecial(day: -1)
        case "infinity":
            guard isEmpty else { return .syntax }
            special = DateTimeText.Parsed(infinity: 1)
        case "allballs": return setTime(0)
        default: return namedZone(from: start)
        }
        return nil
    }

    /// A zone of the database, or an abbreviation; its offset follows from the moment.
    private mutating func namedZone(from start: Int) -> DateTimeText.Failure? {
        guard zone == nil, zoneName == nil, !isEmpty || special != nil else { return .syntax }
        cursor.index = start
        var bytes: [UInt8] = []
        while !cursor.isAtEnd, !NumberText.isSpace(cursor.next), cursor.next != 0x2C {
            bytes.append(cursor.next)
            cursor.index += 1
        }
        let name = String(decoding: bytes, as: UTF8.self)
        guard clock.zones?.find(name) != nil else {
            return name.contains("/") ? .zoneName(name) : .syntax
        }
        zoneName = name
        return nil
    }

    /// The offset of the zone that was named, at a time of its clock.
    private func zoneSeconds(_ days: Int, _ time: Int64) -> Int? {
        guard let zoneName, let zones = clock.zones else { return zone }
        let local = Int64(days) * CalendarMath.microsecondsPerDay + time
        return DateTimeText.zoneSeconds(zoneName, local: local, zones)
    }

    /// Seconds east of UTC of the session's clock at this moment.
    private var localSeconds: Int {
        clock.local.map { Int($0.offset(at: CalendarMath.floorDivide(now, 1_000_000)).seconds) }
            ?? 0
    }

    private mutating func setSpecial(_ moment: Int64) -> DateTimeText.Failure? {
        guard isEmpty else { return .syntax }
        let (days, time) = CalendarMath.split(moment)
        special = DateTimeText.Parsed(days: days, time: time)
        zone = 0
        return nil
    }

    private mutating func setSpecial(day: Int) -> DateTimeText.Failure? {
        guard special == nil, year == nil, self.day == nil else { return .syntax }
        let local = now + Int64(localSeconds) * 1_000_000
        special = DateTimeText.Parsed(days: CalendarMath.split(local).days + day, time: 0)
        return nil
    }

    private mutating func finish() -> DateTimeText.Outcome {
        if var special {
            guard numbers.isEmpty else { return .failure(.syntax) }
            if let time { special.time = time }
            special.zoneSeconds = zoneSeconds(special.days, special.time)
            return .value(special)
        }
        if let failure = placeNumbers() { return .failure(failure) }
        guard var year, let month, let day else { return .failure(.syntax) }
        if isBC {
            guard year > 0 else { return .failure(.range) }
            year = 1 - year
        } else if year == 0 {
            return .failure(.range)
        }
        guard year < 6_000_000, month >= 1, month <= 12, day >= 1,
            day <= CalendarMath.daysInMonth(year: year, month: month)
        else { return .failure(.range) }
        var parsed = DateTimeText.Parsed()
        parsed.days = CalendarMath.days(CivilDate(year: year, month: month, day: day))
        parsed.time = time ?? 0
        guard case .value(var whole) = halved(parsed) else { return .failure(.range) }
        whole.zoneSeconds = zoneSeconds(whole.days, whole.time)
        return .value(whole)
    }

    /// The time as AM or PM means it.
    private func halved(_ parsed: DateTimeText.Parsed) -> DateTimeText.Outcome {
        guard let isAfternoon else { return .value(parsed) }
        var parsed = parsed
        let hour = parsed.time / CalendarMath.microsecondsPerHour
        guard time != nil, hour <= 12 else { return .failure(.range) }
        if hour == 12 { parsed.time -= 12 * CalendarMath.microsecondsPerHour }
        if isAfternoon { parsed.time += 12 * CalendarMath.microsecondsPerHour }
        return .value(parsed)
    }

    /// Gives the loose numbers the places that are left: with a month by name, the longer one is
    /// the year.
    private mutating func placeNumbers() -> DateTimeText.Failure? {
        if numbers.count == 3, year == nil, month == nil, day == nil, numbers[0].digits >= 3 {
            (year, month, day) = (numbers[0].value, numbers[1].value, numbers[2].value)
            return nil
        }
        for (value, digits) in numbers {
            if year == nil, digits >= 3 || day != nil {
                year = Self.fullYear(value, digits)
            } else if day == nil {
                day = value
            } else {
                return .syntax
            }
        }
        return nil
    }
}
