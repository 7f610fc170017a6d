import Base

extension Parser {
    /// A type with its arguments and array brackets.
    mutating func typeName() throws(Problem) -> TypeName {
        try nested { parser throws(Problem) in
            var type = try parser.baseType()
            while true {
                if parser.accept("[") {
                    if parser.token.kind == .number { parser.advance() }
                    try parser.expect("]")
                } else if parser.accept(.array) {
                    if parser.accept("[") {
                        _ = try parser.integer()
                        try parser.expect("]")
                    }
                } else {
                    return type
                }
                type.dimensions += 1
                guard type.dimensions <= 6 else {
                    throw Problem(
                        "54000", "number of array dimensions exceeds the maximum allowed (6)",
                        position: type.position)
                }
            }
        }
    }

    private mutating func baseType() throws(Problem) -> TypeName {
        _ = accept(.setof)
        guard isTypeStart() else { throw unexpected(expected: "a type") }
        let first = takeWord()
        var words = first.name
        if accept(".") { words = try label().name }
        var type = TypeName(words, position: first.position)
        switch words {
        case "double":
            if accept(.precision) { type.name = "double precision" }
        case "character", "char", "nchar", "bit":
            if acceptWord("varying") { type.name += " varying" }
            type.arguments = try typeArguments()
        case "timestamp", "time":
            type.arguments = try typeArguments()
            if areNext(.with, .time), isNext(.zone, ahead: 2) {
                index += 3
                type.name += " with time zone"
            } else if areNext(.without, .time), isNext(.zone, ahead: 2) {
                index += 3
            }
        case "interval":
            type.arguments = try typeArguments()
            if IntervalUnit(token: token, in: text) != nil {
                advance()
                if accept(.to) { advance() }
            }
        case "map":
            try expect("(")
            let key = try typeName()
            try expect(",")
            let value = try typeName()
            try expect(")")
            type.members = [.init(name: "key", type: key), .init(name: "value", type: value)]
        case "struct", "row":
            try expect("(")
            repeat {
                let name = try label().name
                type.members.append(.init(name: name, type: try typeName()))
            } while accept(",")
            try expect(")")
            type.name = "struct"
        default: type.arguments = try typeArguments()
        }
        return type
    }

    private func isTypeStart() -> Bool {
        guard token.kind == .word || token.kind == .quotedWord else { return false }
        return token.keyword?.kind != .reserved
    }

    private mutating func typeArguments() throws(Problem) -> [Int] {
        guard accept("(") else { return [] }
        var arguments: [Int] = []
        repeat {
            let isNegative = accept("-")
            let value = try integer()
            arguments.append(isNegative ? 0 - value : value)
        } while accept(",")
        try expect(")")
        return arguments
    }
}

/// The words behind an interval literal, singular or plural.
enum IntervalUnit: String {
    case year, month, week, day, hour, minute, second

    init?(token: Token, in text: [UInt8]) {
        guard token.kind == .word, token.end - token.start <= 7 else { return nil }
        var word = wordText(token, in: text)
        if word.hasSuffix("s") { word.removeLast() }
        self.init(rawValue: word)
    }

    /// `'1-2' YEAR TO MONTH` and its like as a text that says the same without the units.
    static func ranged(
        _ text: String, from first: IntervalUnit, to last: IntervalUnit, at position: Int
    ) throws(Problem) -> String {
        let hasClock = text.contains(":")
        switch (first, last) {
        case (.year, .month), (.day, .minute), (.day, .second), (.hour, .minute),
            (.hour, .second):
            return text
        case (.day, .hour): return hasClock ? text : text + ":00"
        case (.minute, .second):
            guard hasClock, text.split(separator: ":").count == 2 else { return text }
            let sign = text.hasPrefix("-") ? "-" : ""
            return sign + "00:" + (sign.isEmpty ? text : String(text.dropFirst()))
        default:
            throw Problem(
                "42601", "syntax error at or near \"\(last.rawValue)\"", position: position)
        }
    }
}
