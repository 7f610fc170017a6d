import Base
import Foundation
import Testing
import WireProtocol

/// What the fuzzers found, and where they begin.
@Suite struct FuzzCorpusTests {
    private func corpus(_ target: String) throws -> [Bytes] {
        let root = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let folder = root.appendingPathComponent("Fuzz/\(target)/corpus")
        return try FileManager.default
            .contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .sorted { $0.path < $1.path }
            .map { Bytes([UInt8](try Data(contentsOf: $0))) }
    }

    @Test func `record batches of the corpus, whole and damaged, break nothing`() throws {
        var random = Random(seed: 1)
        for input in try corpus("FuzzRecordBatch") {
            exerciseRecordBatch(input)
            for _ in 0..<100 where !input.isEmpty {
                exerciseRecordBatch(damaged(input, &random))
            }
        }
    }

    @Test func `requests of the corpus, whole and damaged, break nothing`() throws {
        var random = Random(seed: 2)
        for input in try corpus("FuzzRequest") {
            exerciseRequest(input)
            for _ in 0..<50 { exerciseRequest(damaged(input, &random)) }
        }
    }

    @Test func `the corpus has requests of share groups that can be read`() throws {
        var kinds: Set<ApiKey> = []
        for input in try corpus("FuzzRequest") {
            var reader = ByteReader(input)
            guard let header = try? RequestHeader(from: &reader, table: .all),
                let kind = header.kind,
                ApiVersionTable.all.serves(kind, version: header.apiVersion),
                (try? BrokerRequest(from: &reader, apiKey: kind, version: header.apiVersion)) != nil
            else { continue }
            kinds.insert(kind)
        }
        let wanted: Set<ApiKey> = [
            .shareGroupHeartbeat, .shareGroupDescribe, .shareFetch, .shareAcknowledge,
            .describeShareGroupOffsets, .alterShareGroupOffsets, .deleteShareGroupOffsets,
        ]
        #expect(kinds.isSuperset(of: wanted))
    }

    private func damaged(_ input: Bytes, _ random: inout Random) -> Bytes {
        var bytes = input.array
        for _ in 0...random.below(4) {
            let position = random.below(bytes.count)
            switch random.below(3) {
            case 0: bytes[position] = UInt8(random.below(256))
            case 1: bytes[position] ^= 1 << UInt8(random.below(8))
            default: bytes[position] = random.chance(1, in: 2) ? 0xFF : 0
            }
        }
        return Bytes(bytes[0..<(random.chance(1, in: 4) ? random.below(bytes.count) : bytes.count)])
    }
}
