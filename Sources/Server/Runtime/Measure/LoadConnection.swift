// A connection for load: as little work for a request as the protocol allows, so that a benchmark
// on the broker's own machine measures the broker. Programs use WeirClient.

import Base
import CPlatform
import Glibc
import WireProtocol

/// One blocking connection to a broker. One thread may send while another receives; nothing else
/// may be shared.
package final class LoadConnection: @unchecked Sendable {
    // Sound under the rule above: sending touches only `outgoing` and the descriptor, receiving only
    // `incoming`, `first` and `last`, and the kernel keeps the directions of a socket apart.
    private let descriptor: Int32
    private let peer: String
    private var outgoing: ByteStorage
    private var waiting = 0
    private var incoming: ByteStorage
    private var first = 0
    private var last = 0
    private var versions: [ApiKey: ClosedRange<Int16>] = [:]

    /// Answers longer than this are refused: they are damage, not data.
    private static let answerBytesMax = 256 << 20
    package static let clientId = "weir-bench"

    /// Connects and learns what the broker serves. `receiveBytes` is what one read may bring,
    /// `sendBytes` what one write collects.
    package init(
        to target: HostPort, receiveBytes: Int = 256 << 10, sendBytes: Int = 256 << 10,
        timeout: Duration = .seconds(30)
    ) throws(Problem) {
        var connected: Int32 = -1
        for var address in resolve(target.host.isEmpty ? "localhost" : target.host, target.port) {
            connected = weir_connect(&address, Int32(clamping: timeout.wholeMilliseconds))
            if connected >= 0 { break }
        }
        guard connected >= 0 else {
            throw Problem(
                "network.unreachable", "can't reach \(target.text)", notes: [describe(connected)])
        }
        descriptor = connected
        peer = target.text
        outgoing = ByteStorage(count: max(1024, sendBytes))
        incoming = ByteStorage(count: max(4096, receiveBytes))
        weir_set_timeouts(descriptor, Int32(clamping: timeout.wholeMilliseconds))
        let answer = try call(ApiVersionsRequest.weir, version: 3)
        for entry in answer.apiKeys where entry.minVersion <= entry.maxVersion {
            guard let key = ApiKey(rawValue: entry.apiKey) else { continue }
            versions[key] = entry.minVersion...entry.maxVersion
        }
    }

    deinit { weir_close(descriptor) }

    /// The highest version of `key` that both sides know, not above `limit`.
    package func version(of key: ApiKey, atMost limit: Int16 = .max) throws(Problem) -> Int16 {
        guard let theirs = versions[key], let ours = ApiVersionTable.all.versions(of: key),
            min(theirs.upperBound, ours.upperBound, limit)
                >= max(theirs.lowerBound, ours.lowerBound)
        else {
            throw Problem("broker.unsupported_version", "\(peer) serves no \(key.publishedName)")
        }
        return min(theirs.upperBound, ours.upperBound, limit)
    }

    /// A request and its answer, while nothing else is on its way.
    package func call<Request: WireRequest>(
        _ request: Request, version: Int16
    ) throws(Problem) -> Request.Response {
        for piece in request.frame(version: version, correlationId: 0, clientId: Self.clientId) {
            try piece.withUnsafeBytes { (buffer) throws(Problem) in try enqueue(buffer) }
        }
        try flush()
        let body = try answer()
        do throws(DecodeFailure) {
            var reader = ByteReader(body)
            _ = try ResponseHeader(from: &reader, apiKey: Request.apiKey, version: version)
            return try Request.Response(from: &reader, version: version)
        } catch {
            throw Problem(
                "client.failed",
                "the answer of \(peer) to \(Request.apiKey.publishedName) can't be read: \(error)")
        }
    }

    package func call<Request: WireRequest>(
        _ request: Request, atMost limit: Int16 = .max
    ) throws(Problem) -> Request.Response {
        try call(request, version: try version(of: Request.apiKey, atMost: limit))
    }

    // MARK: Sending

    /// Collects small requests for one system call; a large one is sent at once, in its place.
    package func enqueue(_ bytes: UnsafeRawBufferPointer) throws(Problem) {
        if bytes.count > outgoing.count - waiting { try flush() }
        if bytes.count > min(64 << 10, outgoing.count) {
            try flush()
            return try sendAll(bytes)
        }
        guard let from = bytes.baseAddress else { return }
        (outgoing.base + waiting).copyMemory(from: from, byteCount: bytes.count)
        waiting += bytes.count
    }

    /// Sends what was collected.
    package func flush() throws(Problem) {
        if waiting == 0 { return }
        defer { waiting = 0 }
        try sendAll(UnsafeRawBufferPointer(start: outgoing.base, count: waiting))
    }

    private func sendAll(_ bytes: UnsafeRawBufferPointer) throws(Problem) {
        var done = 0
        while done < bytes.count {
            let sent = weir_send(
                descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done)
            if sent < 0 { throw failure(sent) }
            done += Int(sent)
        }
    }

    // MARK: Receiving

    /// The next whole answer that has already arrived, without its length; nil when more must be
    /// received. Valid until the next call of `receive`.
    package func nextArrived() throws(Problem) -> UnsafeRawBufferPointer? {
        guard last - first >= 4 else { return nil }
        let length = try length()
        guard last - first >= 4 + length else { return nil }
        defer { first += 4 + length }
        return UnsafeRawBufferPointer(start: incoming.base + first + 4, count: length)
    }

    private func length() throws(Problem) -> Int {
        let raw = incoming.base.loadUnaligned(fromByteOffset: first, as: UInt32.self)
        let length = Int(Int32(bitPattern: UInt32(bigEndian: raw)))
        guard length >= 4, length <= Self.answerBytesMax else {
            throw Problem("client.failed", "\(peer) announces an answer of \(length) bytes")
        }
        return length
    }

    /// Waits for more bytes of answers.
    package func receive() throws(Problem) {
        let begun = last - first
        let needed = begun >= 4 ? 4 + (try length()) : 4096
        if needed > incoming.count {
            let larger = ByteStorage(count: needed)
            larger.base.copyMemory(from: incoming.base + first, byteCount: begun)
            incoming = larger
            (first, last) = (0, begun)
        } else if first > 0, first == last || incoming.count - first < needed {
            memmove(incoming.base, incoming.base + first, begun)
            (first, last) = (0, begun)
        }
        let count = weir_receive(descriptor, incoming.base + last, incoming.count - last)
        if count < 0 { throw failure(count) }
        if count == 0 { throw Problem("network.closed", "\(peer) closed the connection") }
        last += Int(count)
    }

    /// The next answer as bytes that share the receive buffer: valid until the next call of
    /// `receive`, so nothing of it may be kept.
    package func answer() throws(Problem) -> Bytes {
        while true {
            if let found = try nextArrived() {
                let start = found.baseAddress.map { $0 - UnsafeRawPointer(incoming.base) } ?? 0
                return Bytes(storage: incoming, start: start, count: found.count)
            }
            try receive()
        }
    }

    /// Wakes a thread that receives: it fails with "closed".
    package func shutDown() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    private func failure(_ result: Int64) -> Problem {
        if result == -Int64(EAGAIN) {
            return Problem("network.timeout", "\(peer) gave no answer in time")
        }
        return Problem(
            "network.broken", "the connection to \(peer) broke: \(describe(Int32(result)))")
    }
}

extension ApiVersionsRequest {
    fileprivate static var weir: ApiVersionsRequest {
        var request = ApiVersionsRequest()
        request.clientSoftwareName = "weir"
        request.clientSoftwareVersion = Version.number
        return request
    }
}
