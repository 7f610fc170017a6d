import Base
import Security
import WireProtocol

extension BrokerNode {
    /// Agrees on a mechanism: at the beginning, or again when a sign-on is about to expire.
    mutating func saslHandshake(_ request: SaslHandshakeRequest, _ context: RequestContext) {
        let id = context.key.connection
        guard let authentication = connections[id]?.authentication else { return }
        let mechanisms = listener(of: context).mechanisms
        let names = mechanisms.map(\.rawValue)
        let mayBegin =
            switch authentication.stage {
            case .expectsHandshake: true
            case .open: authentication.expires != nil
            case .exchanging, .deciding: false
            }
        guard mayBegin else {
            return answer(context, SaslHandshakeResponse(errorCode: .illegalSaslState))
        }
        // Version 0 goes on with messages outside of any request, which no client of today sends.
        guard context.version >= 1 else {
            return answer(
                context,
                SaslHandshakeResponse(errorCode: .unsupportedVersion, mechanisms: names))
        }
        guard let mechanism = SaslMechanism(rawValue: request.mechanism),
            mechanisms.contains(mechanism),
            // Who signs on again does it the same way.
            authentication.mechanism == nil || authentication.mechanism == mechanism
        else {
            answer(
                context,
                SaslHandshakeResponse(errorCode: .unsupportedSaslMechanism, mechanisms: names))
            return close(
                id, "SASL mechanism \"\(request.mechanism.printable)\" is not enabled here")
        }
        connections[id]?.authentication.stage = .exchanging(SaslServer(mechanism))
        answer(context, SaslHandshakeResponse(mechanisms: names))
    }
}
