import Base
import Compression
import Testing

@Suite struct CodecTests {
    static let text = Bytes(
        utf8: (0..<500).map { "{\"id\":\($0),\"city\":\"Hue\"}\n" }.joined())

    static var noise: Bytes {
        var random = Random(seed: 7)
        return Bytes((0..<100_000).map { _ in UInt8(truncatingIfNeeded: random.next()) })
    }

    @Test(arguments: Codec.allCases)
    func `every codec gives back what it took`(codec: Codec) throws {
        for input in [Bytes.empty, Bytes([1]), Self.text, Self.noise] {
            let packed = try codec.compress(input)
            #expect(try codec.decompress(packed, limit: input.count) == input)
        }
    }

    @Test func `snappy is written as one block or in chunks and read either way`() throws {
        let input = Bytes.joined([Self.text, Self.noise])
        let chunks = try Codec.snappy.compress(input, snappyFraming: .xerial)
        #expect(chunks[0..<2] == Bytes([0x82, 0x53]))
        #expect(try Codec.snappy.decompress(chunks, limit: input.count) == input)
        #expect(throws: CodecFailure.tooLarge(.snappy, limit: input.count - 1)) {
            try Codec.snappy.decompress(chunks, limit: input.count - 1)
        }
        let cut = chunks[0..<chunks.count - 1]
        #expect(throws: CodecFailure.self) { try Codec.snappy.decompress(cut, limit: 1 << 20) }
    }

    @Test(arguments: Codec.allCases)
    func `one byte beyond the limit is too large`(codec: Codec) throws {
        let packed = try codec.compress(Self.text)
        #expect(throws: CodecFailure.tooLarge(codec, limit: Self.text.count - 1)) {
            try codec.decompress(packed, limit: Self.text.count - 1)
        }
    }

    @Test(arguments: [Codec.gzip, .snappy, .lz4, .zstd])
    func `data cut anywhere or empty is refused`(codec: Codec) throws {
        let packed = try codec.compress(Self.text)
        for end in stride(from: 0, to: packed.count, by: 7) {
            #expect(throws: CodecFailure.self) {
                try codec.decompress(packed[0..<end], limit: 1 << 20)
            }
        }
    }

    @Test(arguments: Codec.allCases)
    func `damaged data never traps and never exceeds the limit`(codec: Codec) throws {
        let packed = try codec.compress(Self.text)
        var random = Random(seed: UInt64(codec.rawValue))
        for _ in 0..<300 {
            var damaged = packed.array
            for _ in 0...random.below(3) {
                damaged[random.below(damaged.count)] = UInt8(random.below(256))
            }
            let result = try? codec.decompress(Bytes(damaged), limit: 20_000)
            #expect((result?.count ?? 0) <= 20_000)
        }
    }

    @Test func `a bomb stops at the limit`() throws {
        let zeros = Bytes([UInt8](repeating: 0, count: 8 << 20))
        for codec in [Codec.gzip, .snappy, .lz4, .zstd] {
            let bomb = try codec.compress(zeros)
            #expect(throws: CodecFailure.tooLarge(codec, limit: 1 << 20)) {
                try codec.decompress(bomb, limit: 1 << 20)
            }
        }
    }

    @Test func `what other libraries compressed is read`() throws {
        let samples = try goldenSamples("compression/samples.hex")
        let plain = try #require(samples["plain"])
        let cases: [(String, Codec)] = [
            ("gzip", .gzip), ("gzip-members", .gzip), ("zlib", .gzip), ("snappy-block", .snappy),
            ("snappy-xerial", .snappy), ("lz4", .lz4), ("lz4-linked", .lz4), ("zstd", .zstd),
            ("zstd-unsized", .zstd), ("zstd-frames", .zstd),
        ]
        for (name, codec) in cases {
            let sample = try #require(samples[name])
            #expect(try codec.decompress(sample, limit: plain.count) == plain, "\(name)")
            #expect(throws: CodecFailure.tooLarge(codec, limit: plain.count - 1), "\(name)") {
                try codec.decompress(sample, limit: plain.count - 1)
            }
        }
        let block = try #require(samples["lz4-block"])
        #expect(try decompressBlock(.lz4Raw, block, expectedSize: plain.count) == plain)
    }

    @Test(arguments: [BlockCodec.snappy, .gzip, .zstd, .lz4Raw])
    func `a block must have exactly the expected size`(codec: BlockCodec) throws {
        let size = Self.text.count
        let packed = try compressBlock(codec, Self.text)
        #expect(try decompressBlock(codec, packed, expectedSize: size) == Self.text)
        for wrong in [0, 1, size - 1, size + 1] {
            #expect(throws: CodecFailure.self) {
                try decompressBlock(codec, packed, expectedSize: wrong)
            }
        }
    }

    @Test func `the check value of CRC-32 is the published one`() {
        let digits = Bytes(utf8: "123456789")
        #expect(crc32(digits) == 0xCBF4_3926)
        #expect(crc32(digits[4..<9], seed: crc32(digits[0..<4])) == 0xCBF4_3926)
    }

    @Test func `codecs are found by their published names`() {
        for codec in Codec.allCases { #expect(Codec(name: codec.name) == codec) }
        #expect(Codec(name: "brotli") == nil)
    }
}
