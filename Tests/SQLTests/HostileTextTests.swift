import Base
import Foundation
import SQL
import Testing

@Suite struct HostileTextTests {
    private func corpus() throws -> [[UInt8]] {
        var folder = URL(fileURLWithPath: #filePath)
        for _ in 0..<3 { folder.deleteLastPathComponent() }
        folder.appendPathComponent("Fuzz/FuzzSQL/corpus")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        return try names.map { [UInt8](try Data(contentsOf: folder.appendingPathComponent($0))) }
    }

    @Test func `the corpus of the fuzzer is read to its end`() throws {
        let texts = try corpus()
        #expect(texts.count >= 9)
        for text in texts { exerciseSQL(Bytes(text)) }
    }

    @Test func `the well-formed part of the corpus is bound`() throws {
        let texts = try corpus().compactMap { try? Parser.script($0) }
        #expect(texts.count >= 5)
    }

    @Test func `mutations of real statements never trap`() throws {
        var random = Random(seed: 7)
        let texts = try corpus()
        for _ in 0..<600 {
            var text = texts[Int(random.next() % UInt64(texts.count))]
            for _ in 0...(random.next() % 4) where !text.isEmpty {
                let place = Int(random.next() % UInt64(text.count))
                switch random.next() % 5 {
                case 0: text[place] = UInt8(truncatingIfNeeded: random.next())
                case 1: text.remove(at: place)
                case 2: text.insert(contentsOf: text[place...].prefix(9), at: place)
                case 3: text.removeSubrange(place..<min(text.count, place + 7))
                default:
                    let other = texts[Int(random.next() % UInt64(texts.count))]
                    text.insert(contentsOf: other.suffix(20), at: place)
                }
            }
            exerciseSQL(Bytes(text))
        }
    }

    @Test func `shuffled words of the language never trap`() throws {
        var random = Random(seed: 11)
        let words =
            Keyword.allCases.map(\.rawValue) + [
                "t", "v", "a", "b", "ts", "1", "2.5", "'x'", "(", ")", ",", "*", "+", "=", "::",
                "[",
                "]", ".", ";", "->>", "count", "now()", "(SELECT a FROM t)", "$1", "\"q\"",
            ]
        for _ in 0..<2000 {
            var text = ["select ", "select a from t where ", "create ", ""][Int(random.next() % 4)]
            for _ in 0..<(random.next() % 12) {
                text += words[Int(random.next() % UInt64(words.count))] + " "
            }
            exerciseSQL(Bytes(utf8: text))
        }
    }
}
