/// A statement of a script, with its place and text.
package struct ParsedStatement: Hashable, Sendable {
    package var statement: Statement
    /// UTF-8 bytes from the start of the script, without the semicolon.
    package var range: Range<Int>
    package var text: String
}

package indirect enum Statement: Hashable, Sendable {
    case query(Query)
    case explain(Explain)
    case insert(Insert)
    case delete(Delete)
    case update(Update)
    case merge(Merge)
    case truncate(Truncate)
    case optimize(Optimize)
    case vacuum(Vacuum)
    case restore(Restore)
    case copy(Copy)
    case convert(Convert)
    case createSchema(name: Identifier, ifNotExists: Bool)
    case createTopic(CreateTopic)
    case createStreamingTable(CreateStreamingTable)
    case createTable(CreateTable)
    case createView(CreateView)
    case createMaterializedView(CreateMaterializedView)
    case refreshMaterializedView(ObjectName)
    case drop(Drop)
    /// A nil text removes the comment.
    case comment(ObjectKind, ObjectName, text: String?)
    case alter(ObjectKind, ObjectName, AlterAction)
    case show(Show)
    case describe(ObjectName, history: Bool)
    /// `DESCRIBE DETAIL`: one row about the table and its files.
    case describeDetail(ObjectName)
    /// `DESCRIBE FILES`: one row for each live file.
    case describeFiles(ObjectName)
    /// `FSCK TABLE`: what is wrong with the table's log and files; nothing is changed.
    case checkTable(ObjectName)
    /// `FSCK REPAIR TABLE`: and repairs what can be repaired.
    case repairTable(ObjectName, isDryRun: Bool)
    /// An empty list is `DEFAULT`.
    case set(name: String, values: [String], isLocal: Bool, position: Int)
    /// Nil is `ALL`.
    case reset(name: String?)
    case transaction(TransactionCommand)
    /// `CANCEL QUERY 'id'`
    case cancelQuery(String, position: Int)
    case prepare(Prepare)
    case execute(Execute)
    /// Nil is `ALL`.
    case deallocate(Identifier?)
    /// `DISCARD ALL`: a session as it began.
    case discardAll
    /// Part of the dialect, but not built yet; running it is error 0A000.
    case notSupported(NotSupported)

    /// What a client is told it was: the PostgreSQL command tag without counts.
    package var tag: String {
        switch self {
        case .query: "SELECT"
        case .explain: "EXPLAIN"
        case .insert: "INSERT"
        case .delete: "DELETE"
        case .update: "UPDATE"
        case .merge: "MERGE"
        case .truncate: "TRUNCATE TABLE"
        case .optimize: "OPTIMIZE"
        case .vacuum: "VACUUM"
        case .restore: "RESTORE"
        case .copy: "COPY"
        case .convert: "CONVERT"
        case .createSchema: "CREATE SCHEMA"
        case .createTopic: "CREATE TOPIC"
        case .createStreamingTable: "CREATE STREAMING TABLE"
        case .createTable: "CREATE TABLE"
        case .createView: "CREATE VIEW"
        case .createMaterializedView: "CREATE MATERIALIZED VIEW"
        case .refreshMaterializedView: "REFRESH MATERIALIZED VIEW"
        case .drop(let drop): "DROP \(drop.kind.words)"
        case .comment: "COMMENT"
        case .alter(let kind, _, _): "ALTER \(kind.words)"
        case .show: "SHOW"
        case .describe, .describeDetail, .describeFiles: "DESCRIBE"
        case .checkTable, .repairTable: "FSCK"
        case .set: "SET"
        case .reset: "RESET"
        case .transaction(let command): command.tag
        case .cancelQuery: "CANCEL QUERY"
        case .prepare: "PREPARE"
        case .execute: "EXECUTE"
        case .deallocate(let name): name == nil ? "DEALLOCATE ALL" : "DEALLOCATE"
        case .discardAll: "DISCARD ALL"
        case .notSupported(let statement): statement.words
        }
    }
}

extension Statement {
    /// Whether the catalog keeps a query of it as it was written.
    var isKeptAsText: Bool {
        switch self {
        case .createView, .createMaterializedView, .createStreamingTable, .prepare: true
        default: false
        }
    }
}

/// `PREPARE name [(type, …)] AS statement`
package struct Prepare: Hashable, Sendable {
    package var name: Identifier
    /// The declared types of `$1`, `$2` and so on; those behind the last follow from the values.
    package var types: [TypeName]
    /// The statement as written.
    package var text: String
    /// The highest `$n` in it.
    package var parameterCount: Int
}

/// `EXECUTE name [(value, …)]`
package struct Execute: Hashable, Sendable {
    package var name: Identifier
    package var values: [Expression]
}

