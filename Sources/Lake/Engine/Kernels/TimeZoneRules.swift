// A time zone: when its clocks were and will be turned. Read from a TZif file (RFC 9636):
//
//     header    44 bytes: "TZif", version, 15 reserved, six counts (big-endian, 32 bits): UT/local
//               and standard/wall indicators, leap seconds, transitions, types, abbreviation bytes
//     block     transition times, their types, types (offset, is summer time, place of the
//               abbreviation), abbreviations, leap seconds, indicators; times have 32 bits
//     header and block once more from version 2 on, with times of 64 bits
//     footer    a line feed, the rule for all later times as POSIX writes it, a line feed

import Base
import Columns

/// What clocks of a zone show at a time.
struct ZoneOffset: Equatable {
    /// Seconds east of UTC.
    var seconds: Int64
    var abbreviation: String
}

struct TimeZoneRules {
    /// Seconds since 1970, ascending: from here on `offsets[types[i]]` holds.
    private var transitions: [Int64] = []
    private var types: [Int] = []
    private var offsets: [ZoneOffset] = []
    /// What holds before the first transition.
    private var first = ZoneOffset(seconds: 0, abbreviation: "UTC")
    private var later: PosixZone?

    /// Always the same.
    init(fixed seconds: Int64, _ abbreviation: String) {
        first = ZoneOffset(seconds: seconds, abbreviation: abbreviation)
    }

    /// A rule as POSIX writes it, such as `CET-1CEST,M3.5.0,M10.5.0/3`.
    init(_ rule: PosixZone) {
        later = rule
        first = rule.standard
    }

    /// Files of zones have some KiB; what is larger is none.
    static let fileBytesMax = 1 << 20

    /// nil when the bytes are no TZif file.
    init?(file bytes: [UInt8]) {
        guard bytes.count <= Self.fileBytesMax else { return nil }
        var reader = Reader(bytes: bytes)
        guard let short = reader.header() else { return nil }
        var header = short
        var width = 4
        if short.version >= 0x32 {
            guard reader.skip(short.bytes(timeWidth: 4)), let long = reader.header() else {
                return nil
            }
            (header, width) = (long, 8)
        }
        guard read(&reader, header, width) else { return nil }
        if width == 8, let footer = reader.footer(), !footer.isEmpty {
            guard let rule = PosixZone(footer) else { return nil }
            later = rule
        }
    }

    private struct Header {
        var version: UInt8
        var utIndicators, standardIndicators, leaps, transitions, types, letters: Int

        func bytes(timeWidth: Int) -> Int {
            transitions * (timeWidth + 1) + types * 6 + letters + leaps * (timeWidth + 4)
                + standardIndicators + utIndicators
        }
    }

    private struct Reader {
        let bytes: [UInt8]
        var index = 0

        mutating func number(_ width: Int) -> Int64? {
            guard index + width <= bytes.count else { return nil }
            var value: UInt64 = 0
            for byte in bytes[index..<index + width] { value = value << 8 | UInt64(byte) }
            index += width
            return width == 4
                ? Int64(Int32(truncatingIfNeeded: value)) : Int64(bitPattern: value)
        }

        mutating func skip(_ count: Int) -> Bool {
            guard count >= 0, count <= bytes.count - index else { return false }
            index += count
            return true
        }

        mutating func header() -> Header? {
            guard bytes.count - index >= 44, bytes[index..<index + 4].elementsEqual("TZif".utf8)
            else { return nil }
            let version = bytes[index + 4]
            index += 20
            var counts: [Int] = []
            for _ in 0..<6 {
                guard let count = number(4), count >= 0, count <= fileBytesMax else { return nil }
                counts.append(Int(count))
            }
            return Header(
                version: version, utIndicators: counts[0], standardIndicators: counts[1],
                leaps: counts[2], transitions: counts[3], types: counts[4], letters: counts[5])
        }

        mutating func footer() -> String? {
            guard index < bytes.count, bytes[index] == 0x0A else { return nil }
            let rest = bytes[(index + 1)...]
            guard let end = rest.firstIndex(of: 0x0A) else { return nil }
            return String(decoding: rest[..<end], as: UTF8.self)
        }
    }

