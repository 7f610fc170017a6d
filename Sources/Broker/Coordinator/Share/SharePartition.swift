import Base
import WireProtocol

/// What a share group has done with one partition: which records are free, with a member, or done.
///
///     available ──acquire──▶ acquired ──accept──▶ acknowledged
///         ▲                     │ ├──reject, gap, delivered too often──▶ archived
///         └──release, time is up┘ └──the same, with a dead-letter topic──▶ archiving ──▶ archived
///
/// Everything below `startOffset` is done, nothing from `endOffset` on was ever looked at. Between
/// them stand runs of records in the same state, so that whole batches cost one run each and only
/// what is acknowledged one by one is split. Runs that are done at the front move the start.
package struct SharePartition: Sendable {
    package enum State: Hashable, Sendable {
        case available
        case acquired(by: String, until: Instant)
        case acknowledged
        /// To be copied to the dead-letter topic; stays until that is done.
        case archiving
        case archived

        package var isDone: Bool { self == .acknowledged || self == .archived }

        package var owner: String? {
            if case .acquired(let member, _) = self { return member }
            return nil
        }
    }

    /// Records that follow each other and share a state.
    package struct Run: Hashable, Sendable {
        package var first: Int64
        package var last: Int64
        package var state: State
        /// How often they were handed out; 0 for offsets that no member will ever see.
        package var deliveryCount: Int16

        package var count: Int64 { last - first + 1 }

        /// There is no record for members: compacted away, a marker, or of an aborted transaction.
        var isGap: Bool { state == .archived && deliveryCount == 0 }

        /// Of records that are done it does not matter how often they were handed out.
        func joins(_ next: Run) -> Bool {
            guard last + 1 == next.first, state == next.state else { return false }
            return deliveryCount == next.deliveryCount
                || state.isDone && isGap == next.isGap
        }
    }

    /// Records that a member was just given.
    package struct Acquired: Hashable, Sendable {
        package var first: Int64
        package var last: Int64
        package var deliveryCount: Int16

        package init(first: Int64, last: Int64, deliveryCount: Int16) {
            self.first = first
            self.last = last
            self.deliveryCount = deliveryCount
        }
    }

    /// What bounds an acquisition.
    package struct Terms: Sendable {
        package var member: String
        package var until: Instant
        /// Records that are still wanted.
        package var recordsMax: Int64
        /// Records that may be on their way at the same time.
        package var locksMax: Int64
        package var deliveriesMax: Int16

        package init(
            member: String, until: Instant, recordsMax: Int64, locksMax: Int64,
            deliveriesMax: Int16
        ) {
            self.member = member
            self.until = until
            self.recordsMax = recordsMax
            self.locksMax = locksMax
            self.deliveriesMax = deliveriesMax
        }
    }

    package private(set) var startOffset: Int64
    package private(set) var runs: [Run] = []
    /// Whether records that are given up go to a dead-letter topic first.
    package var hasDeadLetters = false
    /// What the log does not know yet; see `takeChanges`.
    private var changed: [ClosedRange<Int64>] = []
    private var hasMoved = false

    package init(startOffset: Int64) { self.startOffset = startOffset }

    // MARK: Queries

    package var endOffset: Int64 { runs.last.map { $0.last + 1 } ?? startOffset }

    /// Records between start and end that members can have had; what `locksMax` bounds.
    package var inFlightCount: Int64 {
        runs.reduce(0) { $0 + ($1.isGap ? 0 : $1.count) }
    }

    /// Offsets behind the start that need nothing more.
    package var doneCount: Int64 {
        runs.reduce(0) { $0 + ($1.state.isDone ? $1.count : 0) }
    }

    /// Whether records wait to be copied.
    package var hasArchiving: Bool { runs.contains { $0.state == .archiving } }

    package var earliestDeadline: Instant {
        runs.reduce(.distantFuture) { earliest, run in
            if case .acquired(_, let until) = run.state { return min(earliest, until) }
            return earliest
        }
    }

    /// The first offset at or above `offset` that could be handed out; nil when too many records
    /// are on their way. It may lie behind the end of the log.
    package func nextAcquirable(from offset: Int64, locksMax: Int64) -> Int64? {
        var index = index(containing: offset)
        while index < runs.count {
            if runs[index].state == .available { return max(offset, runs[index].first) }
            index += 1
        }
        return inFlightCount < locksMax ? max(offset, endOffset) : nil
    }

    /// The first run that reaches to `offset`.
    private func index(containing offset: Int64) -> Int {
        var low = 0
        var high = runs.count
        while low < high {
            let middle = (low + high) / 2
            if runs[middle].last < offset { low = middle + 1 } else { high = middle }
        }
        return low
    }

    // MARK: Handing out

    /// Hands out what is free of the batch with these offsets, and takes it in when it is new.
    package mutating func acquire(
        _ batch: ClosedRange<Int64>, _ terms: Terms
    ) -> [Acquired] {
        takeIn(batch, locksMax: terms.locksMax)
        var result: [Acquired] = []
        var left = terms.recordsMax
        var index = index(containing: batch.lowerBound)
        while index < runs.count, runs[index].first <= batch.upperBound, left > 0 {
            let run = runs[index]
            index += 1
            guard run.state == .available else { continue }
            let first = max(run.first, batch.lowerBound)
            let bound = min(run.last, batch.upperBound)
            let last = left <= bound - first ? first + left - 1 : bound
            // Only where the limit was lowered meanwhile.
            if run.deliveryCount >= terms.deliveriesMax {
                giveUp(first...last)
                index = self.index(containing: last + 1)
                continue
            }
            result.append(
                Acquired(first: first, last: last, deliveryCount: run.deliveryCount + 1))
            left -= last - first + 1
        }
        for acquired in result {
            change(acquired.first...acquired.last) { run in
                run.state = .acquired(by: terms.member, until: terms.until)
                run.deliveryCount += 1
            }
        }
        advance()
        return result
    }

    /// Notes that members get nothing of the batch: it has markers, or its transaction was aborted.
    package mutating func skip(_ batch: ClosedRange<Int64>) {
        var first = batch.lowerBound
        while first <= batch.upperBound, first < endOffset {
            let index = index(containing: first)
            guard index < runs.count else { break }
            let last = min(runs[index].last, batch.upperBound)
            if runs[index].state == .available, first >= runs[index].first {
                change(first...last) { run in
                    run.state = .archived
                    run.deliveryCount = 0
                }
            }
            first = max(first, last + 1)
        }
        fill(through: batch.upperBound)
        advance()
    }

    /// Takes new records in, as far as there is room. Offsets in front of them do not exist.
    private mutating func takeIn(_ batch: ClosedRange<Int64>, locksMax: Int64) {
        guard batch.upperBound >= endOffset else { return }
        if batch.lowerBound > endOffset { fill(through: batch.lowerBound - 1) }
        let room = locksMax - inFlightCount
        guard room > 0 else { return }
        let first = endOffset
        let last = room < batch.upperBound - first + 1 ? first + room - 1 : batch.upperBound
        append(Run(first: first, last: last, state: .available, deliveryCount: 0))
    }

    /// There is nothing to hand out up to this offset.
    private mutating func fill(through last: Int64) {
        let first = endOffset
        guard first <= last else { return }
        append(Run(first: first, last: last, state: .archived, deliveryCount: 0))
        note(first...last)
    }

    private mutating func append(_ run: Run) {
        runs.append(run)
        join(around: runs.count - 1)
    }

    // MARK: Acknowledging

    /// Takes what `member` says about records, all of it or nothing. Offsets below the start are
    /// done and are not looked at again.
    package mutating func acknowledge(
        _ batches: [AcknowledgementBatch], by member: String, renewUntil: Instant,
        deliveriesMax: Int16
    ) -> Bool {
        for batch in batches {
            guard owns(max(batch.firstOffset, startOffset), batch.lastOffset, member) else {
                return false
            }
        }
        for batch in batches {
            var first = batch.firstOffset
            for (last, type) in batch.spans {
                let from = max(first, startOffset)
                if from <= last {
                    apply(type, from...last, renewUntil: renewUntil, deliveriesMax: deliveriesMax)
                }
                first = last + 1
            }
        }
        advance()
        return true
    }

    private func owns(_ first: Int64, _ last: Int64, _ member: String) -> Bool {
        guard first <= last else { return true }
        guard last < endOffset else { return false }
        var index = index(containing: first)
        while index < runs.count, runs[index].first <= last {
            guard runs[index].state.owner == member else { return false }
            index += 1
        }
        return true
    }

    private mutating func apply(
        _ type: AcknowledgeType, _ range: ClosedRange<Int64>, renewUntil: Instant,
        deliveriesMax: Int16
    ) {
        switch type {
        case .accept: change(range) { $0.state = .acknowledged }
        case .gap: change(range) { $0.state = .archived }
        case .reject: giveUp(range)
        case .release: free(range, deliveriesMax: deliveriesMax)
        case .renew:
            // The log does not keep locks.
            update(range) { run in
                if let owner = run.state.owner {
                    run.state = .acquired(by: owner, until: renewUntil)
                }
            }
        }
    }

    // MARK: Giving back

    /// Frees everything that `member` has. Returns whether there was anything.
    package mutating func release(_ member: String, deliveriesMax: Int16) -> Bool {
        freeAll(deliveriesMax: deliveriesMax) { $0.owner == member }
    }

    /// Frees what was locked for too long. Returns whether there was anything.
    package mutating func expire(now: Instant, deliveriesMax: Int16) -> Bool {
        freeAll(deliveriesMax: deliveriesMax) { state in
            if case .acquired(_, let until) = state { return until <= now }
            return false
        }
    }

    private mutating func freeAll(
        deliveriesMax: Int16, where isMeant: (State) -> Bool
    ) -> Bool {
        let meant = runs.filter { isMeant($0.state) }
        for run in meant {
            free(run.first...run.last, deliveriesMax: deliveriesMax)
        }
        advance()
        return !meant.isEmpty
    }

    /// Acquired records become available again, or are given up after their last delivery.
    private mutating func free(_ range: ClosedRange<Int64>, deliveriesMax: Int16) {
        let last: State = hasDeadLetters ? .archiving : .archived
        // To the log, what a member has and what is available are the same.
        var isNews = false
        update(range) { run in
            let isLast = run.deliveryCount >= deliveriesMax
            run.state = isLast ? last : .available
            if isLast { isNews = true }
        }
        if isNews { note(range) }
    }

    private mutating func giveUp(_ range: ClosedRange<Int64>) {
        let last: State = hasDeadLetters ? .archiving : .archived
        change(range) { run in
            run.state = last
            // What a member has had is no gap.
            run.deliveryCount = max(run.deliveryCount, 1)
        }
    }

    /// The copies of these records are in the dead-letter topic, or there is nothing to copy.
    package mutating func archived(_ range: ClosedRange<Int64>) {
        var index = index(containing: range.lowerBound)
        var ranges: [ClosedRange<Int64>] = []
        while index < runs.count, runs[index].first <= range.upperBound {
            if runs[index].state == .archiving {
                ranges.append(
                    max(
                        runs[index].first, range.lowerBound)...min(
                            runs[index].last, range.upperBound))
            }
            index += 1
        }
        for range in ranges { change(range) { $0.state = .archived } }
        advance()
    }

    // MARK: Moving

    /// The log begins here now: what stood below is gone. Returns whether anything changed.
    @discardableResult
    package mutating func moveStart(to offset: Int64) -> Bool {
        guard offset > startOffset else { return false }
        split(at: offset)
        runs.removeSubrange(..<index(containing: offset))
        startOffset = offset
        hasMoved = true
        advance()
        return true
    }

    /// Forgets everything and begins at `offset`.
    package mutating func reset(to offset: Int64) {
        runs = []
        startOffset = offset
        changed = []
        hasMoved = true
    }

    // MARK: What the runs are made of

    /// Changes the runs of exactly this range, which lies between start and end, and notes it.
    private mutating func change(_ range: ClosedRange<Int64>, _ body: (inout Run) -> Void) {
        update(range, body)
        note(range)
    }

    private mutating func update(_ range: ClosedRange<Int64>, _ body: (inout Run) -> Void) {
        split(at: range.lowerBound)
        split(at: range.upperBound + 1)
        let from = index(containing: range.lowerBound)
        var index = from
        while index < runs.count, runs[index].last <= range.upperBound {
            body(&runs[index])
            index += 1
        }
        while index >= from {
            join(around: index)
            index -= 1
        }
    }

    /// Makes a run begin at `offset`, if one reaches over it.
    private mutating func split(at offset: Int64) {
        let index = index(containing: offset)
        guard index < runs.count, runs[index].first < offset else { return }
        var rest = runs[index]
        rest.first = offset
        runs[index].last = offset - 1
        runs.insert(rest, at: index + 1)
    }

    /// Makes one run of the one at `index` and the one in front of it, where they fit.
    private mutating func join(around index: Int) {
        guard index > 0, index < runs.count, runs[index - 1].joins(runs[index]) else { return }
        runs[index - 1].last = runs[index].last
        runs[index - 1].deliveryCount = max(
            runs[index - 1].deliveryCount, runs[index].deliveryCount)
        runs.remove(at: index)
    }

    /// Moves the start behind what is done.
    private mutating func advance() {
        var done = 0
        while done < runs.count, runs[done].state.isDone { done += 1 }
        guard done > 0 else { return }
        startOffset = runs[done - 1].last + 1
        runs.removeSubrange(..<done)
        hasMoved = true
    }

    // MARK: The log

    private mutating func note(_ range: ClosedRange<Int64>) {
        if let last = changed.last, last.upperBound + 1 == range.lowerBound {
            changed[changed.count - 1] = last.lowerBound...range.upperBound
        } else {
            changed.append(range)
        }
    }

    package var hasChanges: Bool { hasMoved || !changed.isEmpty }

    /// What the log has to learn: the runs that changed, without those below the start.
    mutating func takeChanges() -> [Run] {
        var result: [Run] = []
        for range in changed {
            var index = index(containing: range.lowerBound)
            while index < runs.count, runs[index].first <= range.upperBound {
                var run = runs[index]
                run.first = max(run.first, range.lowerBound)
                run.last = min(run.last, range.upperBound)
                result.append(run)
                index += 1
            }
        }
        forgetChanges()
        return result
    }

    mutating func forgetChanges() {
        changed = []
        hasMoved = false
    }

    /// Takes what a record of the log says. Nothing is trusted: what makes no sense is refused.
    mutating func replay(startOffset start: Int64, _ records: [Run]) throws(DecodeFailure) {
        guard start >= 0, start >= startOffset, start < .max else {
            throw .invalid(what: "share start offset", value: start, position: 0)
        }
        for run in records where run.first < 0 || run.first > run.last || run.last == .max {
            throw .invalid(what: "share batch offset", value: run.first, position: 0)
        }
        for run in records where run.last >= start {
            let first = max(run.first, startOffset)
            if run.last >= endOffset {
                // A hole can only be left by a record that is missing; its place is free again.
                append(
                    Run(first: endOffset, last: run.last, state: .available, deliveryCount: 0))
            }
            update(first...run.last) { known in
                known.state = run.state
                known.deliveryCount = run.deliveryCount
            }
        }
        moveStart(to: start)
        advance()
        forgetChanges()
    }

    /// The log is read. What was handed out for the last time before the stop is given up now.
    mutating func finishReplay(deliveriesMax: Int16) {
        for run in runs where run.state == .available && run.deliveryCount >= deliveriesMax {
            giveUp(run.first...run.last)
        }
        advance()
    }

    // MARK: Invariants

    /// startOffset = runs₀.first; runs follow each other without holes; runs₀ is not done; what is
    /// available was handed out less often than allowed; neighbours differ.
    package func checkInvariants() {
        var next = startOffset
        for (index, run) in runs.enumerated() {
            precondition(run.first == next, "runs follow each other")
            precondition(run.first <= run.last, "a run has records")
            precondition(run.deliveryCount >= 0, "deliveries are counted")
            if run.state.owner != nil {
                precondition(run.deliveryCount > 0, "what a member has was delivered")
            }
            if index > 0 { precondition(!runs[index - 1].joins(run), "neighbours differ") }
            next = run.last + 1
        }
        precondition(runs.first?.state.isDone != true, "the start is behind what is done")
    }
}

