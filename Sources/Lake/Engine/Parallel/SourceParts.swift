import Base
import Columns

/// A source whose rows can be read in parts, by several threads at the same time.
package protocol DividedSource: BatchSource {
    /// The parts in the order of their rows; empty when the source is better read as a whole. Asked
    /// for at most once, before the first `next()`, which is not called any more when parts are read.
    /// The same for any number of threads. Parts have about `rowsWanted` rows or more: enough to be
    /// worth their operators, few enough that no thread is left with the last of them for long.
    func parts(rowsWanted: Int64) throws(Problem) -> [SourcePart]
}

/// Some of the rows of a source.
package struct SourcePart: Sendable {
    /// About how many rows it has, whatever conditions leave of them.
    package var rowCount: Int64
    /// Only the thread of the query may read it.
    package var isOfQuery: Bool
    /// A reader of the part, used by one thread at a time.
    package var open: @Sendable () throws(Problem) -> any BatchSource

    package init(
        rowCount: Int64, isOfQuery: Bool = false,
        open: @escaping @Sendable () throws(Problem) -> any BatchSource
    ) {
        self.rowCount = rowCount
        self.isOfQuery = isOfQuery
        self.open = open
    }
}
