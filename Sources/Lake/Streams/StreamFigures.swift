// What a streaming table has counted since it was created, kept in its own Delta log: each figure is a
// `txn` action of the commit that it counts, so it goes through a crash as the rows do. See
// docs/formats/streaming-transactions.md.

import Base
import Delta
import SQL

/// The figures of one streaming table. None of them ever falls.
package struct StreamFigures: Hashable, Sendable {
    /// How often each rule was checked and broken, in the order of the rules.
    package var expectations: [ExpectationCount] = []
    /// The youngest record that was read, by its own time; nil before the first.
    package var newestRecord: Timestamp?

    private static let checked = "checked"
    private static let broken = "broken"

    private static func appID(_ table: QualifiedName, _ rule: String, _ figure: String) -> String {
        "weir:\(table):expectation \(figure):\(rule)"
    }

    private static func newestAppID(_ table: QualifiedName) -> String {
        "weir:\(table):newest record"
    }

    /// What the snapshot says about the table and its rules.
    package init(of table: QualifiedName, in snapshot: TableSnapshot, rules: [String]) {
        newestRecord = snapshot.lastTransaction(of: Self.newestAppID(table)).map {
            Timestamp(milliseconds: $0)
        }
        for rule in rules {
            func figure(_ name: String) -> Int64 {
                snapshot.lastTransaction(of: Self.appID(table, rule, name)) ?? 0
            }
            expectations.append(
                ExpectationCount(
                    name: rule, checked: figure(Self.checked), violations: figure(Self.broken)))
        }
    }

    /// Writes what the commit of one epoch changes.
    static func write(
        _ outcome: EpochOutcome, of table: QualifiedName,
        into transaction: inout TableTransaction, now: Now
    ) throws(DeltaFailure) {
        let old = StreamFigures(
            of: table, in: transaction.snapshot, rules: outcome.expectations.map(\.name))
        for (rule, before) in zip(outcome.expectations, old.expectations) {
            try raise(
                appID(table, rule.name, checked), before.checked, by: rule.checked,
                &transaction, now)
            try raise(
                appID(table, rule.name, broken), before.violations, by: rule.violations,
                &transaction, now)
        }
        let newest = outcome.recordTimestamps.max() ?? 0
        let before = old.newestRecord?.milliseconds ?? 0
        try raise(newestAppID(table), before, by: newest - before, &transaction, now)
    }

    private static func raise(
        _ appID: String, _ before: Int64, by growth: Int64, _ transaction: inout TableTransaction,
        _ now: Now
    ) throws(DeltaFailure) {
        guard growth > 0 else { return }
        try transaction.setTransaction(appID: appID, version: before &+ growth, now: now)
    }
}
