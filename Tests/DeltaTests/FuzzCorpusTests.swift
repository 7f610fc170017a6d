import Base
import Delta
import Foundation
import Testing

struct FuzzCorpusTests {
    /// What the fuzzer starts from, and what it once found.
    @Test func `the corpus of the fuzzer is read without a trap`() throws {
        let folder = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Fuzz/FuzzDelta/corpus")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        #expect(names.count >= 4)
        var random = Random(seed: 12)
        for name in names {
            let good = Bytes(try Data(contentsOf: folder.appendingPathComponent(name))).array
            exerciseDelta(Bytes(good))
            for _ in 0..<300 {
                var bytes = good
                for _ in 0..<random.within(1...4) {
                    bytes[random.below(bytes.count)] = UInt8(truncatingIfNeeded: random.next())
                }
                if random.chance(1, in: 4) { bytes.removeLast(random.below(bytes.count)) }
                exerciseDelta(Bytes(bytes))
            }
        }
    }
}
