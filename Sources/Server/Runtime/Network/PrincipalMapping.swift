import Base

/// How the name in a client's certificate becomes the name of a user: Apache Kafka's
/// `ssl.principal.mapping.rules`.
///
///   RULE:pattern/replacement/      where the pattern matches the whole name
///   RULE:pattern/replacement/L     … in lower case; U in upper case
///   DEFAULT                        the name as it is
///
/// The first rule that fits decides.
package struct PrincipalMapping: Sendable {
    private struct Rule: Sendable {
        /// nil = DEFAULT.
        var pattern: String?
        var replacement = ""
        var changesCase: Character?
    }

    private var rules: [Rule] = []

    /// The name as it is.
    package init() { rules = [Rule(pattern: nil)] }

    package init(parsing text: String) throws(Problem) {
        var rest = Substring(text)
        func refuse(_ what: String) -> Problem {
            Problem(
                "config.value", "ssl.principal.mapping.rules can't be understood: \(what)",
                hint: "expected DEFAULT or RULE:pattern/replacement/, separated by commas")
        }
        while true {
            while let first = rest.first, first == "," || first == " " { rest.removeFirst() }
            if rest.isEmpty { break }
            if rest.hasPrefix("DEFAULT") {
                rest.removeFirst("DEFAULT".count)
                rules.append(Rule(pattern: nil))
            } else if rest.hasPrefix("RULE:") {
                rest.removeFirst("RULE:".count)
                guard let pattern = Self.part(&rest), let replacement = Self.part(&rest) else {
                    throw refuse("a rule does not end")
                }
                var rule = Rule(pattern: pattern, replacement: replacement)
                if let flag = rest.first, flag == "L" || flag == "U" {
                    rule.changesCase = flag
                    rest.removeFirst()
                }
                guard Self.compiled(pattern) != nil else {
                    throw refuse("\"\(pattern)\" is not a regular expression")
                }
                rules.append(rule)
            } else {
                throw refuse("\"\(rest.prefix(40))\"")
            }
            while rest.first == " " { rest.removeFirst() }
            guard rest.isEmpty || rest.first == "," else { throw refuse("\"\(rest.prefix(40))\"") }
        }
        if rules.isEmpty { rules = [Rule(pattern: nil)] }
    }

    /// The user behind a certificate's name; nil when no rule fits.
    package func user(_ name: String) -> String? {
        for rule in rules {
            guard let pattern = rule.pattern else { return name }
            guard let regex = Self.compiled(pattern),
                let match = (try? regex.wholeMatch(in: name)) ?? nil
            else { continue }
            let groups = match.output.map { $0.substring ?? "" }
            let user = Self.filled(rule.replacement, groups)
            switch rule.changesCase {
            case "L": return user.lowercased()
            case "U": return user.uppercased()
            default: return user
            }
        }
        return nil
    }

    /// Compiled for each use: sessions begin rarely, and a compiled one may not cross threads.
    private static func compiled(_ pattern: String) -> Regex<AnyRegexOutput>? {
        try? Regex(pattern)
    }

    /// Up to the next slash that has no backslash before it.
    private static func part(_ rest: inout Substring) -> String? {
        var part = ""
        while let character = rest.popFirst() {
            if character == "/" { return part }
            if character == "\\", let next = rest.popFirst() {
                part += next == "/" ? "/" : "\\" + String(next)
                continue
            }
            part.append(character)
        }
        return nil
    }

    /// `$1` is the first group; a backslash takes the next character as it is.
    private static func filled(_ replacement: String, _ groups: [Substring]) -> String {
        var result = ""
        var rest = Substring(replacement)
        while let character = rest.popFirst() {
            if character == "\\", let next = rest.popFirst() {
                result.append(next)
            } else if character == "$", let digit = rest.first?.wholeNumberValue {
                rest.removeFirst()
                if groups.indices.contains(digit) { result += groups[digit] }
            } else {
                result.append(character)
            }
        }
        return result
    }
}
