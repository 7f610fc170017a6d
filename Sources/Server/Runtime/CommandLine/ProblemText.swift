import Base

/// What the process ends with.
package enum ExitCode: Int32, Sendable {
    case ok = 0
    case failed = 1
    case usage = 2
    case unreachable = 3
    /// A check found something that is not as it should be.
    case checkFailed = 4
    /// The node could not trust its storage any more.
    case halted = 70
    case interrupted = 130

    /// What each means, for help and manual pages.
    package static let documentation: [(code: ExitCode, text: String)] = [
        (.ok, "Everything was done."),
        (.failed, "Something failed, or a part of it."),
        (.usage, "The command line is wrong; nothing was done."),
        (.unreachable, "The server can't be reached, or gave no answer in time."),
        (.checkFailed, "A check found something that is not as it should be."),
        (.halted, "The server could not trust its storage any more and stopped."),
        (.interrupted, "Ended by Ctrl-C."),
    ]

    /// What a problem means for the caller of the program.
    package init(for problem: Problem) {
        let code = problem.code.utf8
        if code.starts(with: "usage.".utf8) {
            self = .usage
        } else if code.starts(with: "network.".utf8) || problem.code == "server.timeout" {
            self = .unreachable
        } else {
            self = .failed
        }
    }
}

extension Problem {
    /// The problem as people read it. With the statement that caused it, the place is shown:
    ///
    ///     error[42703]: column "event_typ" does not exist
    ///       SELECT event_typ, count(*) FROM gold.event_metrics
    ///              ^^^^^^^^^ did you mean "event_type"?
    package func text(statement: String? = nil, colour: Bool = false, width: Int = 100) -> String {
        let red = colour ? "\u{1B}[1;31m" : ""
        let dim = colour ? "\u{1B}[2m" : ""
        let end = colour ? "\u{1B}[0m" : ""
        var text = "\(red)error[\(code)]:\(end) \(printableLines(message))"
        var hintLeft = hint
        if let statement, let position, let place = Excerpt(statement, position, width: width - 2) {
            text += "\n  " + place.line + "\n  " + String(repeating: " ", count: place.indent)
            text += red + String(repeating: "^", count: place.marks) + end
            // A short hint stands where the reader looks; a long one gets a line of its own.
            if let hint, place.indent + place.marks + displayWidth(hint) < width {
                text += " " + printableLines(hint)
                hintLeft = nil
            }
        }
        for note in notes { text += "\n  \(dim)=\(end) " + printableLines(note) }
        if let hintLeft { text += "\n  \(dim)→\(end) " + printableLines(hintLeft) }
        return text + "\n"
    }

    /// The problem for programs: one object with the member `error`.
    package var json: JSONValue {
        var members = [
            JSONMember("code", .string(code)), JSONMember("message", .string(message)),
        ]
        if !notes.isEmpty { members.append(JSONMember("notes", .array(notes.map { .string($0) }))) }
        if let hint { members.append(JSONMember("hint", .string(hint))) }
        if let position { members.append(JSONMember("position", .int(position))) }
        return .object([JSONMember("error", .object(members))])
    }

    /// The problem that `json` describes: our own form, or RFC 9457 as the HTTP port sends it.
    package init?(json: JSONValue) {
        let error = json["error"] ?? json
        guard let code = error["code"]?.stringValue,
            let message = error["message"]?.stringValue ?? error["title"]?.stringValue
        else { return nil }
        self.init(
            code, message, notes: error["notes"]?.arrayValue?.compactMap(\.stringValue) ?? [],
            hint: error["hint"]?.stringValue, position: error["position"]?.intValue.map { Int($0) })
    }
}

private func printableLines(_ text: String) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false).map { printable(String($0)) }
        .joined(separator: "\n    ")
}

/// The line of a statement that holds a position, cut to fit, and what to underline.
private struct Excerpt {
    var line: String
    var indent: Int
    var marks: Int

    init?(_ statement: String, _ position: Int, width: Int) {
        let bytes = Array(statement.utf8)
        guard position >= 0, position <= bytes.count else { return nil }
        var start = position
        while start > 0, bytes[start - 1] != 0x0A { start -= 1 }
        var end = position
        while end < bytes.count, bytes[end] != 0x0A { end += 1 }
        var stop = position
        while stop < end, Self.isWordByte(bytes[stop]) { stop += 1 }
        if stop == position, position < end { stop = position + 1 }
        func text(_ from: Int, _ to: Int) -> String {
            printable(String(decoding: bytes[from..<max(from, to)], as: UTF8.self))
        }
        var before = text(start, position)
        let marked = text(position, stop)
        // A long line is shown from shortly before the place on.
        if displayWidth(before) > width * 2 / 3 {
            let kept = before.suffix(width / 3)
            before = "…" + kept
        }
        indent = displayWidth(before)
        marks = max(1, min(displayWidth(marked), max(1, width - indent)))
        line = cut(before + marked + text(stop, end), toWidth: max(width, indent + marks + 1))
    }

    /// Letters, digits, `_`, `.` and everything beyond ASCII: what a name is made of.
    private static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F, 0x2E, 0x22, 0x80...: true
        default: false
        }
    }
}
