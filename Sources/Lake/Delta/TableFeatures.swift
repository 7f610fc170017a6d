import Base

/// Which features of the table format we can read and write. What is not listed is refused by name:
/// a feature changes what the files mean, so reading or writing on without it would give wrong rows.
package enum TableFeatures {
    /// One feature by its name in the protocol.
    struct Feature: Sendable {
        var name: String
        /// Readers must know it, too.
        var isForReaders = false
        /// The writer version before 7 that stands for it, or nil.
        var writerVersion: Int?
        /// False when we read such tables and do not change them.
        var isWritable = true
    }

    /// What we know, in the order in which protocols that we write list them.
    static let known: [Feature] = [
        Feature(name: "appendOnly", writerVersion: 2),
        Feature(name: "invariants", writerVersion: 2),
        Feature(name: "checkConstraints", writerVersion: 3),
        Feature(name: "changeDataFeed", writerVersion: 4),
        Feature(name: "generatedColumns", writerVersion: 4),
        Feature(name: "columnMapping", isForReaders: true, writerVersion: 5),
        Feature(name: "identityColumns", writerVersion: 6),
        Feature(name: "deletionVectors", isForReaders: true),
        Feature(name: "timestampNtz", isForReaders: true),
        Feature(name: "v2Checkpoint", isForReaders: true),
        Feature(name: "vacuumProtocolCheck", isForReaders: true),
        Feature(name: "typeWidening", isForReaders: true),
        Feature(name: "typeWidening-preview", isForReaders: true),
        Feature(name: "variantType", isForReaders: true),
        Feature(name: "variantType-preview", isForReaders: true),
        // What shredded files hold is read; that we write none is for their owners to know.
        Feature(name: "variantShredding", isForReaders: true, isWritable: false),
        Feature(name: "variantShredding-preview", isForReaders: true, isWritable: false),
        Feature(name: "domainMetadata"),
        Feature(name: "inCommitTimestamp"),
        Feature(name: "allowColumnDefaults"),
        Feature(name: RowTracking.feature),
        Feature(name: Clustering.feature),
        Feature(name: "icebergCompatV1", isWritable: false),
        Feature(name: "icebergCompatV2", isWritable: false),
    ]

    private static let variantFeature = "variantType"

    private static func feature(_ name: String) -> Feature? { known.first { $0.name == name } }

    static func requireReadable(
        _ tableProtocol: TableProtocol, _ metadata: TableMetadata
    ) throws(DeltaFailure) {
        guard tableProtocol.minReaderVersion <= 3 else {
            throw .unsupportedFeature(
                "reader version \(tableProtocol.minReaderVersion)", use: .read)
        }
        if tableProtocol.minReaderVersion == 3 {
            for name in tableProtocol.readerFeatures ?? [] {
                guard let feature = feature(name), feature.isForReaders else {
                    throw .unsupportedFeature(name, use: .read)
                }
            }
        }
        if let mode = metadata.configuration["delta.columnMapping.mode"],
            ColumnMappingMode(rawValue: mode.lowercased()) == nil
        {
            throw .unsupportedFeature("columnMapping by \(mode)", use: .read)
        }
    }

    /// `checksRows` says that somebody evaluates the table's conditions on rows: see `RowRules`.
    static func requireWritable(
        _ tableProtocol: TableProtocol, _ metadata: TableMetadata, checksRows: Bool = false
    ) throws(DeltaFailure) {
        try requireReadable(tableProtocol, metadata)
        let version = tableProtocol.minWriterVersion
        guard version <= 7 else {
            throw .unsupportedFeature("writer version \(version)", use: .write)
        }
        if version == 7 {
            for name in tableProtocol.writerFeatures ?? [] {
                guard let feature = feature(name), feature.isWritable else {
                    throw .unsupportedFeature(name, use: .write)
                }
            }
        }
        for (key, value) in metadata.configuration where value.lowercased() == "true" {
            if key.hasPrefix("delta.enableIcebergCompat") {
                throw .unsupportedFeature(String(key.dropFirst("delta.enable".count)), use: .write)
            }
        }
        if !checksRows, let feature = metadata.rowRuleFeature {
            throw .unsupportedFeature(feature, use: .write)
        }
    }

    // MARK: Choosing a protocol

    /// The oldest protocol that can hold `metadata`: everybody reads version 1, and what needs more
    /// is listed by name.
    static func minimalProtocol(for metadata: TableMetadata) throws(DeltaFailure) -> TableProtocol {
        let oldest = TableProtocol(minReaderVersion: 1, minWriterVersion: 2)
        return try upgrade(of: oldest, for: metadata) ?? oldest
    }

    /// The protocol that `current` must become so that it can hold `metadata`, and has the features
    /// of `other`; nil when it can.
    static func upgrade(
        of current: TableProtocol, for metadata: TableMetadata, needing other: TableProtocol? = nil
    ) throws(DeltaFailure) -> TableProtocol? {
        var needed: [Feature] = []
        for name in other.map({ writerFeatures(of: $0) }) ?? [] {
            guard let feature = feature(name) else {
                throw .unsupportedFeature(name, use: .write)
            }
            needed.append(feature)
        }
        // Tables from before the feature had its name keep the old one.
        let preview = variantFeature + "-preview"
        let isPreview = writerFeatures(of: current).contains(preview)
        for name in try featureNames(of: metadata) {
            if isPreview, name == variantFeature { continue }
            guard let feature = feature(name) else {
                throw .unsupportedFeature(name, use: .write)
            }
            if !needed.contains(where: { $0.name == name }) { needed.append(feature) }
        }
        let present = writerFeatures(of: current)
        let readerPresent = readerFeatures(of: current)
        let missing = needed.filter {
            !present.contains($0.name) || $0.isForReaders && !readerPresent.contains($0.name)
        }
        if missing.isEmpty { return nil }
        let all = present + missing.map(\.name).filter { !present.contains($0) }
        let forReaders =
            readerPresent
            + missing.filter { $0.isForReaders && !readerPresent.contains($0.name) }.map(\.name)
        var upgraded = TableProtocol(
            minReaderVersion: current.minReaderVersion, minWriterVersion: 7,
            writerFeatures: all)
        if !forReaders.isEmpty {
            upgraded.minReaderVersion = 3
            upgraded.readerFeatures = forReaders
        }
        return upgraded
    }

    /// The features that writers of `tableProtocol` must keep, those included that an older version
    /// stands for.
    static func writerFeatures(of tableProtocol: TableProtocol) -> [String] {
        if tableProtocol.minWriterVersion >= 7 { return tableProtocol.writerFeatures ?? [] }
        return known.filter {
            $0.writerVersion.map { $0 <= tableProtocol.minWriterVersion } ?? false
        }.map(\.name)
    }

    static func readerFeatures(of tableProtocol: TableProtocol) -> [String] {
        if tableProtocol.minReaderVersion >= 3 { return tableProtocol.readerFeatures ?? [] }
        return tableProtocol.minReaderVersion == 2 ? ["columnMapping"] : []
    }

    /// The features that the columns and settings of `metadata` need.
    private static func featureNames(of metadata: TableMetadata) throws(DeltaFailure) -> [String] {
        var names: [String] = []
        func add(_ name: String) { if !names.contains(name) { names.append(name) } }
        let settings: [(key: String, feature: String)] = [
            ("delta.appendOnly", "appendOnly"),
            ("delta.enableChangeDataFeed", "changeDataFeed"),
            ("delta.enableDeletionVectors", "deletionVectors"),
            ("delta.enableInCommitTimestamps", "inCommitTimestamp"),
            ("delta.enableTypeWidening", "typeWidening"),
        ]
        for setting in settings where metadata.flag(setting.key) { add(setting.feature) }
        if metadata.keepsRowNumbers {
            add("domainMetadata")
            add(RowTracking.feature)
        }
        if metadata.columnMapping != .none { add("columnMapping") }
        if metadata.configuration["delta.checkpointPolicy"]?.lowercased() == "v2" {
            add("v2Checkpoint")
        }
        for (key, value) in metadata.configuration {
            if key.hasPrefix(TableMetadata.constraintPrefix) { add("checkConstraints") }
            if key.hasPrefix("delta.feature."), value == "supported" || value == "enabled" {
                add(String(key.dropFirst("delta.feature.".count)))
            }
        }
        let columns = DeltaType.structure(metadata.schema.fields)
        if columns.contains(.timestampNTZ) { add("timestampNtz") }
        if columns.contains(.variant) { add(variantFeature) }
        for field in metadata.schema.fields {
            if field.metadataValue(DeltaField.generationKey) != nil { add("generatedColumns") }
            if field.metadataValue(DeltaField.defaultKey) != nil { add("allowColumnDefaults") }
            if field.metadataValue(DeltaField.invariantKey) != nil { add("invariants") }
            if try field.identity() != nil { add("identityColumns") }
        }
        return names
    }
}

extension TableProtocol {
    /// Whether writers may use a feature: a setting alone does not switch it on.
    func supports(_ feature: String) -> Bool {
        let forReaders = TableFeatures.known.first { $0.name == feature }?.isForReaders ?? false
        return TableFeatures.writerFeatures(of: self).contains(feature)
            && (!forReaders || TableFeatures.readerFeatures(of: self).contains(feature))
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
