// Functions of dates, timestamps and intervals.

import Columns

let timeFunctions: FunctionList = {
    var list = FunctionList(.times)
    addClocks(&list)
    addFields(&list)
    addZones(&list)
    addMaking(&list)
    addFormats(&list)
    return list
}()

private let stamps: [ColumnType] = [.timestampTZ, .timestamp]

private func addClocks(_ list: inout FunctionList) {
    list.add(
        "now", .now, [], .timestampTZ,
        also: [
            "current_timestamp", "transaction_timestamp", "statement_timestamp",
            "clock_timestamp",
        ],
        "The time of the statement; the same for all of its rows.", "now() = current_timestamp",
        "t")
    list.add(
        "current_date", form: "→ date", "Today, in the session's time zone.",
        "current_date = now()::date", "t")
    list.add(
        "localtimestamp", form: "→ timestamp",
        "The time of the statement, in the session's time zone.",
        "localtimestamp = now()::timestamp", "t")
    list.add(
        "localtime", form: "→ time",
        "The time of day of the statement, in the session's time zone.",
        "localtime = now()::time", "t")
    list.add(
        "timeofday", form: "() → text", "The time of the statement as text.",
        "timeofday() LIKE '%UTC'", "t")
}

private func addFields(_ list: inout FunctionList) {
    list.add(
        "extract", form: "(field FROM date, timestamp or interval) → numeric",
        "One field of a moment or an interval.",
        "extract(isodow FROM TIMESTAMP '2001-02-16 20:38:40')", "5")
    list.add(
        "date_part",
        (stamps + [.date, .interval, .time]).map { Signature(.datePart, [.text, $0], .float64) },
        "As extract.", "date_part('hour', TIMESTAMP '2001-02-16 20:38:40')", "20")
    list.add(
        "date_trunc",
        (stamps + [.interval]).map { Signature(.dateTrunc, [.text, $0], $0) }
            + [Signature(.dateTruncInZone, [.text, .timestampTZ, .text], .timestampTZ)],
        "The moment at which its hour, day, month, … began; in a time zone when one is named.",
        "date_trunc('hour', TIMESTAMP '2001-02-16 20:38:40')", "2001-02-16 20:00:00")
    list.add(
        "date_bin", stamps.map { Signature(.dateBin, [.interval, $0, $0], $0) },
        "The start of the interval into which a moment falls, counted from an origin.",
        "date_bin('15 minutes', TIMESTAMP '2020-02-11 15:44:17', TIMESTAMP '2001-01-01')",
        "2020-02-11 15:30:00")
    list.add(
        "age",
        forms: ["(timestamp, timestamp) → interval", "(timestamp) → interval"],
        signatures: stamps.map { Signature(.age, [$0, $0], .interval) },
        "The difference in years, months and days; of one argument, up to today.",
        "age(TIMESTAMP '2001-04-10', TIMESTAMP '1957-06-13')", "43 years 9 mons 27 days")
    list.add(
        "isfinite",
        [.date, .timestamp, .timestampTZ, .interval].map {
            Signature(.isFinite, [$0], .boolean)
        },
        "Whether it is neither infinity nor -infinity.", "isfinite(DATE 'infinity')", "f")
    for (name, function, summary, example, result) in [
        (
            "justify_days", ScalarFunction.justifyDays, "30 days made a month.",
            "justify_days(INTERVAL '35 days')", "1 mon 5 days"
        ),
        (
            "justify_hours", .justifyHours, "24 hours made a day.",
            "justify_hours(INTERVAL '27 hours')", "1 day 03:00:00"
        ),
        (
            "justify_interval", .justifyInterval, "Both, with all parts of one sign.",
            "justify_interval(INTERVAL '1 mon -1 hour')", "29 days 23:00:00"
        ),
    ] {
        list.add(name, function, [.interval], .interval, summary, example, result)
    }
    list.add(
        "overlaps", forms: ["((start, end) OVERLAPS (start, end)) → boolean"],
        signatures: stamps.map { Signature(.overlaps, [$0, $0, $0, $0], .boolean) },
        "Whether two periods have a moment in common; an end may be a length.",
        "(DATE '2001-02-16', DATE '2001-12-21') OVERLAPS (DATE '2001-10-30', DATE '2002-10-30')",
        "t")
}

