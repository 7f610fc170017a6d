import Base
import CPlatform
import Glibc

/// State that several threads share and wait on: a mutex with one condition variable.
///
/// `@unchecked Sendable` is sound because `state` is reached only while the mutex is held, and the
/// mutex and condition live at fixed addresses until no thread can use them any more (`deinit`).
package final class Monitor<State>: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private var state: State

    package init(_ state: sending State) {
        self.state = state
        mutex = .allocate(capacity: 1)
        condition = .allocate(capacity: 1)
        precondition(pthread_mutex_init(mutex, nil) == 0, "a mutex can be made")
        precondition(weir_condition_init(condition) == 0, "a condition can be made")
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Runs `body` with the state, alone. Wakes nobody.
    package func withLock<Outcome>(_ body: (inout State) -> Outcome) -> Outcome {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body(&state)
    }

    /// Runs `body` with the state, alone, and wakes every waiting thread.
    @discardableResult
    package func change<Outcome>(_ body: (inout State) -> Outcome) -> Outcome {
        pthread_mutex_lock(mutex)
        defer {
            pthread_cond_broadcast(condition)
            pthread_mutex_unlock(mutex)
        }
        return body(&state)
    }

    /// Waits until `body` gives a value, asking again after each change, or until `deadline` of the
    /// monotonic clock; nil = the deadline passed.
    package func wait<Outcome>(
        until deadline: Instant = .distantFuture, for body: (inout State) -> Outcome?
    ) -> Outcome? {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while true {
            if let outcome = body(&state) { return outcome }
            let code = weir_condition_wait(condition, mutex, deadline.nanoseconds)
            if code == -ETIMEDOUT { return body(&state) }
        }
    }
}
