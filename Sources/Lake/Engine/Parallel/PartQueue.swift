import Base
import Columns
import SQL
import Synchronization

/// The parts of a scan on their way through a pipeline: who works on which, and the rows that wait for
/// their turn. The rows come out in the order of the parts, whoever made them.
///
/// The thread of the query takes the rows. What it needs next and nobody works on it makes itself; when
/// a helper is at it, it works ahead meanwhile. A helper never waits: when there is no room for more
/// rows, or no part left, it goes.
///
/// `@unchecked Sendable` is sound: `state` is only reached under the lock, and the operators of a part
/// only by the thread that has claimed it under the lock. What all parts share (the plan, the kept sides
/// of joins) is not changed while parts are read. Where the budget's lock is taken while this one is
/// held, it is the last.
final class PartQueue: @unchecked Sendable {
    private struct Part {
        enum Phase { case waiting, claimed, paused, done }

        let source: SourcePart
        var phase = Phase.waiting
        /// nil before the first claim and behind the last.
        var open: OpenPart?
        var rows: ArraySlice<(batch: ColumnBatch, bytes: Int)> = []
        var problem: Problem?
    }

    private struct State: @unchecked Sendable {
        var parts: [Part]
        /// The part whose rows are given.
        var current = 0
        /// Rows that wait.
        var bytes = 0
        var batches = 0
        /// Parts that are claimed or paused.
        var openCount = 0
        /// Behind this part nothing is needed any more.
        var last: Int
        /// A helper found nothing to do.
        var hasIdleHelper = false
        var isWaiting = false
        var isStopped = false
        /// No more rows find room in the budget.
        var isTight = false
        let memory: MemoryShare
    }

    /// Rows that wait for each thread.
    private static let batchesEach = 64
    private static let bytesEach = 8 << 20
    /// Batches that are made at one go.
    private static let batchesOfStep = 32

    private let state: Mutex<State>
    private let pipeline: PartPipeline
    private let context: QueryContext
    private let measured: MeasuredPlan?
    private let threads: Int
    private let bytesMax: Int
    private let signal: any WorkSignal
    private let stopFlag = StopFlag()

    /// `threads` work on the parts, that of the query included.
    init(
        _ parts: [SourcePart], _ pipeline: PartPipeline, _ context: QueryContext, threads: Int,
        _ workers: any QueryWorkers, _ measured: MeasuredPlan?
    ) {
        self.pipeline = pipeline
        self.context = context
        self.measured = measured
        self.threads = threads
        bytesMax = min(threads * Self.bytesEach, context.memory.limit / 8)
        signal = workers.makeSignal()
        state = Mutex(
            State(
                parts: parts.map { Part(source: $0) }, last: parts.count - 1,
                memory: MemoryShare(context.memory.shared(), for: "rows between threads")))
    }

    // MARK: The query's thread

    enum Next {
        case rows(ColumnBatch)
        /// The part that comes next: claimed, to be read by the caller.
        case part(Int, OpenPart?)
        case end
    }

    /// What comes next in order. `wake` is called when helpers find something to do again.
    func next(_ wake: () -> Void) throws(Problem) -> Next {
        while true {
            let (action, seen, wakes) = state.withLock { state in
                let action = look(&state)
                let hasRoom = state.hasIdleHelper && isHalfEmpty(state)
                let wakes = hasRoom && claimable(state, byHelper: true) != nil
                if wakes { state.hasIdleHelper = false }
                return (Handed(action), signal.count, wakes)
            }
            if wakes { wake() }
            switch action.value {
            case .give(let batch): return .rows(batch)
            case .take(let part, let open): return .part(part, open)
            case .fail(let problem):
                stop()
                throw problem
            case .finished(let open): open?.addFigures()
            case .help(let part, let open): work(on: part, open, batchesMax: 1)
            case .wait:
                signal.wait(beyond: seen)
                state.withLock { $0.isWaiting = false }
            case .end: return .end
            }
        }
    }

    private enum Action {
        case give(ColumnBatch)
        case take(Int, OpenPart?)
        case fail(Problem)
        case finished(OpenPart?)
        case help(Int, OpenPart?)
        case wait
        case end
    }

    /// What leaves the lock belongs to the one who took it out.
    private struct Handed<Value>: @unchecked Sendable {
        let value: Value
        init(_ value: Value) { self.value = value }
    }

    private func look(_ state: inout State) -> Action {
        let number = state.current
        guard number < state.parts.count else { return .end }
        if let (batch, bytes) = state.parts[number].rows.popFirst() {
            state.batches -= 1
            state.bytes -= bytes
            if state.memory.fits(state.bytes) { state.isTight = false }
            return .give(batch)
        }
        if let problem = state.parts[number].problem { return .fail(problem) }
        switch state.parts[number].phase {
        case .done:
            state.current += 1
            let open = state.parts[number].open
            state.parts[number].open = nil
            return .finished(open)
        case .waiting, .paused:
            return .take(number, claim(number, &state))
        case .claimed:
            if let other = claimable(state, byHelper: false) {
                return .help(other, claim(other, &state))
            }
            state.isWaiting = true
            return .wait
        }
    }

