import Base
import Columns
import Engine
import SQL
import Testing

@Suite struct DateTimeTests {
    @Test func `the calendar agrees with itself day by day`() {
        // More than 400 years, after which the calendar repeats.
        var previous = CalendarMath.civil(-100_001)
        for day in -100_000...60_000 {
            let date = CalendarMath.civil(day)
            guard CalendarMath.days(date) == day else {
                Issue.record("day \(day)")
                return
            }
            // Each day follows the one before.
            let isNext =
                date.day == previous.day + 1
                || (date.day == 1
                    && previous.day
                        == CalendarMath.daysInMonth(year: previous.year, month: previous.month))
            guard isNext else {
                Issue.record("day \(day) does not follow \(previous)")
                return
            }
            previous = date
        }
        #expect(CalendarMath.civil(0) == CivilDate(year: 1970, month: 1, day: 1))
        #expect(CalendarMath.civil(19_782) == CivilDate(year: 2024, month: 2, day: 29))
        #expect(CalendarMath.civil(-719_528) == CivilDate(year: 0, month: 1, day: 1))
    }

    private func reads(
        _ text: String, _ type: ColumnType, _ expected: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(cast(.text(text), type) == expected, "\(text)", sourceLocation: sourceLocation)
    }

    @Test func `dates are read in many forms and written in one`() {
        reads("2024-02-29", .date, "2024-02-29")
        reads(" 2024-2-9 ", .date, "2024-02-09")
        reads("20240229", .date, "2024-02-29")
        reads("02/29/2024", .date, "2024-02-29")
        reads("29 Feb 2024", .date, "2024-02-29")
        reads("February 29, 2024", .date, "2024-02-29")
        reads("29-Feb-2024", .date, "2024-02-29")
        reads("Thu Feb 29 2024", .date, "2024-02-29")
        reads("0044-03-15 BC", .date, "0044-03-15 BC")
        reads("infinity", .date, "infinity")
        reads("-infinity", .date, "-infinity")
        reads("epoch", .date, "1970-01-01")
        reads("today", .date, "2024-02-29")
        reads("tomorrow", .date, "2024-03-01")
        reads("2023-02-29", .date, "error 22008")
        reads("2024-13-01", .date, "error 22008")
        reads("2024-00-01", .date, "error 22008")
        reads("yesterday's", .date, "error 22007")
        reads("", .date, "error 22007")
        reads("2024-02", .date, "error 22007")
        reads("99999999-01-01", .date, "error 22008")
    }

    @Test func `timestamps keep microseconds and know zones`() {
        reads("2024-02-29 13:14:15.678901", .timestamp, "2024-02-29 13:14:15.678901")
        reads("2024-02-29T13:14:15.5Z", .timestamp, "2024-02-29 13:14:15.5")
        reads("2024-02-29T13:14:15.5Z", .timestampTZ, "2024-02-29 13:14:15.5+00")
        reads("2024-02-29 13:14", .timestamp, "2024-02-29 13:14:00")
        reads("2024-02-29 13:14:15+02", .timestampTZ, "2024-02-29 11:14:15+00")
        reads("2024-02-29 13:14:15-0330", .timestampTZ, "2024-02-29 16:44:15+00")
        reads("2024-02-29 13:14:15 +05:30", .timestampTZ, "2024-02-29 07:44:15+00")
        reads("2024-02-29 13:14:15 UTC", .timestampTZ, "2024-02-29 13:14:15+00")
        reads("2024-02-29 01:14:15 PM", .timestamp, "2024-02-29 13:14:15")
        reads("2024-02-29 12:00 am", .timestamp, "2024-02-29 00:00:00")
        reads("20240229T131415", .timestamp, "2024-02-29 13:14:15")
        reads("2024-02-29 24:00:00", .timestamp, "2024-03-01 00:00:00")
        reads("2024-02-29 23:59:60", .timestamp, "2024-03-01 00:00:00")
        reads("2024-02-29 23:59:59.9999999", .timestamp, "2024-03-01 00:00:00")
        reads("1969-12-31 23:59:59.999999", .timestamp, "1969-12-31 23:59:59.999999")
        reads("now", .timestamp, "2024-02-29 13:14:15.678901")
        reads("2024-02-29 25:00:00", .timestamp, "error 22008")
        reads("2024-02-29 13:60:00", .timestamp, "error 22008")
        reads("2024-02-29 13:14:15 Mars/Olympus", .timestampTZ, "error 22023")
        reads("300000-01-01 00:00:00", .timestamp, "error 22008")
        reads("12:00:00", .timestamp, "error 22007")
    }

