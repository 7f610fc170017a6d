import Base
import Foundation
import Streams
import Testing

/// What the fuzzer of JSON found, and where it begins.
@Suite struct FuzzCorpusTests {
    private func corpus() throws -> [Bytes] {
        let root = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        return try FileManager.default
            .contentsOfDirectory(
                at: root.appendingPathComponent("Fuzz/FuzzJSON/corpus"),
                includingPropertiesForKeys: nil
            )
            .sorted { $0.path < $1.path }
            .map { Bytes([UInt8](try Data(contentsOf: $0))) }
    }

    @Test func `JSON of the corpus, whole and damaged, breaks nothing`() throws {
        var random = Random(seed: 3)
        let inputs = try corpus()
        try #require(inputs.count > 10)
        for input in inputs {
            exerciseJSON(input)
            for _ in 0..<20 where !input.isEmpty { exerciseJSON(damaged(input, &random)) }
        }
    }

    /// Some bytes replaced by others of the same text, which keeps more of it meaningful than
    /// random bytes would.
    private func damaged(_ input: Bytes, _ random: inout Random) -> Bytes {
        var bytes = input.array
        for _ in 0...random.below(4) {
            let byte = bytes[random.below(bytes.count)]
            if random.chance(1, in: 2) {
                bytes[random.below(bytes.count)] = byte
            } else {
                bytes.insert(byte, at: random.below(bytes.count))
            }
        }
        return Bytes(bytes)
    }
}
