import Base
import Quorum

/// A member of the simulated quorum: its process, its clock, its disk, its state machine.
struct SimulatedMember {
    let id: NodeID
    var disk: SimulatedDisk
    var directory: UUID128
    let isWitness: Bool
    /// Nil while the process is down.
    var replica: QuorumReplica?
    /// Counts processes: what was meant for an earlier one is dropped.
    var process = 0
    var isPaused = false
    /// What came while the process was paused.
    var backlog: [QuorumEvent] = []
    /// The disk is damaged or new, and the node has not yet what it had.
    var isDamaged = false
    /// Where the marked part of the log ended when the process died.
    var markedEnd: (path: String, position: Int64)?
    /// The tick that counts.
    var wake = 0

    // The clock: local = origin + (time - since) × rate.
    private var origin: Int64
    private var since: Int64 = 0
    private(set) var ratePerMillion: Int64 = 1_000_000

    // The state machine: a hash over everything applied.
    var applied: LogIndex = 0
    var state: UInt64 = 0

    init(
        id: NodeID, disk: SimulatedDisk, directory: UUID128, isWitness: Bool, clock: Int64
    ) {
        self.id = id
        self.disk = disk
        self.directory = directory
        self.isWitness = isWitness
        origin = clock
    }

    func clock(at time: Int64) -> Instant {
        Instant(nanoseconds: origin + (time - since) / 1000 * ratePerMillion / 1000)
    }

    /// When the local clock shows `instant`, about; never before `time`.
    func time(of instant: Instant, from time: Int64) -> Int64 {
        guard ratePerMillion > 0 else { return time + 1_000_000_000 }
        let wait = max(0, instant.nanoseconds - clock(at: time).nanoseconds)
        guard wait < 1 << 40 else { return time + 1 << 40 }
        return time + wait * 1000 / ratePerMillion * 1000 + 1000
    }

    mutating func setClock(rate: Int64, jump: Int64, at time: Int64) {
        origin = clock(at: time).nanoseconds + jump
        since = time
        ratePerMillion = rate
    }

    mutating func apply(_ entry: RaftEntry) {
        applied = entry.index
        state = Self.next(state, entry)
    }

    static func next(_ state: UInt64, _ entry: RaftEntry) -> UInt64 {
        let mixed =
            (state ^ UInt64(bitPattern: entry.index.value) << 32 ^ UInt64(entry.payloadChecksum))
            &* 0x9E37_79B9_7F4A_7C15
        return mixed ^ mixed >> 29
    }

    /// The state as bytes, with filling that depends on the place.
    func snapshotContent(filling: Int) -> Bytes {
        var writer = ByteWriter(capacity: 32 + filling)
        writer.int64(applied.value)
        writer.int64(Int64(bitPattern: state))
        var word = state
        for _ in 0..<(filling / 8) {
            word = word &* 6_364_136_223_846_793_005 &+ 1
            writer.int64(Int64(bitPattern: word))
        }
        return writer.finish()
    }

    /// Becomes what the snapshot says; false when it is not one.
    mutating func restore(_ content: Bytes) -> Bool {
        var reader = ByteReader(content)
        guard let index = try? reader.int64(), let state = try? reader.int64() else {
            return false
        }
        applied = LogIndex(index)
        self.state = UInt64(bitPattern: state)
        return true
    }
}
