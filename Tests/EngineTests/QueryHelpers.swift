// Threads for queries under test, without the runtime's pool.

import Engine
import Foundation

/// Helpers with threads that are started for each assignment.
final class ThreadedHelpers: QueryWorkers {
    let threadsMax: Int

    init(threads: Int) { threadsMax = threads }

    func assign(_ count: Int, _ step: @escaping @Sendable () -> Bool) -> any HelperAssignment {
        Threads(min(count, threadsMax - 1), step)
    }

    func makeSignal() -> any WorkSignal { Signal() }

    /// Sound: what changes is reached under `condition` only.
    private final class Threads: HelperAssignment, @unchecked Sendable {
        private let condition = NSCondition()
        private var wakes = 0
        private var running: Int
        private var hasEnded = false

        init(_ count: Int, _ step: @escaping @Sendable () -> Bool) {
            running = count
            for _ in 0..<count { Thread.detachNewThread { [self] in work(step) } }
        }

        private func work(_ step: @Sendable () -> Bool) {
            var seen = 0
            while true {
                condition.lock()
                while wakes == seen, !hasEnded { condition.wait() }
                seen = wakes
                let isOver = hasEnded
                if isOver {
                    running -= 1
                    condition.broadcast()
                }
                condition.unlock()
                if isOver { return }
                while step() {
                    condition.lock()
                    let isOver = hasEnded
                    condition.unlock()
                    if isOver { break }
                }
            }
        }

        func wake() {
            condition.lock()
            wakes += 1
            condition.broadcast()
            condition.unlock()
        }

        func end() {
            condition.lock()
            hasEnded = true
            condition.broadcast()
            while running > 0 { condition.wait() }
            condition.unlock()
        }
    }

    /// Sound: see above.
    private final class Signal: WorkSignal, @unchecked Sendable {
        private let condition = NSCondition()
        private var raised: UInt64 = 0

        var count: UInt64 {
            condition.lock()
            defer { condition.unlock() }
            return raised
        }

        func raise() {
            condition.lock()
            raised += 1
            condition.broadcast()
            condition.unlock()
        }

        func wait(beyond seen: UInt64) {
            condition.lock()
            while raised <= seen { condition.wait() }
            condition.unlock()
        }
    }
}