    @Test func `intervals are read in three styles and written in one`() {
        reads("1 day 2 hours", .interval, "1 day 02:00:00")
        reads("1 year 2 mons 3 days 04:05:06.7", .interval, "1 year 2 mons 3 days 04:05:06.7")
        reads("-1 day", .interval, "-1 days")
        reads("-1 day +02:00", .interval, "-1 days +02:00:00")
        reads("1.5 hours", .interval, "01:30:00")
        reads("1.5 days", .interval, "1 day 12:00:00")
        reads("1.5 months", .interval, "1 mon 15 days")
        reads("2 weeks", .interval, "14 days")
        reads("1 day ago", .interval, "-1 days")
        reads("P1Y2M3DT4H5M6S", .interval, "1 year 2 mons 3 days 04:05:06")
        reads("PT36H", .interval, "36:00:00")
        reads("1-2", .interval, "1 year 2 mons")
        reads("3 4:05:06", .interval, "3 days 04:05:06")
        reads("100", .interval, "00:01:40")
        reads("500 ms", .interval, "00:00:00.5")
        reads("10 s", .interval, "00:00:10")
        reads("0", .interval, "00:00:00")
        reads("1 millennium", .interval, "1000 years")
        reads("-00:00:01", .interval, "-00:00:01")
        reads("tomorrow", .interval, "error 22007")
        reads("1 parsec", .interval, "error 22007")
        reads("", .interval, "error 22007")
        reads("3000000000 days", .interval, "error 22015")
    }

    @Test func `adding intervals goes by months, days and time`() {
        check(
            .addInterval, [.timestamp("2024-01-31"), .interval("1 month")], .timestamp,
            "2024-02-29 00:00:00")
        check(
            .subtractInterval, [.timestamp("2024-03-31"), .interval("1 month 1 day 1 second")],
            .timestamp, "2024-02-27 23:59:59")
        check(
            .addInterval, [.timestampTZ("infinity"), .interval("1 day")], .timestampTZ, "infinity")
        check(
            .addInterval, [.timestamp("294000-01-01"), .interval("1000 years")], .timestamp,
            "error 22008")
        check(
            .timestampDifference,
            [.timestamp("2024-03-01 00:00:00"), .timestamp("2024-02-28 12:00:00")], .interval,
            "1 day 12:00:00")
        check(.dateDifference, [.date("2024-03-01"), .date("2024-02-28")], .int32, "2")
        check(.addDays, [.date("2024-02-28"), .int(2)], .date, "2024-03-01")
        check(.subtractDays, [.date("2024-03-01"), .int(1)], .date, "2024-02-29")
        check(.addDays, [.date("2024-03-01"), .int(2_147_483_647)], .date, "error 22008")
        check(
            .age, [.timestamp("2024-03-01"), .timestamp("2023-01-31")], .interval,
            "1 year 1 mon 1 day")
        check(
            .age, [.timestamp("2023-01-31"), .timestamp("2024-03-01 01:00:00")], .interval,
            "-1 years -1 mons -1 days -01:00:00")
    }

    @Test func `interval arithmetic`() {
        check(
            .multiplyInterval, [.interval("1 month 1 day"), .float(1.5)], .interval,
            "1 mon 16 days 12:00:00")
        check(.divideInterval, [.interval("1 month"), .float(4)], .interval, "7 days 12:00:00")
        check(.divideInterval, [.interval("1 month"), .float(0)], .interval, "error 22012")
        check(
            .addIntervals, [.interval("1 day"), .interval("-25 hours")], .interval,
            "1 day -25:00:00")
        check(.negateInterval, [.interval("1 mon -2 days")], .interval, "-1 mons +2 days")
        check(
            .addIntervals, [.interval("178956970 years"), .interval("178956970 years")], .interval,
            "error 22008")
    }

    @Test func `truncation`() {
        func truncated(_ unit: String, _ expected: String) {
            check(
                .dateTrunc, [.text(unit), .timestamp("2024-05-29 13:14:15.678901")], .timestamp,
                expected)
        }
        truncated("microseconds", "2024-05-29 13:14:15.678901")
        truncated("millisecond", "2024-05-29 13:14:15.678")
        truncated("second", "2024-05-29 13:14:15")
        truncated("minute", "2024-05-29 13:14:00")
        truncated("hour", "2024-05-29 13:00:00")
        truncated("day", "2024-05-29 00:00:00")
        truncated("week", "2024-05-27 00:00:00")
        truncated("month", "2024-05-01 00:00:00")
        truncated("quarter", "2024-04-01 00:00:00")
        truncated("year", "2024-01-01 00:00:00")
        truncated("decade", "2020-01-01 00:00:00")
        truncated("century", "2001-01-01 00:00:00")
        truncated("millennium", "2001-01-01 00:00:00")
        truncated("fortnight", "error 22023")
        truncated("epoch", "error 22023")
        check(
            .dateTrunc, [.text("hour"), .timestamp("1969-12-31 23:30:00")], .timestamp,
            "1969-12-31 23:00:00")
        check(
            .dateTrunc, [.text("month"), .interval("1 year 2 mons 3 days 4 hours")], .interval,
            "1 year 2 mons")
        check(
            .dateBin,
            [.interval("15 minutes"), .timestamp("2024-02-29 13:14:15"), .timestamp("2001-01-01")],
            .timestamp, "2024-02-29 13:00:00")
        check(
            .dateBin,
            [.interval("1 month"), .timestamp("2024-02-29 13:14:15"), .timestamp("2001-01-01")],
            .timestamp, "error 0A000")
        check(
            .dateBin,
            [.interval("-1 s"), .timestamp("2024-02-29 13:14:15"), .timestamp("2001-01-01")],
            .timestamp, "error 22008")
    }

