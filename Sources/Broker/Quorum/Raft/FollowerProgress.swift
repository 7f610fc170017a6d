import Base

/// What a leader knows about one other member.
struct FollowerProgress: Sendable {
    enum Mode: Hashable, Sendable {
        /// Looks for a common past, one append at a time.
        case probe
        /// Sends ahead of the answers.
        case stream
        /// Sends a snapshot, chunk by chunk.
        case snapshot(LogPosition, next: Int64)
    }

    private(set) var mode = Mode.probe
    /// The follower has everything up to here on its disk.
    private(set) var match: LogIndex = 0
    /// The next entry to send.
    private(set) var next: LogIndex
    /// Appends on their way: the last index and the bytes of each.
    private var inFlight: [(last: LogIndex, bytes: Int)] = []
    private var inFlightBytes = 0
    /// A probe or chunk is on its way.
    var isWaiting = false
    /// The highest commit index that was sent.
    var commitTold: LogIndex = 0
    /// When its last answer came, for the check of the quorum.
    var lastHeard: Instant
    /// The newest round that it answered, and when that round began.
    var round: UInt64 = 0
    var roundBegan: Instant?
    /// How often the follower was started, as far as known.
    var life: UInt64 = 0

    init(next: LogIndex, now: Instant) {
        self.next = next
        lastHeard = now
    }

    func canStream(_ settings: RaftSettings) -> Bool {
        inFlight.count < settings.inFlightCountMax && inFlightBytes < settings.inFlightBytesMax
    }

    mutating func sent(through last: LogIndex, bytes: Int) {
        next = last.next
        inFlight.append((last, bytes))
        inFlightBytes += bytes
    }

    mutating func accepted(_ index: LogIndex) {
        match = max(match, index)
        next = max(next, match.next)
        while let first = inFlight.first, first.last <= match {
            inFlightBytes -= first.bytes
            inFlight.removeFirst()
        }
        if mode == .probe {
            mode = .stream
            next = match.next
            isWaiting = false
        }
    }

    mutating func probe(from next: LogIndex) {
        mode = .probe
        self.next = max(next, match.next)
        inFlight = []
        inFlightBytes = 0
        isWaiting = false
    }

    mutating func beginSnapshot(_ position: LogPosition) {
        mode = .snapshot(position, next: 0)
        inFlight = []
        inFlightBytes = 0
        isWaiting = false
    }

    mutating func chunkIsWanted(_ position: LogPosition, next: Int64) {
        mode = .snapshot(position, next: next)
        isWaiting = false
    }

    /// The follower was started again: what it had is to be found out.
    mutating func begin(life: UInt64, lastIndex: LogIndex) {
        let isFirst = self.life == 0
        self.life = life
        guard !isFirst else { return }
        match = 0
        commitTold = 0
        probe(from: lastIndex.next)
    }
}
