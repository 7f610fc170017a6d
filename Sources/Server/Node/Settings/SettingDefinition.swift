import Base
import Coordinator
import WireProtocol

/// What values a setting may have.
enum SettingRule: Sendable {
    case boolean
    case whole(ClosedRange<Int64>)
    case real
    case ratio
    /// One of these words.
    case choice([String])
    /// Words of these, separated by commas; at least one unless `mayBeEmpty`.
    case list([String], mayBeEmpty: Bool)
    /// Published values that this version can't honour yet are refused with the reason.
    case only([String], reason: String)
    /// Where a share group begins.
    case offsetReset
    case text

    /// What is wrong with `value` for the setting `name`; nil when it is fine.
    func complaint(about value: String, for name: String) -> String? {
        switch self {
        case .boolean:
            if value == "true" || value == "false" { return nil }
            return "\(name) is true or false, not \"\(value)\""
        case .whole(let range):
            guard let number = Int64(value) else {
                return "\(name) is a whole number, not \"\(value)\""
            }
            if range.contains(number) { return nil }
            return "\(name) is \(number), allowed is \(range.lowerBound) to \(range.upperBound)"
        case .real:
            if let number = Double(value), number.isFinite { return nil }
            return "\(name) is a number, not \"\(value)\""
        case .ratio:
            if let number = Double(value), number >= 0, number <= 1 { return nil }
            return "\(name) is a number from 0 to 1, not \"\(value)\""
        case .choice(let words):
            if words.contains(value) { return nil }
            return "\(name) is one of \(words.joined(separator: ", ")), not \"\(value)\""
        case .list(let words, let mayBeEmpty):
            let parts = SettingDefinition.words(of: value)
            if parts.isEmpty, !mayBeEmpty {
                return "\(name) needs at least one of \(words.joined(separator: ", "))"
            }
            for part in parts where !words.contains(part) {
                return "\(name) has \"\(part)\", allowed are \(words.joined(separator: ", "))"
            }
            return nil
        case .only(let words, let reason):
            if words.contains(value) { return nil }
            return "\(name) can't be \"\(value)\": \(reason)"
        case .offsetReset:
            if ShareOffsetReset(value) != nil { return nil }
            return "\(name) is latest, earliest, or by_duration: and a time as ISO 8601 writes it "
                + "(by_duration:PT1H), not \"\(value)\""
        case .text:
            return nil
        }
    }

    /// What every value of a type obeys, where nothing more is known.
    static func of(_ type: ConfigType) -> SettingRule {
        switch type {
        case .boolean: .boolean
        case .short: .whole(Int64(Int16.min)...Int64(Int16.max))
        case .int: .whole(Int64(Int32.min)...Int64(Int32.max))
        case .long: .whole(Int64.min...Int64.max)
        case .double: .real
        default: .text
        }
    }
}

/// One setting with its published name: what it may be, and what it is when nobody says anything.
struct SettingDefinition: Sendable {
    let name: String
    let type: ConfigType
    let defaultValue: String
    let rule: SettingRule
    /// The broker's setting that gives topics their default.
    let brokerName: String?
    let documentation: String
    /// Why the setting changes nothing; nil when it does.
    let inertBecause: String?

    init(
        _ name: String, _ type: ConfigType, _ defaultValue: String, _ rule: SettingRule,
        broker: String? = nil, inert: String? = nil, _ documentation: String
    ) {
        self.name = name
        self.type = type
        self.defaultValue = defaultValue
        self.rule = rule
        brokerName = broker
        inertBecause = inert
        self.documentation = documentation
    }

    /// What is wrong with `value`; nil when it is fine.
    func complaint(about value: String) -> String? { rule.complaint(about: value, for: name) }

    var isList: Bool { type == .list }

    /// The elements of a list value, without blanks and empty elements.
    static func words(of value: String) -> [String] {
        value.split(separator: ",").map { part in
            var part = part
            while part.first == " " { part.removeFirst() }
            while part.last == " " { part.removeLast() }
            return String(part)
        }.filter { !$0.isEmpty }
    }
}
