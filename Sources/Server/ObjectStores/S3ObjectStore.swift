import Base
import Synchronization

/// Objects in a bucket of Amazon S3 or of a service that speaks its protocol.
///
/// A new version of a table is a conditional PUT (`If-None-Match: *`): of any number of writers one
/// succeeds. A service that ignores the condition would lose commits, so the first such PUT of a
/// store is tried out on an object of its own, and refused if the service fails the trial.
///
/// A request whose answer got lost is sent again. What a repeated conditional PUT is told, "it exists",
/// may then be about its own first attempt: each PUT carries a number nobody else has, by which the
/// object is recognized.
package final class S3ObjectStore: ObjectStore {
    private enum Trust { case unknown, passed }

    private let place: S3Location
    package let location: StoreLocation?
    private let settings: S3Settings
    private let signer: S3Signer
    private let transport: any S3Transport
    private let credentials: @Sendable () throws(Problem) -> S3Credentials
    private let clock: @Sendable () -> Timestamp
    private let pause: @Sendable (Duration) -> Void
    private let random: Mutex<Random>
    private let conditions = Mutex(Trust.unknown)

    /// `credentials` is asked for each request; `pause` waits between attempts. Addresses of tables
    /// may lead into the folder `readable`, from the location on; empty = all of it.
    package init(
        _ location: S3Location, readable: String = "", settings: S3Settings,
        transport: any S3Transport, random: Random,
        credentials: @escaping @Sendable () throws(Problem) -> S3Credentials,
        clock: @escaping @Sendable () -> Timestamp, pause: @escaping @Sendable (Duration) -> Void
    ) {
        place = location
        self.location = StoreLocation(base: location.description, readable: readable)
        self.settings = settings
        signer = S3Signer(settings: settings, bucket: place.bucket)
        self.transport = transport
        self.random = Mutex(random)
        self.credentials = credentials
        self.clock = clock
        self.pause = pause
    }

    // MARK: Reading

    package func get(_ path: String, range: Range<Int64>?) throws(StorageFailure) -> Bytes {
        var request = S3Request(.get, key: place.key(path))
        request.answerBytesMax = S3Limits.objectBytes
        guard let range else {
            let answer = try call("get", path, request).answer
            guard answer.status == 200 else { throw refusal("get", path, answer) }
            return answer.body
        }
        if range.isEmpty { return .empty }
        request.headers.append(("range", "bytes=\(range.lowerBound)-\(range.upperBound - 1)"))
        let answer = try call("get", path, request).answer
        switch answer.status {
        case 206:
            guard answer.body.count <= range.count else {
                throw .remote(
                    operation: "get", path: path,
                    detail: "\(range.count) bytes were asked for, \(answer.body.count) came")
            }
            return answer.body
        case 200:
            // A service that knows no ranges sends everything.
            let end = min(range.upperBound, Int64(answer.body.count))
            return range.lowerBound < end
                ? answer.body[Int(range.lowerBound)..<Int(end)] : .empty
        case 416: return .empty
        default: throw refusal("get", path, answer)
        }
    }

    package func size(_ path: String) throws(StorageFailure) -> Int64 {
        let answer = try call("head", path, S3Request(.head, key: place.key(path))).answer
        guard answer.status == 200 else { throw refusal("head", path, answer) }
        guard let size = answer.headers["content-length"].flatMap({ Int64($0) }), size >= 0 else {
            throw .remote(
                operation: "head", path: path, detail: "the answer does not say how long it is")
        }
        return size
    }

    /// False also when the service does not answer.
    package func exists(_ path: String) -> Bool {
        let request = S3Request(.head, key: place.key(path))
        return (try? call("head", path, request).answer.status) == 200
    }

    package func list(_ prefix: String, recursive: Bool) throws(StorageFailure) -> [ObjectEntry] {
        try list(prefix, recursive: recursive, after: "")
    }

    package func list(
        _ prefix: String, after name: String
    ) throws(StorageFailure) -> [ObjectEntry] {
        try list(prefix, recursive: false, after: name)
    }

    private func list(
        _ prefix: String, recursive: Bool, after name: String
    ) throws(StorageFailure) -> [ObjectEntry] {
        let folder = place.key(prefix)
        var found: [ObjectEntry] = []
        var token: String?
        repeat {
            var request = S3Request(.get)
            request.query = [
                ("list-type", "2"), ("max-keys", "1000"),
                ("prefix", folder.isEmpty ? "" : folder + "/"),
            ]
            if !recursive { request.query.append(("delimiter", "/")) }
            if !name.isEmpty, token == nil {
                request.query.append(("start-after", (folder.isEmpty ? "" : folder + "/") + name))
            }
            if let token { request.query.append(("continuation-token", token)) }
            let answer = try call("list", prefix, request).answer
            guard answer.status == 200 else { throw refusal("list", prefix, answer) }
            let listing = try document("list", prefix, answer).root
            for content in listing.all("Contents") {
                guard let key = content["Key"], let path = place.path(key: key),
                    let size = content["Size"].flatMap({ Int64($0) })
                else { throw .remote(operation: "list", path: prefix, detail: "a key is missing") }
                // Markers that other programs leave for empty folders.
                if key.hasSuffix("/") { continue }
                found.append(
                    ObjectEntry(
                        path: path, size: size,
                        modified: content["LastModified"].flatMap(S3Document.moment) ?? .none))
            }
            let next = listing["IsTruncated"] == "true" ? listing["NextContinuationToken"] : nil
            if listing["IsTruncated"] == "true", next == nil || next == token {
                throw .remote(
                    operation: "list", path: prefix, detail: "the listing does not go on")
            }
            token = next
        } while token != nil
        found.sort { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
        return found
    }

    // MARK: Writing

    package func put(_ path: String, _ content: Bytes) throws(StorageFailure) {
        try replace(path, content)
    }

    package func replace(_ path: String, _ content: Bytes) throws(StorageFailure) {
        if content.count > settings.singlePutBytesMax { return try putInParts(path, content) }
        var request = S3Request(.put, key: place.key(path))
        request.body = content
        let answer = try call("put", path, request).answer
        guard answer.status == 200 else { throw refusal("put", path, answer) }
    }

    package func putIfAbsent(_ path: String, _ content: Bytes) throws(StorageFailure) {
        if conditions.withLock({ $0 == .unknown }) {
            try tryConditions()
            conditions.withLock { $0 = .passed }
        }
        if try !putNew(path, content) { throw .alreadyExists(path: path) }
    }

    /// Asks whether the bucket can be read and written, and keeps conditions.
    package func check() throws(StorageFailure) {
        var request = S3Request(.get)
        request.query = [("list-type", "2"), ("max-keys", "1"), ("prefix", place.prefix)]
        let answer = try call("list", "", request).answer
        guard answer.status == 200 else { throw refusal("list", "", answer) }
        try tryConditions()
        conditions.withLock { $0 = .passed }
    }

    /// Whether the object is new and ours.
    private func putNew(_ path: String, _ content: Bytes) throws(StorageFailure) -> Bool {
        var request = S3Request(.put, key: place.key(path))
        let writer = random.withLock { $0.uuid().description }
        request.headers = [("if-none-match", "*"), ("x-amz-meta-weir-writer", writer)]
        request.body = content
        let (answer, mayHaveWorked) = try call("put", path, request)
        switch answer.status {
        case 200: return true
        case 412:
            guard mayHaveWorked else { return false }
            let found = try call("head", path, S3Request(.head, key: place.key(path))).answer
            guard found.status == 200 else { throw refusal("head", path, found) }
            return found.headers["x-amz-meta-weir-writer"] == writer
        default: throw refusal("put", path, answer)
        }
    }

    /// Demands of the service that it refuses to write an object again.
    private func tryConditions() throws(StorageFailure) {
        let path = "_weir-trial-" + random.withLock { $0.uuid().description }
        let isNew = try putNew(path, Bytes(utf8: "conditional"))
        let isRefused = try !putNew(path, Bytes(utf8: "overwritten"))
        try delete(path)
        guard isNew, isRefused else {
            throw .remote(
                operation: "put", path: path,
                detail: "the service overwrites objects in spite of If-None-Match, so two writers "
                    + "could lose a commit; tables need a service with conditional writes")
        }
    }

    private func putInParts(_ path: String, _ content: Bytes) throws(StorageFailure) {
        let key = place.key(path)
        let partBytes = max(
            settings.partBytes, (content.count + S3Limits.partCount - 1) / S3Limits.partCount)
        var begin = S3Request(.post, key: key)
        begin.query = [("uploads", "")]
        let begun = try call("put", path, begin).answer
        guard begun.status == 200 else { throw refusal("put", path, begun) }
        guard let upload = try document("put", path, begun).root["UploadId"] else {
            throw .remote(operation: "put", path: path, detail: "the upload has no id")
        }
        do throws(StorageFailure) {
            var parts = ""
            var number = 1
            var start = 0
            while start < content.count {
                let end = min(start + partBytes, content.count)
                var part = S3Request(.put, key: key)
                part.query = [("partNumber", String(number)), ("uploadId", upload)]
                part.body = content[start..<end]
                let answer = try call("put", path, part).answer
                guard answer.status == 200, let tag = answer.headers["etag"] else {
                    throw refusal("put", path, answer)
                }
                parts += "<Part><PartNumber>\(number)</PartNumber><ETag>\(tag)</ETag></Part>"
                number += 1
                start = end
            }
            var end = S3Request(.post, key: key)
            end.query = [("uploadId", upload)]
            end.body = Bytes(
                utf8: "<CompleteMultipartUpload>\(parts)</CompleteMultipartUpload>")
            let (answer, mayHaveWorked) = try call("put", path, end)
            // The upload is gone because its end, whose answer got lost, was done.
            if answer.status == 404, mayHaveWorked, try size(path) == content.count { return }
            // An error may come with status 200, because the service answers before it is done.
            guard answer.status == 200,
                try document("put", path, answer).root.name == "CompleteMultipartUploadResult"
            else { throw refusal("put", path, answer) }
        } catch {
            var abort = S3Request(.delete, key: key)
            abort.query = [("uploadId", upload)]
            // Otherwise the service keeps the parts, and counts them.
            _ = try? call("delete", path, abort)
            throw error
        }
    }

    package func delete(_ path: String) throws(StorageFailure) {
        let answer = try call("delete", path, S3Request(.delete, key: place.key(path))).answer
        guard answer.status == 204 || answer.status == 200 else {
            throw refusal("delete", path, answer)
        }
    }

    // MARK: Requests

    /// Sends until there is an answer that another attempt would not change. `mayHaveWorked`: an
    /// attempt before may have had its effect.
    private func call(
        _ operation: String, _ path: String, _ request: S3Request
    ) throws(StorageFailure) -> (answer: S3Answer, mayHaveWorked: Bool) {
        guard request.key.utf8.count <= S3Limits.keyBytes else {
            throw .remote(
                operation: operation, path: path,
                detail: "the key has \(request.key.utf8.count) bytes, \(S3Limits.keyBytes) may be")
        }
        var mayHaveWorked = false
        var attempt = 0
        while true {
            attempt += 1
            let isLast = attempt >= settings.attemptsMax
            do throws(TransportFailure) {
                let signed = signer.sign(
                    request, credentials: try known(operation, path), wall: clock())
                let answer = try transport.perform(signed)
                if isLast || !isTransient(answer) { return (answer, mayHaveWorked) }
                if answer.status >= 500 || answer.status == 408 { mayHaveWorked = true }
            } catch {
                mayHaveWorked = true
                if isLast || !error.isTransient {
                    throw .remote(
                        operation: operation, path: place.description + "/" + path,
                        detail: error.reason + (attempt > 1 ? " (\(attempt) attempts)" : ""))
                }
            }
            pause(backoff(attempt))
        }
    }

    private func known(
        _ operation: String, _ path: String
    ) throws(TransportFailure) -> S3Credentials {
        do {
            return try credentials()
        } catch {
            throw TransportFailure(reason: error.message, isTransient: false)
        }
    }

    /// 100 ms, doubled up to 5 s, of which half is by chance so that many callers spread.
    private func backoff(_ attempt: Int) -> Duration {
        let full = min(100 << min(attempt - 1, 10), 5000)
        return .milliseconds(full / 2 + random.withLock { $0.below(full / 2 + 1) })
    }

    private func isTransient(_ answer: S3Answer) -> Bool {
        switch answer.status {
        case 408, 429, 500, 502, 503, 504: true
        // Another conditional write to the same key was under way.
        case 409: errorCode(answer) != "BucketNotEmpty"
        case 400: errorCode(answer) == "RequestTimeout"
        default: false
        }
    }

    // MARK: Answers

    private func errorCode(_ answer: S3Answer) -> String? {
        guard let root = try? S3Document(answer.body).root, root.name == "Error" else { return nil }
        return root["Code"]
    }

    private func document(
        _ operation: String, _ path: String, _ answer: S3Answer
    ) throws(StorageFailure) -> S3Document {
        do throws(DecodeFailure) {
            return try S3Document(answer.body)
        } catch {
            throw .remote(
                operation: operation, path: path, detail: "the answer can't be read: \(error)")
        }
    }

    private func refusal(
        _ operation: String, _ path: String, _ answer: S3Answer
    ) -> StorageFailure {
        let root = try? S3Document(answer.body).root
        let code = root?.name == "Error" ? root?["Code"] : nil
        if answer.status == 404, code == "NoSuchKey" || code == nil { return .notFound(path: path) }
        if answer.status == 404, code == "NoSuchBucket" {
            return .remote(
                operation: operation, path: path,
                detail: "there is no bucket \"\(place.bucket)\"")
        }
        var detail = "the service answered \(answer.status)"
        if let code { detail += " \(code)" }
        if let message = root?["Message"], !message.isEmpty { detail += ": \(message)" }
        if code == "RequestTimeTooSkewed" { detail += " (is this machine's clock right?)" }
        return .remote(
            operation: operation, path: place.description + "/" + path, detail: detail)
    }
}
