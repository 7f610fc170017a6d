// The brokers of the cluster, for administration.

import Base

/// The request, versions 0 to 2. Always flexible.
package struct DescribeClusterRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.describeCluster
    package typealias Response = DescribeClusterResponse
    package static let minimumWireBytes = 2

    /// Whether to say what this client may do with the cluster.
    package var includeClusterAuthorizedOperations: Bool = false
    /// 1: brokers; 2: controllers. From version 1.
    package var endpointType: Int8 = 1
    /// Whether to list brokers that are not in service. From version 2.
    package var includeFencedBrokers: Bool = false

    package init(
        includeClusterAuthorizedOperations: Bool = false, endpointType: Int8 = 1,
        includeFencedBrokers: Bool = false
    ) {
        self.includeClusterAuthorizedOperations = includeClusterAuthorizedOperations
        self.endpointType = endpointType
        self.includeFencedBrokers = includeFencedBrokers
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        includeClusterAuthorizedOperations = try reader.bool()
        if version >= 1 { endpointType = try reader.int8() }
        if version >= 2 { includeFencedBrokers = try reader.bool() }
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        writer.bool(includeClusterAuthorizedOperations)
        if version >= 1 { writer.int8(endpointType) }
        if version >= 2 { writer.bool(includeFencedBrokers) }
        writer.noTaggedFields()
    }
}

/// The answer, versions 0 to 2. Always flexible.
package struct DescribeClusterResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.describeCluster
    package static let minimumWireBytes = 18

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// What went wrong, or `none`.
    package var errorCode: ErrorCode = .none
    /// What went wrong, for people.
    package var errorMessage: String? = nil
    /// 1: brokers; 2: controllers. From version 1.
    package var endpointType: Int8 = 1
    /// Identifies the cluster.
    package var clusterId: String = ""
    /// Number of the controlling broker, or -1.
    package var controllerId: Int32 = -1
    /// The brokers that are alive.
    package var brokers: [DescribeClusterBroker] = []
    /// Bit set of what the client may do; the lowest number when not asked for.
    package var clusterAuthorizedOperations: Int32 = .min

    package init(
        throttleTimeMs: Int32 = 0, errorCode: ErrorCode = .none, errorMessage: String? = nil,
        endpointType: Int8 = 1, clusterId: String = "", controllerId: Int32 = -1,
        brokers: [DescribeClusterBroker] = [], clusterAuthorizedOperations: Int32 = .min
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
        self.errorMessage = errorMessage
        self.endpointType = endpointType
        self.clusterId = clusterId
        self.controllerId = controllerId
        self.brokers = brokers
        self.clusterAuthorizedOperations = clusterAuthorizedOperations
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        throttleTimeMs = try reader.int32()
        errorCode = try reader.errorCode()
        errorMessage = try reader.nullableStringField(flexible: true)
        if version >= 1 { endpointType = try reader.int8() }
        clusterId = try reader.stringField(flexible: true)
        controllerId = try reader.int32()
        brokers = try reader.array(version: version, flexible: true)
        clusterAuthorizedOperations = try reader.int32()
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        writer.int32(throttleTimeMs)
        writer.errorCode(errorCode)
        writer.nullableStringField(errorMessage, flexible: true)
        if version >= 1 { writer.int8(endpointType) }
        writer.stringField(clusterId, flexible: true)
        writer.int32(controllerId)
        writer.array(brokers, version: version, flexible: true)
        writer.int32(clusterAuthorizedOperations)
        writer.noTaggedFields()
    }

    /// One broker.
    package struct DescribeClusterBroker: WireStructure, Equatable {
        package static let minimumWireBytes = 11

        /// Number of the broker.
        package var brokerId: Int32 = 0
        /// Name or address to connect to.
        package var host: String = ""
        /// Port to connect to.
        package var port: Int32 = 0
        /// Where the broker stands, if that was configured.
        package var rack: String? = nil
        /// Whether the broker is not in service. From version 2.
        package var isFenced: Bool = false

        package init(
            brokerId: Int32 = 0, host: String = "", port: Int32 = 0, rack: String? = nil,
            isFenced: Bool = false
        ) {
            self.brokerId = brokerId
            self.host = host
            self.port = port
            self.rack = rack
            self.isFenced = isFenced
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            brokerId = try reader.int32()
            host = try reader.stringField(flexible: true)
            port = try reader.int32()
            rack = try reader.nullableStringField(flexible: true)
            if version >= 2 { isFenced = try reader.bool() }
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.int32(brokerId)
            writer.stringField(host, flexible: true)
            writer.int32(port)
            writer.nullableStringField(rack, flexible: true)
            if version >= 2 { writer.bool(isFenced) }
            writer.noTaggedFields()
        }
    }
}
