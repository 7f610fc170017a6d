import Base
import Runtime

/// The process of the broker under test, when it can be looked at: on this machine by its number,
/// or from anywhere by its metrics.
struct BrokerProcess: Sendable {
    private enum Source: Sendable {
        case process(Int32)
        case metrics(HTTPClient)
        case unknown
    }

    private let source: Source
    let pid: Int32?

    /// `--pid` wins over `--metrics`, which wins over whoever listens on the port of `server`.
    init(_ call: Invocation, server: HostPort) throws(Problem) {
        if let number = try call.integer("pid", in: 1...Int64(Int32.max)) {
            guard ProcessUsage(of: Int32(number)) != nil else {
                throw Problem("bench.pid", "there is no process \(number) to be looked at")
            }
            self.init(.process(Int32(number)))
        } else if let text = call.string("metrics") {
            let client = HTTPClient(
                server: try HostPort(parsing: text, defaultPort: 8888), timeout: .seconds(10))
            guard Self.usage(from: client) != nil else {
                throw Problem(
                    "bench.metrics", "\(text) does not tell the CPU time of its process",
                    hint: "is this the HTTP port of a Weir server?")
            }
            self.init(.metrics(client))
        } else if let pid = Self.isHere(server.host) ? processListening(onPort: server.port) : nil {
            self.init(.process(pid))
        } else {
            self.init(.unknown)
        }
    }

    private init(_ source: Source) {
        self.source = source
        if case .process(let pid) = source { self.pid = pid } else { pid = nil }
    }

    private static func isHere(_ host: String) -> Bool {
        ["", "localhost", "127.0.0.1", "::1", "[::1]"].contains(host)
    }

    /// What it has used so far; nil when nobody can tell.
    func usage() -> ProcessUsage? {
        switch source {
        case .process(let pid): ProcessUsage(of: pid)
        case .metrics(let client): Self.usage(from: client)
        case .unknown: nil
        }
    }

    private static func usage(from client: HTTPClient) -> ProcessUsage? {
        guard let answer = try? client.request("GET", "/metrics"), answer.status == 200 else {
            return nil
        }
        return ProcessUsage(metrics: answer.body.text)
    }
}
