import Base

/// What a cleaning knows about the transactions of its log. Batches are shown to it in the order of
/// their offsets.
struct CleanedTransactions: Sendable {
    /// What a batch is to the cleaner.
    enum Role: Hashable, Sendable {
        /// Data that readers see.
        case plain
        /// Data of an aborted transaction: nobody sees it.
        case aborted
        /// The end of a transaction. `hasData`: batches of it were still there before it.
        case marker(hasData: Bool)
    }

    /// The aborted transactions of each producer in the order of their markers. Looked up only.
    private var aborted: [Int64: [AbortedTransaction]] = [:]
    /// Producers with batches since their last marker. Looked up only.
    private var withData: Set<Int64> = []

    /// `all` in any order.
    init(_ all: [AbortedTransaction]) {
        for transaction in all.sorted(by: { $0.lastOffset < $1.lastOffset }) {
            aborted[transaction.producerID, default: []].append(transaction)
        }
    }

    func isAborted(_ header: BatchHeader) -> Bool {
        guard header.isTransactional, !header.isControl,
            let next = transaction(of: header.producerID, endingAtOrAfter: header.baseOffset)
        else { return false }
        return next.firstOffset.value <= header.baseOffset
    }

    /// The transaction that this marker aborted.
    func transaction(abortedBy header: BatchHeader) -> AbortedTransaction? {
        guard header.isControl,
            let found = transaction(of: header.producerID, endingAtOrAfter: header.baseOffset),
            found.lastOffset.value == header.baseOffset
        else { return nil }
        return found
    }

    mutating func role(of header: BatchHeader) -> Role {
        guard header.isTransactional else { return .plain }
        if header.isControl {
            return .marker(hasData: withData.remove(header.producerID) != nil)
        }
        withData.insert(header.producerID)
        return isAborted(header) ? .aborted : .plain
    }

    private func transaction(
        of producerID: Int64, endingAtOrAfter offset: Int64
    ) -> AbortedTransaction? {
        guard let all = aborted[producerID] else { return nil }
        var low = 0
        var high = all.count
        while low < high {
            let middle = (low + high) / 2
            if all[middle].lastOffset.value < offset { low = middle + 1 } else { high = middle }
        }
        return low < all.count ? all[low] : nil
    }
}
