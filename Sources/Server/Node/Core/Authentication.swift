// Who a connection belongs to. On a SASL listener nothing but sign-on is possible before the client
// has proved who it is, and little of that.

import Base
import Quorum
import Security
import WireProtocol

/// How far one connection has come.
struct Authentication: Sendable {
    enum Stage: Sendable {
        /// The listener asks nobody; also after everything was proved.
        case open
        case expectsHandshake
        /// Apart, so that connections stay small: they are moved with each request.
        indirect case exchanging(SaslServer)
        /// An answer is held back; nothing else is read.
        case deciding
    }

    var stage: Stage
    /// False until the client is known for the first time.
    var isAdmitted: Bool
    /// What it may still send before it is admitted.
    var requestsLeft = Limits.unauthenticatedRequests
    var bytesLeft = Limits.unauthenticatedBytes
    /// The mechanism and the moment when it has to be used again; nil where nobody signs on.
    var mechanism: SaslMechanism?
    var expires: Instant?

    init(required: Bool) {
        stage = required ? .expectsHandshake : .open
        isAdmitted = !required
    }

    /// Whether any request may come: the client is known, and its sign-on has not expired.
    func isOpen(_ now: Instant) -> Bool {
        isAdmitted && expires.map { $0 > now } != false
    }
}

/// What a connection waits for that is not there yet because time has to pass.
enum DelayedSaslWork: Sendable {
    case refuse([Bytes], reason: String)
    case step(SaslAuthenticateRequest, RequestContext)
}

extension BrokerNode {
    /// Whether a request of `kind` may be looked at. Closes the connection when not.
    mutating func admits(_ kind: ApiKey, bytes: Int, from id: ConnectionID) -> Bool {
        guard let isOpen = connections[id]?.authentication.isOpen(now.monotonic) else {
            return false
        }
        if isOpen { return true }
        guard let authentication = connections[id]?.authentication else { return false }
        let isSignOn = kind == .saslHandshake || kind == .saslAuthenticate
        if authentication.isAdmitted {
            if isSignOn || kind == .apiVersions { return true }
            close(id, "its sign-on has expired and it did not sign on again")
            return false
        }
        guard isSignOn || kind == .apiVersions else {
            close(id, "\(kind.publishedName) before it signed on")
            return false
        }
        guard authentication.requestsLeft > 0, authentication.bytesLeft >= bytes else {
            close(id, "too many requests or bytes before it signed on")
            return false
        }
        connections[id]?.authentication.requestsLeft -= 1
        connections[id]?.authentication.bytesLeft -= bytes
        return true
    }

    /// Runs one message of an exchange; what costs much waits for its turn.
    mutating func stepSasl(
        _ request: SaslAuthenticateRequest, _ context: RequestContext, isDue: Bool
    ) {
        let id = context.key.connection
        guard case .exchanging(var server) = connections[id]?.authentication.stage else { return }
        let image = image
        let lookup: CredentialLookup = { image.credentials[$0] }
        if !isDue {
            let iterations = server.iterations(
                for: request.authBytes, tools: sasl, credentials: lookup)
            if let due = turnForDerivation(iterations: iterations) {
                connections[id]?.block(on: context.key.sequence)
                return delay(.step(request, context), of: context.key, until: due)
            }
        }
        let outcome = server.step(
            request.authBytes, tools: &sasl, wallMilliseconds: now.timestamp.milliseconds,
            credentials: lookup)
        switch outcome {
        case .challenge(let message):
            connections[id]?.authentication.stage = .exchanging(server)
            answer(context, SaslAuthenticateResponse(authBytes: message))
        case .success(let user, let message, let expires):
            admit(id, Principal(user: user), server.mechanism, message, expires, context)
        case .failure(let reason):
            failSasl(context, server.mechanism, reason: reason)
        }
    }

