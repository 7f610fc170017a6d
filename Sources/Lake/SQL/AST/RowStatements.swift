// Statements that change rows of a table, and those that look after its files.

/// The table that a statement changes.
package struct ChangeTarget: Hashable, Sendable {
    package var name: ObjectName
    package var alias: Identifier?

    package init(name: ObjectName, alias: Identifier? = nil) {
        self.name = name
        self.alias = alias
    }
}

/// `DELETE FROM t [USING …] [WHERE …] [RETURNING …]`
package struct Delete: Hashable, Sendable {
    package var target: ChangeTarget
    /// `USING`: what the condition may speak of besides the target.
    package var others: [FromItem] = []
    package var filter: Expression?
    package var returning: [SelectItem] = []

    package init(
        target: ChangeTarget, others: [FromItem] = [], filter: Expression? = nil,
        returning: [SelectItem] = []
    ) {
        self.target = target
        self.others = others
        self.filter = filter
        self.returning = returning
    }
}

/// `column = value`; a nil value is `DEFAULT`.
package struct Assignment: Hashable, Sendable {
    package var column: Identifier
    package var value: Expression?
}

/// `UPDATE t SET … [FROM …] [WHERE …] [RETURNING …]`
package struct Update: Hashable, Sendable {
    package var target: ChangeTarget
    package var assignments: [Assignment]
    package var others: [FromItem] = []
    package var filter: Expression?
    package var returning: [SelectItem] = []
}

/// `TRUNCATE [TABLE] t, …`
package struct Truncate: Hashable, Sendable {
    package var names: [ObjectName]
}

/// `MERGE INTO t USING s ON … WHEN … [RETURNING …]`
package struct Merge: Hashable, Sendable {
    package var target: ChangeTarget
    /// `WITH SCHEMA EVOLUTION`: columns that only the source has are added.
    package var evolvesSchema: Bool
    package var source: FromItem
    package var condition: Expression
    package var clauses: [MergeClause]
    /// Over the columns of both tables, those of the target as the statement left them (of a deleted
    /// row: as they were), and `merge_action()`.
    package var returning: [SelectItem] = []
    package var position: Int
}

/// One `WHEN` of a MERGE. For each pair the first that fits decides.
package struct MergeClause: Hashable, Sendable {
    package enum Kind: String, Hashable, Sendable {
        case matched = "WHEN MATCHED"
        case notMatched = "WHEN NOT MATCHED"
        case notMatchedBySource = "WHEN NOT MATCHED BY SOURCE"
    }

    package enum Action: Hashable, Sendable {
        case delete
        case doNothing
        case update([Assignment])
        /// `UPDATE SET *`: each column from the source's of the same name.
        case updateAll
        /// Without columns: all, in order. A nil value is `DEFAULT`.
        case insert([Identifier], [Expression?])
        /// `INSERT *`
        case insertAll
    }

    package var kind: Kind
    package var condition: Expression?
    package var action: Action
    package var position: Int
}

/// `OPTIMIZE t [FULL] [WHERE …] [ZORDER BY (…)]`
package struct Optimize: Hashable, Sendable {
    package var name: ObjectName
    package var filter: Expression?
    package var zOrder: [Identifier]
    /// `FULL`: of a clustered table all files.
    package var isFull = false
}

/// `VACUUM t [RETAIN n HOURS] [DRY RUN]`
package struct Vacuum: Hashable, Sendable {
    package var name: ObjectName
    /// `168 hours`, `30 days`
    package var retention: String?
    package var isDryRun: Bool
}

/// `CONVERT TO DELTA parquet.'path' [NO STATISTICS] [PARTITIONED BY (day date, …)]`
package struct Convert: Hashable, Sendable {
    package var name: ObjectName
    package var partitionedBy: [ColumnDefinition]
    package var collectsStatistics: Bool
}

/// `RESTORE TABLE t TO VERSION AS OF …`
package struct Restore: Hashable, Sendable {
    package var name: ObjectName
    package var travel: TableReference.Travel
}
