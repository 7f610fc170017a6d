// The few things that threads need: a lock with a condition, a thread, a queue of work.

import CPlatform
import Glibc

/// Nanoseconds on a clock that never goes back.
func monotonicNow() -> Int64 { weir_monotonic_nanoseconds() }

/// Milliseconds since 1970.
func wallMilliseconds() -> Int64 { weir_wall_nanoseconds() / 1_000_000 }

/// State behind a lock, with a condition to wait for changes of it.
///
/// `@unchecked Sendable` is sound because the state is only reached through `withLock` and `wait`,
/// which hold the lock.
final class Monitor<State>: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private var state: State

    init(_ state: State) {
        self.state = state
        mutex = .allocate(capacity: 1)
        condition = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    func withLock<Result, Failure: Error>(
        _ body: (inout State) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&state)
    }

    /// Changes the state and wakes everybody who waits for it.
    func update<Result>(_ body: (inout State) -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer {
            pthread_cond_broadcast(condition)
            pthread_mutex_unlock(mutex)
        }
        return body(&state)
    }

    /// What a waiting thread does next.
    enum Step<Result> {
        case done(Result)
        /// Look again when something changed, at the latest then.
        case wait(until: Int64)
    }

    /// Calls `body` now, after every change and at the times it asks for, until it is done.
    func loop<Result>(_ body: (inout State) -> Step<Result>) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while true {
            switch body(&state) {
            case .done(let result): return result
            case .wait(let deadline): sleep(until: deadline)
            }
        }
    }

    /// Wakes everybody who waits.
    func notify() { pthread_cond_broadcast(condition) }

    private func sleep(until deadline: Int64) {
        if deadline == .max {
            pthread_cond_wait(condition, mutex)
            return
        }
        if monotonicNow() >= deadline { return }
        var time = timespec(
            tv_sec: Int(deadline / 1_000_000_000), tv_nsec: Int(deadline % 1_000_000_000))
        pthread_cond_timedwait(condition, mutex, &time)
    }

    /// Waits until `body` returns a value, or until `deadline` (nil for ever), then returns nil.
    func wait<Result>(
        until deadline: Int64? = nil, _ body: (inout State) -> Result?
    ) -> Result? {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while true {
            if let result = body(&state) { return result }
            if let deadline, monotonicNow() >= deadline { return nil }
            sleep(until: deadline ?? .max)
        }
    }
}

/// A thread that runs one function.
struct Thread: Sendable {
    private let handle: pthread_t

    /// Carries the function through C.
    private final class Start {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    /// Starts the thread.
    init(_ body: @escaping @Sendable () -> Void) {
        var handle = pthread_t()
        let start = Unmanaged.passRetained(Start(body))
        let status = pthread_create(&handle, nil, threadMain, start.toOpaque())
        precondition(status == 0, "no thread could be started")
        self.handle = handle
    }

    func join() { pthread_join(handle, nil) }

    /// Lets the thread end on its own.
    func detach() { pthread_detach(handle) }

    fileprivate static func run(_ raw: UnsafeMutableRawPointer) {
        let start = Unmanaged<Start>.fromOpaque(raw).takeRetainedValue()
        start.body()
    }
}

private func threadMain(_ raw: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    if let raw { Thread.run(raw) }
    return nil
}

/// A thread that does one piece of work after the other, for `async` callers.
final class Worker: Sendable {
    private struct Queue {
        var work: [@Sendable () -> Void] = []
        var isClosed = false
        var isStarted = false
    }
    private let queue = Monitor(Queue())

    /// Runs `body` on the thread and returns what it returned.
    func run<Value: Sendable>(
        _ body: @escaping @Sendable () throws(ClientFailure) -> Value
    ) async throws(ClientFailure) -> Value {
        let result: Result<Value, ClientFailure> = await withCheckedContinuation { continuation in
            submit {
                do throws(ClientFailure) {
                    continuation.resume(returning: .success(try body()))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
        return try result.get()
    }

    /// Runs `work` on the thread, after what was handed over before.
    func submit(_ work: @escaping @Sendable () -> Void) {
        let mustStart = queue.update { queue in
            queue.work.append(work)
            defer { queue.isStarted = true }
            return !queue.isStarted
        }
        if mustStart { Thread { [self] in loop() }.detach() }
    }

    /// Lets the thread end when it has done what was handed to it.
    func close() { queue.update { $0.isClosed = true } }

    private func loop() {
        while true {
            let next: (@Sendable () -> Void)?? = queue.wait { queue in
                if !queue.work.isEmpty { return queue.work.removeFirst() }
                if queue.isClosed {
                    // Work that comes later starts another thread.
                    queue.isStarted = false
                    return .some(nil)
                }
                return nil
            }
            guard let work = next ?? nil else { return }
            work()
        }
    }
}

/// Sleeps on the calling thread.
func sleepBlocking(nanoseconds: Int64) {
    guard nanoseconds > 0 else { return }
    var time = timespec(
        tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
    nanosleep(&time, nil)
}
