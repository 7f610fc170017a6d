import Base
import Connectors
import Runtime
import Synchronization
import WeirClient

/// Takes the events of one source on their way to the log, as a real client would.
protocol EventOutlet: AnyObject, Sendable {
    func send(_ events: [SimulatedEvent], to topic: String) throws(Problem)
    /// Waits until everything handed over is durable.
    func finish() throws(Problem)
    /// Events that are durable.
    var acknowledged: Int64 { get }
}

/// Runs one simulated source on a thread of its own at its rate times a factor.
final class SourceRunner: Sendable {
    let name: String
    let topic: String
    private let outlet: any EventOutlet
    private let isStopping = Atomic<Bool>(false)
    private let failure = Mutex<Problem?>(nil)
    private let thread = Mutex<SystemThread?>(nil)

    init(_ source: any TravelSource, outlet: any EventOutlet, rate: Double, random: Random) {
        name = source.name
        topic = source.topic
        self.outlet = outlet
        let started = SystemThread(name: "weir-source") { [self] in
            run(source, rate: rate, random: random)
        }
        thread.withLock { $0 = started }
    }

    var acknowledged: Int64 { outlet.acknowledged }
    var problem: Problem? { failure.withLock { $0 } }

    /// Asks the source to end and waits until what it has sent is durable.
    func stop() {
        isStopping.store(true, ordering: .releasing)
        let running = thread.withLock { held in
            defer { held = nil }
            return held
        }
        running?.join()
    }

    private func run(_ source: any TravelSource, rate: Double, random: Random) {
        var source = source
        var random = random
        var due = SystemClock.monotonic
        do throws(Problem) {
            while !isStopping.load(ordering: .acquiring) {
                let now = SystemClock.now
                var events: [SimulatedEvent] = []
                while due <= now.monotonic, events.count < 500 {
                    events.append(source.next(now: now.timestamp))
                    due = due + interval(source.perMinute, rate, &random)
                }
                if !events.isEmpty {
                    try outlet.send(events, to: topic)
                } else {
                    let pause = min((due - now.monotonic).wholeNanoseconds, 20_000_000)
                    SystemClock.sleep(.nanoseconds(max(pause, 100_000)))
                }
            }
            try outlet.finish()
        } catch {
            failure.withLock { $0 = error }
        }
    }

    /// Time to the next event: half to one and a half times the mean.
    private func interval(
        _ perMinute: ClosedRange<Int>, _ rate: Double, _ random: inout Random
    ) -> Duration {
        let events = Double(random.within(perMinute)) * rate
        let mean = 60e9 / events
        return .nanoseconds(Int64(mean * (0.5 + Double(random.below(1000)) / 1000)))
    }
}

/// Posts app events to the gateway, as the apps do: one by one, or in batches when many are due.
final class GatewayOutlet: EventOutlet {
    private let client: HTTPClient
    private let count = Atomic<Int64>(0)

    init(server: HostPort) { client = HTTPClient(server: server, timeout: .seconds(30)) }

    var acknowledged: Int64 { count.load(ordering: .relaxed) }

    func send(_ events: [SimulatedEvent], to topic: String) throws(Problem) {
        if events.count == 1, let event = events.first {
            let isBooking = event.payload["app_type"] == "booking"
            _ = try client.json(
                "POST", isBooking ? "/events/booking" : "/events/user", body: event.payload)
        } else {
            let body: JSONValue = ["events": .array(events.map(\.payload))]
            _ = try client.json("POST", "/events/batch", body: body)
        }
        count.add(Int64(events.count), ordering: .relaxed)
    }

    func finish() throws(Problem) {}
}

/// Produces over the broker port with the client library.
final class ProducerOutlet: EventOutlet {
    private let producer: Producer

    init(server: HostPort) {
        var configuration = ProducerConfiguration()
        configuration.client.bootstrapServers = [server.text]
        configuration.client.clientId = "weir-demo"
        configuration.compression = .snappy
        configuration.linger = .milliseconds(5)
        producer = Producer(configuration)
    }

    var acknowledged: Int64 { producer.statistics.acknowledgedRecords }

    func send(_ events: [SimulatedEvent], to topic: String) throws(Problem) {
        for event in events {
            do throws(ClientFailure) {
                try producer.enqueue(
                    ProducerRecord(
                        topic: topic, key: event.key.map { Array($0.utf8) },
                        value: Array(event.payload.text.utf8)))
            } catch {
                throw Problem("demo.produce", "an event was not taken", notes: ["\(error)"])
            }
        }
    }

    func finish() throws(Problem) {
        do throws(ClientFailure) {
            try producer.flushBlocking()
            try producer.closeBlocking()
        } catch {
            throw Problem("demo.produce", "events were not delivered", notes: ["\(error)"])
        }
    }
}
