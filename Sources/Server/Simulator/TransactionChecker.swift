import Base
import WireProtocol

/// What the simulation knows about its transactions, independent of the broker.
struct TransactionChecker {
    enum Outcome {
        /// Nobody has decided, or nobody heard the decision.
        case unknown
        case committed
        case aborted
    }

    struct Written {
        var partition: Int
        var text: String
        /// The key that other records have, too; nil where no later one may replace this record.
        var sharedKey: String?
        /// Where it was written, once that was answered.
        var offset: Int64?
    }

    struct Transaction {
        var client: Int
        var records: [Written] = []
        /// The offset that is committed with it.
        var offset: Int64?
        var outcome = Outcome.unknown
        var wasSeen = false
    }

    var anomalies: [String] = []
    private(set) var transactions: [Transaction] = []
    /// The largest that was ever answered, by partition.
    var lastStable: [Int64] = []
    /// The transaction of each record. Looked up only.
    private var owners: [String: Int] = [:]

    var committedCount: Int { transactions.count { $0.outcome == .committed } }

    mutating func begin(client: Int) -> Int {
        transactions.append(Transaction(client: client))
        return transactions.count - 1
    }

    mutating func add(
        _ text: String, sharedKey: String?, partition: Int, to transaction: Int
    ) {
        transactions[transaction].records.append(
            Written(partition: partition, text: text, sharedKey: sharedKey))
        owners[text] = transaction
    }

    /// A batch of these records was acknowledged at `baseOffset`.
    mutating func written(_ texts: [String], at baseOffset: Int64) {
        for (index, text) in texts.enumerated() {
            guard let owner = owners[text],
                let place = transactions[owner].records.firstIndex(where: { $0.text == text })
            else { continue }
            transactions[owner].records[place].offset = baseOffset + Int64(index)
        }
    }

    mutating func add(offset: Int64, to transaction: Int) {
        transactions[transaction].offset = offset
    }

    /// `never` was sent for a commit, so it can only be aborted.
    mutating func end(_ transaction: Int, _ outcome: Outcome) {
        transactions[transaction].outcome = outcome
        if outcome == .aborted, transactions[transaction].wasSeen {
            anomalies.append("transaction \(transaction) was seen and then aborted")
        }
    }

    mutating func observe(lastStable offset: Int64, of partition: Int) {
        if offset < lastStable[partition] {
            anomalies.append(
                "the last stable offset of partition \(partition) fell from "
                    + "\(lastStable[partition]) to \(offset)")
        }
        lastStable[partition] = max(lastStable[partition], offset)
    }

    /// Takes the committed records out of an answer by the rules that clients follow.
    mutating func take(
        _ data: FetchResponse.PartitionData, of partition: Int, from next: inout Int64,
        into found: inout [(offset: Int64, text: String)]
    ) {
        var aborted = (data.abortedTransactions ?? [])[...]
        var skipped: Set<Int64> = []
        var last: Int64 = -1
        for transaction in aborted {
            if transaction.firstOffset < last { anomalies.append("aborted list out of order") }
            last = transaction.firstOffset
        }
        do {
            for bytes in data.records {
                var batches = RecordBatchSequence(bytes)
                while let batch = try batches.next() {
                    try batch.checkChecksum()
                    let header = batch.header
                    if header.lastOffset.value >= data.lastStableOffset {
                        anomalies.append(
                            "offset \(header.lastOffset) was served below the last stable offset "
                                + "\(data.lastStableOffset)")
                    }
                    while let first = aborted.first, first.firstOffset <= header.lastOffset.value {
                        skipped.insert(first.producerId)
                        aborted.removeFirst()
                    }
                    if header.isControl {
                        skipped.remove(header.producerId)
                    } else if !header.isTransactional || !skipped.contains(header.producerId) {
                        var records = try batch.records()
                        while let record = try records.next() {
                            guard record.offset.value >= next else { continue }
                            found.append((record.offset.value, record.value?.text ?? ""))
                        }
                    }
                    next = max(next, header.nextOffset.value)
                }
            }
        } catch {
            anomalies.append("partition \(partition) served what can't be read: \(error)")
        }
    }

    /// A reader of committed records saw this one.
    mutating func seen(_ text: String, partition: Int) {
        guard let owner = owners[text] else {
            return anomalies.append("a record was seen that nobody sent: \(text)")
        }
        transactions[owner].wasSeen = true
        if transactions[owner].outcome == .aborted {
            anomalies.append("a record of aborted transaction \(owner) was seen: \(text)")
        }
    }

    /// `visible`: every committed record of every partition, at rest.
    mutating func verify(_ visible: [[(offset: Int64, text: String)]]) {
        var counts = [Int](repeating: 0, count: transactions.count)
        for (partition, records) in visible.enumerated() {
            var texts: Set<String> = []
            for record in records {
                seen(record.text, partition: partition)
                if !texts.insert(record.text).inserted {
                    anomalies.append("a record is there twice: \(record.text)")
                }
                guard let owner = owners[record.text] else { continue }
                let sent = transactions[owner].records.first { $0.text == record.text }
                guard let sent, sent.partition == partition else {
                    anomalies.append("\(record.text) is in partition \(partition)")
                    continue
                }
                if sent.sharedKey == nil { counts[owner] += 1 }
                if let offset = sent.offset, offset != record.offset {
                    anomalies.append("\(record.text) moved from \(offset) to \(record.offset)")
                }
            }
        }
        for (number, transaction) in transactions.enumerated() {
            let all = transaction.records.count { $0.sharedKey == nil }
            let count = counts[number]
            switch transaction.outcome {
            case .committed where count != all:
                anomalies.append("\(count) of \(all) records of committed \(number) are there")
            case .aborted where count != 0:
                anomalies.append("\(count) of \(all) records of aborted \(number) are there")
            case .unknown where count != 0 && count != all:
                anomalies.append("half of transaction \(number): \(count) of \(all) records")
            case .unknown:
                // From now on it is known.
                transactions[number].outcome = count == all && all > 0 ? .committed : .aborted
            default: break
            }
        }
        verifyKeys(visible)
    }

    /// A record whose key others have, too, is there unless a later one has replaced it.
    private mutating func verifyKeys(_ visible: [[(offset: Int64, text: String)]]) {
        for (partition, records) in visible.enumerated() {
            var lastFound: [String: Int64] = [:]
            for record in records {
                let sent = owners[record.text].flatMap { owner in
                    transactions[owner].records.first { $0.text == record.text }
                }
                if let key = sent?.sharedKey { lastFound[key] = record.offset }
            }
            for transaction in transactions where transaction.outcome == .committed {
                for record in transaction.records where record.partition == partition {
                    guard let key = record.sharedKey, let offset = record.offset,
                        lastFound[key] ?? -1 < offset
                    else { continue }
                    anomalies.append(
                        "key \(key) of partition \(partition) lost its value at \(offset)")
                }
            }
        }
    }

    /// The offset belongs to the last transaction that was committed with one.
    mutating func verify(offset: Int64, error: ErrorCode, of client: Int) {
        let last = transactions.last {
            $0.client == client && $0.outcome == .committed && $0.offset != nil
        }
        guard error == .none, offset == last?.offset ?? -1 else {
            return anomalies.append(
                "client \(client) committed offset \(last?.offset ?? -1), found \(offset) "
                    + "(\(error))")
        }
    }
}
