import Base
import CCodecs
import Testing

// The library compresses, our own code decompresses.

/// Data in which runs, repeats near and far, and noise follow each other.
private func sample(_ random: inout Random, _ count: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count {
        switch random.below(5) {
        case 0: bytes += (0..<1 + random.below(90)).map { _ in UInt8(random.below(256)) }
        case 1:
            bytes += [UInt8](repeating: UInt8(random.below(256)), count: 1 + random.below(300))
        case 2 where !bytes.isEmpty:
            // Offsets of every size, overlaps included.
            let farthest = [8, 16, 40, 3000, 70_000][random.below(5)]
            let offset = 1 + random.below(min(bytes.count, farthest))
            let start = bytes.count - offset
            for index in 0..<1 + random.below(100) { bytes.append(bytes[start + index]) }
        case 3: bytes += Array("user_\(random.below(1000)),".utf8)
        default: bytes += (0..<36).map { _ in Array("0123456789abcdef".utf8)[random.below(16)] }
        }
    }
    return Array(bytes.prefix(count))
}

private func compressed(_ bytes: [UInt8]) -> [UInt8] {
    var output = [UInt8](repeating: 0, count: Int(weir_snappy_bound(bytes.count)))
    let count = weir_snappy_compress(bytes, bytes.count, &output, output.count)
    return Array(output.prefix(Int(count)))
}

/// Status and output; checks that nothing behind the output was touched.
private func decompressed(_ bytes: [UInt8], _ capacity: Int) -> (Int64, [UInt8]) {
    var output = [UInt8](repeating: 0xA5, count: capacity + 128)
    let status = weir_snappy_decompress(bytes, bytes.count, &output, capacity)
    #expect(output[capacity...].allSatisfy { $0 == 0xA5 })
    return (status, Array(output.prefix(capacity)))
}

@Test func `what the library compressed comes back, whatever its size`() {
    var random = Random(seed: 11)
    let sizes = Array(0...200) + (0..<60).map { _ in random.below(200_000) }
    for size in sizes {
        let bytes = sample(&random, size)
        let (status, found) = decompressed(compressed(bytes), size)
        #expect(status == Int64(size))
        #expect(found == bytes)
    }
}

@Test func `damaged blocks never write behind their output`() {
    var random = Random(seed: 12)
    for round in 0..<4000 {
        let bytes = sample(&random, random.below(600))
        var block = compressed(bytes)
        guard !block.isEmpty else { continue }
        for _ in 0..<1 + random.below(3) {
            block[random.below(block.count)] = UInt8(random.below(256))
        }
        if round % 4 == 0 { block.removeLast(random.below(block.count)) }
        let capacity = round % 8 == 0 ? random.below(700) : bytes.count
        let (status, _) = decompressed(block, capacity)
        #expect(status == Int64(capacity) || status < 0)
    }
}

@Test func `blocks that end too early or say a wrong size are refused`() {
    let block = compressed(Array("a text that is long enough to be a literal".utf8))
    for count in 0..<block.count {
        #expect(decompressed(Array(block.prefix(count)), 42).0 < 0)
    }
    #expect(decompressed(block, 41).0 == Int64(WEIR_CODEC_NO_SPACE))
    #expect(decompressed(block, 43).0 < 0)
    // A copy from before the begin, and a length of all ones.
    #expect(decompressed([4, 0x01, 0x01], 4).0 < 0)
    #expect(decompressed([4, 0xFC, 0xFF, 0xFF, 0xFF, 0xFF, 0], 4).0 < 0)
    #expect(decompressed([0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01], 4).0 < 0)
}
