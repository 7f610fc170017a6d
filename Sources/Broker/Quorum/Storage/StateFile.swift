// The file `state`: the hard state in two places. The one whose content is durable is not written,
// so that a write that is torn leaves it. Integers are big-endian.
//
//   offset        size field
//   n × 4096      4    CRC-32C of the rest
//   n × 4096 + 4  2    length of the state
//   n × 4096 + 6  …    state, see QuorumFrame.swift
//
// The log has every state, too: damage to one of the two files forgets no vote.

import Base

enum StateFile {
    static let name = "state"
    static let slotBytes = 4096

    /// The content of a slot.
    static func slot(_ state: StoredState) -> Bytes {
        let content = state.encoded()
        var writer = ByteWriter(capacity: content.count + 6)
        writer.uint32(0)
        writer.uint16(UInt16(content.count))
        writer.bytes(content)
        writer.patchUInt32(writer.crc32c(from: 4), at: 0)
        return writer.finish()
    }

    /// The newest state that is readable.
    static func newest(_ file: Bytes) -> StoredState? {
        var best: StoredState?
        for start in [0, slotBytes] where file.count >= start + 6 {
            var reader = ByteReader(file[start...])
            guard let checksum = try? reader.uint32() else { continue }
            let from = reader.position
            guard let length = try? reader.uint16(), let content = try? reader.slice(Int(length)),
                crc32c(reader.bytes[from..<reader.position]) == checksum,
                let state = try? StoredState(content)
            else { continue }
            if state.version >= best?.version ?? 0 { best = state }
        }
        return best
    }
}

extension Bytes {
    subscript(range: PartialRangeFrom<Int>) -> Bytes { self[range.lowerBound..<count] }
}

/// The file `identity`: whose store this is, three times, each with its own checksum.
///
///   offset    size field
///   n × 4096  4    CRC-32C of the next 37 bytes
///   + 4       1    version, 1 today
///   + 5       16   cluster
///   + 21      4    node
///   + 25      16   directory: made anew with each new disk
package struct QuorumIdentity: Hashable, Sendable {
    static let name = "identity"
    private static let copies = 3
    private static let copyBytes = 4096
    private static let contentBytes = 41

    package var cluster: UUID128
    package var node: NodeID
    package var directory: UUID128

    package init(cluster: UUID128, node: NodeID, directory: UUID128) {
        self.cluster = cluster
        self.node = node
        self.directory = directory
    }

    /// Tells frames of this store from those of another.
    var frameIdentity: UInt64 {
        directory.high ^ directory.low ^ cluster.low &* 0x9E37_79B9_7F4A_7C15
    }

    func encoded() -> Bytes {
        var writer = ByteWriter(capacity: Self.copies * Self.copyBytes)
        for copy in 0..<Self.copies {
            writer.zeros(copy * Self.copyBytes - writer.count)
            let start = writer.count
            writer.uint32(0)
            writer.uint8(1)
            writer.uuid(cluster)
            writer.int32(node.value)
            writer.uuid(directory)
            writer.patchUInt32(writer.crc32c(from: start + 4), at: start)
        }
        return writer.finish()
    }

    init?(_ file: Bytes) {
        for copy in 0..<Self.copies {
            let start = copy * Self.copyBytes
            guard file.count >= start + Self.contentBytes else { break }
            var reader = ByteReader(file[start..<(start + Self.contentBytes)])
            guard let checksum = try? reader.uint32(),
                crc32c(reader.bytes[4..<Self.contentBytes]) == checksum,
                let version = try? reader.uint8(), version == 1,
                let cluster = try? reader.uuid(), let node = try? reader.int32(),
                let directory = try? reader.uuid()
            else { continue }
            self.init(cluster: cluster, node: NodeID(node), directory: directory)
            return
        }
        return nil
    }
}
