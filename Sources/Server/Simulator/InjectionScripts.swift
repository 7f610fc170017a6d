// What a scripted run does, step by step: short scenarios that touch every way in which the log
// uses its disk. A fault is put at each storage call of each of them: see `InjectionRun`.

import Base
import Log

/// One step of a scripted run.
enum ScriptStep {
    /// Appends one batch of `records` to a partition.
    case produce(Int, records: Int)
    /// Begins and completes every sync that the store asks for, and acknowledges.
    case sync
    /// Time passes.
    case wait(milliseconds: Int64)
    /// Maintenance until it has nothing to do, with the syncs that it asks for.
    case maintain
    case deleteRecords(Int)
    /// A further topic is created or deleted, with partitions that are no part of the model.
    case create(topic: String)
    case delete(topic: String)
    /// A clean stop and a start.
    case restart
    /// A start after `kill -9`.
    case kill
}

/// A scenario: its partitions, their settings and its steps.
struct InjectionScript {
    let name: String
    let partitions: [TopicPartition]
    let settings: PartitionSettings
    let steps: [ScriptStep]

    static let all = [appends, retention, compaction, topics, recovery]

    private static func settings(
        _ change: (inout PartitionSettings) -> Void = { _ in }
    ) -> PartitionSettings {
        var settings = PartitionSettings()
        settings.segmentBytes = 3 << 10
        settings.indexIntervalBytes = 128
        settings.retentionMilliseconds = -1
        settings.fileDeleteDelayMilliseconds = 10
        change(&settings)
        return settings
    }

    private static func partitions(_ count: Int32) -> [TopicPartition] {
        (0..<count).map { TopicPartition(topic: "t", partition: $0) }
    }

    /// Group commit over several partitions, rolled segments, checkpoints, a ring that turns.
    private static let appends = InjectionScript(
        name: "appends", partitions: partitions(2), settings: settings(),
        steps: (0..<10).flatMap { round -> [ScriptStep] in
            [
                .produce(0, records: 3), .produce(1, records: 1), .produce(0, records: 2), .sync,
                .wait(milliseconds: 30), round % 3 == 2 ? .maintain : .produce(1, records: 4),
            ]
        } + [.sync, .maintain, .restart, .produce(0, records: 1), .sync])

    /// Segments that expire by size, and records deleted on request.
    private static let retention = InjectionScript(
        name: "retention", partitions: partitions(1),
        settings: settings { $0.retentionBytes = 6 << 10 },
        steps: (0..<8).flatMap { round -> [ScriptStep] in
            [
                .produce(0, records: 4), .produce(0, records: 4), .sync,
                .wait(milliseconds: 60), .maintain,
            ] + (round % 4 == 3 ? [.deleteRecords(0), .maintain] : [])
        } + [.wait(milliseconds: 60), .maintain, .restart])

    /// Cleaning a keyed partition, twice over the same part.
    private static let compaction = InjectionScript(
        name: "compaction", partitions: partitions(1),
        settings: settings {
            $0.isCompacted = true
            $0.deletesOldSegments = false
            $0.minCleanableDirtyPerMille = 1
        },
        steps: (0..<6).flatMap { _ -> [ScriptStep] in
            [
                .produce(0, records: 4), .produce(0, records: 4), .produce(0, records: 4), .sync,
                .wait(milliseconds: 60), .maintain, .maintain,
            ]
        } + [.kill, .produce(0, records: 2), .sync, .wait(milliseconds: 60), .maintain])

    /// Topics that come and go while others are written.
    private static let topics = InjectionScript(
        name: "topics", partitions: partitions(1), settings: settings(),
        steps: [
            .produce(0, records: 2), .create(topic: "a"), .produce(0, records: 2), .sync,
            .create(topic: "b"), .delete(topic: "a"), .wait(milliseconds: 60), .maintain,
            .produce(0, records: 2), .sync, .delete(topic: "b"), .create(topic: "a"), .kill,
            .produce(0, records: 2), .delete(topic: "a"), .sync, .wait(milliseconds: 60), .maintain,
        ])

    /// Starts after crashes, one upon the other.
    private static let recovery = InjectionScript(
        name: "recovery", partitions: partitions(2), settings: settings(),
        steps: (0..<5).flatMap { _ -> [ScriptStep] in
            [
                .produce(0, records: 3), .produce(1, records: 2), .sync, .produce(0, records: 3),
                .produce(0, records: 3), .kill,
            ]
        } + [.restart, .produce(1, records: 1), .sync])
}
