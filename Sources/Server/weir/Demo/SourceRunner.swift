import Base
import Connectors
import Runtime
import Synchronization

/// Takes the events of a source on their way to the log, as a real client would.
protocol EventOutlet: AnyObject, Sendable {
    /// Hands over events. `acknowledged` is called, on any thread, with how many of them are
    /// durable; what can't be delivered is a Problem.
    func send(
        _ events: [SimulatedEvent], to topic: String,
        acknowledged: @escaping @Sendable (Int) -> Void) throws(Problem)
    /// Waits until everything handed over was acknowledged or given up.
    func flush() throws(Problem)
}

/// Runs one simulated source on a thread of its own at its rate times a factor.
final class SourceRunner: Sendable {
    let name: String
    let topic: String
    private let isStopping = Atomic<Bool>(false)
    private let acknowledgedCount = Atomic<Int64>(0)
    private let failure = Mutex<Problem?>(nil)
    private let thread = Mutex<SystemThread?>(nil)

    init(name: String, topic: String) {
        self.name = name
        self.topic = topic
    }

    /// Events that are durable.
    var acknowledged: Int64 { acknowledgedCount.load(ordering: .relaxed) }
    var problem: Problem? { failure.withLock { $0 } }

    func start(_ source: any TravelSource, outlet: any EventOutlet, rate: Double, random: Random) {
        let started = SystemThread(name: "source") { [self] in
            run(source, outlet: outlet, rate: rate, random: random)
        }
        thread.withLock { $0 = started }
    }

    /// Asks the source to end and waits for what it has sent.
    func stop() {
        isStopping.store(true, ordering: .releasing)
        let running = thread.withLock { held in
            defer { held = nil }
            return held
        }
        running?.join()
    }

    private func run(
        _ source: any TravelSource, outlet: any EventOutlet, rate: Double, random: Random
    ) {
        var source = source
        var random = random
        var due = SystemClock.monotonic
        while !isStopping.load(ordering: .acquiring) {
            let now = SystemClock.now
            var events: [SimulatedEvent] = []
            while due <= now.monotonic, events.count < 500 {
                events.append(source.next(now: now.timestamp))
                due = due + interval(source.perMinute, rate, &random)
            }
            if events.isEmpty {
                let pause = min((due - now.monotonic).wholeNanoseconds, 20_000_000)
                SystemClock.sleep(.nanoseconds(max(pause, 100_000)))
                continue
            }
            do throws(Problem) {
                try outlet.send(events, to: topic) { [self] count in
                    acknowledgedCount.add(Int64(count), ordering: .relaxed)
                }
            } catch {
                failure.withLock { $0 = error }
                return
            }
        }
        do throws(Problem) {
            try outlet.flush()
        } catch {
            failure.withLock { $0 = error }
        }
    }

    /// Time to the next event: half to one and a half times the mean.
    private func interval(
        _ perMinute: ClosedRange<Int>, _ rate: Double, _ random: inout Random
    ) -> Duration {
        let events = Double(random.within(perMinute)) * max(rate, 0.001)
        let mean = 60e9 / events
        return .nanoseconds(Int64(mean * (0.5 + Double(random.below(1000)) / 1000)))
    }
}

/// Posts app events to the gateway, as the apps do.
final class GatewayOutlet: EventOutlet {
    private let client: HTTPClient

    init(server: HostPort) { client = HTTPClient(server: server, timeout: .seconds(30)) }

    func send(
        _ events: [SimulatedEvent], to topic: String,
        acknowledged: @escaping @Sendable (Int) -> Void
    ) throws(Problem) {
        if events.count == 1, let event = events.first {
            let type = event.payload["event_type"]?.stringValue ?? ""
            let isBooking = type.hasPrefix("booking_c") || type.hasPrefix("payment")
            _ = try client.json(
                "POST", isBooking ? "/events/booking" : "/events/user", body: event.payload)
        } else {
            let body: JSONValue = ["events": .array(events.map(\.payload))]
            _ = try client.json("POST", "/events/batch", body: body)
        }
        acknowledged(events.count)
    }

    func flush() throws(Problem) {}
}
