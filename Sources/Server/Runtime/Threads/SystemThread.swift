import CPlatform
import Glibc

/// A thread of the operating system. Owned by whoever started it, who must `join` it.
package final class SystemThread: @unchecked Sendable {
    // Sound: `handle` is written once in `init`, before the object is shared.
    private let handle: pthread_t

    /// Starts the thread. `niceness` above 0 makes it yield the processor to the others; with a
    /// `reserve` it runs on its `side` of it. The stack is 8 MiB, as a main thread's: recursive
    /// parsers count on it.
    package init(
        name: String, niceness: Int32 = 0, reserve: ProcessorReserve? = nil,
        side: ProcessorReserve.Side = .others, stackBytes: Int = 8 << 20,
        body: @escaping @Sendable () -> Void
    ) {
        var body = body
        if let reserve {
            body = { [body] in
                reserve.join(side)
                body()
                reserve.leave()
            }
        }
        let context = Unmanaged.passRetained(ThreadBody(body)).toOpaque()
        var thread = pthread_t()
        let code = weir_thread_start(
            &thread, name, stackBytes, niceness, runThreadBody, context)
        // Without its threads the process can do nothing; it is starting or badly out of memory.
        precondition(code == 0, "a thread can be started")
        handle = thread
    }

    /// Waits until the thread has ended. Call it once.
    package func join() { _ = weir_thread_join(handle) }

    /// The number of the calling thread.
    package static var currentIdentifier: Int64 { weir_thread_id() }

    package static var processorCount: Int { Int(weir_processors()) }

    /// The numbers of the processors that the process may run on, lowest first.
    package static var processors: [Int32] {
        let room = processorCount
        return [Int32](unsafeUninitializedCapacity: room) { numbers, count in
            count = max(0, Int(weir_processor_numbers(numbers.baseAddress, Int32(room))))
        }
    }
}

private final class ThreadBody {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

private func runThreadBody(_ context: UnsafeMutableRawPointer?) {
    guard let context else { return }
    Unmanaged<ThreadBody>.fromOpaque(context).takeRetainedValue().run()
}
