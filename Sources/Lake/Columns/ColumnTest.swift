/// A condition on the values of one column that no statistics decide, such as being one of many keys.
package protocol ColumnTest: Sendable {
    /// The rows of `column` that pass, ascending; nil stands for all.
    func rows(of column: Column) -> [Int32]?
    /// Whether NULL may pass.
    var acceptsNull: Bool { get }
}

extension ColumnTest {
    package var acceptsNull: Bool { false }
}
