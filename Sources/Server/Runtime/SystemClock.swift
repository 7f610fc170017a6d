import Base
import CPlatform
import Crypto

/// The clocks of the machine.
package enum SystemClock {
    package static var now: Now {
        Now(monotonic: monotonic, wallMicroseconds: weir_wall_nanoseconds() / 1000)
    }

    package static var monotonic: Instant {
        Instant(nanoseconds: weir_monotonic_nanoseconds())
    }

    package static var timestamp: Timestamp {
        Timestamp(milliseconds: weir_wall_nanoseconds() / 1_000_000)
    }

    package static func sleep(_ duration: Duration) {
        weir_sleep_nanoseconds(duration.wholeNanoseconds)
    }
}

/// A generator seeded by the operating system's own randomness.
package func systemRandom() -> Random {
    var seed: UInt64 = 0
    let code = withUnsafeMutableBytes(of: &seed) {
        weir_random_bytes($0.baseAddress, $0.count)
    }
    // getrandom fails only where it does not exist; identifiers made without it could collide.
    precondition(code == 0, "the system gives random bytes")
    return Random(seed: seed)
}

/// A generator of unpredictable bytes, seeded by the operating system.
package func systemSecureRandom() -> SecureRandom {
    let seed = Bytes(count: 32) { room in
        let code = weir_random_bytes(room.baseAddress, room.count)
        precondition(code == 0, "the system gives random bytes")
    }
    return SecureRandom(seed: seed)
}