    @Test func `fields`() {
        let six = ColumnType.decimal(precision: 38, scale: 6)
        func field(_ name: String, _ expected: String) {
            check(
                .extract, [.text(name), .timestamp("2024-02-29 13:14:15.678901")], six, expected)
        }
        field("year", "2024.000000")
        field("month", "2.000000")
        field("day", "29.000000")
        field("hour", "13.000000")
        field("minute", "14.000000")
        field("second", "15.678901")
        field("milliseconds", "15678.901000")
        field("microseconds", "15678901.000000")
        field("epoch", "1709212455.678901")
        field("dow", "4.000000")
        field("isodow", "4.000000")
        field("doy", "60.000000")
        field("week", "9.000000")
        field("isoyear", "2024.000000")
        field("quarter", "1.000000")
        field("decade", "202.000000")
        field("century", "21.000000")
        field("millennium", "3.000000")
        field("fortnight", "error 22023")
        check(.datePart, [.text("hour"), .timestampTZ("2024-02-29 13:14:15Z")], .float64, "13")
        check(
            .datePart, [.text("epoch"), .interval("1 year 1 mon 1 day 1 s")], .float64, "34236001")
        check(.datePart, [.text("hour"), .date("2024-02-29")], .float64, "error 0A000")
        check(.datePart, [.text("week"), .date("2024-12-30")], .float64, "1")
        check(.datePart, [.text("isoyear"), .date("2024-12-30")], .float64, "2025")
        check(.datePart, [.text("year"), .timestamp("infinity")], .float64, "Infinity")
        check(.datePart, [.text("century"), .date("0001-01-01 BC")], .float64, "-1")
    }

    @Test func `to_char`() {
        func shown(_ pattern: String, _ expected: String) {
            check(
                .toChar, [.timestamp("2024-02-09 13:04:05.067890"), .text(pattern)], .text,
                expected)
        }
        shown("YYYY-MM-DD HH24:MI:SS", "2024-02-09 13:04:05")
        shown("YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"", "2024-02-09T13:04:05.067Z")
        shown("DD Mon YYYY HH12:MI AM", "09 Feb 2024 01:04 PM")
        shown("FMMonth FMDD, YYYY", "February 9, 2024")
        shown("Month|Day|DY", "February |Friday   |FRI")
        shown("US MS FF3", "067890 067 067")
        shown("YY Q WW IW IYYY D ID DDD J", "24 1 06 06 2024 6 5 040 2460350")
        shown("DDth FMDDth CC TZ OF", "09th 9th 21  +00")
        shown("mm/dd/yy", "02/09/24")
        check(
            .toChar, [.interval("36 hours 5 minutes"), .text("HH24:MI:SS")], .text, "36:05:00")
    }

    @Test func `reading with a pattern`() {
        check(
            .parseTimestamp, [.text("09.02.2024 13:04:05"), .text("DD.MM.YYYY HH24:MI:SS")],
            .timestampTZ, "2024-02-09 13:04:05+00")
        check(
            .parseTimestamp, [.text("9 Feb 2024 01:04 PM"), .text("DD Mon YYYY HH12:MI AM")],
            .timestampTZ, "2024-02-09 13:04:00+00")
        check(.parseDate, [.text("20240209"), .text("YYYYMMDD")], .date, "2024-02-09")
        check(.parseDate, [.text("2024-02-30"), .text("YYYY-MM-DD")], .date, "error 22008")
        check(.parseDate, [.text("xx"), .text("YYYY")], .date, "error 22007")
    }

    @Test func `making`() {
        check(.makeDate, [.int(2024), .int(2), .int(29)], .date, "2024-02-29")
        check(.makeDate, [.int(2023), .int(2), .int(29)], .date, "error 22008")
        check(
            .makeTimestamp,
            [.int(2024), .int(2), .int(29), .int(13), .int(14), .float(15.5)], .timestamp,
            "2024-02-29 13:14:15.5")
        check(.toTimestamp, [.float(1_709_212_455.5)], .timestampTZ, "2024-02-29 13:14:15.5+00")
        check(.toTimestamp, [.float(1e300)], .timestampTZ, "error 22008")
        check(.now, [], .timestampTZ, "2024-02-29 13:14:15.678901+00")
    }
}
