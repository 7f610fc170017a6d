// One connection to one broker. Requests may be sent while earlier ones are not answered yet;
// answers come in the order of the requests, and one thread reads them.

import Base
import CPlatform
import Crypto
import WireProtocol

/// A connection that has learnt which versions the broker serves.
final class BrokerConnection: Sendable {
    typealias Completion = @Sendable (Result<Bytes, ClientFailure>) -> Void

    /// The largest answer that is read into memory.
    static let responseBytesMax = 256 << 20

    private struct Pending {
        let correlationId: Int32
        let apiKey: ApiKey
        let version: Int16
        let deadline: Int64
        let completion: Completion
    }

    private struct State {
        var pending: [Pending] = []
        var firstPending = 0
        var nextCorrelationId: Int32 = 1
        var failure: ClientFailure?
        var versions: [ApiKey: ClosedRange<Int16>] = [:]
        /// Levels of the features that are switched on for the whole cluster.
        var features: [String: Int16] = [:]

        mutating func takeFirst() -> Pending? {
            guard firstPending < pending.count else { return nil }
            defer {
                firstPending += 1
                // Forgets what was answered now and then, so that the list stays short.
                if firstPending > 64 || firstPending == pending.count {
                    pending.removeFirst(firstPending)
                    firstPending = 0
                }
            }
            return pending[firstPending]
        }
    }

    let peer: String
    private let socket: Socket
    /// nil = not encrypted.
    private let channel: SecureChannel?
    private let clientId: String
    private let requestTimeout: Duration
    private let state = Monitor(State())
    /// Held while a request is written, so that requests leave in the order of their numbers.
    private let writing = Monitor(())

    /// Connects and asks which versions the broker serves.
    init(
        host: String, port: Int32, configuration: ClientConfiguration
    ) throws(ClientFailure) {
        socket = try Socket(host: host, port: port, timeout: configuration.connectTimeout)
        peer = socket.peer
        if let tls = configuration.security.tls {
            channel = try SecureChannel(
                over: socket, try tls.context(), host: host,
                timeout: configuration.connectTimeout)
        } else {
            channel = nil
        }
        clientId = configuration.clientId
        requestTimeout = configuration.requestTimeout
        Thread { [self] in readLoop() }.detach()
        do throws(ClientFailure) {
            try negotiate()
            if let signOn = configuration.security.signOn { try self.signOn(signOn) }
        } catch {
            close(error)
            throw error
        }
    }

    // MARK: Sign-on

    private func signOn(_ signOn: ClientSignOn) throws(ClientFailure) {
        var nonce = [UInt8](repeating: 0, count: 24)
        let code = nonce.withUnsafeMutableBytes { weir_random_bytes($0.baseAddress, $0.count) }
        guard code == 0 else { throw ClientFailure("the system gives no random bytes") }
        var exchange = try SignOnExchange(signOn, nonce: Base64.encode(Bytes(nonce)))
        let agreed = try call(
            SaslHandshakeRequest(mechanism: exchange.mechanism), version: 1)
        guard agreed.errorCode == .none else {
            throw ClientFailure(
                agreed.errorCode, "sign on at \(peer) by \(exchange.mechanism)",
                detail: "it accepts \(agreed.mechanisms.joined(separator: ", "))")
        }
        let version = try version(of: .saslAuthenticate)
        var answer: Bytes?
        while let message = try exchange.next(after: answer) {
            let response = try call(
                SaslAuthenticateRequest(authBytes: message), version: version)
            guard response.errorCode == .none else {
                throw ClientFailure(
                    response.errorCode, "sign on at \(peer)", detail: response.errorMessage)
            }
            answer = response.authBytes
        }
    }

    /// nil while the connection works, else why it does not.
    var failure: ClientFailure? { state.withLock { $0.failure } }

    // MARK: Versions

