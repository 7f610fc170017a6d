import Base

extension Column {
    /// A number for each row, the same for equal values of one type whatever the layout; NULL has one
    /// of its own. nil for types whose equal values may be written differently.
    package var hashes: [UInt64]? {
        let hashed: [UInt64]
        switch data {
        case .boolean(let values): hashed = values.map { mixed(UInt64($0)) }
        case .int32(let values): hashed = values.map { mixed(UInt64(bitPattern: Int64($0))) }
        case .int64(let values): hashed = values.map { mixed(UInt64(bitPattern: $0)) }
        case .int128(let values):
            hashed = values.map { value in
                let bits = UInt128(truncatingIfNeeded: value)
                return mixed(
                    UInt64(truncatingIfNeeded: bits), mixed(UInt64(truncatingIfNeeded: bits >> 64)))
            }
        case .text(let texts) where type != .json: hashed = texts.hashes
        case .dictionary(let codes, let values) where type != .json:
            let known = values.hashes
            hashed = codes.map { known.indices.contains(Int($0)) ? known[Int($0)] : 0 }
        case .null(let count): return [UInt64](repeating: nullHash, count: count)
        default: return nil
        }
        guard let validity, validity.nullCount > 0 else { return hashed }
        return hashed.indices.map { validity[$0] ? hashed[$0] : nullHash }
    }
}

extension ColumnType {
    /// Values have hashes (`Column.hashes`).
    package var hasHashes: Bool {
        switch self {
        case .boolean, .int16, .int32, .int64, .decimal, .text, .date, .timestamp, .timestampTZ,
            .time, .uuid, .binary:
            true
        default: false
        }
    }
}

/// The hash of NULL, of every type.
package let nullHash: UInt64 = 0x5BD1_E995_7F4A_7C15

/// Both halves of a 128-bit product.
@inline(__always)
private func mixed(_ word: UInt64, _ hash: UInt64 = 0) -> UInt64 {
    let product = (hash ^ word ^ 0x9E37_79B9_7F4A_7C15).multipliedFullWidth(
        by: 0xE703_7ED1_A0B4_28DB)
    return product.high ^ product.low
}

extension TextColumn {
    fileprivate var hashes: [UInt64] {
        views.map { view in
            if view.isInline { return mixed(view.high, mixed(view.low)) }
            return withBytes(of: view) { bytes in
                var hash = UInt64(truncatingIfNeeded: bytes.count)
                var position = 0
                while position + 8 <= bytes.count {
                    hash = mixed(
                        bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self), hash)
                    position += 8
                }
                if position < bytes.count {
                    // The last eight bytes; some are mixed in twice, which does no harm.
                    hash = mixed(
                        bytes.loadUnaligned(fromByteOffset: bytes.count - 8, as: UInt64.self), hash)
                }
                return hash
            }
        }
    }
}
