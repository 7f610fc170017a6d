import Base
import Columns
import Synchronization

/// The first rows of an order are wanted: rows whose first key comes behind that of the last row that
/// is kept so far need not be read. Lets all rows pass before so many were seen.
final class TopFilter: ColumnTest {
    private struct Bound {
        var null: UInt64
        var word: UInt64
        var type: ColumnType
    }

    private let direction: SortDirection
    private let bound = Mutex<Bound?>(nil)

    init(_ direction: SortDirection) { self.direction = direction }

    /// Where they come in the order decides.
    var acceptsNull: Bool { true }

    /// From now on rows pass that do not come behind the only row of `key`. Parts of the rows tell what
    /// they know in any order.
    func tighten(to key: Column) {
        guard let (nulls, words) = RowSorter.leadingWords(key, direction), key.count == 1 else {
            return
        }
        bound.withLock { bound in
            if let known = bound, (known.null, known.word) <= (nulls[0], words[0]) { return }
            bound = Bound(null: nulls[0], word: words[0], type: key.type)
        }
    }

    func rows(of column: Column) -> [Int32]? {
        // A file may hold the values as another type, with another order of words: UUIDs as texts.
        guard let bound = bound.withLock({ $0 }), column.type == bound.type,
            let (nulls, words) = RowSorter.leadingWords(column, direction)
        else { return nil }
        return nulls.withUnsafeBufferPointer { nulls in
            words.withUnsafeBufferPointer { words in
                numbers(below: words.count) { row in
                    nulls[row] == bound.null ? words[row] <= bound.word : nulls[row] < bound.null
                }
            }
        }
    }
}