    private mutating func read(_ reader: inout Reader, _ header: Header, _ width: Int) -> Bool {
        guard header.bytes(timeWidth: width) <= reader.bytes.count - reader.index,
            header.types > 0
        else { return false }
        for _ in 0..<header.transitions {
            guard let time = reader.number(width), time >= transitions.last ?? .min else {
                return false
            }
            transitions.append(time)
        }
        for _ in 0..<header.transitions {
            let type = Int(reader.bytes[reader.index])
            guard type < header.types else { return false }
            types.append(type)
            reader.index += 1
        }
        var places: [(seconds: Int64, isSummer: Bool, name: Int)] = []
        for _ in 0..<header.types {
            guard let seconds = reader.number(4), seconds.magnitude < 200_000 else {
                return false
            }
            places.append(
                (
                    seconds, reader.bytes[reader.index] != 0,
                    Int(reader.bytes[reader.index + 1])
                ))
            reader.index += 2
        }
        let letters = reader.bytes[reader.index..<reader.index + header.letters]
        for place in places {
            guard place.name < header.letters else { return false }
            let name = letters[(letters.startIndex + place.name)...].prefix { $0 != 0 }
            offsets.append(
                ZoneOffset(
                    seconds: place.seconds, abbreviation: String(decoding: name, as: UTF8.self)))
        }
        first = offsets[places.firstIndex { !$0.isSummer } ?? 0]
        return reader.skip(
            header.letters + header.leaps * (width + 4) + header.standardIndicators
                + header.utIndicators)
    }

    // MARK: Questions

    /// What clocks show at `seconds` since 1970 UTC.
    func offset(at seconds: Int64) -> ZoneOffset {
        guard let last = transitions.last else {
            return later?.offset(at: seconds) ?? first
        }
        if seconds >= last, let later { return later.offset(at: seconds) }
        guard let place = lastTransition(at: seconds) else { return first }
        return offsets[types[place]]
    }

    private func lastTransition(at seconds: Int64) -> Int? {
        var (low, high) = (0, transitions.count)
        while low < high {
            let middle = (low + high) / 2
            if transitions[middle] <= seconds { low = middle + 1 } else { high = middle }
        }
        return low == 0 ? nil : low - 1
    }

    /// The first time behind `seconds` at which clocks are turned.
    private func nextTransition(after seconds: Int64) -> Int64? {
        let next = lastTransition(at: seconds).map { $0 + 1 } ?? 0
        if next < transitions.count { return transitions[next] }
        return later?.nextTransition(after: seconds)
    }

    /// The offset that a clock showing `local` (as seconds since 1970 of the clock) has. A time that
    /// was skipped counts as before the turn, one that came twice as after it.
    func offset(ofLocal local: Int64) -> Int64 {
        let dayBefore = local - 86_400
        let before = offset(at: dayBefore).seconds
        guard let turn = nextTransition(after: dayBefore) else { return before }
        let after = offset(at: turn).seconds
        let (early, late) = (local - before, local - after)
        if early < turn, late < turn { return before }
        if early >= turn, late >= turn {
            // A second turn within two days is followed, too.
            return offset(at: late).seconds == after ? after : offset(at: late).seconds
        }
        return early > late ? before : after
    }
}

/// `std offset [dst [offset] [,start[/time],end[/time]]]` of POSIX; offsets count to the west there.
struct PosixZone: Equatable {
    let standard: ZoneOffset
    private let summer: ZoneOffset?
    private let start: Day
    private let end: Day

    /// A day of the year and the seconds of the clock at which the change happens.
    private struct Day: Equatable {
        enum Form: Equatable {
            /// 1 to 365, the 29th of February never counts
            case julian(Int)
            /// 0 to 365
            case ordinal(Int)
            /// Week 5 is the last; 0 is Sunday.
            case week(month: Int, week: Int, day: Int)
        }

        var form: Form
        var seconds: Int64 = 7200

        func seconds(inYear year: Int) -> Int64 {
            let first = CalendarMath.days(CivilDate(year: year, month: 1, day: 1))
            let day: Int
            switch form {
            case .julian(let number):
                day = first + number - 1 + (CalendarMath.isLeap(year) && number > 59 ? 1 : 0)
            case .ordinal(let number): day = first + number
            case .week(let month, let week, let weekday):
                let start = CalendarMath.days(CivilDate(year: year, month: month, day: 1))
                var date = 1 + (weekday - CalendarMath.dayOfWeek(start) + 7) % 7 + (week - 1) * 7
                if date > CalendarMath.daysInMonth(year: year, month: month) { date -= 7 }
                day = start + date - 1
            }
            return Int64(day) * 86_400 + seconds
        }
    }

