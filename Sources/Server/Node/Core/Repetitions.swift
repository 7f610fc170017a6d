/// The names that a request has more than once. Requests come from outside: finding them must not
/// take the square of their number.
struct Repetitions {
    private var repeated: Set<String> = []

    init(_ names: some Sequence<String>) {
        var seen: Set<String> = []
        for name in names where !seen.insert(name).inserted { repeated.insert(name) }
    }

    func contains(_ name: String) -> Bool { repeated.contains(name) }
}

/// How many entries one answer may have. A small request can name one large thing a million times.
struct AnswerBudget {
    private var entries: Int

    init(entries: Int) { self.entries = entries }

    /// False when the answer would become too large.
    mutating func take(entries: Int) -> Bool {
        guard entries <= self.entries else { return false }
        self.entries -= entries
        return true
    }
}