    private func negotiate() throws(ClientFailure) {
        var request = ApiVersionsRequest()
        request.clientSoftwareName = "weir"
        request.clientSoftwareVersion = "0.1.0"
        var version: Int16 = 3
        var body = try exchange(request, version: version)
        // A broker that doesn't know version 3 answers in version 0, whose first field is the code.
        var peek = ByteReader(body)
        if (try? peek.int16()) == ErrorCode.unsupportedVersion.rawValue {
            version = 0
            body = try exchange(request, version: version)
        }
        var reader = ByteReader(body)
        let response: ApiVersionsResponse
        do throws(DecodeFailure) {
            response = try ApiVersionsResponse(from: &reader, version: version)
        } catch {
            throw ClientFailure(undecodable: error, of: "ApiVersions")
        }
        guard response.errorCode == .none else {
            throw ClientFailure(response.errorCode, "ask \(peer) for its versions")
        }
        state.withLock { state in
            for entry in response.apiKeys where entry.minVersion <= entry.maxVersion {
                guard let key = ApiKey(rawValue: entry.apiKey) else { continue }
                state.versions[key] = entry.minVersion...entry.maxVersion
            }
            // With a negative epoch the broker does not know them for sure.
            guard response.finalizedFeaturesEpoch >= 0 else { return }
            for feature in response.finalizedFeatures {
                state.features[feature.name] = feature.maxVersionLevel
            }
        }
    }

    private func exchange(
        _ request: some WireRequest, version: Int16
    ) throws(ClientFailure) -> Bytes {
        let reply = Monitor<Result<Bytes, ClientFailure>?>(nil)
        send(request, version: version) { result in reply.update { $0 = result } }
        // The reading thread ends every request sooner or later, so this wait ends too.
        let result: Result<Bytes, ClientFailure>? = reply.wait { $0 }
        return try (result ?? .failure(.closed)).get()
    }

    /// The level of a feature that is switched on for the whole cluster; 0 = off.
    func level(of feature: String) -> Int16 { state.withLock { $0.features[feature] ?? 0 } }

    /// The highest version of `key` that both sides know and that is not above `limit`.
    func version(
        of key: ApiKey, atMost limit: Int16 = .max
    ) throws(ClientFailure) -> Int16 {
        let theirs = state.withLock { $0.versions[key] }
        guard let theirs, let ours = ApiVersionTable.client.versions(of: key) else {
            throw ClientFailure(
                .unsupportedVersion, "\(key.publishedName) is not served by \(peer)")
        }
        let highest = min(theirs.upperBound, ours.upperBound, limit)
        guard highest >= max(theirs.lowerBound, ours.lowerBound) else {
            throw ClientFailure(
                .unsupportedVersion,
                "\(peer) serves \(key.publishedName) in versions \(theirs), we know \(ours)")
        }
        return highest
    }

    // MARK: Requests

    /// Sends a request and hands the body of its answer to `completion`, on the reading thread.
    func send(
        _ request: some WireRequest, version: Int16, timeout: Duration? = nil,
        expectsAnswer: Bool = true, completion: @escaping Completion
    ) {
        let key = type(of: request).apiKey
        let failed: ClientFailure? = writing.withLock { _ in
            let correlationId: Int32? = state.withLock { state in
                if state.failure != nil { return nil }
                let id = state.nextCorrelationId
                state.nextCorrelationId = id == .max ? 1 : id + 1
                if expectsAnswer {
                    let timeout = (timeout ?? requestTimeout).wholeNanoseconds
                    state.pending.append(
                        Pending(
                            correlationId: id, apiKey: key, version: version,
                            deadline: monotonicNow() + timeout, completion: completion))
                }
                return id
            }
            guard let correlationId else { return failure ?? .closed }
            let frame = request.frame(
                version: version, correlationId: correlationId, clientId: clientId)
            do throws(ClientFailure) {
                try write(frame)
                return nil
            } catch {
                // The reading thread ends the requests that are waiting, this one among them.
                close(error)
                return expectsAnswer ? nil : error
            }
        }
        if let failed {
            completion(.failure(failed))
        } else if !expectsAnswer {
            completion(.success(.empty))
        }
    }

    /// Sends a request and waits for its answer.
    func call<Request: WireRequest>(
        _ request: Request, atMost limit: Int16 = .max, timeout: Duration? = nil
    ) throws(ClientFailure) -> Request.Response {
        let version = try version(of: Request.apiKey, atMost: limit)
        return try call(request, version: version, timeout: timeout)
    }

