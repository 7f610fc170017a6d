// Which types the values of a file are of. All records are looked at: a type that was guessed from a
// sample fails in the middle of the file, or loses what it did not see.

import Base
import Columns
import Engine

/// The types that all texts seen so far are texts of.
private struct TextTypes: OptionSet {
    let rawValue: UInt8
    static let int64 = TextTypes(rawValue: 1)
    static let float64 = TextTypes(rawValue: 2)
    static let boolean = TextTypes(rawValue: 4)
    static let date = TextTypes(rawValue: 8)
    static let timestamp = TextTypes(rawValue: 16)
    static let timestampTZ = TextTypes(rawValue: 32)
    static let all = TextTypes(rawValue: 63)

    /// From the narrowest on.
    static let types: [(TextTypes, ColumnType)] = [
        (.int64, .int64), (.float64, .float64), (.boolean, .boolean), (.date, .date),
        (.timestamp, .timestamp), (.timestampTZ, .timestampTZ),
    ]

    /// What a text may be by its looks. Narrower than what casts accept: `007` is a code and not a
    /// number, `t` is a letter, and `today` is a word.
    static func byLooks(_ text: UnsafeRawBufferPointer) -> TextTypes {
        guard let first = text.first else { return [] }
        let isWord = text.elementsEqual("true".utf8) || text.elementsEqual("false".utf8)
        if isWord { return .boolean }
        var digits = text
        if first == 0x2D || first == 0x2B { digits = UnsafeRawBufferPointer(rebasing: text[1...]) }
        guard let lead = digits.first, (0x30...0x39).contains(lead) else { return [] }
        if digits.count >= 10, digits[4] == 0x2D, digits[7] == 0x2D, digits.count == text.count {
            return moment(text)
        }
        let hasLeadingZero = lead == 0x30 && digits.count > 1
        if digits.allSatisfy({ (0x30...0x39).contains($0) }) {
            if hasLeadingZero { return [] }
            // A double has no more than fifteen digits for sure.
            return digits.count <= 15 ? [.int64, .float64] : .int64
        }
        if hasLeadingZero, (0x30...0x39).contains(digits[1]) { return [] }
        let isNumber = digits.allSatisfy {
            (0x30...0x39).contains($0) || [0x2E, 0x65, 0x45, 0x2B, 0x2D].contains($0)
        }
        return isNumber ? .float64 : []
    }

    private static func moment(_ text: UnsafeRawBufferPointer) -> TextTypes {
        if text.count == 10 { return [.date, .timestamp] }
        guard text[10] == 0x20 || text[10] == 0x54 else { return [] }
        let hasZone = text[11...].contains { [0x5A, 0x2B, 0x2D].contains($0) }
        return hasZone ? .timestampTZ : .timestamp
    }
}

/// What the texts of one column were so far.
private struct ColumnTexts {
    var types = TextTypes.all
    var hasValue = false

    mutating func add(_ column: Column, now: Now) throws(Problem) {
        guard case .text(let texts) = column.data else { return }
        if column.nullCount < column.count { hasValue = true }
        for row in 0..<texts.count where !types.isEmpty && !column.isNull(row) {
            types.formIntersection(texts.withBytes(row) { TextTypes.byLooks($0) })
        }
        // What looks like a date may be the thirtieth of February.
        for (option, type) in TextTypes.types where types.contains(option) {
            let parsed = try parseColumn(column, as: type, nullOnFailure: true, now: now)
            if parsed.nullCount != column.nullCount { types.remove(option) }
        }
    }

    var columnType: ColumnType {
        guard hasValue else { return .text }
        return TextTypes.types.first { types.contains($0.0) }?.1 ?? .text
    }
}

/// The narrowest type that every text is of, and the texts as values of it.
package func narrowest(
    _ texts: Column, now: Now
) throws(Problem) -> (type: ColumnType, values: Column) {
    var seen = ColumnTexts()
    try seen.add(texts, now: now)
    return (seen.columnType, try parseColumn(texts, as: seen.columnType, now: now))
}

