import Base
import Security
import WireProtocol

extension BrokerNode {
    /// One message of the exchange that the handshake began.
    mutating func saslAuthenticate(
        _ request: SaslAuthenticateRequest, _ context: RequestContext
    ) {
        let id = context.key.connection
        guard case .exchanging = connections[id]?.authentication.stage else {
            return answer(
                context,
                SaslAuthenticateResponse(
                    errorCode: .illegalSaslState,
                    errorMessage: "there is no exchange that this message belongs to"))
        }
        stepSasl(request, context, isDue: false)
    }
}
