// The template patterns of numbers: to_char(number, pattern) and to_number(text, pattern).

import Base
import Columns

/// A pattern taken apart: what each place writes, and what follows from all of them.
struct NumberPattern {
    enum Ordinal { case lower, upper }

    enum Element: Equatable {
        /// `9` and `0`
        case digit, zero
        /// `.` and `D`
        case point
        /// `,` and `G`
        case group
        case currency
        case minus, plus, sign
        case roman(isLower: Bool)
        case ordinal(Ordinal)
        case text(String)
        /// What only changes the rest: `FM`, `S`, `PR`, `V`, `B`, `EEEE`.
        case nothing
    }

    /// Where `S` puts the sign.
    enum AnchoredSign { case none, before, behind }

    private(set) var elements: [Element] = []
    /// Digits before and behind the point, and behind `V`.
    private(set) var whole = 0
    private(set) var fraction = 0
    private(set) var shift = 0
    private(set) var anchor = AnchoredSign.none
    /// The digits before the `S` that stands before the point.
    private(set) var digitsBeforeAnchor = 0
    private(set) var hasAnchor = false
    private(set) var hasPoint = false
    private(set) var hasPlus = false
    private(set) var hasMinus = false
    private(set) var hasBrackets = false
    private(set) var isFilled = true
    private(set) var isRoman = false
    private(set) var isShifted = false
    private(set) var isExponential = false
    private(set) var hasZero = false
    /// The first place that shows a zero, from 1, and the last.
    private(set) var zeroStart = 0
    private(set) var zeroEnd = 0

    /// Patterns longer than this are nobody's intention.
    static let bytesMax = 1024

    init(_ text: String) throws(Problem) {
        guard text.utf8.count <= Self.bytesMax else {
            throw SQLErrors.invalidParameter("a number pattern has at most 1024 bytes")
        }
        var rest = text[...]
        while let first = rest.first {
            if first == "\"" {
                rest.removeFirst()
                add(text: Self.quoted(&rest))
                continue
            }
            if first == "\\", rest.dropFirst().first == "\"" {
                rest.removeFirst(2)
                add(text: "\"")
                continue
            }
            let upper = String(rest.prefix(4)).uppercased()
            guard let (word, keyword) = Self.keywords.first(where: { upper.hasPrefix($0.0) })
            else {
                add(text: String(rest.removeFirst()))
                continue
            }
            let isLower = rest.first?.isLowercase ?? false
            rest.removeFirst(word.count)
            try add(keyword, isLower: isLower)
        }
    }

    private enum Keyword {
        case nine, zero, blank, point, group, currency, exponent, fill, minus, plus, brackets
        case roman, sign, anchor, ordinal, shift, nothing
    }

    /// Longer ones before those that they begin with.
    private static let keywords: [(String, Keyword)] = [
        ("EEEE", .exponent), ("FM", .fill), ("MI", .minus), ("PL", .plus), ("PR", .brackets),
        ("RN", .roman), ("SG", .sign), ("SP", .nothing), ("S", .anchor), ("TH", .ordinal),
        ("V", .shift), ("9", .nine), ("0", .zero), ("B", .blank), ("C", .nothing),
        ("D", .point), (".", .point), ("G", .group), (",", .group), ("L", .currency),
    ]

    private static func quoted(_ rest: inout Substring) -> String {
        var text = ""
        while let next = rest.first {
            rest.removeFirst()
            if next == "\"" { return text }
            if next == "\\", let escaped = rest.first {
                text.append(escaped)
                rest.removeFirst()
            } else {
                text.append(next)
            }
        }
        return text
    }

    private mutating func add(text: String) {
        if !text.isEmpty { elements.append(.text(text)) }
    }

    private static func refuse(_ message: String, _ hint: String? = nil) -> Problem {
        Problem("42601", message, hint: hint)
    }