func csvColumns(
    _ files: [RowFile], _ options: CSVOptions, now: Now, limits: RowFileLimits
) throws(Problem) -> [Field] {
    var names: [String]?
    var columns: [ColumnTexts] = []
    for file in files {
        var reader = try CSVReader(file, options, limits: limits)
        let found = try reader.columnNames()
        // A file without a record, not even a header, has no columns to differ.
        if found.isEmpty { continue }
        if let names, found != names {
            throw Problem(
                "42804", "\(file.name) has other columns than \(files[0].name)",
                notes: [
                    "found: " + found.joined(separator: ", "),
                    "expected: " + names.joined(separator: ", "),
                ], hint: "read the files one by one")
        }
        names = found
        while let batch = try reader.next() {
            while columns.count < batch.columns.count { columns.append(ColumnTexts()) }
            for (index, column) in batch.columns.enumerated() {
                try columns[index].add(column, now: now)
            }
        }
    }
    return (names ?? []).enumerated().map { index, name in
        Field(name, index < columns.count ? columns[index].columnType : .text)
    }
}

/// A name for each column: that of the header, or its number where it has none; what is there twice
/// gets a number.
func distinctNames(_ header: [String], count: Int) -> [String] {
    var names: [String] = []
    for index in 0..<max(count, header.count) {
        var name = index < header.count ? header[index] : ""
        if name.isEmpty { name = "column\(index + 1)" }
        let plain = name
        var number = 2
        while names.contains(name) {
            name = "\(plain)_\(number)"
            number += 1
        }
        names.append(name)
    }
    return names
}

func jsonColumns(_ files: [RowFile], limits: RowFileLimits) throws(Problem) -> [Field] {
    var keys = JSONKeys()
    for file in files {
        var source = ChunkReader(file, limits)
        var lines = JSONLines()
        while true {
            while let payload = lines.next(in: source.chunk, isLast: source.isLast) {
                try keys.add(payload, file.name, lines)
            }
            if source.isLast { break }
            try source.advance(from: lines.start, line: lines.number + 1)
            lines.chunkMoved()
        }
    }
    return keys.order.map { Field($0, (keys.kinds[$0] ?? []).columnType) }
}

/// The keys of the objects seen so far, in the order in which they came up.
private struct JSONKeys {
    var kinds: OrderedMap<String, JSONKinds> = [:]
    var order: [String] = []

    mutating func add(_ payload: Bytes, _ name: String, _ lines: JSONLines) throws(Problem) {
        let members: [JSONMember]
        do throws(DecodeFailure) {
            guard case .object(let list) = try JSONValue(parsing: payload) else {
                throw .malformed("not an object", position: 0)
            }
            members = list
        } catch {
            throw Problem(
                "22P02", "\(name), line \(lines.number): the line is not a JSON object",
                notes: ["\(error)"], hint: lines.arrayHint)
        }
        for member in members {
            if kinds[member.key] == nil {
                order.append(member.key)
                guard order.count <= columnsMax else {
                    throw Problem(
                        "54011", "\(name) has more than \(columnsMax) keys",
                        notes: ["line \(lines.number) has another one"])
                }
            }
            kinds[member.key, default: []].formUnion(JSONKinds(member.value))
        }
    }
}

/// How many different keys the objects of a file may have.
private let columnsMax = 10_000

/// The kinds of JSON values that a member had.
private struct JSONKinds: OptionSet {
    let rawValue: UInt8
    static let boolean = JSONKinds(rawValue: 1)
    static let integer = JSONKinds(rawValue: 2)
    static let number = JSONKinds(rawValue: 4)
    static let string = JSONKinds(rawValue: 8)
    static let other = JSONKinds(rawValue: 16)

    init(rawValue: UInt8) { self.rawValue = rawValue }

    init(_ value: JSONValue) {
        switch value {
        case .null: self = []
        case .bool: self = .boolean
        case .number(let text):
            let isInteger = !text.utf8.contains { [0x2E, 0x65, 0x45].contains($0) }
            // An integer that no column of integers holds keeps its digits as JSON.
            self = !isInteger ? .number : value.intValue == nil ? .other : .integer
        case .string: self = .string
        case .array, .object: self = .other
        }
    }

    /// The type that holds all of them without loss.
    var columnType: ColumnType {
        switch self {
        case []: .text
        case .boolean: .boolean
        case .integer: .int64
        case .number, [.integer, .number]: .float64
        case .string: .text
        default: .json
        }
    }
}