    /// The operators of a part that the caller has claimed.
    func opened(_ part: Int, _ open: OpenPart?) throws(Problem) -> OpenPart {
        if let open { return open }
        let source = state.withLock { $0.parts[part].source }
        let own = context.ofPart { [stopFlag] in stopFlag.isSet }
        return try pipeline.open(try source.open(), own, measuring: measured)
    }

    /// A part that `next` gave has been read to its end by the caller.
    func finish(_ part: Int, _ open: OpenPart) {
        let open = Handed(open)
        state.withLock { state in
            state.parts[part].open = open.value
            state.parts[part].phase = .done
            state.openCount -= 1
        }
    }

    /// Whoever works on parts ends soon, and nobody begins.
    func stop() {
        stopFlag.set()
        state.withLock { $0.isStopped = true }
    }

    /// Frees what waits. Nobody works on parts any more.
    func clear() {
        state.withLock { state in
            state.parts = []
            state.memory.end()
        }
    }

    // MARK: Helpers

    /// Works on one part for a while; false when there is nothing to do.
    func help() -> Bool {
        let found = state.withLock { state -> Handed<(Int, OpenPart?)>? in
            guard let part = claimable(state, byHelper: true) else {
                state.hasIdleHelper = true
                return nil
            }
            return Handed((part, claim(part, &state)))
        }
        guard let (part, open) = found?.value else { return false }
        work(on: part, open, batchesMax: Self.batchesOfStep)
        return true
    }

    /// The first part that somebody could work on.
    private func claimable(_ state: State, byHelper: Bool) -> Int? {
        guard !state.isStopped, !state.isTight, state.batches < threads * Self.batchesEach,
            state.bytes < bytesMax
        else { return nil }
        var part = byHelper ? state.current : state.current + 1
        while part <= state.last {
            let isReserved = byHelper && state.parts[part].source.isOfQuery
            switch state.parts[part].phase {
            case .paused where !isReserved: return part
            // Each open part holds pages of its file.
            case .waiting where !isReserved && state.openCount <= threads: return part
            default: part += 1
            }
        }
        return nil
    }

    private func isHalfEmpty(_ state: State) -> Bool {
        state.batches <= threads * Self.batchesEach / 2 && state.bytes <= bytesMax / 2
    }

    private func claim(_ part: Int, _ state: inout State) -> OpenPart? {
        if state.parts[part].phase == .waiting { state.openCount += 1 }
        state.parts[part].phase = .claimed
        defer { state.parts[part].open = nil }
        return state.parts[part].open
    }

    /// Makes rows of a part that the caller has claimed.
    private func work(on part: Int, _ open: OpenPart?, batchesMax: Int) {
        var open = open
        do throws(Problem) {
            let opened = try opened(part, open)
            open = opened
            var made = 0
            while true {
                let batch = Handed(try opened.rows.next())
                let bytes = batch.value.map(\.heldBytes) ?? 0
                made += 1
                let isLast = made == batchesMax
                let handed = Handed(opened)
                let goesOn = state.withLock { state -> Bool in
                    let isDone = batch.value == nil
                    if let batch = batch.value { put(batch, bytes, part, &state) }
                    if !isDone, !isLast, hasRoom(state) {
                        announce(&state)
                        return true
                    }
                    state.parts[part].open = handed.value
                    state.parts[part].phase = isDone ? .done : .paused
                    if isDone { state.openCount -= 1 }
                    announce(&state)
                    return false
                }
                if !goesOn { return }
            }
        } catch {
            let handed = Handed(open)
            state.withLock { state in
                state.parts[part].open = handed.value
                state.parts[part].phase = .done
                state.parts[part].problem = error
                state.openCount -= 1
                state.last = min(state.last, part)
                announce(&state)
            }
        }
    }

    private func put(_ batch: ColumnBatch, _ bytes: Int, _ part: Int, _ state: inout State) {
        state.parts[part].rows.append((batch, bytes))
        state.batches += 1
        state.bytes += bytes
        if !state.memory.fits(state.bytes) { state.isTight = true }
    }

    private func hasRoom(_ state: State) -> Bool {
        !state.isStopped && !state.isTight && state.bytes < bytesMax
            && state.batches < threads * Self.batchesEach
    }

    private func announce(_ state: inout State) {
        if state.isWaiting { signal.raise() }
    }
}

private final class StopFlag: Sendable {
    private let flag = Atomic<Bool>(false)
    func set() { flag.store(true, ordering: .relaxed) }
    var isSet: Bool { flag.load(ordering: .relaxed) }
}

extension ColumnBatch {
    fileprivate var heldBytes: Int { columns.reduce(0) { $0 + $1.memoryBytes } }
}
