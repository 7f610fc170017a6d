import Base
import Columns
import SQL

/// The lakehouse as surfaces see it. Calls block while tables are read and statements run: they
/// belong on the worker pool.
package protocol LakeService: AnyObject, Sendable {
    /// Runs every statement of a script in order and stops at the first error.
    func run(script: String, options: StatementOptions) throws(Problem) -> [StatementAnswer]

    /// Runs a script up to its last statement, whose rows are then asked for batch by batch.
    func open(script: String, options: StatementOptions) throws(Problem) -> StatementCursor
    /// What can follow a piece of SQL, by the catalog. Does not block.
    func completion(of text: String) -> Completion
    /// The requests that run SQL.
    var queries: QueryRegistry { get }
    var sessions: LakeSessions { get }

    /// All relations of one layer (schema), or all; ordered by schema and name.
    func tables(layer: String?) throws(Problem) -> [TableReport]
    /// One relation, by `schema.name`, by bare name, or by an alias of the platform's owners.
    func table(_ name: String) throws(Problem) -> TableReport
    func history(_ name: String, limit: Int) throws(Problem) -> [VersionReport]
    /// The relations that `name` is computed from and those computed from it, transitively.
    func lineage(_ name: String) throws(Problem) -> JSONValue
    /// Everything that the catalog knows, as one document.
    func catalogReport() throws(Problem) -> JSONValue
}
