// Statistics of a data file, a JSON text inside of its `add` action:
//
//   {"numRecords":n,"minValues":{…},"maxValues":{…},"nullCount":{…},"tightBounds":true}
//
// The three objects mirror nested structures. Missing means "unknown", for each column by itself.

import Base
import Columns

/// What is known about one leaf column of a file, as its writer saw it.
package struct ColumnSummary: Hashable, Sendable {
    /// Names from the top-level column down to the leaf.
    package var path: [String]
    package var nullCount: Int64?
    package var minimum: Value?
    package var maximum: Value?

    package init(path: [String], nullCount: Int64?, minimum: Value? = nil, maximum: Value? = nil) {
        self.path = path
        self.nullCount = nullCount
        self.minimum = minimum
        self.maximum = maximum
    }
}

/// What is known about a file, read from its `add` action.
package struct FileStatistics: Sendable {
    private let json: JSONValue

    /// nil when the file has no statistics, or none that can be read: they only ever save work.
    package init?(_ file: AddFile) {
        guard let text = file.statistics, let json = try? JSONValue(parsing: text),
            json.members != nil
        else { return nil }
        self.json = json
    }

    /// Rows of the file, deleted ones included.
    package var rowCount: Int64? {
        json["numRecords"]?.intValue.flatMap { $0 >= 0 ? $0 : nil }
    }

    package func nullCount(_ path: [String]) -> Int64? { find("nullCount", path)?.intValue }

    /// A value that none of the column is below.
    package func minimum(_ path: [String], _ type: ColumnType) -> Value? {
        find("minValues", path).flatMap { Self.value($0, type) }
    }

    /// A value that none of the column is above. Moments are written in whole milliseconds,
    /// rounded down, so that up to 999 µs may be missing.
    package func maximum(_ path: [String], _ type: ColumnType) -> Value? {
        switch find("maxValues", path).flatMap({ Self.value($0, type) }) {
        case .timestamp(let moment)?: .timestamp(microseconds: Self.addingMillisecond(moment))
        case .timestampTZ(let moment)?: .timestampTZ(microseconds: Self.addingMillisecond(moment))
        case let other: other
        }
    }

    private static func addingMillisecond(_ moment: Int64) -> Int64 {
        let (sum, overflow) = moment.addingReportingOverflow(999)
        return overflow ? .max : sum
    }

    private func find(_ kind: String, _ path: [String]) -> JSONValue? {
        var value = json[kind]
        for name in path { value = value?[name] }
        return value
    }

    static func value(_ json: JSONValue, _ type: ColumnType) -> Value? {
        switch (json, type) {
        case (.number(let digits), .int16), (.number(let digits), .int32),
            (.number(let digits), .int64):
            return Int64(digits).map { .int($0) }
        case (.number(let digits), .float32), (.number(let digits), .float64):
            return Double(digits).map { .float($0) }
        case (.number(let digits), .decimal), (.string(let digits), .decimal):
            return PartitionValues.parse(digits, type)
        case (.string(let text), .text), (.string(let text), .date),
            (.string(let text), .timestamp),
            (.string(let text), .timestampTZ):
            return PartitionValues.parse(text, type)
        default: return nil
        }
    }
}

extension AddFile {
    /// Rows of the file as its statistics have them, deleted ones included. Most writers put the
    /// number first, where it is found without reading the rest.
    package var recordedRowCount: Int64? {
        guard let statistics else { return nil }
        let prefix = "{\"numRecords\":"
        if statistics.utf8.starts(with: prefix.utf8) {
            let digits = statistics.utf8.dropFirst(prefix.utf8.count).prefix {
                (0x30...0x39).contains($0)
            }
            if let count = Int64(String(decoding: digits, as: UTF8.self)) { return count }
        }
        return FileStatistics(self)?.rowCount
    }
}

// MARK: Writing