    private mutating func add(_ keyword: Keyword, isLower: Bool) throws(Problem) {
        if isExponential, keyword != .fill, keyword != .nothing {
            throw Self.refuse("\"EEEE\" must be the last pattern used")
        }
        switch keyword {
        case .nine, .zero: try addDigit(isZero: keyword == .zero)
        case .blank, .nothing: break
        case .point:
            if hasPoint { throw Self.refuse("multiple decimal points") }
            if isShifted { throw Self.refuse("cannot use \"V\" and decimal point together") }
            hasPoint = true
            elements.append(.point)
        case .group: elements.append(.group)
        case .currency: elements.append(.currency)
        case .fill: isFilled = false
        case .anchor:
            if hasAnchor { throw Self.refuse("cannot use \"S\" twice") }
            if hasPlus || hasMinus || hasBrackets {
                throw Self.refuse("cannot use \"S\" and \"PL\"/\"MI\"/\"SG\"/\"PR\" together")
            }
            hasAnchor = true
            anchor = hasPoint ? .behind : .before
            digitsBeforeAnchor = whole
        case .minus, .plus, .sign:
            if hasAnchor {
                let name = keyword == .minus ? "MI" : keyword == .plus ? "PL" : "SG"
                throw Self.refuse("cannot use \"S\" and \"\(name)\" together")
            }
            if keyword != .plus { hasMinus = true }
            if keyword != .minus { hasPlus = true }
            elements.append(keyword == .minus ? .minus : keyword == .plus ? .plus : .sign)
        case .brackets:
            if hasAnchor || hasPlus || hasMinus {
                throw Self.refuse("cannot use \"PR\" and \"S\"/\"PL\"/\"MI\"/\"SG\" together")
            }
            hasBrackets = true
        case .roman:
            isRoman = true
            elements.append(.roman(isLower: isLower))
        case .ordinal: elements.append(.ordinal(isLower ? .lower : .upper))
        case .shift:
            if hasPoint { throw Self.refuse("cannot use \"V\" and decimal point together") }
            isShifted = true
        case .exponent:
            if !isFilled || hasAnchor || hasBrackets || hasMinus || hasPlus || isRoman
                || isShifted
            {
                throw Self.refuse(
                    "\"EEEE\" is incompatible with other formats",
                    "\"EEEE\" may only be used together with digit and decimal point patterns.")
            }
            isExponential = true
        }
    }

    private mutating func addDigit(isZero: Bool) throws(Problem) {
        if hasBrackets {
            throw Self.refuse("\"\(isZero ? 0 : 9)\" must be ahead of \"PR\"")
        }
        if isZero {
            if !hasZero, !hasPoint {
                hasZero = true
                zeroStart = whole + 1
            }
            if hasPoint { fraction += 1 } else { whole += 1 }
            zeroEnd = whole + fraction
        } else if isShifted {
            shift += 1
        } else if hasPoint {
            fraction += 1
        } else {
            whole += 1
        }
        elements.append(isZero ? .zero : .digit)
    }
}

/// Writes one number by a pattern, place by place.
struct NumberWriter {
    private let pattern: NumberPattern
    private let isNegative: Bool
    /// The digits with a point, rounded to the pattern's fraction.
    private let digits: [UInt8]
    /// Places before the first digit.
    private let leading: Int
    /// The last digit that counts when trailing zeros are dropped.
    private var lastRelevant: Int?
    private var needsSign: Bool
    private let hasBrackets: Bool
    private let anchor: NumberPattern.AnchoredSign
    private let placeCount: Int
    private var next = 0
    private var place = 0
    private var isInNumber = false
    private var output: [UInt8] = []

    /// `text` is the absolute value with exactly the pattern's digits behind the point.
    init(_ pattern: NumberPattern, isNegative: Bool, _ text: [UInt8]) {
        self.pattern = pattern
        self.isNegative = isNegative
        let whole = pattern.whole + pattern.shift
        let length = text.firstIndex(of: 0x2E) ?? text.count
        // Floats have fewer digits than the pattern when they are large.
        let fraction = text.count - min(length + 1, text.count)
        if length > whole {
            // More digits than places: the number can't be shown.
            digits =
                [UInt8](repeating: 0x23, count: whole) + [0x2E]
                + [UInt8](repeating: 0x23, count: fraction)
        } else {
            digits = text
        }
        leading = max(0, whole - length)
        let isFilled = pattern.isFilled
        hasBrackets = pattern.hasBrackets && (isNegative || isFilled)
        var anchor = pattern.anchor
        if pattern.hasPlus || pattern.hasMinus {
            needsSign = pattern.hasPlus && !pattern.hasMinus
        } else {
            needsSign = isNegative || isFilled || pattern.hasAnchor
            if anchor == .before, whole == pattern.digitsBeforeAnchor { anchor = .behind }
        }
        self.anchor = anchor
        placeCount =
            fraction + whole - 1 + (needsSign && leading == 0 ? 1 : 0)
        if !isFilled, pattern.hasPoint { lastRelevant = Self.lastRelevant(digits) }
        if let last = lastRelevant, pattern.zeroEnd > leading {
            lastRelevant = max(last, min(digits.count - 1, pattern.zeroEnd - leading))
        }
    }

