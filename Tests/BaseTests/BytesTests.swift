import Base
import Testing

@Suite struct BytesTests {
    @Test func `the check value of CRC-32C is the published one`() {
        #expect(crc32c(Bytes(utf8: "123456789")) == 0xE306_9283)
    }

    @Test func `CRC-32C of any length is what its definition says`() {
        var random = Random(seed: 32)
        let bytes = (0..<3000).map { _ in UInt8(random.below(256)) }
        for count in [Int](0...600) + [767, 768, 1023, 1024, 1025, 2047, 2999] {
            let start = count % 3
            var expected = ~UInt32(0)
            for byte in bytes[start..<min(start + count, bytes.count)] {
                expected ^= UInt32(byte)
                for _ in 0..<8 {
                    expected = expected >> 1 ^ (expected & 1 == 1 ? 0x82F6_3B78 : 0)
                }
            }
            let piece = Bytes(bytes)[start..<min(start + count, bytes.count)]
            #expect(crc32c(piece) == ~expected, "\(count) bytes")
        }
    }

    @Test func `varints of every length come back`() throws {
        for shift in 0..<64 {
            let value = Int64(bitPattern: 1 << UInt64(shift))
            var writer = ByteWriter()
            writer.varlong(value)
            writer.varlong(0 &- value)
            writer.unsignedVarlong(UInt64(bitPattern: value))
            var reader = ByteReader(writer.finish())
            #expect(try reader.varlong() == value)
            #expect(try reader.varlong() == 0 &- value)
            #expect(try reader.unsignedVarlong() == UInt64(bitPattern: value))
            #expect(reader.isAtEnd)
        }
    }

    @Test func `a varint that never ends is refused`() {
        var reader = ByteReader(Bytes([UInt8](repeating: 0xFF, count: 20)))
        #expect(throws: DecodeFailure.self) { try reader.varlong() }
    }

    @Test func `reading behind the end is an error and not a trap`() {
        var reader = ByteReader(Bytes([1, 2, 3]))
        #expect(throws: DecodeFailure.truncated(needed: 4, available: 3, position: 0)) {
            try reader.int32()
        }
        #expect(throws: DecodeFailure.self) { try reader.slice(-1) }
        #expect(throws: DecodeFailure.self) {
            try reader.checkedCount(Int.max, minimumBytes: 8, what: "records")
        }
    }

    @Test func `slices share memory and compare by content`() {
        let whole = Bytes(utf8: "hello world")
        #expect(whole[6..<11] == Bytes(utf8: "world"))
        #expect(whole[0..<5] < whole[6..<11])
        #expect(Bytes.joined([whole[0..<5], whole[5..<11]]) == whole)
    }
}

@Suite struct JSONTests {
    @Test(arguments: [
        #"{"a":1,"b":[true,false,null],"c":"x\ny"}"#, "-12.5e+3", "\"\"", "[]", "{}",
        "123456789012345678901234567890", #"["\u0001"]"#,
    ])
    func `a document comes back as it was written`(text: String) throws {
        #expect(try JSONValue(parsing: text).text == text)
    }

    @Test func `escapes and surrogate pairs become text`() throws {
        #expect(try JSONValue(parsing: #""\u00e4\ud83d\ude00\/""#) == .string("ä😀/"))
    }

    @Test(arguments: [
        "", "{", "[1,]", "{\"a\" 1}", "01", "1.", "tru", "\"\\x\"", "\"\\ud800\"", "nul", "[1] 2",
        "\"a\u{1}\"", "--1", "{1:2}", "'a'",
    ])
    func `what is not JSON is refused`(text: String) {
        #expect(throws: DecodeFailure.self) { try JSONValue(parsing: text) }
    }

    @Test func `nesting is limited`() {
        let deep = String(repeating: "[", count: 100_000)
        #expect(throws: DecodeFailure.tooLarge(what: "JSON nesting", value: 129, limit: 128)) {
            try JSONValue(parsing: deep)
        }
    }

    @Test func `a 64-bit integer stays exact`() throws {
        #expect(try JSONValue(parsing: "9223372036854775807").intValue == .max)
    }
}

@Suite struct NamesTests {
    @Test func `a misspelt name finds its neighbour and nothing else`() {
        let names = ["event_type", "app_type", "total_events"]
        #expect(nearestName(to: "event_typ", among: names) == "event_type")
        #expect(nearestName(to: "evnet_type", among: names) == "event_type")
        #expect(nearestName(to: "zebra", among: names) == nil)
        // Nothing of the name would be left.
        #expect(nearestName(to: "u", among: ["t", "d"]) == nil)
        #expect(nearestName(to: "ab", among: ["xb", "cd"]) == "xb")
    }

    @Test func `of names that are as near, the one that was meant more likely is found`() {
        #expect(nearestName(to: "cont", among: ["cot", "font", "cone", "count"]) == "count")
        #expect(nearestName(to: "fron", among: ["iron", "from"]) == "from")
        #expect(nearestName(to: "x1", among: ["x2", "x3"]) == "x2")
    }

    @Test func `a UUID comes back from its text`() {
        var random = Random(seed: 7)
        let id = random.uuid()
        #expect(UUID128(text: id.description) == id)
        #expect(UUID128(text: "550e8400-e29b-41d4-a716-44665544000") == nil)
    }
}

@Suite struct ObjectStoreTests {
    @Test func `of two writers of one object the first one wins`() throws {
        let store = LocalObjectStore(disk: MemoryDisk(), root: "lake")
        try store.putIfAbsent("t/_delta_log/0.json", Bytes(utf8: "one"))
        #expect(throws: StorageFailure.alreadyExists(path: "t/_delta_log/0.json")) {
            try store.putIfAbsent("t/_delta_log/0.json", Bytes(utf8: "two"))
        }
        #expect(try store.get("t/_delta_log/0.json", range: nil).text == "one")
        #expect(try store.list("t", recursive: true).map(\.path) == ["t/_delta_log/0.json"])
        #expect(try store.get("t/_delta_log/0.json", range: 1..<99).text == "ne")
        try store.put("t/_delta_log/1.json", Bytes(utf8: "two"))
        #expect(try store.list("t/_delta_log", after: "0.json").map(\.size) == [3])
        #expect(try store.list("t/_delta_log", after: "").count == 2)
    }
}
