import Base
import CPlatform

/// Why a call did not get through.
struct DialFailure: Error, Sendable {
    var reason: String
}

/// A connection that this process has made, ready for the loop.
struct DialedSocket: Sendable {
    var descriptor: Int32
    /// The address that answered.
    var address: String
    /// The name that a certificate has to be for.
    var host: String

    /// Connects to the first address of `target` that answers, waiting for each two seconds at
    /// most. Not from the loop: looking up the name may take long.
    static func connect(to target: HostPort) -> Result<DialedSocket, DialFailure> {
        let addresses = resolve(target.host.isEmpty ? "localhost" : target.host, target.port)
        if addresses.isEmpty {
            return .failure(DialFailure(reason: "no address is known for \(target.host)"))
        }
        var refusals: [String] = []
        for var address in addresses {
            let descriptor = weir_connect(&address, 2000)
            guard descriptor >= 0 else {
                refusals.append("\(text(of: address)): \(describe(descriptor))")
                continue
            }
            let code = weir_set_nonblocking(descriptor)
            guard code == 0 else {
                weir_close(descriptor)
                refusals.append("\(text(of: address)): \(describe(code))")
                continue
            }
            return .success(
                DialedSocket(
                    descriptor: descriptor, address: text(of: address), host: target.host))
        }
        return .failure(DialFailure(reason: refusals.joined(separator: ", ")))
    }
}
