import Base
import Foundation
import Node
import Testing
import WireProtocol

/// A cluster under kills, power losses and cut links, from one seed: whatever a client was told is
/// true at the end, on every node.
@Suite struct ClusterFaultTests {
    /// `WEIR_CLUSTER_SEEDS` gives another number of them.
    static let seeds =
        ProcessInfo.processInfo.environment["WEIR_CLUSTER_SEEDS"].flatMap { Int($0) } ?? 3

    private struct Asked {
        enum What {
            case topic(String)
            case producerID
            case record(topic: String, partition: Int32, value: String)
            case commit(group: String, offset: Int64)
        }

        var what: What
        var end: ClusterHarness.End
    }

    private struct Run {
        var cluster: ClusterHarness
        var random: Random
        var asked: [Asked] = []
        /// Topics that exist for sure, with their ids.
        var topics: OrderedMap<String, UUID128> = [:]
        var leaders: [String: [Int]] = [:]
        var producerIDs: Set<Int64> = []
        /// By topic and partition: values by their offsets.
        var records: OrderedMap<String, [Int64: String]> = [:]
        /// By group: what was committed and acknowledged last, and everything that was tried since.
        var commits: OrderedMap<String, (known: Int64, tried: Set<Int64>)> = [:]
        var living: Set<Int>
        var cut: Set<Int> = []
        var names = 0

        mutating func act() throws {
            let node = random.within(1...cluster.nodes.count)
            switch random.below(18) {
            case 0 where living.contains(node):
                cluster.kill(node)
                living.remove(node)
            case 0...2:
                guard !living.contains(node) else { break }
                try cluster.start(node)
                living.insert(node)
            case 3:
                guard cut.isEmpty else { break }
                cluster.isolate(node)
                cut.insert(node)
            case 4:
                for node in cut { cluster.rejoin(node) }
                cut = []
            case 5, 6:
                guard living.contains(node) else { break }
                names += 1
                let name = "t\(names)"
                let request = CreateTopicsRequest(topics: [
                    .init(
                        name: name, numPartitions: 3,
                        replicationFactor: [1, 3, 3, 2][random.below(4)])
                ])
                asked.append(
                    Asked(
                        what: .topic(name), end: cluster.begin(node, request, version: 7)))
            case 7:
                guard living.contains(node) else { break }
                let request = InitProducerIdRequest(transactionalId: nil)
                asked.append(
                    Asked(what: .producerID, end: cluster.begin(node, request, version: 4)))
            case 8, 9:
                let group = "g\(random.below(3))"
                // A node that is not ready lets requests wait: two of one group may change places.
                let isOpen = asked.contains {
                    if case .commit(group, _) = $0.what { true } else { false }
                }
                guard living.contains(node), !isOpen, let topic = topics.keys.first else { break }
                names += 1
                let request = OffsetCommitRequest(
                    groupId: group, generationIdOrMemberEpoch: -1, memberId: "",
                    topics: [
                        .init(
                            name: topic,
                            partitions: [.init(partitionIndex: 0, committedOffset: Int64(names))])
                    ])
                commits[group, default: (-1, [])].tried.insert(Int64(names))
                asked.append(
                    Asked(
                        what: .commit(group: group, offset: Int64(names)),
                        end: cluster.begin(node, request, version: 8)))
            default:
                guard !topics.isEmpty else { break }
                names += 1
                let topic = topics.keys[random.below(topics.count)]
                let partition = Int32(random.below(3))
                // As a client does: to whom somebody has said that it leads.
                if living.contains(node), let known = try? cluster.metadata(node).topics {
                    for topic in known {
                        leaders[topic.name ?? ""] = topic.partitions.map { Int($0.leaderId) }
                    }
                }
                let told = leaders[topic].map { $0[Int(partition)] } ?? node
                let node = living.contains(told) ? told : node
                guard living.contains(node) else { break }
                let value = "v\(names)"
                let request = ProduceRequest(
                    acks: -1, timeoutMs: 5000,
                    topicData: [
                        .init(
                            name: topic,
                            partitionData: [
                                .init(
                                    index: partition,
                                    records: [batch([value], cluster.milliseconds)])
                            ])
                    ])
                asked.append(
                    Asked(
                        what: .record(topic: topic, partition: partition, value: value),
                        end: cluster.begin(node, request, version: 9)))
            }
        }

