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
    case optimize(Optimize)
    case vacuum(Vacuum)
    case restore(Restore)
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
    /// An empty list is `DEFAULT`.
    case set(name: String, values: [String], isLocal: Bool, position: Int)
    /// Nil is `ALL`.
    case reset(name: String?)
    case transaction(TransactionCommand)
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
        case .optimize: "OPTIMIZE"
        case .vacuum: "VACUUM"
        case .restore: "RESTORE"
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
        case .checkTable: "FSCK"
        case .set: "SET"
        case .reset: "RESET"
        case .transaction(let command): command.tag
        case .notSupported(let statement): statement.words
        }
    }
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
    package var query: Query
    package var analyze = false
    package var incremental = false
}

package struct Insert: Hashable, Sendable {
    package var target: ObjectName
    /// Empty: all, in order.
    package var columns: [Identifier]
    package var query: Query
}

package struct ColumnDefinition: Hashable, Sendable {
    package var name: Identifier
    package var type: TypeName
    package var isNotNull = false
    package var isPrimaryKey = false
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
    package var columns: [ColumnDefinition] = []
    package var primaryKey: [Identifier] = []
    package var partitionedBy: [Identifier] = []
    package var clusterBy: [Identifier] = []
    package var options: [StatementOption] = []
    package var query: Query?
    package var queryText = ""
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
}

package enum Show: Hashable, Sendable {
    case tables(schema: String?)
    case views(schema: String?)
    case topics
    case schemas
    case all
    /// `SHOW server_version`, `SHOW transaction isolation level`
    case setting(String)
}

package enum TransactionCommand: String, Hashable, Sendable {
    case begin, commit, rollback

    package var tag: String { rawValue.uppercased() }
}