    private static func lastRelevant(_ digits: [UInt8]) -> Int? {
        guard let point = digits.firstIndex(of: 0x2E) else { return nil }
        var last = point
        for index in (point + 1)..<max(digits.count, point + 1) where digits[index] != 0x30 {
            last = index
        }
        return last
    }

    private var sign: UInt8 { isNegative ? 0x2D : 0x2B }

    /// A zero before the point that a pattern of nines leaves out.
    private var isBareZero: Bool {
        !pattern.hasZero && next == 0 && digits.first == 0x30 && pattern.fraction != 0
            && digits.contains(0x2E)
    }

    private var endsAtPoint: Bool { lastRelevant.map { digits[$0] == 0x2E } ?? false }

    mutating func written() -> [UInt8] {
        for element in pattern.elements {
            switch element {
            case .digit, .zero, .point: writePlace(isZero: element == .zero)
            case .group:
                if isInNumber {
                    output.append(0x2C)
                } else if pattern.isFilled {
                    output.append(0x20)
                }
            case .currency: output.append(0x20)
            case .minus: writeMark(isNegative ? 0x2D : nil)
            case .plus: writeMark(isNegative ? nil : 0x2B)
            case .sign: output.append(sign)
            case .ordinal(let letters): writeOrdinal(letters)
            case .text(let text): output += text.utf8
            case .roman, .nothing: break
            }
        }
        return output
    }

    private mutating func writeMark(_ mark: UInt8?) {
        if let mark {
            output.append(mark)
        } else if pattern.isFilled {
            output.append(0x20)
        }
    }

    private mutating func writeOrdinal(_ letters: NumberPattern.Ordinal) {
        if digits.first == 0x23 || isNegative || pattern.hasPoint { return }
        let last = digits.last.map { Int($0) - 0x30 } ?? 0
        let tens = digits.count > 1 ? Int(digits[digits.count - 2]) - 0x30 : 0
        let suffix =
            tens == 1 ? "th" : last == 1 ? "st" : last == 2 ? "nd" : last == 3 ? "rd" : "th"
        output += (letters == .upper ? suffix.uppercased() : suffix).utf8
    }

    private mutating func writePlace(isZero: Bool) {
        isInNumber = false
        let zeroStart = pattern.zeroStart - 1
        let reached =
            place >= leading || (pattern.hasZero && zeroStart == place)
        if needsSign, reached, !isBareZero || endsAtPoint { writeSign() }
        if place < leading {
            if pattern.hasZero, zeroStart <= place {
                output.append(0x30)
                isInNumber = true
            } else if pattern.isFilled {
                output.append(0x20)
            }
        } else {
            writeDigit(isZero: isZero)
            if next < digits.count { next += 1 }
        }
        var end = placeCount + (leading > 0 ? 1 : 0) + (pattern.hasPoint ? 1 : 0)
        if let lastRelevant, lastRelevant == next { end = place }
        if place + 1 == end {
            if hasBrackets, !needsSign {
                output.append(isNegative ? 0x3E : 0x20)
            } else if pattern.hasAnchor, anchor == .behind {
                output.append(sign)
            }
        }
        place += 1
    }

    private mutating func writeSign() {
        if pattern.hasAnchor {
            guard anchor == .before else { return }
            output.append(sign)
        } else if hasBrackets {
            output.append(isNegative ? 0x3C : 0x20)
        } else if isNegative {
            output.append(0x2D)
        } else if pattern.isFilled {
            output.append(0x20)
        }
        needsSign = false
    }

    private mutating func writeDigit(isZero: Bool) {
        guard next < digits.count else { return }
        if digits[next] == 0x2E {
            output.append(0x2E)
        } else if let lastRelevant, next > lastRelevant, !isZero {
            return
        } else if isBareZero {
            if pattern.isFilled {
                output.append(0x20)
            } else if endsAtPoint {
                output.append(0x30)
            }
        } else {
            output.append(digits[next])
            isInNumber = true
        }
    }
}
