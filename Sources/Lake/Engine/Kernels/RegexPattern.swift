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
    /// the whole text must match.
    init(
        similar pattern: UnsafeRawBufferPointer, escape: UnsafeRawBufferPointer
    ) throws(Problem) {
        guard escape.count <= 1 || TextKernels.scalarCount(escape) == 1 else {
            throw Problem(
                "22019", "invalid escape string",
                hint: "Escape string must be empty or one character.")
        }
        let escapeScalar = String(decoding: escape, as: UTF8.self).unicodeScalars.first
        var text = "^(?:"
        var isEscaped = false
        var isInBrackets = false
        for scalar in String(decoding: pattern, as: UTF8.self).unicodeScalars {
            if isEscaped {
                text += Self.quoted(String(scalar))
                isEscaped = false
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
            case "%": text += ".*"
            case "_": text += "."
            case "(": text += "(?:"
            case "[":
                isInBrackets = true
                text += "["
            case ".", "^", "$", "\\": text += Self.quoted(String(scalar))
            default: text.unicodeScalars.append(scalar)
            }
        }
        try self.init(
            text + ")$", [.dotMatchesNewline, .longest], isGlobal: false, wantsGroup: false)
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
