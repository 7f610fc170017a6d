// Time zones by name, as PostgreSQL resolves them: an abbreviation, a zone of the database, or an
// offset as POSIX writes it.

import Base

/// The zones that a statement has asked for. Belongs to one thread.
package final class TimeZoneTable {
    private let source: any TimeZoneSource
    private var known: [String: TimeZoneRules] = [:]

    package init(_ source: any TimeZoneSource) { self.source = source }

    /// Names come with rows: only so many rules are kept.
    private static let rulesMax = 64

    func rules(named name: String) throws(Problem) -> TimeZoneRules {
        if let rules = known[name] { return rules }
        guard let rules = try resolve(name) else {
            throw Problem("22023", "time zone \"\(name)\" not recognized")
        }
        if known.count >= Self.rulesMax { known = [:] }
        known[name] = rules
        return rules
    }

    /// nil when there is no such zone.
    func find(_ name: String) -> TimeZoneRules? {
        do throws(Problem) { return try rules(named: name) } catch { return nil }
    }

    private func resolve(_ name: String) throws(Problem) -> TimeZoneRules? {
        // Of a session, where no abbreviations count.
        if name.utf8.first == 0x3A { return try zone(String(name.dropFirst()))?.rules }
        let lower = name.lowercased()
        if let hours = Self.abbreviations[lower] {
            return TimeZoneRules(
                fixed: Int64((hours * 3600).rounded()),
                lower == "z" || lower == "zulu" ? "UTC" : name.uppercased())
        }
        if let offset = Self.bareOffset(lower) { return offset }
        return try zone(name)?.rules
    }

    /// A zone of the database or an offset as POSIX writes it, and its name as the database has it.
    func zone(_ name: String) throws(Problem) -> (name: String, rules: TimeZoneRules)? {
        let lower = name.lowercased()
        if lower == "utc" { return ("UTC", TimeZoneRules(fixed: 0, "UTC")) }
        if Self.isPlain(name) {
            for spelling in [name, Self.capitalized(lower)] {
                guard let file = source.zoneFile(named: spelling) else { continue }
                guard let rules = TimeZoneRules(file: file) else {
                    throw Problem(
                        "58030", "the file of time zone \"\(spelling)\" is damaged",
                        hint: "install the package tzdata anew")
                }
                return (spelling, rules)
            }
            if name.contains("/"), source.zoneFile(named: "Europe/London") == nil {
                throw Problem(
                    "22023", "time zone \"\(name)\" is not known: there is no zone database here",
                    hint: "install the package tzdata (/usr/share/zoneinfo), or use an offset "
                        + "such as INTERVAL '7 hours'")
            }
        }
        if let rules = Self.bareOffset(lower) {
            // Its clock has no name.
            return (name, TimeZoneRules(fixed: rules.offset(at: 0).seconds, ""))
        }
        return PosixZone(name).map { (name.uppercased(), TimeZoneRules($0)) }
    }

    /// `-07:30` and `+2`: as POSIX has them, west is positive.
    private static func bareOffset(_ text: String) -> TimeZoneRules? {
        guard let sign = text.utf8.first, sign == 0x2B || sign == 0x2D else { return nil }
        guard let zone = PosixZone("<\(text)>\(text)") else { return nil }
        return TimeZoneRules(zone)
    }

    /// What a path below the database's folder may be.
    private static func isPlain(_ name: String) -> Bool {
        guard (1...64).contains(name.utf8.count), let first = name.utf8.first,
            (0x61...0x7A).contains(first | 0x20)
        else { return false }
        var before: UInt8 = 0
        for byte in name.utf8 {
            switch byte {
            case 0x61...0x7A, 0x41...0x5A, 0x30...0x39, 0x2B, 0x2D, 0x5F: break
            case 0x2F where before != 0x2F: break
            default: return false
            }
            before = byte
        }
        return before != 0x2F
    }

    /// `america/new_york` as the database spells it.
    private static func capitalized(_ lower: String) -> String {
        var result = ""
        var isStart = true
        for character in lower {
            result += isStart ? character.uppercased() : String(character)
            isStart = character == "/" || character == "_" || character == "-"
        }
        return result.utf8.count <= 4 ? lower.uppercased() : result
    }

    /// Hours east of UTC. Where an abbreviation has several meanings, PostgreSQL's.
    private static let abbreviations: [String: Double] = [
        "utc": 0, "gmt": 0, "z": 0, "zulu": 0, "ut": 0, "uct": 0, "wet": 0, "bst": 1, "cet": 1,
        "met": 1, "west": 1, "cest": 2, "mest": 2, "eet": 2, "sast": 2, "ist": 2, "eest": 3,
        "msk": 3, "eat": 3, "idt": 3, "msd": 4, "pkt": 5, "npt": 5.75, "ict": 7, "hkt": 8,
        "sgt": 8, "awst": 8, "jst": 9, "kst": 9, "acst": 9.5, "aest": 10, "chst": 10,
        "acdt": 10.5, "aedt": 11, "nzst": 12, "nzdt": 13, "nst": -3.5, "ndt": -2.5, "adt": -3,
        "ast": -4, "edt": -4, "est": -5, "cdt": -5, "cst": -6, "mdt": -6, "mst": -7, "pdt": -7,
        "pst": -8, "akdt": -8, "akst": -9, "hst": -10, "sst": -11,
    ]
}