extension AcknowledgementBatch {
    /// The types by ranges: each with its last offset. The batch must have been checked.
    fileprivate var spans: SpanSequence { SpanSequence(batch: self) }

    /// What is wrong with the batch by itself; nil when it can be used. Version 1 has no renewals.
    package func complaint(mayRenew: Bool) -> String? {
        guard firstOffset >= 0, firstOffset <= lastOffset, lastOffset < .max else {
            return "offsets \(firstOffset) to \(lastOffset) are no range"
        }
        let count = lastOffset - firstOffset + 1
        guard acknowledgeTypes.count == 1 || Int64(acknowledgeTypes.count) == count else {
            return "\(acknowledgeTypes.count) types for \(count) offsets, expected 1 or \(count)"
        }
        for number in acknowledgeTypes {
            guard let type = AcknowledgeType(rawValue: number) else {
                return "there is no acknowledge type \(number)"
            }
            if type == .renew, !mayRenew {
                return "a renewal in a request that says it has none"
            }
        }
        return nil
    }
}

/// Equal types next to each other, without an allocation.
private struct SpanSequence: Sequence, IteratorProtocol {
    let batch: AcknowledgementBatch
    private var index = 0

    init(batch: AcknowledgementBatch) { self.batch = batch }

    mutating func next() -> (last: Int64, type: AcknowledgeType)? {
        let types = batch.acknowledgeTypes
        guard index < types.count else { return nil }
        let number = types[index]
        while index < types.count, types[index] == number { index += 1 }
        guard let type = AcknowledgeType(rawValue: number) else { return nil }
        let last =
            index == types.count ? batch.lastOffset : batch.firstOffset + Int64(index) - 1
        return (last, type)
    }
}
