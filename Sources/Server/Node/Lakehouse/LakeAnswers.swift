// What the lakehouse answers: to HTTP, to the command line, to the demo.

import Base
import Columns
import SQL

/// How a statement is to be run.
package struct StatementOptions: Sendable {
    /// Rows beyond this many are not computed further; the answer says that it was cut.
    package var rowLimit: Int
    /// Asked between batches; true ends the statement with 57014.
    package var isCancelled: @Sendable () -> Bool
    /// Asked at most every 50 ms while the statement runs: true ends it, nobody waits for it.
    package var isAbandoned: @Sendable () -> Bool = { false }
    /// What stands for `$1`, `$2` and so on.
    package var parameters: [Expression] = []
    /// What `COPY … FROM STDIN` reads.
    package var data: Bytes?
    /// The client's settings and prepared statements, if it has a session.
    package var session: LakeSession?
    /// How long all of the script may take.
    package var timeout: Duration?
    /// The client's own name for the request, by which it can be cancelled.
    package var queryID: String?
    package var user = "weir"

    package init(
        rowLimit: Int = Limits.queryRowsDefault,
        isCancelled: @escaping @Sendable () -> Bool = { false }
    ) {
        self.rowLimit = rowLimit
        self.isCancelled = isCancelled
    }
}

extension StatementOptions {
    /// With a session that ends with the request, when it belongs to none: a script's statements are
    /// carried out one behind the other in any case.
    var withSession: StatementOptions {
        var options = self
        if options.session == nil { options.session = LakeSession(isOfRequest: true) }
        return options
    }
}

/// The outcome of one statement.
package struct StatementAnswer: Sendable {
    /// The command tag: `SELECT 5`, `CREATE TOPIC`.
    package var tag: String
    /// Empty for statements that return no rows.
    package var columns: [Field]
    package var batches: [ColumnBatch]
    package var isTruncated: Bool
    /// Things that the user should know and that are no errors.
    package var notices: [String]
    /// What reading the tables took.
    package var scan: ScanFigures

    package init(
        tag: String, columns: [Field] = [], batches: [ColumnBatch] = [], isTruncated: Bool = false,
        notices: [String] = [], scan: ScanFigures = ScanFigures()
    ) {
        self.tag = tag
        self.columns = columns
        self.batches = batches
        self.isTruncated = isTruncated
        self.notices = notices
        self.scan = scan
    }

    package var rowCount: Int { batches.reduce(0) { $0 + $1.rowCount } }
}

/// What a query read.
package struct ScanFigures: Hashable, Sendable {
    /// Those that the queries' conditions leave, whether they have been read yet or not.
    package var filesRead = 0
    package var filesSkipped = 0
    package var bytesRead: Int64 = 0
    /// How far reading is.
    package var filesDone = 0
    package var bytesDone: Int64 = 0

    package init() {}
}

/// One relation as lists and the catalog show it.
package struct TableReport: Sendable {
    package var schema: String
    package var name: String
    /// `streaming table`, `materialized view`, `view`, `topic`
    package var kind: String
    package var owner: String
    package var comment: String?
    package var columns: [Field]
    package var partitionColumns: [String]
    /// Folder below the lake's root; nil for views and topics.
    package var path: String?
    /// Nil for views and topics.
    package var version: Int64?
    package var rows: Int64?
    package var bytes: Int64?
    package var files: Int?
    package var lastCommit: Timestamp?
    package var sources: [String]
    package var settings: [TopicSetting]
    package var tags: [TopicSetting]
    package var expectations: [ExpectationReport]
    /// The declaration as written.
    package var statement: String
    /// Why the relation does not move on, if it does not.
    package var failure: String?

    package var fullName: String { schema.isEmpty ? name : "\(schema).\(name)" }

    package init(schema: String, name: String, kind: String) {
        self.schema = schema
        self.name = name
        self.kind = kind
        owner = ""
        columns = []
        partitionColumns = []
        sources = []
        settings = []
        tags = []
        expectations = []
        statement = ""
    }
}

/// A rule of a table and how often rows kept and broke it since the table was created.
package struct ExpectationReport: Hashable, Sendable {
    package var name: String
    package var condition: String
    /// `keep`, `drop row`, `fail update`, `quarantine into …`
    package var action: String
    package var passed: Int64
    package var failed: Int64

    package init(name: String, condition: String, action: String, passed: Int64, failed: Int64) {
        self.name = name
        self.condition = condition
        self.action = action
        self.passed = passed
        self.failed = failed
    }
}

/// One version of a table.
package struct VersionReport: Sendable {
    package var version: Int64
    package var timestamp: Timestamp
    package var operation: String
    package var metrics: [JSONMember]

    package init(version: Int64, timestamp: Timestamp, operation: String, metrics: [JSONMember]) {
        self.version = version
        self.timestamp = timestamp
        self.operation = operation
        self.metrics = metrics
    }
}
