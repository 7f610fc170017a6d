import Base

/// Regular expressions as PostgreSQL writes them, for RE2: flags, and the few escapes that differ.
struct RegexPattern {
    let expression: RegularExpression
    /// `g`: every match counts.
    let isGlobal: Bool
    /// `1`: what is wanted is the first group (SUBSTRING … FROM).
    let wantsGroup: Bool

    init(_ pattern: UnsafeRawBufferPointer, flags: UnsafeRawBufferPointer) throws(Problem) {
        var options: RegularExpression.Options = [.dotMatchesNewline]
        var isGlobal = false
        var wantsGroup = false
        var prefix = ""
        var isLiteral = false
        for flag in flags {
            switch flag {
            case UInt8(ascii: "i"): options.insert(.ignoringCase)
            case UInt8(ascii: "c"): options.remove(.ignoringCase)
            case UInt8(ascii: "g"): isGlobal = true
            case UInt8(ascii: "1"): wantsGroup = true
            case UInt8(ascii: "s"): options.insert(.dotMatchesNewline)
            case UInt8(ascii: "n"), UInt8(ascii: "m"):
                options.remove(.dotMatchesNewline)
                prefix = "(?m)"
            case UInt8(ascii: "p"): options.remove(.dotMatchesNewline)
            case UInt8(ascii: "w"): prefix = "(?m)"
            case UInt8(ascii: "q"): isLiteral = true
            case UInt8(ascii: "e"), UInt8(ascii: "t"): break
            default:
                throw SQLErrors.invalidParameter(
                    "invalid regular expression option: \"\(Character(Unicode.Scalar(flag)))\"")
            }
        }
        var text = String(decoding: pattern, as: UTF8.self)
        if isLiteral {
            text = Self.quoted(text)
        } else {
            text = Self.translated(text)
        }
        // POSIX prefers the longest of several alternatives; with lazy repetition the first counts.
        let isLazy = ["*?", "+?", "??", "}?"].contains { text.contains($0) }
        if !isLazy { options.insert(.longest) }
        try self.init(prefix + text, options, isGlobal: isGlobal, wantsGroup: wantsGroup)
    }

    /// SQL's SIMILAR TO: `%` and `_` as in LIKE, alternatives and repetitions of regular expressions;
    /// the whole text must match. With `wantsPart` what stands between two escaped quotes is the
    /// first group, and what is before it is as short as can be.
    init(
        similar pattern: UnsafeRawBufferPointer, escape: UnsafeRawBufferPointer,
        wantsPart: Bool = false
    ) throws(Problem) {
        guard escape.count <= 1 || TextKernels.scalarCount(escape) == 1 else {
            throw Problem(
                "22025", "invalid escape string",
                hint: "Escape string must be empty or one character.")
        }
        let escapeScalar = String(decoding: escape, as: UTF8.self).unicodeScalars.first
        var text = ""
        var isEscaped = false
        var isInBrackets = false
        var parts: [String] = []
        // Repetitions of the part before the marks are lazy.
        let marks =
            wantsPart ? Self.marks(String(decoding: pattern, as: UTF8.self), escapeScalar) : 0
        var lazy: String { marks > 0 && parts.isEmpty ? "?" : "" }
        for scalar in String(decoding: pattern, as: UTF8.self).unicodeScalars {
            if isEscaped {
                isEscaped = false
                if scalar == "\"" {
                    // Where only a match is wanted its parts do not matter.
                    if wantsPart {
                        parts.append(text)
                        text = ""
                    }
                } else {
                    text += Self.quoted(String(scalar))
                }
                continue
            }
            if let escapeScalar, scalar == escapeScalar {
                isEscaped = true
                continue
            }
            if isInBrackets {
                if scalar == "]" { isInBrackets = false }
                text += scalar == "\\" ? "\\\\" : String(scalar)
                continue
            }
            switch scalar {
            case "%": text += ".*" + lazy
            case "*", "+", "?", "}": text += String(scalar) + lazy
            case "_": text += "."
            case "(": text += "(?:"
            case "[":
                isInBrackets = true
                text += "["
            case ".", "^", "$", "\\": text += Self.quoted(String(scalar))
            default: text.unicodeScalars.append(scalar)
            }
        }
        parts.append(text)
        guard wantsPart else {
            try self.init(
                "^(?:\(text))$", [.dotMatchesNewline, .longest], isGlobal: false,
                wantsGroup: false)
            return
        }
        guard parts.count <= 3 else {
            throw Problem(
                "2200C",
                "SQL regular expression may not contain more than two escape-double-quote "
                    + "separators")
        }
        let before = parts.count > 1 ? parts.removeFirst() : ""
        let behind = parts.count > 1 ? parts[1] : ""
        try self.init(
            "^(?:\(before))(\(parts[0]))(?:\(behind))$", [.dotMatchesNewline], isGlobal: false,
            wantsGroup: true)
    }

    /// How many escaped quotes there are.
    private static func marks(_ pattern: String, _ escape: Unicode.Scalar?) -> Int {
        var count = 0
        var isEscaped = false
        for scalar in pattern.unicodeScalars {
            if isEscaped {
                if scalar == "\"" { count += 1 }
                isEscaped = false
            } else {
                isEscaped = scalar == escape
            }
        }
        return count
    }

    private init(
        _ text: String, _ options: RegularExpression.Options, isGlobal: Bool, wantsGroup: Bool
    ) throws(Problem) {
        do throws(RegularExpressionFailure) {
            expression = try RegularExpression(text, options)
        } catch {
            throw Problem(
                "2201B", "invalid regular expression: \(error.reason)",
                hint: "look-around and references back to groups are not supported")
        }
        self.isGlobal = isGlobal
        self.wantsGroup = wantsGroup
    }

    /// `text` as a pattern that matches just it.
    private static func quoted(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            if scalar.isASCII, !scalar.properties.isAlphabetic,
                scalar.properties.numericType == nil
            {
                result += "\\"
            }
            result.unicodeScalars.append(scalar)
        }
        return result
    }

    /// The pattern with what RE2 spells in another way: word boundaries and the end of the text.
    private static func translated(_ pattern: String) -> String {
        var result = ""
        var isEscape = false
        for scalar in pattern.unicodeScalars {
            if isEscape {
                isEscape = false
                switch scalar {
                case "m", "M", "y": result += "\\b"
                case "Y": result += "\\B"
                case "Z": result += "\\z"
                default:
                    result += "\\"
                    result.unicodeScalars.append(scalar)
                }
            } else if scalar == "\\" {
                isEscape = true
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        // A lone escape at the end is for RE2 to refuse.
        return isEscape ? result + "\\" : result
    }
}