    init?(_ text: String) {
        var parser = Parser(rest: Array(text.utf8)[...])
        guard text.utf8.count <= 128, let name = parser.name(), let west = parser.time() else {
            return nil
        }
        standard = ZoneOffset(seconds: -west, abbreviation: name)
        // The rule of the United States since 2007, where there is none.
        var days = (
            Day(form: .week(month: 3, week: 2, day: 0)),
            Day(form: .week(month: 11, week: 1, day: 0))
        )
        guard let summerName = parser.name() else {
            guard parser.rest.isEmpty else { return nil }
            summer = nil
            (start, end) = days
            return
        }
        let offset = parser.time().map { -$0 } ?? standard.seconds + 3600
        summer = ZoneOffset(seconds: offset, abbreviation: summerName)
        if parser.take(0x2C) {
            guard let first = parser.day(), parser.take(0x2C), let second = parser.day() else {
                return nil
            }
            days = (first, second)
        }
        guard parser.rest.isEmpty else { return nil }
        (start, end) = days
    }

    private struct Parser {
        var rest: ArraySlice<UInt8>

        mutating func take(_ byte: UInt8) -> Bool {
            guard rest.first == byte else { return false }
            rest.removeFirst()
            return true
        }

        /// Three or more letters, or anything in angle brackets.
        mutating func name() -> String? {
            if take(0x3C) {
                guard let close = rest.firstIndex(of: 0x3E), close > rest.startIndex else {
                    return nil
                }
                let name = rest[..<close]
                rest = rest[(close + 1)...]
                return String(decoding: name, as: UTF8.self)
            }
            let name = rest.prefix { (0x61...0x7A).contains($0 | 0x20) }
            guard name.count >= 3 else { return nil }
            rest = rest.dropFirst(name.count)
            return String(decoding: name, as: UTF8.self)
        }

        mutating func number() -> Int? {
            let digits = rest.prefix { $0 &- 0x30 < 10 }
            guard !digits.isEmpty, digits.count <= 4 else { return nil }
            rest = rest.dropFirst(digits.count)
            return Int(String(decoding: digits, as: UTF8.self))
        }

        /// `[+-]hh[:mm[:ss]]` in seconds.
        mutating func time() -> Int64? {
            let isNegative = take(0x2D)
            if !isNegative { _ = take(0x2B) }
            guard let hours = number(), hours <= 167 else { return nil }
            var total = Int64(hours) * 3600
            if take(0x3A) {
                guard let minutes = number(), minutes < 60 else { return nil }
                total += Int64(minutes) * 60
                if take(0x3A) {
                    guard let seconds = number(), seconds < 60 else { return nil }
                    total += Int64(seconds)
                }
            }
            return isNegative ? -total : total
        }

        mutating func day() -> Day? {
            var day: Day
            if take(0x4D) {
                guard let month = number(), (1...12).contains(month), take(0x2E),
                    let week = number(), (1...5).contains(week), take(0x2E),
                    let weekday = number(), weekday < 7
                else { return nil }
                day = Day(form: .week(month: month, week: week, day: weekday))
            } else if take(0x4A) {
                guard let number = number(), (1...365).contains(number) else { return nil }
                day = Day(form: .julian(number))
            } else {
                guard let number = number(), number <= 365 else { return nil }
                day = Day(form: .ordinal(number))
            }
            if take(0x2F) {
                guard let seconds = time() else { return nil }
                day.seconds = seconds
            }
            return day
        }
    }

    /// The turns of a year in UTC: into summer time and out of it.
    private func turns(_ year: Int, _ summer: ZoneOffset) -> (start: Int64, end: Int64) {
        (
            start.seconds(inYear: year) - standard.seconds,
            end.seconds(inYear: year) - summer.seconds
        )
    }

    private func year(at seconds: Int64) -> Int {
        let local = seconds + standard.seconds
        return CalendarMath.civil(Int(CalendarMath.floorDivide(local, 86_400))).year
    }

    func offset(at seconds: Int64) -> ZoneOffset {
        guard let summer else { return standard }
        let (start, end) = turns(year(at: seconds), summer)
        let isSummer =
            start < end
            ? seconds >= start && seconds < end : seconds >= start || seconds < end
        return isSummer ? summer : standard
    }

    func nextTransition(after seconds: Int64) -> Int64? {
        guard let summer else { return nil }
        let year = year(at: seconds)
        var all: [Int64] = []
        for candidate in year - 1...year + 1 {
            let (start, end) = turns(candidate, summer)
            all += [start, end]
        }
        return all.filter { $0 > seconds }.min()
    }
}