    func call<Request: WireRequest>(
        _ request: Request, version: Int16, timeout: Duration? = nil
    ) throws(ClientFailure) -> Request.Response {
        let reply = Monitor<Result<Bytes, ClientFailure>?>(nil)
        send(request, version: version, timeout: timeout) { result in
            reply.update { $0 = result }
        }
        let result: Result<Bytes, ClientFailure>? = reply.wait { $0 }
        return try Self.decode(
            Request.Response.self, try (result ?? .failure(.closed)).get(), version: version)
    }

    static func decode<Response: WireResponse>(
        _ type: Response.Type, _ body: Bytes, version: Int16
    ) throws(ClientFailure) -> Response {
        var reader = ByteReader(body)
        do throws(DecodeFailure) {
            return try Response(from: &reader, version: version)
        } catch {
            throw ClientFailure(undecodable: error, of: Response.apiKey.publishedName)
        }
    }

    /// Ends the connection. Requests without an answer fail with `reason`.
    func close(_ reason: ClientFailure = .closed) {
        state.withLock { state in
            if state.failure == nil { state.failure = reason }
        }
        socket.shutDown()
    }

    // MARK: Bytes

    private func write(_ frame: [Bytes]) throws(ClientFailure) {
        if let channel { return try channel.write(frame, timeout: requestTimeout) }
        try socket.write(frame, timeout: requestTimeout)
    }

    private func read(into buffer: UnsafeMutableRawBufferPointer) throws(ClientFailure) {
        if let channel { return try channel.read(into: buffer, stallTimeout: requestTimeout) }
        try socket.read(into: buffer, stallTimeout: requestTimeout)
    }

    private func waitForInput(until deadline: Int64) -> Bool {
        channel?.waitForInput(until: deadline) ?? socket.waitForInput(until: deadline)
    }

    // MARK: The reading thread

    private func readLoop() {
        do throws(ClientFailure) {
            while true { try readOne() }
        } catch {
            close(error)
        }
        let (pending, reason) = state.withLock { state in
            defer {
                state.pending = []
                state.firstPending = 0
            }
            return (state.pending[state.firstPending...], state.failure ?? .closed)
        }
        for request in pending { request.completion(.failure(reason)) }
    }

    private func readOne() throws(ClientFailure) {
        // Wakes up once a second to see whether the oldest request waits for too long.
        while !waitForInput(until: monotonicNow() + 1_000_000_000) {
            let oldest = state.withLock { state in
                state.firstPending < state.pending.count
                    ? state.pending[state.firstPending] : nil
            }
            if let failure = failure { throw failure }
            if let oldest, monotonicNow() >= oldest.deadline {
                throw .timedOut(
                    "\(oldest.apiKey.publishedName) to \(peer)",
                    after: requestTimeout.wholeMilliseconds)
            }
        }
        var prefix: UInt32 = 0
        try withUnsafeMutableBytes(of: &prefix) { (buffer) throws(ClientFailure) in
            try read(into: buffer)
        }
        let length = Int(Int32(bitPattern: UInt32(bigEndian: prefix)))
        guard length >= 4, length <= Self.responseBytesMax else {
            throw ClientFailure("\(peer) announces an answer of \(length) bytes: not a broker?")
        }
        let frame = try Bytes(count: length) { (buffer) throws(ClientFailure) in
            try read(into: buffer)
        }
        guard let pending = state.withLock({ $0.takeFirst() }) else {
            throw ClientFailure("\(peer) sent an answer that nobody waits for")
        }
        var reader = ByteReader(frame)
        let header: ResponseHeader
        do throws(DecodeFailure) {
            header = try ResponseHeader(
                from: &reader, apiKey: pending.apiKey, version: pending.version)
        } catch {
            let failure = ClientFailure(undecodable: error, of: pending.apiKey.publishedName)
            pending.completion(.failure(failure))
            throw failure
        }
        guard header.correlationId == pending.correlationId else {
            let failure = ClientFailure(
                "\(peer) answered request \(header.correlationId) instead of "
                    + "\(pending.correlationId)", isRetriable: true)
            pending.completion(.failure(failure))
            throw failure
        }
        pending.completion(.success(reader.rest()))
    }
}
