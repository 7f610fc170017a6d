import Base
import Node
import Runtime
import Testing

@Suite struct BrokerServiceTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    func start() throws -> BrokerService {
        try BrokerService(
            data: directory.path + "/data", listening: HostPort(host: "127.0.0.1", port: 0),
            settings: ServerSettings(), diagnostics: SilentDiagnostics())
    }

    @Test func `a client finds out what the broker speaks`() throws {
        let service = try start()
        let client = try ClientSocket(to: HostPort(host: "127.0.0.1", port: service.brokerPort))
        var request = ByteWriter()
        request.int16(18)  // ApiVersions
        request.int16(0)
        request.int32(7)  // correlation
        request.int16(4)
        request.utf8("test")
        try client.sendFrame(request.finish())
        var answer = ByteReader(try client.receiveFrame())
        #expect(try answer.int32() == 7)
        #expect(try answer.int16() == 0)
        #expect(try answer.int32() > 10)
        #expect(service.stop() == .stopped)
    }

    @Test func `what was appended is there after a restart`() throws {
        let first = try start()
        _ = try first.port.call(.createTopic(name: "t", partitions: 2, configs: []))
        let records = (0..<10).map { NewRecord(value: Bytes(utf8: "value \($0)")) }
        guard
            case .appended(let places) = try first.port.call(.append(topic: "t", records: records))
        else {
            Issue.record("an append is answered by its places")
            return
        }
        #expect(places.count == 10)
        #expect(first.stop() == .stopped)

        let second = try start()
        guard case .topics(let topics) = try second.port.call(.describeTopics(["t"])) else {
            Issue.record("topics are described")
            return
        }
        let ends = topics.first?.partitions.map(\.highWatermark.value) ?? []
        #expect(ends.count == 2)
        #expect(ends.reduce(0, +) == 10)
        #expect(second.stop() == .stopped)
    }

    @Test func `a second server on the same directory is refused`() throws {
        let service = try start()
        do throws(Problem) {
            _ = try BrokerService(
                data: directory.path + "/data", listening: HostPort(host: "127.0.0.1", port: 0),
                settings: ServerSettings(), diagnostics: SilentDiagnostics())
            Issue.record("the directory is in use")
        } catch {
            #expect(error.code == "storage.locked")
        }
        #expect(service.stop() == .stopped)
    }

    @Test func `settings are parsed, checked and suggested`() throws {
        var settings = ServerSettings()
        try settings.set("num.partitions", "6")
        try settings.set("auto.create.topics.enable", "false")
        try settings.set("advertised.listeners", "PLAINTEXT://broker.example:19092")
        #expect(settings.node.partitionsDefault == 6)
        #expect(!settings.node.createsTopicsAutomatically)
        #expect(
            settings.security.advertised.map(\.address)
                == [HostPort(host: "broker.example", port: 19092)])
        let unknown = #expect(throws: Problem.self) { try settings.set("num.partition", "6") }
        #expect(unknown?.notes == ["did you mean \"num.partitions\"?"])
        for (name, value) in [
            ("num.partitions", "0"), ("num.partitions", "x"), ("auto.create.topics.enable", "yes"),
            ("advertised.listeners", ":1"),
        ] {
            #expect(throws: Problem.self) { try settings.set(name, value) }
        }
    }
}
