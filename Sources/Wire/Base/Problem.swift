// Errors that a person reads: what happened, where, expected and found, and what to do next.

/// An error for people, with a stable code for programs. One catalogue feeds the command line,
/// HTTP problems and SQL errors.
package struct Problem: Error, Equatable, Sendable {
    /// Dotted and stable, for example `topic.unknown`, or a SQLSTATE for SQL, for example `42703`.
    package var code: String
    /// What happened, in one sentence without a full stop.
    package var message: String
    /// More facts, each a line of its own: expected and found, what was left unchanged.
    package var notes: [String]
    /// What to do next, for example a command or "did you mean …?".
    package var hint: String?
    /// Where in the text of a statement the trouble is, counted in UTF-8 bytes from 0.
    package var position: Int?

    package init(
        _ code: String, _ message: String, notes: [String] = [], hint: String? = nil,
        position: Int? = nil
    ) {
        self.code = code
        self.message = message
        self.notes = notes
        self.hint = hint
        self.position = position
    }
}

extension Problem: CustomStringConvertible {
    package var description: String {
        var text = "error[\(code)]: \(message)"
        for note in notes { text += "\n  = \(note)" }
        if let hint { text += "\n  → \(hint)" }
        return text
    }
}

/// The candidate most like `name`, if one is near enough to be a misspelling of it: at most one
/// edit in three letters and one letter that stays, neighbours swapped counted as one edit, case
/// ignored. Of those that are as near, one with the same first letter wins, then one that has all
/// letters of `name`, then the earlier one, so put the likelier ones first.
package func nearestName(to name: String, among candidates: some Sequence<String>) -> String? {
    let wanted = Array(name.lowercased().utf8.prefix(64))
    let farthest = min(max(1, wanted.count / 3), wanted.count - 1)
    var best: (distance: Int, name: String)?
    for candidate in candidates {
        let other = Array(candidate.lowercased().utf8.prefix(64))
        guard abs(other.count - wanted.count) <= 3 else { continue }
        var distance = editDistance(wanted, other)
        guard distance <= farthest else { continue }
        // What decides between equals takes less room than one edit.
        distance *= 4
        if other.first != wanted.first { distance += 2 }
        if !other.contains(inOrder: wanted) { distance += 1 }
        if distance < best?.distance ?? .max { best = (distance, candidate) }
    }
    return best?.name
}

extension [UInt8] {
    /// Whether `letters` are left when some others are taken away.
    fileprivate func contains(inOrder letters: [UInt8]) -> Bool {
        var next = 0
        for letter in self where next < letters.count && letter == letters[next] { next += 1 }
        return next == letters.count
    }
}

/// Damerau–Levenshtein distance with adjacent transpositions (optimal string alignment).
private func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var beforeLast: [Int] = []
    var last = Array(0...b.count)
    for i in 0..<a.count {
        var current = [i + 1]
        for j in 0..<b.count {
            var cost = min(last[j + 1], current[j]) + 1
            cost = min(cost, last[j] + (a[i] == b[j] ? 0 : 1))
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
                cost = min(cost, beforeLast[j - 1] + 1)
            }
            current.append(cost)
        }
        beforeLast = last
        last = current
    }
    return last[b.count]
}
