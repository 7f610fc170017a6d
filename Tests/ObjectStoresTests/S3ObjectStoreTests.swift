import Base
import Synchronization
import Testing

import ObjectStores

/// Sets it, and tells whether it was set.
private func exchange(_ flag: inout Bool) -> Bool {
    defer { flag = true }
    return flag
}

@Suite struct S3ObjectStoreTests {
    private let service = ServiceModel()

    private func store(
        over transport: (any S3Transport)? = nil, seed: UInt64 = 1,
        _ change: (inout S3Settings) -> Void = { _ in }
    ) throws -> S3ObjectStore {
        var settings = S3Settings()
        settings.endpoint = "http://service"
        change(&settings)
        return S3ObjectStore(
            try S3Location(parsing: "s3://lake/tables"), settings: settings,
            transport: transport ?? service,
            random: Random(seed: seed),
            credentials: { () throws(Problem) in
                S3Credentials(accessKeyID: "id", secretAccessKey: Secret("secret"))
            }, clock: { Timestamp(milliseconds: 1_800_000_000_000) }, pause: { _ in })
    }

    private func fail(_ faults: ServiceModel.Fault...) {
        service.state.withLock { $0.faults = faults }
    }

    private var keys: [String] { service.state.withLock { Array($0.objects.keys) } }

