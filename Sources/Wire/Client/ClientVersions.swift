import WireProtocol

extension ApiVersionTable {
    /// What the client speaks. It may speak of more than our own broker serves.
    static let client = ApiVersionTable(
        all.entries
            + [
                Entry(.addPartitionsToTxn, 0...5), Entry(.addOffsetsToTxn, 0...4),
                Entry(.endTxn, 0...5), Entry(.writeTxnMarkers, 1...2),
                Entry(.txnOffsetCommit, 0...5), Entry(.offsetDelete, 0...0),
                Entry(.describeProducers, 0...0), Entry(.describeTransactions, 0...0),
                Entry(.listTransactions, 0...1), Entry(.consumerGroupHeartbeat, 0...1),
                Entry(.consumerGroupDescribe, 0...1),
            ].filter { all.versions(of: $0.apiKey) == nil })
}
