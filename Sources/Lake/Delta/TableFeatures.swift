import Base

/// Which features of the table format we can read and write. What is not listed is refused by name:
/// a feature changes what the files mean, so reading on without it would give wrong rows.
enum TableFeatures {
    /// Features a reader must know, that we do: those that need nothing of us as long as no file or
    /// setting uses them are checked where they would be used.
    private static let readable = [
        "timestampNtz", "deletionVectors", "columnMapping", "vacuumProtocolCheck", "v2Checkpoint",
    ]

    private static let writable =
        readable + [
            "appendOnly", "invariants", "checkConstraints", "changeDataFeed", "generatedColumns",
            "identityColumns", "domainMetadata", "inCommitTimestamp",
        ]

    static func requireReadable(
        _ tableProtocol: TableProtocol, _ metadata: TableMetadata
    ) throws(DeltaFailure) {
        guard tableProtocol.minReaderVersion <= 3 else {
            throw .unsupportedFeature(
                "reader version \(tableProtocol.minReaderVersion)", use: .read)
        }
        if tableProtocol.minReaderVersion == 3 {
            for feature in tableProtocol.readerFeatures ?? [] where !readable.contains(feature) {
                throw .unsupportedFeature(feature, use: .read)
            }
        }
        if let mode = metadata.configuration["delta.columnMapping.mode"], mode != "none" {
            throw .unsupportedFeature("columnMapping", use: .read)
        }
    }

    static func requireWritable(
        _ tableProtocol: TableProtocol, _ metadata: TableMetadata
    ) throws(DeltaFailure) {
        try requireReadable(tableProtocol, metadata)
        let version = tableProtocol.minWriterVersion
        guard version <= 7 else {
            throw .unsupportedFeature("writer version \(version)", use: .write)
        }
        if version == 7 {
            for feature in tableProtocol.writerFeatures ?? [] where !writable.contains(feature) {
                throw .unsupportedFeature(feature, use: .write)
            }
        }
        // Listed or implied features that need nothing of us while they are not in use.
        for key in metadata.configuration.keys where key.hasPrefix("delta.constraints.") {
            throw .unsupportedFeature("checkConstraints", use: .write)
        }
        for field in metadata.schema.fields {
            for entry in field.metadata {
                switch entry.key {
                case "delta.invariants": throw .unsupportedFeature("invariants", use: .write)
                case "delta.generationExpression":
                    throw .unsupportedFeature("generatedColumns", use: .write)
                case let key where key.hasPrefix("delta.identity."):
                    throw .unsupportedFeature("identityColumns", use: .write)
                default: break
                }
            }
        }
    }

    /// The oldest protocol that can hold `schema`: everybody reads version 1, and a local time
    /// without a zone needs its feature.
    static func minimalProtocol(for schema: DeltaSchema) -> TableProtocol {
        guard DeltaType.structure(schema.fields).contains(.timestampNTZ) else {
            return TableProtocol(minReaderVersion: 1, minWriterVersion: 2)
        }
        return TableProtocol(
            minReaderVersion: 3, minWriterVersion: 7, readerFeatures: ["timestampNtz"],
            writerFeatures: ["appendOnly", "invariants", "timestampNtz"])
    }
}

extension TableFeatures {
    /// The protocol that `current` must become so that it can hold `schema`; nil when it can.
    static func upgrade(
        of current: TableProtocol, for schema: DeltaSchema
    ) throws(DeltaFailure) -> TableProtocol? {
        let needed = minimalProtocol(for: schema)
        guard let feature = needed.readerFeatures?.first else { return nil }
        if current.minReaderVersion == 3, current.minWriterVersion == 7 {
            var upgraded = current
            if current.readerFeatures?.contains(feature) == true { return nil }
            upgraded.readerFeatures = (current.readerFeatures ?? []) + [feature]
            upgraded.writerFeatures = (current.writerFeatures ?? []) + [feature]
            return upgraded
        }
        // The versions between stand for features that would have to be listed by name.
        guard current.minReaderVersion == 1, current.minWriterVersion <= 2 else {
            throw .unsupportedFeature(feature, use: .write)
        }
        return needed
    }
}

extension TableMetadata {
    package func flag(_ key: String) -> Bool { configuration[key]?.lowercased() == "true" }

    /// How many leaf columns have statistics; negative = all.
    package var indexedColumns: Int {
        configuration["delta.dataSkippingNumIndexedCols"].flatMap { Int($0) }
            ?? DeltaLimits.indexedColumns
    }

    /// How long a removed file stays listed, in milliseconds: `interval 1 week` and its like.
    package var tombstoneMilliseconds: Int64 {
        Self.intervalMilliseconds(configuration["delta.deletedFileRetentionDuration"] ?? "")
            ?? 7 * 86_400_000
    }

    static func intervalMilliseconds(_ text: String) -> Int64? {
        let words = text.lowercased().split(separator: " ").filter { $0 != "interval" }
        guard words.count >= 2, words.count % 2 == 0 else { return nil }
        var total: Int64 = 0
        for index in stride(from: 0, to: words.count, by: 2) {
            guard let count = Int64(words[index]), (0...1_000_000_000).contains(count) else {
                return nil
            }
            var unit = words[index + 1]
            if unit.hasSuffix("s") { unit = unit.dropLast() }
            switch unit {
            case "week": total += count * 604_800_000
            case "day": total += count * 86_400_000
            case "hour": total += count * 3_600_000
            case "minute": total += count * 60_000
            case "second": total += count * 1000
            case "millisecond": total += count
            default: return nil
            }
        }
        return total
    }
}
