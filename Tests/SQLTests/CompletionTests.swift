import SQL
import Testing

@Suite struct CompletionTests {
    private let relations: [(name: QualifiedName, columns: [String])] = [
        (QualifiedName(schema: "gold", "event_metrics"), ["event_type", "total_events", "Day"]),
        (QualifiedName(schema: "public", "orders"), ["id", "price"]),
    ]

    private func words(_ text: String) -> (prefix: String, words: [String]) {
        let found = Completion(
            of: text, relations: relations, settings: ["statement_timeout", "timezone"])
        return (found.prefix, found.candidates.map(\.text))
    }

    @Test func `relations follow FROM and JOIN, by name or schema`() {
        #expect(
            words("SELECT * FROM ").words == ["gold.event_metrics", "orders", "gold.", "public."])
        #expect(words("SELECT * FROM ev").words == ["gold.event_metrics"])
        #expect(words("SELECT * FROM gold.").words == ["event_metrics"])
        #expect(words("SELECT * FROM orders, or").words == ["orders"])
        #expect(words("DESCRIBE o").prefix == "o")
    }

    @Test func `columns are those of the relations in scope`() {
        #expect(words("SELECT * FROM orders WHERE ").words == ["id", "price", "orders"])
        #expect(words("SELECT * FROM gold.event_metrics AS m WHERE m.").words.contains("\"Day\""))
        #expect(words("SELECT * FROM gold.event_metrics m WHERE m.to").words == ["total_events"])
        #expect(words("UPDATE orders SET x = 1 WHERE pri").words.first == "price")
        // Nothing but columns belongs behind the dot of an alias.
        #expect(words("SELECT * FROM orders o WHERE o.i").words == ["id"])
    }

    @Test func `functions, settings and keywords have their places`() {
        #expect(words("SELECT date_tr").words.contains("date_trunc"))
        #expect(words("SHOW st").words == ["statement_timeout"])
        #expect(words("SEL").words == ["SELECT"])
        #expect(words("SELECT 1; sho").words == ["SHOW"])
        #expect(words("SELECT * FROM orders ").words.first == "WHERE")
    }

    @Test func `nothing is completed inside of a text`() {
        #expect(words("SELECT 'fro").words.isEmpty)
        #expect(words("SELECT $$ fr").words.isEmpty)
    }
}