    @Test func `what was put is there, whole and in parts`() throws {
        let store = try store()
        let path = "a b/c=ä&d.parquet"
        try store.put(path, Bytes(utf8: "0123456789"))
        #expect(keys == ["tables/a b/c=ä&d.parquet"])
        #expect(try store.get(path, range: nil).text == "0123456789")
        #expect(try store.get(path, range: 2..<5).text == "234")
        #expect(try store.get(path, range: 8..<50).text == "89")
        #expect(try store.get(path, range: 10..<50) == .empty)
        #expect(try store.get(path, range: 3..<3) == .empty)
        #expect(try store.size(path) == 10)
        #expect(store.exists(path))
        #expect(!store.exists("other"))
        #expect(throws: StorageFailure.notFound(path: "other")) {
            try store.get("other", range: nil)
        }
        #expect(throws: StorageFailure.notFound(path: "other")) { try store.size("other") }
        try store.delete(path)
        #expect(!store.exists(path))
    }

    @Test func `a listing of many pages, with and without folders`() throws {
        let store = try store()
        service.state.withLock { $0.pageKeys = 3 }
        for name in ["t/b", "t/a", "t/x&y", "t/f/1", "t/f/2", "tt/z", "t/c", "t/d"] {
            try store.put(name, Bytes(utf8: name))
        }
        service.state.withLock { $0.objects["tables/t/e/"] = .init(content: .empty, headers: [:]) }
        #expect(
            try store.list("t", recursive: false).map(\.path)
                == ["t/a", "t/b", "t/c", "t/d", "t/x&y"])
        let all = try store.list("t", recursive: true)
        #expect(all.map(\.path) == ["t/a", "t/b", "t/c", "t/d", "t/f/1", "t/f/2", "t/x&y"])
        #expect(all[0].size == 3)
        #expect(all[0].modified == S3Document.moment("2026-01-02T03:04:05.678Z"))
        #expect(try store.list("nothing", recursive: true).isEmpty)
        #expect(try store.list("t", after: "b").map(\.path) == ["t/c", "t/d", "t/x&y"])
        #expect(try store.list("t", after: "").map(\.path).count == 5)
        #expect(try store.list("", recursive: true).count == 8)
    }

    @Test func `of two writers one makes the version`() throws {
        let first = try store(seed: 1)
        let second = try store(seed: 2)
        try first.putIfAbsent("log/0.json", Bytes(utf8: "first"))
        #expect(throws: StorageFailure.alreadyExists(path: "log/0.json")) {
            try second.putIfAbsent("log/0.json", Bytes(utf8: "second"))
        }
        #expect(try second.get("log/0.json", range: nil).text == "first")
        #expect(keys == ["tables/log/0.json"], "the trials are gone")
    }

    @Test func `a service that ignores conditions gets no commits`() throws {
        service.state.withLock { $0.honoursConditions = false }
        let store = try store()
        #expect {
            try store.putIfAbsent("log/0.json", Bytes(utf8: "first"))
        } throws: { error in
            "\(error)".contains("If-None-Match")
        }
        #expect(keys.isEmpty)
    }

    /// A lost answer is the case that matters: the repeated request is told that the object exists.
    @Test(arguments: [
        ServiceModel.Fault.lostAnswer, .lostRequest, .status(500), .statusAfterwards(500),
        .statusAfterwards(503), .status(429), .status(409),
    ])
    func `a commit whose answer is lost is known to be ours`(fault: ServiceModel.Fault) throws {
        let store = try store()
        try store.putIfAbsent("log/0.json", Bytes(utf8: "zero"))
        fail(fault)
        try store.putIfAbsent("log/1.json", Bytes(utf8: "one"))
        #expect(try store.get("log/1.json", range: nil).text == "one")
    }

    @Test(arguments: [ServiceModel.Fault.lostAnswer, .lostRequest, .status(503)])
    func `a commit of somebody else is not taken for ours`(fault: ServiceModel.Fault) throws {
        let ours = try store(seed: 1)
        let theirs = try store(seed: 2)
        try ours.putIfAbsent("log/0.json", Bytes(utf8: "zero"))
        // The same content: it is not what tells whose the object is.
        try theirs.putIfAbsent("log/1.json", Bytes(utf8: "one"))
        fail(fault)
        #expect(throws: StorageFailure.alreadyExists(path: "log/1.json")) {
            try ours.putIfAbsent("log/1.json", Bytes(utf8: "one"))
        }
    }

    @Test func `a service that stays away is an error after some attempts`() throws {
        let store = try store { $0.attemptsMax = 3 }
        service.state.withLock { $0.faults = Array(repeating: .lostRequest, count: 10) }
        #expect {
            try store.get("a", range: nil)
        } throws: { error in
            "\(error)" == "get of s3://lake/tables/a failed: connection reset (3 attempts)"
        }
        #expect(service.state.withLock { $0.requests.count } == 3)
    }

    @Test func `a refusal is not repeated`() throws {
        let store = try store()
        fail(.status(403))
        #expect {
            try store.get("a", range: nil)
        } throws: { error in
            "\(error)" == "get of s3://lake/tables/a failed: the service answered 403"
        }
        #expect(service.state.withLock { $0.requests.count } == 1)
    }

    private func small(_ settings: inout S3Settings) {
        settings.singlePutBytesMax = 100
        settings.partBytes = 64
    }

    @Test func `a large object is sent in parts`() throws {
        let store = try store(small)
        let content = Bytes((0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 7) })
        // Some of the parts need another attempt.
        service.state.withLock { $0.faults = [.lostRequest, .lostAnswer, .status(500)] }
        try store.put("large", content)
        #expect(try store.get("large", range: nil) == content)
        #expect(service.state.withLock { $0.uploads.filter { !$0.value.isEmpty } }.isEmpty)
    }

    @Test func `an upload that fails leaves no parts`() throws {
        final class Refusing: S3Transport {
            let service: ServiceModel
            init(_ service: ServiceModel) { self.service = service }
            func perform(_ request: SignedRequest) throws(TransportFailure) -> S3Answer {
                if request.url.contains("partNumber=2") { return S3Answer(status: 403) }
                return try service.perform(request)
            }
        }
        let refused = try store(over: Refusing(service), small)
        #expect(throws: StorageFailure.self) {
            try refused.put("large", Bytes(Array(repeating: 1, count: 500)))
        }
        #expect(service.state.withLock { $0.uploads }.isEmpty)
        #expect(keys.isEmpty)
    }

    @Test func `the end of an upload in parts may be told twice`() throws {
        final class Losing: S3Transport {
            let service: ServiceModel
            let isLost = Mutex(false)
            init(_ service: ServiceModel) { self.service = service }
            func perform(_ request: SignedRequest) throws(TransportFailure) -> S3Answer {
                let answer = try service.perform(request)
                let isEnd = request.method == .post && request.url.contains("uploadId")
                if isEnd, isLost.withLock({ lost in !exchange(&lost) }) {
                    throw TransportFailure(reason: "connection reset", isTransient: true)
                }
                return answer
            }
        }
        let store = try store(over: Losing(service), small)
        let content = Bytes(Array(repeating: 1, count: 500))
        try store.put("large", content)
        #expect(try store.get("large", range: nil) == content)
    }

    /// Any faults at any requests: an object is as one of the writers left it, a put that was
    /// answered is there, and of conditional puts at most one is told that it won.
    @Test func `random faults lose and double nothing`() throws {
        for seed in 0..<80 as Range<UInt64> {
            var random = Random(seed: seed)
            let service = ServiceModel()
            let writers = try (0..<3).map { number in
                try store(over: service, seed: seed * 10 + UInt64(number)) { $0.attemptsMax = 4 }
            }
            var winners: [Int: Int] = [:]
            for version in 0..<12 {
                for (number, writer) in writers.enumerated() {
                    service.state.withLock { state in
                        state.faults = (0..<random.below(4)).map { _ in
                            switch random.below(5) {
                            case 0: .lostAnswer
                            case 1: .lostRequest
                            case 2: .status(503)
                            case 3: .statusAfterwards(500)
                            default: .status(409)
                            }
                        }
                    }
                    do {
                        try writer.putIfAbsent("\(version)", Bytes(utf8: "\(number)"))
                        #expect(winners[version] == nil, "seed \(seed), version \(version)")
                        winners[version] = number
                    } catch {
                        continue
                    }
                }
            }
            for (version, number) in winners {
                let object = service.state.withLock { $0.objects["tables/\(version)"] }
                #expect(object?.content.text == "\(number)", "seed \(seed), version \(version)")
            }
        }
    }
}
