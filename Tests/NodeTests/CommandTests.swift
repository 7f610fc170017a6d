import Base
import Node
import Testing
import WireProtocol

@Suite struct CommandTests {
    @Test func `records are appended by key and found where the answer says`() throws {
        var node = try NodeHarness()
        _ = try node.perform(.createTopic(name: "t", partitions: 4, configs: []))
        _ = try node.perform(.createTopic(name: "t", partitions: 9, configs: []))
        let records = (0..<40).map { number in
            NewRecord(
                key: number % 2 == 0 ? Bytes(utf8: "key\(number % 10)") : nil,
                value: Bytes(utf8: "\(number)"),
                headers: [.init(key: "h", value: Bytes(utf8: "v"))])
        }
        guard case .appended(let places) = try node.perform(.append(topic: "t", records: records))
        else {
            Issue.record("not appended")
            return
        }
        #expect(places.count == 40)
        for (number, place) in places.enumerated() {
            let answer = try node.perform(
                .read(
                    TopicPartition(topic: "t", partition: place.partition), from: place.offset,
                    maxBytes: 1 << 20))
            guard case .batches(let result) = answer else { continue }
            var found: String?
            for bytes in result.batches {
                var sequence = RecordBatchSequence(bytes)
                while let batch = try sequence.next() {
                    var cursor = try batch.records()
                    while let record = try cursor.next() {
                        guard record.offset == place.offset else { continue }
                        found = record.value?.text
                        #expect(try record.headers().map(\.key) == ["h"])
                    }
                }
            }
            #expect(found == "\(number)")
            if let key = records[number].key {
                #expect(place.partition == partition(forKey: key, partitionCount: 4))
            }
        }
        let keyless = Set(
            places.enumerated().filter { $0.offset % 2 == 1 }.map(\.element.partition))
        #expect(keyless.count == 4, "records without a key take turns")
    }

    @Test func `an append is finished when it is durable`() throws {
        var node = try NodeHarness()
        _ = try node.perform(.createTopic(name: "t", partitions: 2, configs: []))
        node.holdsSyncs = true
        let records = [
            NewRecord(value: Bytes(utf8: "a")), NewRecord(value: Bytes(utf8: "b")),
        ]
        let id = node.command(.append(topic: "t", records: records))
        #expect(node.finished[id] == nil)
        node.completeSync()
        #expect(node.finished[id] != nil)
    }

    @Test func `large appends are cut into batches that the topic takes`() throws {
        var node = try NodeHarness()
        _ = try node.perform(
            .createTopic(
                name: "t", partitions: 1, configs: [TopicSetting("max.message.bytes", "2000")]))
        let padding = String(repeating: "x", count: 90)
        let records = (0..<50).map { NewRecord(value: Bytes(utf8: "value \($0)" + padding)) }
        guard case .appended(let places) = try node.perform(.append(topic: "t", records: records))
        else { return }
        #expect(places.map(\.offset.value) == (0..<50).map { Int64($0) })
        let large = NewRecord(value: Bytes(utf8: String(repeating: "x", count: 3000)))
        let id = node.command(.append(topic: "t", records: [records[0], large]))
        guard case .failure(let problem)? = node.finished[id] else {
            Issue.record("a record that is too large was taken")
            return
        }
        #expect(problem.code == "record.too.large")
        guard
            case .batches(let result) = try node.perform(
                .read(TopicPartition(topic: "t", partition: 0), from: 0, maxBytes: 1 << 20))
        else { return }
        #expect(result.lastStableOffset == 50)
    }

    @Test func `mistakes are explained`() throws {
        var node = try NodeHarness()
        _ = try node.perform(.createTopic(name: "orders", partitions: nil, configs: []))
        func problem(_ command: NodeCommand) -> Problem? {
            let id = node.command(command)
            guard case .failure(let problem)? = node.finished[id] else { return nil }
            return problem
        }
        let unknown = problem(.append(topic: "order", records: [NewRecord(value: .empty)]))
        #expect(unknown?.code == "topic.unknown")
        #expect(unknown?.hint == "did you mean orders?")
        #expect(
            problem(.createTopic(name: "a b", partitions: 1, configs: []))?.code == "topic.name")
        #expect(
            problem(.createTopic(name: "x", partitions: 0, configs: []))?.code
                == "topic.partitions")
        #expect(
            problem(
                .createTopic(name: "x", partitions: 1, configs: [TopicSetting("retentoin.ms", "1")])
            )?.code == "topic.setting")
        #expect(problem(.deleteTopic(name: "x"))?.code == "topic.unknown")
        #expect(problem(.describeTopics(["x"]))?.code == "topic.unknown")
        let partition = TopicPartition(topic: "orders", partition: 0)
        #expect(
            problem(.read(partition, from: 5, maxBytes: 10))?.code == "offset.out.of.range")
        #expect(
            problem(.read(TopicPartition(topic: "orders", partition: 9), from: 0, maxBytes: 1))?
                .code == "topic.unknown")
        let content = Bytes([UInt8](repeating: 0, count: 9 << 20))
        #expect(problem(.changeObjects([ObjectChange("x", content)]))?.code == "object.too.large")
    }

    @Test func `objects are stored durably and listed by prefix`() throws {
        var node = try NodeHarness()
        for name in ["table/b", "table/a", "view/c"] {
            _ = try node.perform(.changeObjects([ObjectChange(name, Bytes(utf8: "of \(name)"))]))
        }
        _ = try node.perform(.changeObjects([ObjectChange("table/b", Bytes(utf8: "newer"))]))
        _ = try node.perform(.changeObjects([ObjectChange("view/c", nil)]))
        for _ in 0..<2 {
            guard case .objects(let objects) = try node.perform(.listObjects(prefix: "")) else {
                return
            }
            #expect(objects.map(\.name) == ["table/a", "table/b"])
            #expect(objects.map(\.content.text) == ["of table/a", "newer"])
            try node.restart()
        }
    }

    @Test func `topics and figures are described`() throws {
        var node = try NodeHarness()
        _ = try node.perform(
            .createTopic(
                name: "t", partitions: 2, configs: [TopicSetting("retention.ms", "9")]))
        _ = try node.perform(.append(topic: "t", records: [NewRecord(value: Bytes(utf8: "x"))]))
        guard case .topics(let topics) = try node.perform(.describeTopics(nil)) else { return }
        #expect(topics.map(\.name) == ["t"])
        #expect(topics[0].settings == [TopicSetting("retention.ms", "9")])
        #expect(topics[0].partitions.map(\.highWatermark) == [1, 0])
        guard case .statistics(let figures) = try node.perform(.statistics) else { return }
        #expect(figures.topics == 1)
        #expect(figures.partitions == 2)
        #expect(figures.producedRecords == 1)
        #expect(figures.journalSyncs > 0)
        _ = try node.perform(.deleteTopic(name: "t"))
        guard case .topics(let left) = try node.perform(.describeTopics(nil)) else { return }
        #expect(left.isEmpty)
    }
}
