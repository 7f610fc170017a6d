// What can stand behind a piece of SQL: for the shell and for editors.

import Columns

/// The words that can continue a statement at its end.
package struct Completion: Hashable, Sendable {
    package enum Kind: String, Hashable, Sendable {
        case schema, relation, column, function, setting, keyword
    }

    package struct Candidate: Hashable, Sendable {
        package var text: String
        package var kind: Kind
    }

    /// The beginning of the word that is already there; behind a dot only what follows it.
    package var prefix: String
    package var candidates: [Candidate]

    /// All functions that can be called.
    package static var functionNames: [String] { FunctionCatalog.names }

    private static let candidatesMax = 500

    /// What can follow `text`, which ends at the cursor. `relations` are all that there are, with
    /// their columns; `settings` those of SET and SHOW.
    package init(
        of text: String, relations: [(name: QualifiedName, columns: [String])],
        settings: [String]
    ) {
        prefix = ""
        candidates = []
        let bytes = Array(text.utf8)
        guard let tokens = try? Lexer.tokens(of: bytes) else {
            // Inside of a text or a comment nothing is completed.
            return
        }
        var words = tokens.filter { $0.kind != .end }
        func spelling(_ token: Token) -> String {
            String(decoding: bytes[Int(token.start)..<Int(token.end)], as: UTF8.self)
        }
        // Only the last statement counts.
        if let end = words.lastIndex(where: { spelling($0) == ";" }) {
            words.removeSubrange(...end)
        }
        if let last = words.last, last.kind == .word, Int(last.end) == bytes.count {
            prefix = spelling(last)
            words.removeLast()
        }
        let texts = words.map { token in
            token.kind == .quotedWord
                ? String(spelling(token).dropFirst().dropLast()) : spelling(token).lowercased()
        }
        let isDotted = texts.last == "."
        let qualifier = isDotted && texts.count >= 2 ? texts[texts.count - 2] : nil
        let scope = Self.scope(texts, relations)
        var found: [Candidate] = []
        func add(_ names: some Sequence<String>, _ kind: Kind) {
            found += names.map { Candidate(text: $0, kind: kind) }
        }
        if isDotted, let qualifier {
            if let columns = scope.first(where: { $0.alias == qualifier })?.columns {
                add(columns.map(Self.quotedIfNeeded), .column)
            }
            add(
                relations.filter { $0.name.schema == qualifier }
                    .map { Self.quotedIfNeeded($0.name.name) }, .relation)
        } else {
            switch Self.expected(texts) {
            case .relation:
                add(Self.relationNames(relations), .relation)
                add(Self.schemas(relations), .schema)
            case .setting: add(settings, .setting)
            default:
                let columns =
                    scope.isEmpty && texts.contains("select")
                    ? relations.flatMap(\.columns) : scope.flatMap(\.columns)
                add(columns.map(Self.quotedIfNeeded), .column)
                add(scope.map(\.alias), .relation)
                if prefix.isEmpty, !scope.isEmpty {
                    // Before the first letter only what is likely, not some hundred functions.
                    let isAfterName =
                        texts.last.map { last in
                            Keyword(rawValue: last) == nil
                                && last.utf8.first.map { $0 == 0x5F || $0 >= 0x61 } ?? false
                        } ?? false
                    if isAfterName { found = [] }
                    if isAfterName { add(Self.continuations, .keyword) }
                    break
                }
                if !texts.isEmpty { add(Self.functionNames, .function) }
                add(Keyword.allCases.map { $0.rawValue.uppercased() }, .keyword)
                if texts.isEmpty { found.removeAll { !Self.starts.contains($0.text) } }
            }
        }
        let wanted = prefix.lowercased()
        var seen: Set<String> = []
        for candidate in found
        where candidate.text.lowercased().hasPrefix(wanted)
            || (candidate.kind == .relation
                && (candidate.text.split(separator: ".").last ?? "").lowercased()
                    .hasPrefix(wanted)
                && !wanted.isEmpty)
        {
            guard seen.insert(candidate.text).inserted else { continue }
            candidates.append(candidate)
            if candidates.count == Self.candidatesMax { return }
        }
    }

    /// What often follows a name.
    private static let continuations = [
        "WHERE", "GROUP BY", "ORDER BY", "LIMIT", "JOIN", "LEFT JOIN", "ASOF JOIN", "ON", "AS",
        "AND", "OR", "HAVING", "UNION ALL",
    ]

    /// Words that a statement begins with.
    private static let starts: Set<String> = [
        "SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "CREATE", "DROP", "ALTER", "WITH", "SHOW",
        "DESCRIBE", "EXPLAIN", "SET", "RESET", "VALUES", "COPY", "REFRESH", "OPTIMIZE", "VACUUM",
        "RESTORE", "TRUNCATE", "COMMENT", "PREPARE", "EXECUTE", "DEALLOCATE", "BEGIN", "COMMIT",
        "ROLLBACK",
    ]

    /// What the last keyword wants.
    private static func expected(_ texts: [String]) -> Kind? {
        guard let last = texts.last else { return nil }
        switch last {
        case "from", "join", "into", "update", "table", "view", "describe", "desc", "truncate",
            "optimize", "vacuum", "topic", "history", "detail", "files", "using", "copy":
            return .relation
        case "show", "set", "reset": return .setting
        // A further table in FROM, not a further item of SELECT.
        case ",":
            let words = ["from", "where", "select", "by", "set", "having", "("]
            return texts.last { words.contains($0) } == "from" ? .relation : nil
        default: return nil
        }
    }

    /// The relations that the statement names, by alias or name.
    private static func scope(
        _ texts: [String], _ relations: [(name: QualifiedName, columns: [String])]
    ) -> [(alias: String, columns: [String])] {
        var scope: [(alias: String, columns: [String])] = []
        let introductions: Set = ["from", "join", "into", "update", ",", "using"]
        var index = 0
        while index < texts.count {
            defer { index += 1 }
            guard introductions.contains(texts[index]), index + 1 < texts.count else { continue }
            var place = index + 1
            var name = QualifiedName(texts[place])
            if place + 2 < texts.count, texts[place + 1] == "." {
                name = QualifiedName(schema: texts[place], texts[place + 2])
                place += 2
            }
            guard
                let found = relations.first(where: { relation in
                    relation.name.name == name.name
                        && (name.schema == nil || relation.name.schema == name.schema)
                })
            else { continue }
            var alias = name.name
            if place + 1 < texts.count {
                let next = texts[place + 1] == "as" ? place + 2 : place + 1
                if next < texts.count, Keyword(rawValue: texts[next]) == nil,
                    texts[next].utf8.first.map({ $0 == 0x5F || $0 >= 0x61 }) ?? false
                {
                    alias = texts[next]
                }
            }
            scope.append((alias, found.columns))
        }
        return scope
    }

    private static func relationNames(
        _ relations: [(name: QualifiedName, columns: [String])]
    ) -> [String] {
        relations.map { relation in
            let name = quotedIfNeeded(relation.name.name)
            guard let schema = relation.name.schema, schema != "public" else { return name }
            return quotedIfNeeded(schema) + "." + name
        }
    }

    private static func schemas(
        _ relations: [(name: QualifiedName, columns: [String])]
    ) -> [String] {
        var names: [String] = []
        for schema in relations.compactMap(\.name.schema) where !names.contains(schema) {
            names.append(schema)
        }
        return names.map { quotedIfNeeded($0) + "." }
    }

    private static func quotedIfNeeded(_ name: String) -> String {
        let isPlain =
            name.utf8.allSatisfy { byte in
                byte == 0x5F || (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte)
            } && !(name.utf8.first.map { (0x30...0x39).contains($0) } ?? true)
            && Keyword(rawValue: name)?.isReserved != true
        guard !isPlain else { return name }
        return "\""
            + name.split(separator: "\"", omittingEmptySubsequences: false)
            .joined(separator: "\"\"") + "\""
    }
}