    private mutating func admit(
        _ id: ConnectionID, _ principal: Principal, _ mechanism: SaslMechanism, _ message: Bytes,
        _ expires: Int64?, _ context: RequestContext
    ) {
        guard let connection = connections[id] else { return }
        let isAgain = connection.authentication.isAdmitted
        if isAgain, connection.principal != principal {
            return failSasl(
                context, mechanism,
                reason: "\(connection.principal.text) signed on again as \(principal.text)")
        }
        var lifetime: Duration? = configuration.authentication.sessionMax
        if let expires {
            let left = Duration.milliseconds(max(0, expires - now.timestamp.milliseconds))
            lifetime = lifetime.map { min($0, left) } ?? left
        }
        connections[id]?.principal = principal
        connections[id]?.authentication.stage = .open
        connections[id]?.authentication.isAdmitted = true
        connections[id]?.authentication.mechanism = mechanism
        connections[id]?.authentication.expires = lifetime.map { now.monotonic + $0 }
        authenticationFailures[connection.host] = nil
        // Before the answer: the client may send large requests as soon as it has it.
        if !isAgain { output.append(.authenticated(id)) }
        answer(
            context,
            SaslAuthenticateResponse(
                authBytes: message, sessionLifetimeMs: lifetime?.wholeMilliseconds ?? 0))
    }

    /// Tells the client, after a while, that it is not who it says it is, and hangs up.
    mutating func failSasl(
        _ context: RequestContext, _ mechanism: SaslMechanism, reason: String
    ) {
        let id = context.key.connection
        guard let connection = connections[id] else { return }
        counters.failedAuthentications += 1
        diagnostics.report(
            .warning, "security", "sign-on of \(connection.peer) failed: \(reason.printable)")
        let response = SaslAuthenticateResponse(
            errorCode: .saslAuthenticationFailed,
            errorMessage: "authentication failed: invalid credentials for \(mechanism.rawValue)")
        let frame = response.frame(
            version: context.version, correlationId: context.correlationId)
        connections[id]?.authentication.stage = .deciding
        connections[id]?.block(on: context.key.sequence)
        delay(
            .refuse(frame, reason: "it could not sign on"), of: context.key,
            until: now.monotonic + failureDelay(of: connection.host))
    }

    /// Doubles with each failure of an address within a minute, up to 32 times.
    private mutating func failureDelay(of host: String) -> Duration {
        let base = configuration.authentication.failureDelay
        var record = authenticationFailures[host] ?? AuthenticationFailures()
        if now.monotonic - record.last > .seconds(60) { record.count = 0 }
        record.last = now.monotonic
        record.count = min(record.count + 1, 6)
        if authenticationFailures.count >= Self.authenticationFailuresMax,
            authenticationFailures[host] == nil
        {
            let oldest = now.monotonic
            authenticationFailures = authenticationFailures.filter {
                oldest - $0.value.last <= .seconds(60)
            }
        }
        if authenticationFailures.count < Self.authenticationFailuresMax {
            authenticationFailures[host] = record
        }
        return base * (1 << (record.count - 1))
    }

    private static let authenticationFailuresMax = 10_000

    /// Derivations may take a fifth of the loop's time: strangers who try passwords must not stop
    /// everybody else. nil = now.
    private mutating func turnForDerivation(iterations: Int) -> Instant? {
        if iterations == 0 { return nil }
        // About 0.3 µs an iteration on a slow machine, five times that much apart.
        let cost = Duration.nanoseconds(iterations * 1500)
        let due = max(nextDerivation, now.monotonic)
        nextDerivation = due + cost
        return due > now.monotonic ? due : nil
    }

    private mutating func delay(
        _ work: DelayedSaslWork, of key: RequestKey, until due: Instant
    ) {
        delayedSasl[key] = work
        saslDeadlines.push(due, key)
    }

    /// Goes on with sign-ons whose time has come.
    mutating func resumeSasl() {
        while let (_, key) = saslDeadlines.popDue(now.monotonic) {
            guard let work = delayedSasl.removeValue(forKey: key) else { continue }
            switch work {
            case .refuse(let frame, let reason):
                send(frame, to: key)
                close(key.connection, reason)
            case .step(let request, let context):
                stepSasl(request, context, isDue: true)
            }
        }
    }
}

/// How often sign-ons from an address failed lately.
struct AuthenticationFailures: Sendable {
    var count = 0
    var last = Instant.zero
}

extension String {
    /// What strangers sent, fit for a line of the log: no control characters, not long.
    var printable: String {
        String(
            String.UnicodeScalarView(
                unicodeScalars.prefix(200).map { $0.value < 0x20 || $0.value == 0x7F ? "?" : $0 }))
    }
}
