// Clustered tables: OPTIMIZE brings rows near each other by the columns that the domain
// `delta.clustering` names, each by its path of physical names:
//
//   {"clusteringColumns":[["a"],["b"]]}
//
// Files in that order carry the name of who ordered them; only others are rewritten the next time.

import Base
import Columns

package enum Clustering {
    static let feature = "clustering"
    static let domain = "delta.clustering"
    /// Stands in files that we have ordered.
    package static let provider = "weir"
    /// More columns would cut each of them into too few ranges.
    package static let columnsMax = 4

    /// The domain of a table that is clustered by `columns`; none = not any more.
    static func domain(
        _ columns: [String], _ metadata: TableMetadata
    ) throws(DeltaFailure) -> DomainMetadata {
        let schema = try metadata.schema.tableSchema()
        guard columns.count <= columnsMax else {
            throw .invalid(
                "CLUSTER BY of \(columns.count) columns: at most \(columnsMax) are possible")
        }
        guard columns.isEmpty || metadata.partitionColumns.isEmpty else {
            throw .invalid("a table with partition columns cannot be clustered")
        }
        var names: [JSONValue] = []
        for (place, column) in columns.enumerated() {
            guard let index = schema.index(of: column) else {
                throw .invalid("the table has no column '\(column)'")
            }
            guard !columns[..<place].contains(column) else {
                throw .invalid("column '\(column)' is named twice in CLUSTER BY")
            }
            guard SpaceCurve.canOrder(schema.fields[index].type) else {
                throw .invalid(
                    "files cannot be clustered by column '\(column)': values of type"
                        + " \(schema.fields[index].type.sqlName) have no order")
            }
            // The format wants bounds of these columns in every file.
            let leaves = schema.fields[...index].reduce(0) { $0 + $1.type.leafCount }
            guard metadata.indexedColumns < 0 || leaves <= metadata.indexedColumns else {
                throw .invalid(
                    "column '\(column)' is not among the first \(metadata.indexedColumns), which"
                        + " have statistics (delta.dataSkippingNumIndexedCols)")
            }
            names.append(.array([.string(metadata.physicalName(of: column))]))
        }
        let text = JSONValue.object([
            JSONMember("clusteringColumns", .array(names)),
            JSONMember("domainName", .string(domain)),
        ]).text
        return DomainMetadata(domain: domain, configuration: text, isRemoved: false)
    }

    /// The protocol that a clustered table needs; nil when `current` is enough.
    static func upgrade(
        of current: TableProtocol, for metadata: TableMetadata
    ) throws(DeltaFailure) -> TableProtocol? {
        var marked = metadata
        for name in ["domainMetadata", feature] {
            marked.configuration["delta.feature." + name] = "supported"
        }
        return try TableFeatures.upgrade(of: current, for: marked)
    }
}

extension TableSnapshot {
    /// The columns that the table is clustered by, as its schema names them.
    package func clusteringColumns() throws(DeltaFailure) -> [String] {
        guard let text = domains[Clustering.domain]?.configuration else { return [] }
        guard let json = try? JSONValue(parsing: text),
            case .array(let paths)? = json["clusteringColumns"]
        else {
            throw .corrupt(
                path: "_delta_log",
                detail: "the domain \(Clustering.domain) holds no clusteringColumns")
        }
        var columns: [String] = []
        for path in paths {
            guard case .array(let names) = path, let first = names.first?.stringValue else {
                throw .corrupt(
                    path: "_delta_log",
                    detail: "the domain \(Clustering.domain) names a column that is no path")
            }
            guard names.count == 1 else {
                throw .unsupportedFeature("clustering by a member of a structure", use: .write)
            }
            guard
                let column = schema.fields.first(where: {
                    metadata.physicalName(of: $0.name) == first
                })
            else {
                throw .corrupt(
                    path: "_delta_log",
                    detail: "the table is clustered by '\(first)', which it lacks")
            }
            columns.append(column.name)
        }
        return columns
    }
}

extension ColumnType {
    /// Columns with statistics, as the format counts them.
    fileprivate var leafCount: Int {
        switch self {
        case .structure(let fields): fields.reduce(0) { $0 + $1.type.leafCount }
        default: 1
        }
    }
}
