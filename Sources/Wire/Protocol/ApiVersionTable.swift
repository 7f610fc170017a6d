// Which versions of which requests a broker serves, and how it says so.

import Base

/// The request kinds that a broker serves, each with its versions.
///
/// Advertise the versions of one published release and not a patchwork: some clients guess the
/// release from single entries and then expect everything else of it.
package struct ApiVersionTable: Hashable, Sendable {
    /// One request kind.
    package struct Entry: Hashable, Sendable {
        package var apiKey: ApiKey
        /// The versions that are answered.
        package var versions: ClosedRange<Int16>
        /// The lowest version that ApiVersions claims. Below `versions` only for Produce: a widely
        /// used client takes a higher minimum for a broker without compression.
        package var advertisedMinimum: Int16

        package init(
            _ apiKey: ApiKey, _ versions: ClosedRange<Int16>, advertisedMinimum: Int16? = nil
        ) {
            self.apiKey = apiKey
            self.versions = versions
            self.advertisedMinimum = advertisedMinimum ?? versions.lowerBound
        }
    }

    /// In ascending order of the request kind's number.
    package private(set) var entries: [Entry]

    package init(_ entries: [Entry]) { self.entries = entries.sorted { $0.apiKey < $1.apiKey } }

    /// Every request that this module has a layout of, in the versions of the 4.4 release line.
    package static let all = ApiVersionTable([
        Entry(.produce, 3...13, advertisedMinimum: 0),
        Entry(.fetch, 4...18),
        Entry(.listOffsets, 1...11),
        Entry(.metadata, 0...13),
        Entry(.offsetCommit, 2...10),
        Entry(.offsetFetch, 1...10),
        Entry(.findCoordinator, 0...6),
        Entry(.joinGroup, 0...9),
        Entry(.heartbeat, 0...4),
        Entry(.leaveGroup, 0...5),
        Entry(.syncGroup, 0...5),
        Entry(.describeGroups, 0...6),
        Entry(.listGroups, 0...5),
        Entry(.apiVersions, 0...5),
        Entry(.createTopics, 2...7),
        Entry(.deleteTopics, 1...6),
        Entry(.deleteRecords, 0...2),
        Entry(.initProducerId, 0...5),
        Entry(.offsetForLeaderEpoch, 2...4),
        Entry(.addPartitionsToTxn, 0...5),
        Entry(.addOffsetsToTxn, 0...4),
        Entry(.endTxn, 0...5),
        Entry(.writeTxnMarkers, 1...2),
        Entry(.txnOffsetCommit, 0...5),
        Entry(.describeProducers, 0...0),
        Entry(.describeTransactions, 0...0),
        Entry(.listTransactions, 0...2),
        Entry(.describeConfigs, 1...4),
        Entry(.alterConfigs, 0...2),
        Entry(.alterReplicaLogDirs, 1...2),
        Entry(.describeLogDirs, 1...5),
        Entry(.createPartitions, 0...3),
        Entry(.deleteGroups, 0...2),
        Entry(.electLeaders, 0...2),
        Entry(.incrementalAlterConfigs, 0...1),
        Entry(.alterPartitionReassignments, 0...1),
        Entry(.listPartitionReassignments, 0...0),
        Entry(.offsetDelete, 0...0),
        Entry(.describeQuorum, 0...2),
        Entry(.updateFeatures, 0...2),
        Entry(.saslHandshake, 0...1),
        Entry(.describeAcls, 1...3),
        Entry(.createAcls, 1...3),
        Entry(.deleteAcls, 1...3),
        Entry(.saslAuthenticate, 0...2),
        Entry(.describeClientQuotas, 0...1),
        Entry(.alterClientQuotas, 0...1),
        Entry(.describeUserScramCredentials, 0...0),
        Entry(.alterUserScramCredentials, 0...0),
        Entry(.describeCluster, 0...2),
        Entry(.unregisterBroker, 0...0),
        Entry(.consumerGroupHeartbeat, 0...1),
        Entry(.consumerGroupDescribe, 0...1),
        Entry(.listConfigResources, 0...1),
        Entry(.describeTopicPartitions, 0...0),
        Entry(.shareGroupHeartbeat, 1...1),
        Entry(.shareGroupDescribe, 1...1),
        Entry(.shareFetch, 1...2),
        Entry(.shareAcknowledge, 1...2),
        Entry(.describeShareGroupOffsets, 0...1),
        Entry(.alterShareGroupOffsets, 0...0),
        Entry(.deleteShareGroupOffsets, 0...0),
    ])

    /// The same without kinds that are not in `kinds`.
    package func restricted(to kinds: Set<ApiKey>) -> ApiVersionTable {
        ApiVersionTable(entries.filter { kinds.contains($0.apiKey) })
    }

    package func versions(of kind: ApiKey) -> ClosedRange<Int16>? {
        entries.first { $0.apiKey == kind }?.versions
    }

    /// Whether a request of this kind and version can be read and answered.
    package func serves(_ kind: ApiKey, version: Int16) -> Bool {
        versions(of: kind)?.contains(version) ?? false
    }

    /// The answer to ApiVersions in a version that we serve.
    package func response(version: Int16) -> ApiVersionsResponse {
        ApiVersionsResponse(apiKeys: advertised)
    }

    /// The answer to ApiVersions in a version that we don't serve: to be written in version 0,
    /// whatever was asked, and without reading the body of the request.
    package var refusal: ApiVersionsResponse {
        ApiVersionsResponse(errorCode: .unsupportedVersion, apiKeys: advertised)
    }

    private var advertised: [ApiVersionsResponse.ApiVersion] {
        entries.map {
            .init(
                apiKey: $0.apiKey.rawValue, minVersion: $0.advertisedMinimum,
                maxVersion: $0.versions.upperBound)
        }
    }
}

extension ApiVersionsRequest {
    /// Whether the name and the version of the client's software have the form that the protocol
    /// demands from version 3 on: letters, digits, hyphens and dots, the ends neither of these two.
    package var isWellFormed: Bool {
        Self.isWellFormed(clientSoftwareName) && Self.isWellFormed(clientSoftwareVersion)
    }

    private static func isWellFormed(_ text: String) -> Bool {
        func isAlphanumeric(_ byte: UInt8) -> Bool {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
            default: false
            }
        }
        guard let first = text.utf8.first, let last = text.utf8.last else { return false }
        guard isAlphanumeric(first), isAlphanumeric(last) else { return false }
        return text.utf8.allSatisfy { isAlphanumeric($0) || $0 == 0x2D || $0 == 0x2E }
    }
}
