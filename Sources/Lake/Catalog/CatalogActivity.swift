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

    package init() {}

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
