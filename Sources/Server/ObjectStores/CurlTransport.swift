import Base
import CCurl
import Glibc
import Synchronization

/// Requests by libcurl. Connections are kept open: each caller takes one that nobody uses, or opens
/// another.
package final class CurlTransport: S3Transport {
    /// A handle may be used by one thread at a time: it is in the pool or with one caller.
    private struct Handle: @unchecked Sendable { var curl: OpaquePointer }

    private static let idleMax = 16

    private let idle = Mutex<[Handle]>([])
    private let authorities: String?

    package init(authorities: String? = nil) { self.authorities = authorities }

    deinit {
        for handle in idle.withLock({ $0 }) { weir_curl_free(handle.curl) }
    }

    package func perform(_ request: SignedRequest) throws(TransportFailure) -> S3Answer {
        guard let handle = idle.withLock({ $0.popLast() }) ?? weir_curl_create().map(Handle.init)
        else { throw TransportFailure(reason: "no memory for a connection", isTransient: false) }
        let code = send(request, over: handle.curl)
        guard code == Int32(WEIR_CURL_OK) else {
            let reason = String(cString: weir_curl_error(handle.curl))
            // It may be in the middle of something: another connection is opened next time.
            weir_curl_free(handle.curl)
            throw Self.failure(code, reason, request)
        }
        let answer = Self.answer(handle.curl)
        let isKept = idle.withLock { idle in
            if idle.count >= Self.idleMax { return false }
            idle.append(handle)
            return true
        }
        if !isKept { weir_curl_free(handle.curl) }
        return answer
    }

    private func send(_ request: SignedRequest, over curl: OpaquePointer) -> Int32 {
        // libcurl would wait for "100 Continue" and name a type of its own.
        let lines = (request.headers + ["expect:", "content-type: application/octet-stream"])
            .map { strdup($0) }
        defer { for line in lines { free(line) } }
        return lines.map { UnsafePointer($0) }.withUnsafeBufferPointer { lines in
            request.body.withUnsafeBytes { body in
                request.method.rawValue.withCString { method in
                    request.url.withCString { url in
                        withOptionalCString(authorities) { authorities in
                            var call = weir_curl_request()
                            call.method = method
                            call.url = url
                            call.headers = lines.baseAddress
                            call.header_count = lines.count
                            call.body = body.baseAddress
                            call.body_size = body.count
                            call.answer_limit = request.answerBytesMax
                            call.connect_milliseconds = 5000
                            call.stalled_seconds = 20
                            call.authorities = authorities
                            return weir_curl_perform(curl, &call)
                        }
                    }
                }
            }
        }
    }

    private func withOptionalCString<Result>(
        _ text: String?, _ body: (UnsafePointer<CChar>?) -> Result
    ) -> Result {
        guard let text else { return body(nil) }
        return text.withCString { body($0) }
    }

    private static func answer(_ curl: OpaquePointer) -> S3Answer {
        let count = weir_curl_body_size(curl)
        let body =
            count == 0
            ? Bytes.empty : Bytes(UnsafeRawBufferPointer(start: weir_curl_body(curl), count: count))
        var headers: [String: String] = [:]
        for name in S3Answer.headerNames {
            if let value = weir_curl_header(curl, name) { headers[name] = String(cString: value) }
        }
        return S3Answer(status: weir_curl_status(curl), body: body, headers: headers)
    }

    private static func failure(
        _ code: Int32, _ reason: String, _ request: SignedRequest
    ) -> TransportFailure {
        switch code {
        case Int32(WEIR_CURL_TOO_LARGE):
            return TransportFailure(
                reason: "the answer is longer than \(request.answerBytesMax) bytes",
                isTransient: false)
        case Int32(WEIR_CURL_NO_MEMORY):
            return TransportFailure(reason: "no memory for the answer", isTransient: false)
        default:
            // Certificates and addresses do not get better by asking again.
            let isLasting = [1, 3, 4, 35, 43, 51, 58, 59, 60, 66, 77, 83].contains(code)
            return TransportFailure(
                reason: reason.isEmpty ? "libcurl's error \(code)" : reason,
                isTransient: !isLasting)
        }
    }
}