extension FileStatistics {
    /// The statistics text for a file of `rowCount` rows. `columns` come in the order of the
    /// file's leaf columns; the first `limit` of them are kept (all when it is negative).
    package static func text(rowCount: Int64, columns: [ColumnSummary], limit: Int) -> String {
        var minimums = Tree()
        var maximums = Tree()
        var nulls = Tree()
        for column in limit < 0 ? columns[...] : columns.prefix(limit) {
            if let count = column.nullCount { nulls.insert(column.path[...], .int(count)) }
            if let value = column.minimum.flatMap({ bound($0, isMaximum: false) }) {
                minimums.insert(column.path[...], value)
            }
            if let value = column.maximum.flatMap({ bound($0, isMaximum: true) }) {
                maximums.insert(column.path[...], value)
            }
        }
        let json: JSONValue = [
            "numRecords": .int(rowCount), "minValues": minimums.json, "maxValues": maximums.json,
            "nullCount": nulls.json, "tightBounds": true,
        ]
        return json.text
    }

    /// The statistics of a file whose deletion vector changed: its number of rows, which readers
    /// must know then, and bounds that hold for more rows than are left.
    static func loosened(_ statistics: String?, rowCount: Int64) -> String {
        let known = statistics.flatMap { try? JSONValue(parsing: $0) }?.members ?? []
        let rest = known.filter { $0.key != "tightBounds" && $0.key != "numRecords" }
        return JSONValue.object(
            [JSONMember("numRecords", .int(rowCount))] + rest
                + [JSONMember("tightBounds", false)]
        ).text
    }

    /// A bound as JSON, or nil where the format keeps none: booleans, bytes, NaN and infinity.
    private static func bound(_ value: Value, isMaximum: Bool) -> JSONValue? {
        switch value {
        case .int(let number): .int(number)
        case .float(let number): number.isFinite ? .number("\(number)") : nil
        case .decimal(let unscaled, let scale): .number(DecimalText.plain(unscaled, scale: scale))
        case .text(let text):
            (isMaximum ? upperBound(text) : lowerBound(text)).map { .string($0) }
        case .date(let days): .string(CalendarText.date(days: days))
        case .timestamp(let moment):
            .string(CalendarText.timestamp(microseconds: moment, digits: 3, separator: "T"))
        case .timestampTZ(let moment):
            .string(CalendarText.timestamp(microseconds: moment, digits: 3, separator: "T") + "Z")
        default: nil
        }
    }

    private static func lowerBound(_ text: String) -> String? {
        let scalars = text.unicodeScalars
        return String(String.UnicodeScalarView(scalars.prefix(DeltaLimits.statisticsCharacters)))
    }

    /// The text cut, with a character behind it that no cut-off character is above.
    static func upperBound(_ text: String) -> String? {
        let scalars = text.unicodeScalars
        var kept = String.UnicodeScalarView(scalars.prefix(DeltaLimits.statisticsCharacters))
        let rest = scalars.dropFirst(DeltaLimits.statisticsCharacters)
        guard let next = rest.first else { return text }
        if next.value == 0x10FFFF { return nil }
        kept.append(next.value < 0x7F ? "\u{7F}" : "\u{10FFFF}")
        return String(kept)
    }

    /// Nested objects grown path by path.
    private struct Tree {
        private var members: [(name: String, node: Node)] = []

        private indirect enum Node {
            case leaf(JSONValue)
            case tree(Tree)
        }

        mutating func insert(_ path: ArraySlice<String>, _ value: JSONValue) {
            guard let name = path.first else { return }
            let rest = path.dropFirst()
            let place = members.firstIndex { $0.name == name }
            if rest.isEmpty {
                if place == nil { members.append((name, .leaf(value))) }
                return
            }
            var inner = Tree()
            if let place, case .tree(let existing) = members[place].node { inner = existing }
            inner.insert(rest, value)
            if let place {
                members[place].node = .tree(inner)
            } else {
                members.append((name, .tree(inner)))
            }
        }

        var json: JSONValue {
            .object(
                members.map { member in
                    switch member.node {
                    case .leaf(let value): JSONMember(member.name, value)
                    case .tree(let tree): JSONMember(member.name, tree.json)
                    }
                })
        }
    }
}
