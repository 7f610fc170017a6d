/// The bounds of everything that could otherwise grow without end, each with its reason.
/// `LimitsTests` asserts the relations between them.
package enum Limits {
    /// One request of the broker protocol; Apache Kafka's `socket.request.max.bytes`.
    package static let requestBytes = 104_857_600
    /// A request of a connection that has not been heard of before must be small (ApiVersions).
    package static let firstRequestBytes = 1 << 20
    /// One record batch, compressed, as on the wire; Apache Kafka's `max.message.bytes`.
    package static let recordBatchBytes = 1_048_588
    /// What one compressed batch may expand to. 64 MiB is 64 times the largest batch: JSON reaches
    /// ratios near 30, a bomb reaches 1,000.
    package static let decompressedBatchBytes = 64 << 20
    /// Records in one batch.
    package static let recordsPerBatch = 1_000_000
    /// Elements of one array in a request, whatever its bytes would allow.
    package static let arrayElements = 1_000_000
    package static let topicNameBytes = 249
    package static let partitionsPerTopic = 10_000
    /// Nesting of a SQL expression, a JSON value or a Parquet schema. A recursive parser dies near
    /// 37,000 levels of an 8 MiB stack; worker threads have less.
    package static let nestingDepth = 128
    /// One SQL text.
    package static let sqlBytes = 1 << 20
    /// One JSON document on an HTTP endpoint.
    package static let httpBodyBytes = 16 << 20
    /// Rows that `POST /query` returns unless told otherwise.
    package static let queryRowsDefault = 1000
    /// Memory one query may hold before it is refused.
    package static let queryBytes = 1 << 30
    /// Unsent answers of one connection before it is closed as a reader that never reads.
    package static let connectionOutputBytes = 256 << 20
    /// Connections on the broker port.
    package static let connections = 20_000
    /// Access rules of a cluster: each is kept in memory twice and looked at when listed.
    package static let accessRules = 100_000
    /// A name in an access rule, a user, an entity of a quota.
    package static let accessRuleTextBytes = 1024
    /// SCRAM credentials, and entities with quotas.
    package static let users = 100_000
    /// What a connection may send before it has proved who it is: all of it, and in how many
    /// requests. Sign-on takes four small ones.
    package static let unauthenticatedBytes = 64 << 10
    package static let unauthenticatedRequests = 10
    /// Scans of fewer rows are not worth the threads that could share them: they take some
    /// milliseconds.
    package static let dividedFromRows: Int64 = 200_000
    /// Threads that work on one query unless somebody wishes for more.
    package static let queryThreads = 8
    /// Rows of one column batch: fits the first-level cache, amortises a call over 2048 rows.
    package static let batchRows = 2048
    /// A Parquet page's and footer's bounds when read.
    package static let parquetFooterBytes = 256 << 20
    package static let parquetPageBytes = 256 << 20
    /// Values of one column chunk: run lengths make a billion values out of five bytes. Writers make
    /// row groups of about a million rows.
    package static let parquetChunkValues = 1 << 26
    /// Memory that the columns of one row group may take once decoded.
    package static let parquetResultBytes = 4 << 30
}
