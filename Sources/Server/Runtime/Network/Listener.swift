import Base
import CPlatform
import Glibc

/// A host and a port as people write them: `localhost:9092`, `[::1]:0`, `:9092`, `*:9092`.
package struct HostPort: Hashable, Sendable {
    /// Empty or `*` = every address of the machine.
    package var host: String
    package var port: UInt16

    package init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// Parses `host:port`, `[v6]:port`, `:port`, or a bare host with `defaultPort`.
    package init(parsing text: String, defaultPort: UInt16) throws(Problem) {
        func refuse() -> Problem {
            Problem(
                "usage.address", "\"\(text)\" is not an address",
                notes: ["expected host:port, for example localhost:\(defaultPort)"])
        }
        var rest = Substring(text)
        if rest.first == "[" {
            guard let end = rest.firstIndex(of: "]") else { throw refuse() }
            host = String(rest[rest.index(after: rest.startIndex)..<end])
            rest = rest[rest.index(after: end)...]
        } else {
            let end = rest.lastIndex(of: ":") ?? rest.endIndex
            host = String(rest[..<end])
            // More than one colon without brackets is an IPv6 address without a port.
            if host.contains(":") {
                host = text
                rest = ""
            } else {
                rest = rest[end...]
            }
        }
        if rest.isEmpty {
            port = defaultPort
        } else {
            guard rest.first == ":", let number = UInt16(rest.dropFirst()) else { throw refuse() }
            port = number
        }
        if host.utf8.contains(0) || host.utf8.count > 255 { throw refuse() }
    }

    package var text: String { (host.contains(":") ? "[\(host)]" : host) + ":\(port)" }
}

/// Listening sockets for one host and port, one for each address family that the host has.
package final class Listener: Sendable {
    /// The port, also when it was left to the system.
    package let port: UInt16
    package let host: String
    package let descriptors: [Int32]

    /// Binds `address`. Port 0 lets the system choose one port, the same for IPv4 and IPv6.
    package init(binding address: HostPort, backlog: Int32 = 1024) throws(Problem) {
        host = address.host
        var wanted: [weir_address]
        switch address.host {
        case "", "*": wanted = resolve(nil, address.port)
        // Both loopbacks, whatever the hosts file says.
        case "localhost":
            wanted = resolve("127.0.0.1", address.port) + resolve("::1", address.port)
        default: wanted = resolve(address.host, address.port)
        }
        if wanted.isEmpty {
            throw Problem("network.unknownHost", "no address is known for \"\(address.host)\"")
        }
        var opened: [Int32] = []
        var port = address.port
        // A port that the system chose for the first address can be taken on the second.
        for attempt in 0..<16 {
            let code = Self.listenOnAll(wanted, &port, backlog, into: &opened)
            if code == 0 { break }
            for descriptor in opened { weir_close(descriptor) }
            opened = []
            if code == -EADDRINUSE, address.port == 0, attempt < 15 {
                port = 0
                continue
            }
            throw Self.problem(code, address)
        }
        self.port = port
        descriptors = opened
    }

    deinit {
        for descriptor in descriptors { weir_close(descriptor) }
    }

    /// Listens on every address of `wanted`; families that this machine lacks are left out if
    /// another one works.
    private static func listenOnAll(
        _ wanted: [weir_address], _ port: inout UInt16, _ backlog: Int32, into opened: inout [Int32]
    ) -> Int32 {
        var missing: Int32 = 0
        for var address in wanted {
            weir_address_set_port(&address, port)
            let descriptor = weir_listen(&address, backlog)
            switch -descriptor {
            case EADDRNOTAVAIL, EAFNOSUPPORT, EPROTONOSUPPORT: missing = descriptor
            case 1...: return descriptor
            default:
                opened.append(descriptor)
                if port == 0 {
                    var local = weir_address()
                    let code = weir_local_address(descriptor, &local)
                    if code < 0 { return code }
                    port = weir_address_port(&local)
                }
            }
        }
        return opened.isEmpty ? missing : 0
    }

    private static func problem(_ code: Int32, _ address: HostPort) -> Problem {
        switch -code {
        case EADDRINUSE:
            Problem(
                "network.portInUse", "port \(address.port) of \(address.text) is in use",
                hint: "stop the other process, or choose another port (0 = any free one)")
        case EACCES:
            Problem("network.notAllowed", "this user may not listen on \(address.text)")
        default:
            Problem("network.listen", "can't listen on \(address.text): \(describe(code))")
        }
    }
}

/// The addresses of a host (nil = the wildcards), each once.
package func resolve(_ host: String?, _ port: UInt16) -> [weir_address] {
    var found = [weir_address](repeating: weir_address(), count: 16)
    let count =
        if let host { weir_resolve(host, port, &found, 16) } else {
            weir_resolve(nil, port, &found, 16)
        }
    return Array(found.prefix(Int(max(0, count))))
}
