import Base

/// An id as clients print it: the sixteen bytes in base64 for URLs, without padding.
package func publishedText(of id: UUID128) -> String {
    let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    var text: [UInt8] = []
    var rest = id
    // 128 bits are 21 digits of six bits and two bits more, which end in four zeros.
    for _ in 0..<22 {
        text.append(digits[Int(rest.high >> 58)])
        rest.high = rest.high << 6 | rest.low >> 58
        rest.low <<= 6
    }
    return String(decoding: text, as: UTF8.self)
}

/// Rules for the names of topics.
enum TopicName {
    /// What is wrong with `name`; nil when it is fine.
    static func complaint(about name: String) -> String? {
        if name.isEmpty { return "the name of a topic is empty" }
        if name == "." || name == ".." { return "a topic can't be named \"\(name)\"" }
        if name.utf8.count > Limits.topicNameBytes {
            return "the name of a topic has at most \(Limits.topicNameBytes) characters"
        }
        let isLegal = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "-"):
                true
            default: false
            }
        }
        if isLegal { return nil }
        return "the name of a topic has letters, digits, \".\", \"_\" and \"-\" only"
    }

    /// Names that belong to the brokers themselves.
    static func isReserved(_ name: String) -> Bool {
        name == BrokerNode.metadataPartition.topic || name == BrokerNode.offsetsTopic
            || name == BrokerNode.transactionsTopic || name == "__share_group_state"
    }
}
