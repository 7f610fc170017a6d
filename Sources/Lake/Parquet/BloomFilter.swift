// A split block bloom filter (BloomFilter.md of the format): blocks of 256 bits, in each of which a
// value sets one bit of every 32. The value's xxHash64 (seed 0) of its PLAIN bytes chooses the block
// by its high half and the bits by its low half.
//
// | part | content |
// |---|---|
// | header | Thrift: 1 bytes of the bit set, 2 algorithm, 3 hash, 4 compression, unions of one member |
// | bit set | blocks of eight UInt32, little-endian |

import Base

private let blockBytes = 32
/// Larger filters are not written by anybody.
private let bitSetBytesMax = 128 << 20

/// Which bit of each word of a block a hash sets.
private let salts: [UInt32] = [
    0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947,
    0x5c6b_fb31,
]

private func blockNumber(_ hash: UInt64, of count: Int) -> Int {
    Int(((hash >> 32) &* UInt64(count)) >> 32)
}

/// Gathers the hashes of a chunk's values.
struct BloomFilterBuilder {
    private var hashes: [UInt64] = []

    mutating func add(_ value: UnsafeRawBufferPointer) { hashes.append(xxHash64(value)) }

    /// Header and bit set for one false answer in a hundred, or for as few as `bytesMax` allow. nil
    /// when the filter would be as good as none.
    consuming func encoded(bytesMax: Int) -> Bytes? {
        hashes.sort()
        var distinct = 0
        var before: UInt64?
        for hash in hashes where hash != before {
            distinct += 1
            before = hash
        }
        guard distinct > 0 else { return nil }
        // 10.5 bits a value make one false answer in a hundred; sizes are powers of two.
        var bytes = blockBytes
        while bytes * 8 < distinct * 21 / 2 { bytes *= 2 }
        while bytes > bytesMax, bytes > blockBytes { bytes /= 2 }
        // Below four bits a value more than a third of the answers would be false.
        guard bytes * 8 >= distinct * 4 else { return nil }
        var words = [UInt32](repeating: 0, count: bytes / 4)
        for hash in hashes {
            let block = blockNumber(hash, of: bytes / blockBytes) * 8
            let low = UInt32(truncatingIfNeeded: hash)
            for index in 0..<8 { words[block + index] |= 1 << ((low &* salts[index]) >> 27) }
        }
        var header = ThriftWriter()
        header.int32(1, Int32(bytes))
        for field: Int16 in 2...4 {
            header.beginStructure(field)
            header.tag(1)
            header.endStructure()
        }
        let set = Bytes(count: bytes) { target in
            words.withUnsafeBytes { target.copyMemory(from: $0) }
        }
        return Bytes.joined([header.finish(), set])
    }
}

/// What the header of a filter says.
private struct BloomFilterHeader {
    var headerBytes = 0
    var bitSetBytes: Int

    /// nil for an algorithm, hash or compression that is not known.
    init?(_ bytes: Bytes) throws(DecodeFailure) {
        var reader = ThriftReader(bytes)
        var size: Int32?
        var known = 0
        var last: Int16 = 0
        while let field = try reader.field(after: &last) {
            switch (field.id, field.type) {
            case (1, .int32): size = try reader.int32()
            case (2...4, .structure):
                var member: Int16 = 0
                while let choice = try reader.field(after: &member) {
                    if choice.id == 1 { known += 1 }
                    try reader.skip(choice.type)
                }
            default: try reader.skip(field.type)
            }
        }
        guard let size, known == 3, size > 0, Int(size) % blockBytes == 0, size <= bitSetBytesMax
        else { return nil }
        bitSetBytes = Int(size)
        headerBytes = reader.position
    }
}

extension ParquetFile {
    /// False when the bloom filter of a chunk says that `value`, in PLAIN without a length, is not
    /// in it. True when there is no filter, or none that can be used.
    func mightContain(
        _ value: Bytes, rowGroup: Int, leaf number: Int
    ) throws(ParquetFailure) -> Bool {
        let chunk = metadata.rowGroups[rowGroup].columns[number]
        guard chunk.obstacle == nil, let position = chunk.bloomFilterPosition, position >= 4,
            position < byteCount - 8
        else { return true }
        // The header takes about 20 bytes; a lookup needs one block of the bit set.
        let head = try read(position..<min(position + 64, byteCount - 8))
        var header: BloomFilterHeader?
        do throws(DecodeFailure) {
            header = try BloomFilterHeader(head)
        } catch {
            return true
        }
        guard let header else { return true }
        let start = position + Int64(header.headerBytes)
        guard Int64(header.bitSetBytes) <= byteCount - 8 - start else { return true }
        let hash = value.withUnsafeBytes { xxHash64($0) }
        let block = blockNumber(hash, of: header.bitSetBytes / blockBytes)
        let from = start + Int64(block * blockBytes)
        let words = try read(from..<(from + Int64(blockBytes)))
        let low = UInt32(truncatingIfNeeded: hash)
        return words.withUnsafeBytes { words in
            for index in 0..<8 {
                let word = UInt32(
                    littleEndian: words.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self))
                if word >> ((low &* salts[index]) >> 27) & 1 == 0 { return false }
            }
            return true
        }
    }
}
