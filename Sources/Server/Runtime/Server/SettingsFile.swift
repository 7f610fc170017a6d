import Base

/// A file of settings, one `name=value` a line; `#` and `!` begin a comment, and a backslash at the
/// end of a line joins it with the next. So an existing `server.properties` can be taken as it is,
/// as far as its settings have a meaning here.
package struct SettingsFile: Sendable {
    package private(set) var entries: [(name: String, value: String)] = []

    package init(reading path: String) throws(Problem) {
        try self.init(parsing: try readSmallFile(path), path: path)
    }

    package init(parsing content: Bytes, path: String) throws(Problem) {
        guard let text = content.validText else {
            throw Problem("config.file", "\(path) is not text in UTF-8")
        }
        var pending = ""
        for (place, line) in text.split(
            omittingEmptySubsequences: false, whereSeparator: \.isNewline
        ).enumerated() {
            let part = Self.trimmed(line)
            if pending.isEmpty, part.isEmpty || part.hasPrefix("#") || part.hasPrefix("!") {
                continue
            }
            if part.hasSuffix("\\") {
                pending += part.dropLast()
                continue
            }
            let whole = pending + part
            pending = ""
            guard let equals = whole.firstIndex(of: "="), equals != whole.startIndex else {
                throw Problem(
                    "config.file", "line \(place + 1) of \(path) is not name=value")
            }
            entries.append(
                (
                    Self.trimmed(whole[..<equals]),
                    Self.trimmed(whole[whole.index(after: equals)...])
                ))
        }
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
