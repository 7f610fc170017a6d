import Base

/// What happened to an object last: the figures behind freshness and quality. Kept apart from the
/// declaration, because it changes with every commit.
package struct CatalogActivity: Hashable, Sendable {
    /// The table's newest version; nil before the first commit.
    package var version: Int64?
    /// When that version was committed.
    package var committed: Timestamp?
    /// The youngest record or row that is in it, by its own time.
    package var newestRow: Timestamp?
    package var rowCount: Int64?
    package var fileCount: Int64?
    package var bytes: Int64?
    /// Rows checked and broken, by expectation.
    package var expectations: OrderedMap<String, ExpectationCounts> = [:]
    /// Why the object does not advance, if so.
    package var problem: String?
    /// What automatic maintenance did since the start.
    package var care = Care()

    package init() {}

    /// Figures of automatic maintenance.
    package struct Care: Hashable, Sendable {
        package var checkpoints: Int64 = 0
        package var merges: Int64 = 0
        /// Files that merges made fewer ones of.
        package var filesMerged: Int64 = 0
        /// Data files and files of the log that nobody needed any more.
        package var filesRemoved: Int64 = 0
        /// Merges that a change of somebody else contradicted.
        package var dropped: Int64 = 0
        package var lastRun: Timestamp?
        /// Why the last run did not do all that it should.
        package var problem: String?

        package init() {}

        /// Adds what one run did.
        package mutating func add(_ run: Care, at moment: Timestamp) {
            checkpoints += run.checkpoints
            merges += run.merges
            filesMerged += run.filesMerged
            filesRemoved += run.filesRemoved
            dropped += run.dropped
            lastRun = moment
            problem = run.problem
        }
    }

    package struct ExpectationCounts: Hashable, Sendable {
        package var checked: Int64
        package var violations: Int64

        package init(checked: Int64 = 0, violations: Int64 = 0) {
            self.checked = checked
            self.violations = violations
        }
    }

    /// Milliseconds since the last commit.
    package func staleness(at now: Timestamp) -> Int64? {
        committed.map { max(0, now.milliseconds &- $0.milliseconds) }
    }
}
