import Base
import Columns
import Foundation
import Parquet
import Testing

// Files of every kind with bytes changed, cut, left out and doubled. Whatever the bytes are, reading
// returns, in little memory. `WEIR_PARQUET_MUTATIONS=1000000 swift test -c release --filter
// MutationTests` is the long run.

/// Small files of all writers, and of ours with everything that a file can have.
private func originals() throws -> [[UInt8]] {
    var result: [[UInt8]] = []
    for (file, _) in golden {
        let content = try goldenBytes(file).array
        if content.count < 1500 { result.append(content) }
    }
    for seed in try files(in: repositoryFolder("Fuzz/FuzzParquet/corpus"), suffix: "") {
        result.append(try bytes(of: seed).array)
    }
    let schema = TableSchema([
        Field("id", .int64), Field("text", .text), Field("v", .variant), Field("l", .list(.int32)),
    ])
    let rows = batch([
        Column(.int64, (0..<40).map { .int($0 * 3) }),
        Column(.text, (0..<40).map { $0 % 5 == 0 ? .null : .text("a text, number \($0 % 7)") }),
        Column(
            .variant,
            (0..<40).map { _ in
                .variant(
                    metadata: VariantBuilder.emptyMetadata.array, value: VariantBuilder.null.array)
            }),
        Column(.list(.int32), (0..<40).map { row in .list((0..<row % 4).map { .int($0) }) }),
    ])
    for codec in ParquetCodec.allCases {
        var options = ParquetWriteOptions()
        options.codec = codec
        options.pageRowsMax = 15
        options.bloomFilterColumns = ["id", "text"]
        result.append(try write(schema, [rows], options).file.array)
    }
    return result
}

private func mutated(_ original: [UInt8], _ random: inout Random) -> [UInt8] {
    var bytes = original
    for _ in 0..<1 + random.below(3) where !bytes.isEmpty {
        // Half of the changes hit the footer and the indexes before it, where most structure is.
        let place =
            random.chance(1, in: 2)
            ? random.below(bytes.count) : bytes.count - 1 - random.below(min(bytes.count, 900))
        switch random.below(10) {
        case 0...3: bytes[place] ^= 1 << UInt8(random.below(8))
        case 4, 5: bytes[place] = UInt8(random.below(256))
        case 6: bytes[place] = [0, 0x7F, 0x80, 0xFF][random.below(4)]
        case 7: bytes.removeSubrange(place..<min(bytes.count, place + 1 + random.below(8)))
        case 8: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 8)], at: place)
        default:
            // The marks stay, so that what is between them is looked at.
            if bytes.count > 40 { bytes.removeSubrange(place / 2..<min(bytes.count - 12, place)) }
        }
    }
    return bytes
}

@Test func `a hundred thousand damaged files are read or refused in little memory`() throws {
    let wish = ProcessInfo.processInfo.environment["WEIR_PARQUET_MUTATIONS"].flatMap(Int.init)
    let sources = try originals()
    var random = Random(seed: 2026)
    let before = peakBytes()
    for number in 0..<(wish ?? 100_000) {
        let bytes = mutated(sources[number % sources.count], &random)
        // All of it for some, the rest as a reader would that wants to know whether it can read.
        exerciseParquet(Bytes(bytes), isThorough: wish != nil || number % 32 == 0)
    }
    // The options of the exercise allow 16 MiB for what one read returns. Alone in its process
    // (`make mutate-lake`) the test needs little more; beside the other suites it notices only a
    // length that was believed.
    #expect(peakBytes() - before < (wish != nil ? 256 << 20 : 1 << 30))
}

/// The most memory that this process has had.
private func peakBytes() -> Int {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    for line in status.split(separator: "\n") where line.hasPrefix("VmHWM:") {
        return (Int(line.filter(\.isNumber)) ?? 0) << 10
    }
    return 0
}
