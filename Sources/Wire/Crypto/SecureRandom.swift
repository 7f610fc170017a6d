import Base

/// Random bytes that nobody can predict from others of them: for nonces and salts. `Random` is
/// not made for that, its whole state can be computed from a few outputs.
///
/// A chain of keys: each draw authenticates a counter with the current key and then replaces the
/// key by what comes out under another label, so that a later state does not reveal earlier bytes.
/// The seed decides everything; the Runtime takes it from the operating system.
package struct SecureRandom: Sendable {
    private var key: Bytes

    /// `seed`: 32 bytes that nobody else knows.
    package init(seed: Bytes) {
        precondition(seed.count >= 32, "less can be guessed")
        key = Digest.sha256.authenticate(Bytes(utf8: "seed"), key: seed)
    }

    /// For tests and simulations: as predictable as `random` is.
    package init(predictable random: inout Random) {
        var writer = ByteWriter(capacity: 32)
        for _ in 0..<4 { writer.int64(Int64(bitPattern: random.next())) }
        self.init(seed: writer.finish())
    }

    package mutating func bytes(_ count: Int) -> Bytes {
        var result = ByteWriter(capacity: count + 32)
        var block: UInt32 = 0
        while result.count < count {
            var label = ByteWriter(capacity: 16)
            label.utf8("output")
            label.uint32(block)
            result.bytes(Digest.sha256.authenticate(label.finish(), key: key))
            block += 1
        }
        key = Digest.sha256.authenticate(Bytes(utf8: "next"), key: key)
        return result.finish()[0..<count].compacted()
    }
}