package struct NotSupported: Hashable, Sendable {
    /// `CREATE TASK`
    package var words: String
    package var hint: String
    package var position: Int
}

package enum ObjectKind: String, Hashable, Sendable {
    case schema, table, topic, streamingTable, view, materializedView, column

    package var words: String {
        switch self {
        case .streamingTable: "STREAMING TABLE"
        case .materializedView: "MATERIALIZED VIEW"
        default: rawValue.uppercased()
        }
    }
}

package struct Explain: Hashable, Sendable {
    package enum Format: String, Hashable, Sendable, CaseIterable { case text, json }

    package var query: Query
    package var analyze = false
    package var incremental = false
    package var format: Format = .text
    /// Whether measured times are shown.
    package var timing = true
}

package struct Insert: Hashable, Sendable {
    /// What becomes of the rows that are there.
    package enum Mode: Hashable, Sendable {
        /// They stay.
        case into
        /// `INSERT OVERWRITE`: all of them go, or with `PARTITION` those of these partitions.
        case overwrite
        /// `REPLACE WHERE`: those go that fulfil the condition, which new ones must fulfil, too.
        case replace(where: Expression)
        /// `REPLACE USING (c, …)`: those go that have in these columns what a new row has.
        case replaceUsing([Identifier])
    }

    /// `PARTITION (day = '2024-01-01', hour)`: the value of a column for all rows, or, without one,
    /// a column whose values in the rows say which partitions are meant.
    package struct PartitionColumn: Hashable, Sendable {
        package var column: Identifier
        package var value: Expression?
    }

    package var target: ObjectName
    package var alias: Identifier?
    package var mode: Mode = .into
    package var partition: [PartitionColumn] = []
    /// Empty: all, in order.
    package var columns: [Identifier]
    /// `BY NAME`: the query's columns have the names of the table's.
    package var isByName = false
    package var query: Query
    package var returning: [SelectItem] = []
}

package struct ColumnDefinition: Hashable, Sendable {
    package var name: Identifier
    package var type: TypeName
    package var isNotNull = false
    package var isPrimaryKey = false
    package var value: ColumnValue?
    package var comment: String?

    package init(name: Identifier, type: TypeName) {
        self.name = name
        self.type = type
    }
}

/// Where the value of a column comes from when a row does not say it. Expressions are kept as
/// written.
package enum ColumnValue: Hashable, Sendable {
    /// `DEFAULT e`
    case standard(String, position: Int)
    /// `GENERATED ALWAYS AS (e)`
    case generated(String, position: Int)
    /// `GENERATED {ALWAYS | BY DEFAULT} AS IDENTITY [(START n INCREMENT m)]`
    case identity(Identity)

    package struct Identity: Hashable, Sendable {
        package var start: Int64 = 1
        package var step: Int64 = 1
        /// `BY DEFAULT`: rows may bring a value.
        package var allowsValues = false
        package var position: Int

        package init(position: Int) { self.position = position }
    }

    package var position: Int {
        switch self {
        case .standard(_, let position), .generated(_, let position): position
        case .identity(let identity): identity.position
        }
    }
}

/// `name = value` of a `WITH` list. The name is as written, folded, dots kept.
package struct StatementOption: Hashable, Sendable {
    package enum Setting: Hashable, Sendable {
        case text(String)
        case number(String)
        case boolean(Bool)
    }

    package var name: String
    package var setting: Setting
    package var position: Int

    /// The value as text, whatever its form.
    package var text: String {
        switch setting {
        case .text(let text), .number(let text): text
        case .boolean(let flag): flag ? "true" : "false"
        }
    }
}

package struct CreateTopic: Hashable, Sendable {
    package enum Format: String, Hashable, Sendable { case plain, upsert, debezium }
    package enum Encoding: String, Hashable, Sendable { case json, avro, bytes, text }

    package struct Watermark: Hashable, Sendable {
        package var column: Identifier
        package var expression: Expression
    }

    package var name: ObjectName
    package var ifNotExists = false
    package var columns: [ColumnDefinition] = []
    package var watermark: Watermark?
    package var key: [Identifier] = []
    package var format: Format = .plain
    package var encoding: Encoding = .json
    package var options: [StatementOption] = []
}

/// `CONSTRAINT n EXPECT (e) ON VIOLATION …`
package struct Expectation: Hashable, Sendable {
    package enum Violation: Hashable, Sendable {
        /// The row is kept and counted.
        case keep
        case dropRow
        case failUpdate
        case quarantine(into: ObjectName)
    }

    package var name: Identifier
    package var condition: Expression
    /// The condition as written, without its parentheses, for the catalog.
    package var text: String
    package var violation: Violation
}

