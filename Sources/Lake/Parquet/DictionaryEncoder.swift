// Finds the distinct values of a chunk. Codes are given in the order of first appearance, so the
// same rows always make the same bytes, whatever the hash function does.

import Base
import Columns

/// Codes of a chunk's values, and for each code where its value stands first.
struct DictionaryCodes {
    var codes: [Int32]
    var firsts: [Int]
    /// What the dictionary page takes in PLAIN.
    var byteCount: Int
}

/// A value that was probed this often shares its bits with many others: random values need a few
/// probes, so only a hostile choice of values gets here, and it is not worth a dictionary.
private let probesMax = 128
/// After so many values a column that repeats next to nothing is given up.
private let trialCount = 16_384

extension LeafStore {
    /// nil when a dictionary does not pay: too large, or not smaller than PLAIN.
    func dictionary(byteLimit: Int) -> DictionaryCodes? {
        guard denseCount > 1 else { return nil }
        let found: DictionaryCodes?
        switch leaf.physical {
        case .int32: found = distinct(byteLimit) { UInt64(UInt32(bitPattern: words32[$0])) }
        case .int64: found = distinct(byteLimit) { UInt64(bitPattern: words64[$0]) }
        case .double: found = distinct(byteLimit) { doubles[$0].bitPattern }
        case .float: found = distinct(byteLimit) { UInt64(Float(doubles[$0]).bitPattern) }
        case .byteArray: found = distinctTexts(byteLimit)
        // Decimals of many digits and UUIDs hardly ever repeat; booleans are a bit already.
        case .boolean, .fixed, .int96: found = nil
        }
        guard let found else { return nil }
        let codeBytes = denseCount * bitWidth(of: max(found.firsts.count - 1, 1)) / 8
        return found.byteCount + codeBytes < byteCount ? found : nil
    }

    private func isHopeless(_ distinct: Int, after count: Int) -> Bool {
        count == trialCount && distinct > trialCount / 20 * 19
    }

    /// Codes of values that are equal when their bits are.
    private func distinct(_ byteLimit: Int, _ bits: (Int) -> UInt64) -> DictionaryCodes? {
        let limit = byteLimit / plainWidth
        var table = CodeTable()
        var keys: [UInt64] = []
        var result = DictionaryCodes(codes: [], firsts: [], byteCount: 0)
        result.codes.reserveCapacity(denseCount)
        for index in 0..<denseCount {
            let key = bits(index)
            let code = table.code(hash: mixed(key), isEqual: { keys[$0] == key })
            guard let code else { return nil }
            if code == keys.count {
                keys.append(key)
                result.firsts.append(index)
                guard keys.count <= limit else { return nil }
            }
            result.codes.append(Int32(truncatingIfNeeded: code))
            if isHopeless(keys.count, after: index + 1) { return nil }
        }
        result.byteCount = keys.count * plainWidth
        return result
    }

    private func distinctTexts(_ byteLimit: Int) -> DictionaryCodes? {
        var table = CodeTable()
        var result = DictionaryCodes(codes: [], firsts: [], byteCount: 0)
        // The distinct values themselves: most are told apart without a look into a buffer.
        var uniques: [TextView] = []
        result.codes.reserveCapacity(denseCount)
        let bases = bufferBases
        let isDone = texts.views.withUnsafeBufferPointer { views in
            var last = TextView.empty
            var lastCode: Int32 = -1
            for index in 0..<denseCount {
                if isHopeless(uniques.count, after: index) { return false }
                let view = views[index]
                if view == last, lastCode >= 0 {
                    result.codes.append(lastCode)
                    continue
                }
                let code = table.code(
                    hash: Self.hashed(view, bases),
                    isEqual: { Self.isSameText(uniques[$0], view, bases) })
                guard let code else { return false }
                if code == uniques.count {
                    uniques.append(view)
                    result.firsts.append(index)
                    result.byteCount += 4 + view.count
                    guard result.byteCount <= byteLimit else { return false }
                }
                (last, lastCode) = (view, Int32(truncatingIfNeeded: code))
                result.codes.append(lastCode)
            }
            return true
        }
        return isDone ? result : nil
    }

    /// Short texts are all in their view.
    @inline(__always)
    private static func hashed(_ view: TextView, _ bases: [UnsafeRawPointer]) -> UInt64 {
        if view.isInline { return mixed(view.low ^ mixed(view.high)) }
        return Parquet.hashed(
            UnsafeRawBufferPointer(start: bases[view.buffer] + view.position, count: view.count))
    }

    @inline(__always)
    private static func isSameText(
        _ left: TextView, _ right: TextView, _ bases: [UnsafeRawPointer]
    ) -> Bool {
        // Length and first bytes, and for short texts everything.
        if left.low != right.low { return false }
        if left.isInline || left.high == right.high { return left.high == right.high }
        let a = bases[left.buffer] + left.position
        let b = bases[right.buffer] + right.position
        // More than twelve bytes: whole words, and the last eight once more.
        let count = left.count
        var index = 4
        while index &+ 8 <= count {
            if a.loadUnaligned(fromByteOffset: index, as: UInt64.self)
                != b.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            {
                return false
            }
            index &+= 8
        }
        return a.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
            == b.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
    }
}

/// Open addressing from hash to code; grows at half load.
private struct CodeTable {
    private var slots = [Int32](repeating: -1, count: 1024)
    private var hashes: [UInt64] = []

    /// The code of the value with this hash, the next new code when there is none, or nil after too
    /// many probes. `isEqual` compares the value with that of a code.
    mutating func code(hash: UInt64, isEqual: (Int) -> Bool) -> Int? {
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: hash) & mask
        for _ in 0..<probesMax {
            let found = Int(slots[slot])
            if found < 0 {
                let code = hashes.count
                slots[slot] = Int32(truncatingIfNeeded: code)
                hashes.append(hash)
                if hashes.count * 2 > slots.count { grow() }
                return code
            }
            if hashes[found] == hash, isEqual(found) { return found }
            slot = (slot + 1) & mask
        }
        return nil
    }

    private mutating func grow() {
        slots = [Int32](repeating: -1, count: slots.count * 4)
        let mask = slots.count - 1
        for (code, hash) in hashes.enumerated() {
            var slot = Int(truncatingIfNeeded: hash) & mask
            while slots[slot] >= 0 { slot = (slot + 1) & mask }
            slots[slot] = Int32(truncatingIfNeeded: code)
        }
    }
}

private func mixed(_ key: UInt64) -> UInt64 {
    let product = (key ^ 0x9E37_79B9_7F4A_7C15).multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93)
    return product.high ^ product.low
}

/// Eight bytes a step, folded by a full multiplication.
func hashed(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    var state = UInt64(bytes.count) &* 0x9FB2_1C65_1E98_DF25
    var position = 0
    while position + 8 <= bytes.count {
        let word = bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self)
        state = mixed(state ^ word)
        position += 8
    }
    var rest: UInt64 = 0
    while position < bytes.count {
        rest = rest << 8 | UInt64(bytes[position])
        position += 1
    }
    return mixed(state ^ rest)
}
