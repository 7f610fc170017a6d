// What consumers put into the metadata of their protocols:
//   offset  size      field
//   0       2         version (int16, ≥ 0)
//   2       4         topic count (int32)
//   6       2+n each  topic (int16 length, UTF-8)
//   …                 user data and newer fields, not needed here

import Base

/// The topics that a consumer subscribes to. The coordinator needs them to know which committed
/// offsets nobody uses any more.
enum ConsumerSubscription {
    static let protocolType = "consumer"

    static func topics(in metadata: Bytes) throws(DecodeFailure) -> [String] {
        var reader = ByteReader(metadata)
        let version = try reader.int16()
        guard version >= 0 else {
            throw .invalid(what: "subscription version", value: Int64(version), position: 0)
        }
        let declared = Int(try reader.int32())
        let count = try reader.checkedCount(declared, minimumBytes: 2, what: "topic count")
        var topics: [String] = []
        topics.reserveCapacity(count)
        for _ in 0..<count {
            topics.append(try reader.string(Int(try reader.int16())))
        }
        return topics
    }
}
