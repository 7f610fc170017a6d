// The file `partition.metadata` of a partition's directory: text, one `name: value` a line.
//
//   version: 0
//   topic_id: <8-4-4-4-12 hexadecimal digits>
//   number: <the partition's number in the journal>
//
// The checkpoint of the store says the same; this file is for the case that it is lost.

import Base

struct PartitionMetadata: Hashable, Sendable {
    static let fileName = "partition.metadata"

    var topicID: UUID128
    var number: UInt32

    init(_ log: PartitionLog) {
        topicID = log.topicID
        number = log.number
    }

    var encoded: Bytes {
        Bytes(utf8: "version: 0\ntopic_id: \(topicID)\nnumber: \(number)\n")
    }

    /// Writes the file without making it durable.
    func write(disk: any Disk, directory: String) throws(StorageFailure) {
        let path = directory + "/" + Self.fileName
        let file = disk.exists(path) ? try disk.open(path) : try disk.create(path)
        defer { file.close() }
        try file.truncate(to: 0)
        try file.write(encoded, at: 0)
    }

    /// nil when the file is not there or not what it should be.
    init?(disk: any Disk, directory: String) throws(StorageFailure) {
        let path = directory + "/" + Self.fileName
        guard disk.exists(path), let text = try disk.contents(path).validText else { return nil }
        var fields: [String: String] = [:]
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { return nil }
            let value = parts[1].first == " " ? parts[1].dropFirst() : parts[1]
            fields[String(parts[0])] = String(value)
        }
        guard fields["version"] == "0", let id = fields["topic_id"].flatMap(UUID128.init(text:)),
            let number = fields["number"].flatMap({ UInt32($0) })
        else { return nil }
        topicID = id
        self.number = number
    }
}
