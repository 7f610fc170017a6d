// to_number: a text by a pattern as digits with a point.

import Base
import Columns

/// Reads one text by a pattern, place by place. The text may lack what the pattern has.
struct NumberReader {
    private let pattern: NumberPattern
    private let text: UnsafeRawBufferPointer
    private var index = 0
    private var sign: UInt8 = 0
    private var digits: [UInt8] = []
    private var hasPoint = false
    private var fraction = 0

    init(_ pattern: NumberPattern, _ text: UnsafeRawBufferPointer) {
        self.pattern = pattern
        self.text = text
    }

    private var isAtEnd: Bool { index >= text.count }
    private var byte: UInt8 { isAtEnd ? 0 : text[index] }

    private func isDigit(_ place: Int) -> Bool {
        place < text.count && text[place] &- 0x30 < 10
    }

    /// The digits, with a sign and a point where there were.
    mutating func read() -> String {
        for element in pattern.elements {
            if isAtEnd { break }
            switch element {
            case .digit, .zero, .point:
                readPlace(isPoint: element == .point)
                index += 1
            case .group: if byte == 0x2C { index += 1 }
            case .currency: skipOther(1)
            case .ordinal: skipOther(2)
            case .minus: readMark { $0 == 0x2D }
            case .plus: readMark { $0 == 0x2B }
            case .sign: readMark { $0 == 0x2D || $0 == 0x2B }
            case .text(let text):
                for _ in text.unicodeScalars where !isAtEnd {
                    index = LikePattern.scalarEnd(self.text, index)
                }
            case .roman, .nothing: break
            }
        }
        if digits.last == 0x2E { digits.removeLast() }
        return (sign == 0x2D ? "-" : "") + String(decoding: digits, as: UTF8.self)
    }

    private mutating func readMark(_ isMark: (UInt8) -> Bool) {
        guard isMark(byte) else {
            skipOther(1)
            return
        }
        sign = byte
        index += 1
    }

    /// Skips what can't belong to the number.
    private mutating func skipOther(_ count: Int) {
        for _ in 0..<count {
            if isAtEnd || isDigit(index) || [0x2B, 0x2D, 0x2C, 0x2E].contains(byte) { return }
            index = LikePattern.scalarEnd(text, index)
        }
    }

    private mutating func readPlace(isPoint: Bool) {
        if byte == 0x20 { index += 1 }
        if isAtEnd { return }
        if sign == 0, !isPoint, digits.allSatisfy({ $0 == 0x2E }) { readLeadingSign() }
        if isAtEnd { return }
        var isRead = false
        if isDigit(index) {
            if hasPoint, fraction == pattern.fraction { return }
            digits.append(byte)
            if hasPoint { fraction += 1 }
            isRead = true
        } else if pattern.hasPoint, !hasPoint, byte == 0x2E {
            digits.append(0x2E)
            hasPoint = true
            isRead = true
        }
        guard sign == 0, digits.contains(where: { $0 != 0x2E }) else { return }
        if pattern.hasAnchor {
            // The sign of `S` may stand right behind the last digit.
            guard isRead, index + 1 < text.count, !isDigit(index + 1) else { return }
            let mark = text[index + 1]
            guard mark == 0x2D || mark == 0x2B else { return }
            sign = mark
            index += 1
        } else if !isRead, pattern.hasPlus || pattern.hasMinus, byte == 0x2D || byte == 0x2B {
            // The place of `MI` may come later in the pattern than in the text.
            sign = byte
        }
    }

    private mutating func readLeadingSign() {
        if pattern.hasAnchor {
            guard pattern.anchor == .before, byte == 0x2D || byte == 0x2B else { return }
            sign = byte
            index += 1
        } else if byte == 0x2D || (pattern.hasBrackets && byte == 0x3C) {
            sign = 0x2D
            index += 1
        } else if byte == 0x2B {
            sign = 0x2B
            index += 1
        }
    }
}