private func addZones(_ list: inout FunctionList) {
    list.add(
        "timezone", form: "(text or interval, timestamp) → timestamptz, and back",
        "As AT TIME ZONE: a moment as the clock of a zone shows it, or what a clock showed.",
        "timezone('Europe/Berlin', TIMESTAMPTZ '2024-07-01 12:00:00+00')",
        "2024-07-01 14:00:00")
}

private func addMaking(_ list: inout FunctionList) {
    list.add(
        "make_date", .makeDate, [.int32, .int32, .int32], .date,
        "The date of year, month and day.", "make_date(2013, 7, 15)", "2013-07-15")
    list.add(
        "make_time", .makeTime, [.int32, .int32, .float64], .time,
        "The time of hour, minute and seconds.", "make_time(8, 15, 23.5)", "08:15:23.5")
    let parts: [ColumnType] = [.int32, .int32, .int32, .int32, .int32, .float64]
    list.add(
        "make_timestamp", .makeTimestamp, parts, .timestamp,
        "The timestamp of year, month, day, hour, minute and seconds.",
        "make_timestamp(2013, 7, 15, 8, 15, 23.5)", "2013-07-15 08:15:23.5")
    list.add(
        "make_timestamptz",
        [
            Signature(
                .makeTimestampTZ, parts, .timestampTZ, defaults: [.literal(.text("UTC"), .text)]),
            Signature(.makeTimestampTZ, parts + [.text], .timestampTZ),
        ],
        "The same in a time zone, the session's when none is named.",
        "make_timestamptz(2013, 7, 15, 8, 15, 23.5, 'Europe/Berlin')",
        "2013-07-15 06:15:23.5+00")
    let zero = BoundExpression.literal(.int(0), .int32)
    let seconds = BoundExpression.literal(.float(0), .float64)
    let fields: [ColumnType] = [.int32, .int32, .int32, .int32, .int32, .int32, .float64]
    list.add(
        "make_interval",
        (0...7).map { count in
            Signature(
                .makeInterval, Array(fields[..<count]), .interval,
                defaults: count == 7
                    ? [] : [BoundExpression](repeating: zero, count: 6 - count) + [seconds])
        },
        "The interval of years, months, weeks, days, hours, minutes and seconds; "
            + "by name, as days => 10, too.",
        "make_interval(0, 0, 1, 3)", "10 days")
}

private func addFormats(_ list: inout FunctionList) {
    list.add(
        "to_char",
        (stamps + [.interval]).map { Signature(.toChar, [$0, .text], .text) }
            + [
                Signature(.numberToText, [.int32, .text], .text),
                Signature(.numberToText, [.int64, .text], .text),
                Signature(.numberToText, [.float32, .text], .text),
                Signature(.numberToText, [.float64, .text], .text),
                Signature(.numberToText, [.plainNumeric, .text], .text),
            ],
        "A moment, an interval or a number by a pattern.",
        "to_char(TIMESTAMP '2002-04-20 17:31:12', 'HH12:MI:SS')", "05:31:12")
    list.add(
        "to_timestamp",
        [
            Signature(.toTimestamp, [.float64], .timestampTZ),
            Signature(.parseTimestamp, [.text, .text], .timestampTZ),
        ],
        "The moment of seconds since 1970, or that a text means by a pattern.",
        "to_timestamp('05 Dec 2000', 'DD Mon YYYY')", "2000-12-05 00:00:00+00")
    list.add(
        "to_date", .parseDate, [.text, .text], .date, "The date that a text means by a pattern.",
        "to_date('05 Dec 2000', 'DD Mon YYYY')", "2000-12-05")
    list.add(
        "date", form: "(any) → date", "As a cast to date.", "date('2024-02-29 12:00')",
        "2024-02-29")
}