package struct CreateStreamingTable: Hashable, Sendable {
    package var name: ObjectName
    package var ifNotExists = false
    package var orReplace = false
    package var columns: [ColumnDefinition] = []
    package var expectations: [Expectation] = []
    package var partitionedBy: [Identifier] = []
    package var clusterBy: [Identifier] = []
    package var options: [StatementOption] = []
    package var query: Query?
    /// The query as written; empty without one.
    package var queryText = ""
}

package struct CreateTable: Hashable, Sendable {
    package var name: ObjectName
    package var ifNotExists = false
    package var orReplace = false
    package var columns: [ColumnDefinition] = []
    package var primaryKey: [Identifier] = []
    package var partitionedBy: [Identifier] = []
    package var clusterBy: [Identifier] = []
    package var options: [StatementOption] = []
    package var query: Query?
    package var queryText = ""
    /// The table whose rows and columns this one begins with.
    package var clone: CloneSource?
}

/// `SHALLOW CLONE source [VERSION AS OF …]`
package struct CloneSource: Hashable, Sendable {
    package var name: ObjectName
    package var travel: TableReference.Travel?
}

package struct CreateView: Hashable, Sendable {
    package var name: ObjectName
    package var orReplace = false
    package var ifNotExists = false
    package var columns: [Identifier] = []
    package var query: Query
    package var queryText: String
}

package struct CreateMaterializedView: Hashable, Sendable {
    package enum RefreshPolicy: String, Hashable, Sendable { case full, incremental, auto }

    package var name: ObjectName
    package var orReplace = false
    package var ifNotExists = false
    package var columns: [Identifier] = []
    /// Nil when none was written.
    package var refreshPolicy: RefreshPolicy?
    package var partitionedBy: [Identifier] = []
    package var clusterBy: [Identifier] = []
    package var options: [StatementOption] = []
    package var query: Query
    package var queryText: String
    package var position: Int
}

package struct Drop: Hashable, Sendable {
    package var kind: ObjectKind
    package var names: [ObjectName]
    package var ifExists: Bool
    package var cascade: Bool
}

package enum AlterAction: Hashable, Sendable {
    case ownerTo(String)
    case setTag(name: String, value: String)
    case unsetTag(name: String)
    case setOptions([StatementOption])
    case rename(to: Identifier)
    /// `ADD CONSTRAINT n CHECK (…)`, with the condition as written.
    case addConstraint(Identifier, condition: String, position: Int)
    case dropConstraint(Identifier, ifExists: Bool)
    /// `CLUSTER BY (…)`; no columns for `CLUSTER BY NONE`.
    case clusterBy([Identifier])
    /// `UNSET TBLPROPERTIES (…)`
    case unsetOptions([Identifier], ifExists: Bool)
    case addColumns([ColumnAddition], ifNotExists: Bool)
    case dropColumns([Identifier], ifExists: Bool)
    case renameColumn(Identifier, to: Identifier)
    case alterColumn(Identifier, ColumnChange)
}

/// `ADD COLUMN`: a column and where it goes.
package struct ColumnAddition: Hashable, Sendable {
    package enum Place: Hashable, Sendable {
        case last
        case first
        case after(Identifier)
    }

    package var column: ColumnDefinition
    package var place: Place = .last
}

/// `ALTER COLUMN`: what becomes of it.
package enum ColumnChange: Hashable, Sendable {
    case setNotNull
    case dropNotNull
    /// The expression as written.
    case setDefault(String, position: Int)
    case dropDefault
    case type(TypeName)
    case comment(String?)
}

package enum Show: Hashable, Sendable {
    case tables(schema: String?)
    case views(schema: String?)
    case topics
    case schemas
    /// `SHOW FUNCTIONS [LIKE 'text']`: of all, or those whose names match.
    case functions(like: String?)
    case all
    /// `SHOW server_version`, `SHOW transaction isolation level`
    case setting(String)
}

package enum TransactionCommand: Hashable, Sendable {
    /// nil: as the session has it.
    case begin(isReadOnly: Bool?)
    case commit
    case rollback
    case savepoint(Identifier)
    case rollbackTo(Identifier)
    case release(Identifier)

    package var tag: String {
        switch self {
        case .begin: "BEGIN"
        case .commit: "COMMIT"
        case .rollback, .rollbackTo: "ROLLBACK"
        case .savepoint: "SAVEPOINT"
        case .release: "RELEASE"
        }
    }

    /// As messages name it.
    package var words: String {
        switch self {
        case .rollbackTo: "ROLLBACK TO SAVEPOINT"
        case .release: "RELEASE SAVEPOINT"
        default: tag
        }
    }
}
