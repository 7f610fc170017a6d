import Base

/// What a commit does, for the table's history.
package struct CommitOperation: Hashable, Sendable {
    package var name: String
    /// Values are written as JSON texts, as other engines do.
    package var parameters: [JSONMember]
    /// Figures of the work, as texts of numbers; they replace our own of the same name.
    package var metrics: [JSONMember]

    package init(
        _ name: String, parameters: [JSONMember] = [], metrics: [JSONMember] = []
    ) {
        self.name = name
        self.parameters = parameters
        self.metrics = metrics
    }

    /// Rows added by a writer that read nothing.
    package static func append(partitionBy columns: [String] = []) -> CommitOperation {
        CommitOperation(
            "WRITE",
            parameters: [
                JSONMember("mode", "Append"), JSONMember("partitionBy", names(columns)),
            ])
    }

    /// The whole content replaced.
    package static func overwrite(partitionBy columns: [String] = []) -> CommitOperation {
        CommitOperation(
            "WRITE",
            parameters: [
                JSONMember("mode", "Overwrite"), JSONMember("partitionBy", names(columns)),
            ])
    }

    /// One epoch of a streaming table.
    package static func streamingUpdate(queryID: String, epoch: Int64) -> CommitOperation {
        CommitOperation(
            "STREAMING UPDATE",
            parameters: [
                JSONMember("outputMode", "Append"), JSONMember("queryId", .string(queryID)),
                JSONMember("epochId", .string(String(epoch))),
            ])
    }

    static func createTable(_ metadata: TableMetadata) -> CommitOperation {
        let properties = JSONValue.object(
            metadata.configuration.map { JSONMember($0.key, .string($0.value)) })
        return CommitOperation(
            "CREATE TABLE",
            parameters: [
                JSONMember("isManaged", "true"),
                JSONMember("description", metadata.comment.map { .string($0) } ?? .null),
                JSONMember("partitionBy", names(metadata.partitionColumns)),
                JSONMember("properties", .string(properties.text)),
            ])
    }

    private static func names(_ columns: [String]) -> JSONValue {
        .string(JSONValue.array(columns.map { .string($0) }).text)
    }

    /// What we call ourselves in the log.
    static let engine = "Weir/0.1"

    func commitInfo(
        timestamp: Timestamp, readVersion: Int64?, isBlindAppend: Bool, metrics: [JSONMember],
        transactionID: String, preservesRowNumbers: Bool? = nil, inCommitTimestamp: Bool
    ) -> JSONValue {
        var object = SparseObject()
        if inCommitTimestamp { object.add("inCommitTimestamp", timestamp.milliseconds) }
        object.add("timestamp", timestamp.milliseconds)
        object.add("operation", name)
        object.add("operationParameters", .object(parameters))
        object.add("readVersion", readVersion)
        object.add("isolationLevel", "Serializable")
        object.add("isBlindAppend", isBlindAppend)
        if !metrics.isEmpty { object.add("operationMetrics", .object(metrics)) }
        if let preservesRowNumbers {
            object.add(
                "tags",
                ["delta.rowTracking.preserved": .string(String(preservesRowNumbers))])
        }
        object.add("engineInfo", Self.engine)
        object.add("txnId", transactionID)
        return object.json
    }
}
