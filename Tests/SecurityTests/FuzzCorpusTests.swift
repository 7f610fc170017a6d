import Base
import Foundation
import Security
import Testing

/// Where the fuzzer of sign-ons begins.
@Suite struct FuzzCorpusTests {
    @Test func `sign-ons of the corpus, whole and damaged, break nothing`() throws {
        let root = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let inputs = try FileManager.default.contentsOfDirectory(
            at: root.appendingPathComponent("Fuzz/FuzzSignOn/corpus"),
            includingPropertiesForKeys: nil
        ).sorted { $0.path < $1.path }
        #expect(inputs.count >= 6)
        var random = Random(seed: 4)
        for url in inputs {
            let input = [UInt8](try Data(contentsOf: url))
            exerciseSignOn(Bytes(input))
            for _ in 0..<150 {
                var changed = input
                // The first byte chooses what is tried.
                for _ in 0...random.below(3) {
                    changed[random.within(1...(changed.count - 1))] = UInt8(random.below(256))
                }
                exerciseSignOn(Bytes(changed.prefix(random.within(2...changed.count))))
            }
        }
    }
}