        /// Takes the answers that are there.
        mutating func listen() throws {
            var open: [Asked] = []
            for request in asked {
                if cluster.closed[request.end] != nil { continue }
                switch request.what {
                case .topic(let name):
                    let answer = try cluster.answer(
                        on: request.end, CreateTopicsResponse.self, version: 7)
                    guard let answer else { break }
                    if let topic = answer.topics.first, topic.errorCode == .none {
                        topics[name] = topic.topicId
                    }
                    continue
                case .producerID:
                    let answer = try cluster.answer(
                        on: request.end, InitProducerIdResponse.self, version: 4)
                    guard let answer else { break }
                    if answer.errorCode == .none {
                        #expect(
                            producerIDs.insert(answer.producerId).inserted,
                            "producer id \(answer.producerId) was given twice")
                    }
                    continue
                case .record(let topic, let partition, let value):
                    let answer = try cluster.answer(
                        on: request.end, ProduceResponse.self, version: 9)
                    guard let answer else { break }
                    if let result = answer.responses.first?.partitionResponses.first,
                        result.errorCode == .none
                    {
                        let key = "\(topic)-\(partition)"
                        let before = records[key, default: [:]].updateValue(
                            value, forKey: result.baseOffset)
                        #expect(before == nil, "offset \(result.baseOffset) of \(key) twice")
                    }
                    continue
                case .commit(let group, let offset):
                    let answer = try cluster.answer(
                        on: request.end, OffsetCommitResponse.self, version: 8)
                    guard let answer else { break }
                    let error = answer.topics.first?.partitions.first?.errorCode
                    if error == ErrorCode.none, commits[group, default: (-1, [])].known < offset {
                        commits[group]?.known = offset
                    }
                    continue
                }
                open.append(request)
            }
            asked = open
        }

        mutating func check() throws {
            for node in cut { cluster.rejoin(node) }
            for node in 1...cluster.nodes.count where !living.contains(node) {
                try cluster.start(node)
            }
            try cluster.settle(brokers: (1...Int32(cluster.nodes.count)).map { $0 })
            cluster.advance(2000)
            try listen()
            for problem in cluster.halted { #expect(problem == nil) }
            let first = try cluster.metadata(1)
            for node in 2...cluster.nodes.count {
                #expect(try cluster.metadata(node).topics == first.topics, "all know the same")
            }
            for (name, id) in topics {
                let topic = try #require(first.topics.first { $0.name == name })
                #expect(topic.topicId == id)
                #expect(topic.partitions.count == 3)
                #expect(topic.partitions.allSatisfy { $0.leaderId > 0 })
            }
            for (group, commit) in commits where commit.known >= 0 {
                let answer = try cluster.call(
                    cluster.nodes.count,
                    OffsetFetchRequest(
                        groups: [.init(groupId: group, topics: nil)]),
                    version: 8)
                let found = answer.groups.first?.topics.first?.partitions.first?.committedOffset
                // Commits without an answer may come in any order.
                #expect(found.map { commit.tried.contains($0) } == true, "\(group): \(found ?? -1)")
                #expect(
                    found.map { $0 >= commit.known } == true, "\(group): \(commit.known) is lost")
            }
            for (key, values) in records {
                let topic = String(key.prefix { $0 != "-" })
                let partition = try #require(Int32(key.split(separator: "-")[1]))
                let leader = try #require(
                    first.topics.first { $0.name == topic }?.partitions[Int(partition)].leaderId)
                let found = try read(topic, partition, from: Int(leader))
                for (offset, value) in values {
                    #expect(found[offset] == value, "offset \(offset) of \(key)")
                }
            }
        }

        private mutating func read(
            _ topic: String, _ partition: Int32, from node: Int
        ) throws -> [Int64: String] {
            var found: [Int64: String] = [:]
            var next: Int64 = 0
            while true {
                let response = try cluster.call(
                    node,
                    FetchRequest(
                        maxWaitMs: 0, minBytes: 0, maxBytes: 1 << 24,
                        topics: [
                            .init(
                                topic: topic,
                                partitions: [
                                    .init(
                                        partition: partition, fetchOffset: next,
                                        partitionMaxBytes: 1 << 24)
                                ])
                        ]), version: 11)
                let data = try #require(response.responses.first?.partitions.first)
                #expect(data.errorCode == .none)
                for bytes in data.records {
                    var batches = RecordBatchSequence(bytes)
                    while let batch = try batches.next() {
                        next = batch.header.nextOffset.value
                        var records = try batch.records()
                        while let record = try records.next() {
                            found[record.offset.value] = record.value.map {
                                String(decoding: $0.array, as: UTF8.self)
                            }
                        }
                    }
                }
                // One answer need not have everything.
                if data.records.isEmpty || next >= data.highWatermark { break }
            }
            return found
        }
    }

    @Test(arguments: 1...seeds) func `what clients were told is true afterwards`(_ seed: Int) throws
    {
        var cluster = ClusterHarness(count: 3, seed: UInt64(seed) * 1000, isRough: true)
        try cluster.startAll()
        try cluster.settle(brokers: [1, 2, 3])
        var run = Run(
            cluster: cluster, random: Random(seed: UInt64(seed)), living: [1, 2, 3])
        for _ in 0..<150 {
            try run.act()
            run.cluster.advance(Int64(run.random.below(600)))
            try run.listen()
        }
        try run.check()
        #expect(!run.topics.isEmpty && !run.records.isEmpty)
    }
}
