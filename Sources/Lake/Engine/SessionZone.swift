// The time zone of a session: moments as its clock shows them.

import Base
import Columns
import SQL

/// A time zone by the name that SHOW gives it.
package struct SessionZone: SessionClock {
    package let name: String
    private let rules: TimeZoneRules

    package var zoneName: String { ":" + name }

    /// The zone that a setting names: one of the database, an offset as POSIX writes it, or hours to
    /// the east. nil when there is none.
    package init?(_ text: String, _ source: any TimeZoneSource) throws(Problem) {
        var wanted = text
        if let hours = Double(text.filter { $0 != " " }), hours.magnitude < 168 {
            wanted = Self.posixName(secondsEast: Int((hours * 3600).rounded()))
        }
        guard let found = try TimeZoneTable(source).zone(wanted) else { return nil }
        (name, rules) = found
    }

    /// The zone that is an interval to the east; nil when it has months or days.
    package init?(east interval: Interval) {
        guard interval.months == 0, interval.days == 0,
            interval.microseconds.magnitude < 168 * 3_600_000_000
        else { return nil }
        let seconds = Int(interval.microseconds / 1_000_000)
        name = Self.posixName(secondsEast: seconds)
        rules = TimeZoneRules(fixed: Int64(seconds), String(name.dropFirst().prefix { $0 != ">" }))
    }

    /// `<+05:30>-05:30`: POSIX counts to the west.
    private static func posixName(secondsEast seconds: Int) -> String {
        var shown: [UInt8] = []
        DateTimeText.append(zoneSeconds: Int64(seconds), hasMinutes: false, to: &shown)
        let text = String(decoding: shown, as: UTF8.self)
        return "<\(text)>" + (seconds < 0 ? "+" : "-") + text.dropFirst()
    }

    package func moment(ofLocal local: Int64) -> Int64? {
        do throws(Problem) { return try ZoneKernels.moment(local, rules) } catch { return nil }
    }

    /// The rows with the moments in them as texts: as PostgreSQL shows them, or as JSON has them.
    package func shown(_ batch: ColumnBatch, asISO: Bool) -> ColumnBatch {
        var batch = batch
        for index in batch.columns.indices {
            batch.columns[index] = Self.texts(of: batch.columns[index], rules, asISO: asISO)
        }
        return batch
    }

    // MARK: Columns

    static func texts(of column: Column, _ rules: TimeZoneRules, asISO: Bool) -> Column {
        column.replacingMoments(by: .text) { moments, valid in
            var sink = TextSink(capacity: moments.count)
            for (row, moment) in moments.enumerated() {
                guard valid?[row] ?? true else {
                    sink.appendEmpty()
                    continue
                }
                let east = rules.offset(at: CalendarMath.floorDivide(moment, 1_000_000)).seconds
                sink.append(
                    DateTimeText.timestampBytes(
                        moment, withZone: true, zoneSeconds: east, separator: asISO ? 0x54 : 0x20))
            }
            return .text(sink.finish())
        }
    }
}

extension Column {
    /// The column with the layout `other` in the place of every `timestamptz` in it.
    func replacingMoments<Failure>(
        by other: ColumnType, _ transform: ([Int64], Validity?) throws(Failure) -> ColumnData
    ) throws(Failure) -> Column {
        let changed = type.replacingMoments(by: other)
        if changed == type { return self }
        let replaced: ColumnData
        switch data {
        case .int64(let moments): replaced = try transform(moments, validity)
        case .list(let offsets, let element):
            replaced = .list(
                offsets: offsets, element: try element.replacingMoments(by: other, transform))
        case .map(let offsets, let key, let value):
            replaced = .map(
                offsets: offsets, key: try key.replacingMoments(by: other, transform),
                value: try value.replacingMoments(by: other, transform))
        case .structure(let members):
            var inner: [Column] = []
            for member in members {
                inner.append(try member.replacingMoments(by: other, transform))
            }
            replaced = .structure(inner)
        default: replaced = data
        }
        return Column(type: changed, data: replaced, validity: validity)
    }
}
