import Base
import Synchronization

import ObjectStores

/// The service's rules over objects in memory, and a network that loses requests and answers: what no
/// real service does on command.
final class ServiceModel: S3Transport {
    enum Fault: Sendable {
        /// The request does not arrive.
        case lostRequest
        /// The request has its effect, its answer gets lost.
        case lostAnswer
        /// An answer with this status instead of the effect.
        case status(Int)
        /// The effect, and this status.
        case statusAfterwards(Int)
    }

    struct Object: Sendable {
        var content: Bytes
        var headers: [String: String]
    }

    struct State: Sendable {
        var objects: OrderedMap<String, Object> = [:]
        var uploads: [String: [Int: Bytes]] = [:]
        var faults: [Fault] = []
        var honoursConditions = true
        var pageKeys = 1000
        var requests: [String] = []
    }

    let state = Mutex(State())

    func perform(_ request: SignedRequest) throws(TransportFailure) -> S3Answer {
        let outcome = state.withLock { state -> Result<S3Answer, TransportFailure> in
            state.requests.append(request.method.rawValue + " " + request.url)
            let fault = state.faults.isEmpty ? nil : state.faults.removeFirst()
            let lost = TransportFailure(reason: "connection reset", isTransient: true)
            switch fault {
            case .lostRequest: return .failure(lost)
            case .status(let code): return .success(S3Answer(status: code))
            case .lostAnswer:
                _ = Self.answer(request, &state)
                return .failure(lost)
            case .statusAfterwards(let code):
                _ = Self.answer(request, &state)
                return .success(S3Answer(status: code))
            case nil: return .success(Self.answer(request, &state))
            }
        }
        return try outcome.get()
    }

    private static func answer(_ request: SignedRequest, _ state: inout State) -> S3Answer {
        // http://host/bucket/key?query
        let rest = request.url.split(separator: "/", maxSplits: 3)[2...].joined(separator: "/")
        let parts = rest.split(separator: "?", maxSplits: 1).map(String.init)
        let key =
            parts[0].split(separator: "/", maxSplits: 1).dropFirst().first.map(String.init) ?? ""
        var query: [String: String] = [:]
        for pair in parts.dropFirst().joined().split(separator: "&") {
            let halves = pair.split(separator: "=", maxSplits: 1).map(String.init)
            query[halves[0]] = halves.count > 1 ? decoded(halves[1]) : ""
        }
        var headers: [String: String] = [:]
        for line in request.headers {
            let colon = line.firstIndex(of: ":") ?? line.endIndex
            headers[String(line[..<colon])] = String(line[colon...].dropFirst(2))
        }
        let name = decoded(key)
        switch request.method {
        case .get where name.isEmpty: return listing(query, state)
        case .get, .head:
            guard let object = state.objects[name] else { return error(404, "NoSuchKey") }
            var found = object.headers
            found["content-length"] = String(object.content.count)
            if request.method == .head { return S3Answer(status: 200, headers: found) }
            guard let range = headers["range"] else {
                return S3Answer(status: 200, body: object.content, headers: found)
            }
            let bounds = range.dropFirst(6).split(separator: "-").compactMap { Int($0) }
            guard bounds[0] < object.content.count else { return error(416, "InvalidRange") }
            let end = min(bounds[1] + 1, object.content.count)
            return S3Answer(status: 206, body: object.content[bounds[0]..<end], headers: found)
        case .put:
            if let upload = query["uploadId"] {
                guard let number = query["partNumber"].flatMap({ Int($0) }) else {
                    return error(400, "InvalidPart")
                }
                state.uploads[upload]?[number] = request.body
                return S3Answer(status: 200, headers: ["etag": "\"\(number)\""])
            }
            if headers["if-none-match"] == "*", state.honoursConditions, state.objects[name] != nil
            {
                return error(412, "PreconditionFailed")
            }
            let kept = headers.filter { $0.key.hasPrefix("x-amz-meta-") }
            state.objects[name] = Object(content: request.body, headers: kept)
            return S3Answer(status: 200)
        case .post:
            if query["uploads"] != nil {
                let id = "upload-\(state.uploads.count)"
                state.uploads[id] = [:]
                return document(
                    "<InitiateMultipartUploadResult><UploadId>\(id)</UploadId>"
                        + "</InitiateMultipartUploadResult>")
            }
            guard let parts = query["uploadId"].flatMap({ state.uploads.removeValue(forKey: $0) })
            else { return error(404, "NoSuchUpload") }
            let whole = parts.keys.sorted().flatMap { parts[$0]?.array ?? [] }
            state.objects[name] = Object(content: Bytes(whole), headers: [:])
            return document("<CompleteMultipartUploadResult/>")
        case .delete:
            if let upload = query["uploadId"] {
                state.uploads[upload] = nil
            } else {
                state.objects[name] = nil
            }
            return S3Answer(status: 204)
        }
    }

    private static func listing(_ query: [String: String], _ state: State) -> S3Answer {
        let prefix = query["prefix"] ?? ""
        let after = query["continuation-token"] ?? query["start-after"] ?? ""
        var entries: [String] = []
        var last = ""
        for (key, object) in state.objects where key.hasPrefix(prefix) && key > after {
            if query["delimiter"] == "/", key.dropFirst(prefix.count).contains("/") { continue }
            if entries.count == state.pageKeys {
                return document(
                    "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>"
                        + "\(last)</NextContinuationToken>\(entries.joined())</ListBucketResult>")
            }
            let text = key.split(separator: "&", omittingEmptySubsequences: false)
                .joined(separator: "&amp;")
            entries.append(
                "<Contents><Key>\(text)</Key><Size>\(object.content.count)</Size>"
                    + "<LastModified>2026-01-02T03:04:05.678Z</LastModified></Contents>")
            last = key
        }
        return document(
            "<ListBucketResult><IsTruncated>false</IsTruncated>\(entries.joined())"
                + "</ListBucketResult>")
    }

    private static func document(_ text: String) -> S3Answer {
        S3Answer(status: 200, body: Bytes(utf8: text))
    }

    private static func error(_ status: Int, _ code: String) -> S3Answer {
        S3Answer(
            status: status,
            body: Bytes(utf8: "<Error><Code>\(code)</Code><Message>told so</Message></Error>"))
    }

    private static func decoded(_ text: String) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == 0x25,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
