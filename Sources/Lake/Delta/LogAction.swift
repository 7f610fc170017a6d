// The actions of a commit: one JSON object with one member a line of `_delta_log/N.json`.
//
// | member | says |
// |---|---|
// | protocol | which readers and writers may touch the table |
// | metaData | id, columns, partition columns, settings |
// | add / remove | a data file becomes, ceases to be, part of the table |
// | txn | the last batch that an application committed |
// | commitInfo | who did what when; free form |
// | domainMetadata | settings of a named subsystem |
// | cdc, sidecar, checkpointMetadata, … | skipped by readers that do not need them |

import Base

/// One line of a commit.
package enum LogAction: Hashable, Sendable {
    case tableProtocol(TableProtocol)
    case metadata(TableMetadata)
    case add(AddFile)
    case remove(RemoveFile)
    case transaction(ApplicationTransaction)
    case commitInfo(JSONValue)
    case domainMetadata(DomainMetadata)
    /// An action that we do not need, as it was.
    case other(name: String, JSONValue)
}

/// Which readers and writers may touch the table.
package struct TableProtocol: Hashable, Sendable {
    package var minReaderVersion: Int
    package var minWriterVersion: Int
    /// Only with reader version 3, writer version 7.
    package var readerFeatures: [String]?
    package var writerFeatures: [String]?

    package init(
        minReaderVersion: Int = 1, minWriterVersion: Int = 2, readerFeatures: [String]? = nil,
        writerFeatures: [String]? = nil
    ) {
        self.minReaderVersion = minReaderVersion
        self.minWriterVersion = minWriterVersion
        self.readerFeatures = readerFeatures
        self.writerFeatures = writerFeatures
    }
}

/// What the table is: columns, partition columns, settings.
package struct TableMetadata: Hashable, Sendable {
    package var id: String
    package var name: String?
    package var comment: String?
    package var schema: DeltaSchema
    package var partitionColumns: [String]
    package var configuration: OrderedMap<String, String>
    package var createdTime: Timestamp?

    package init(
        id: String, name: String? = nil, comment: String? = nil, schema: DeltaSchema,
        partitionColumns: [String] = [], configuration: OrderedMap<String, String> = [:],
        createdTime: Timestamp? = nil
    ) {
        self.id = id
        self.name = name
        self.comment = comment
        self.schema = schema
        self.partitionColumns = partitionColumns
        self.configuration = configuration
        self.createdTime = createdTime
    }
}

/// A data file that belongs to the table.
package struct AddFile: Hashable, Sendable {
    /// Relative to the table's folder, or an address (see `TablePath`); not percent-encoded.
    package var path: String
    package var partitionValues: PartitionValues
    package var size: Int64
    package var modificationTime: Timestamp
    /// False for files that only rearrange rows that were there before.
    package var dataChange: Bool
    /// Statistics as their JSON text: see `FileStatistics`.
    package var statistics: String?
    package var tags: [JSONMember]?
    package var deletionVector: DeletionVector?
    package var baseRowID: Int64?
    package var defaultRowCommitVersion: Int64?
    package var clusteringProvider: String?

    package init(
        path: String, partitionValues: PartitionValues = PartitionValues(), size: Int64,
        modificationTime: Timestamp, dataChange: Bool = true, statistics: String? = nil
    ) {
        self.path = path
        self.partitionValues = partitionValues
        self.size = size
        self.modificationTime = modificationTime
        self.dataChange = dataChange
        self.statistics = statistics
    }

    package var key: FileKey { FileKey(path: path, deletionVectorID: deletionVector?.uniqueID) }
}

/// A data file that ceased to belong to the table.
package struct RemoveFile: Hashable, Sendable {
    package var path: String
    package var deletionTimestamp: Timestamp?
    package var dataChange: Bool
    package var partitionValues: PartitionValues?
    package var size: Int64?
    package var tags: [JSONMember]?
    package var deletionVector: DeletionVector?
    package var baseRowID: Int64?
    package var defaultRowCommitVersion: Int64?

    package init(path: String, deletionTimestamp: Timestamp?, dataChange: Bool = true) {
        self.path = path
        self.deletionTimestamp = deletionTimestamp
        self.dataChange = dataChange
    }

    /// The removal of `file`.
    package init(_ file: AddFile, at moment: Timestamp, dataChange: Bool = true) {
        self.init(path: file.path, deletionTimestamp: moment, dataChange: dataChange)
        partitionValues = file.partitionValues
        size = file.size
        tags = file.tags
        deletionVector = file.deletionVector
        baseRowID = file.baseRowID
        defaultRowCommitVersion = file.defaultRowCommitVersion
    }

    package var key: FileKey { FileKey(path: path, deletionVectorID: deletionVector?.uniqueID) }
}

/// Where the deleted rows of a file are listed.
package struct DeletionVector: Hashable, Sendable {
    package var storageType: String
    package var pathOrInline: String
    package var offset: Int64?
    package var sizeInBytes: Int64
    package var cardinality: Int64

    package var uniqueID: String {
        storageType + pathOrInline + (offset.map { "@\($0)" } ?? "")
    }
}

/// What makes two actions speak of the same file. Paths are compared byte by byte: to a file
/// system, two spellings of one accented letter are two names.
package struct FileKey: Hashable, Sendable {
    package var path: String
    package var deletionVectorID: String?

    package init(path: String, deletionVectorID: String? = nil) {
        self.path = path
        self.deletionVectorID = deletionVectorID
    }

    package static func == (left: FileKey, right: FileKey) -> Bool {
        left.path.utf8.elementsEqual(right.path.utf8)
            && left.deletionVectorID == right.deletionVectorID
    }

    package func hash(into hasher: inout Hasher) {
        var text = path
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}

/// The last batch that an application committed, so that it can tell a repeated one.
package struct ApplicationTransaction: Hashable, Sendable {
    package var appID: String
    package var version: Int64
    package var lastUpdated: Timestamp?

    package init(appID: String, version: Int64, lastUpdated: Timestamp? = nil) {
        self.appID = appID
        self.version = version
        self.lastUpdated = lastUpdated
    }
}

/// The settings of a named subsystem; unknown domains are carried along.
package struct DomainMetadata: Hashable, Sendable {
    package var domain: String
    package var configuration: String
    package var isRemoved: Bool

    package init(domain: String, configuration: String, isRemoved: Bool) {
        self.domain = domain
        self.configuration = configuration
        self.isRemoved = isRemoved
    }
}
