// jsonb's normal form of JSON that is nearly in it already: no escapes, plain numbers, nesting that
// is not deep. What is not is left to `JSONNormalizer`, whose results these are, byte for byte.

import Base
import Columns

/// Writes the normal form of JSON values into a lane's own bytes. Holds only scratch memory.
struct JSONForm {
    private struct Member {
        /// Where the member's text begins in the output, with its quote.
        var start: Int
        var count: Int
        /// Bytes of the key.
        var keyCount: Int
    }

    private var members: [Member] = []
    private var scratch: [UInt8] = []
    private static let depthMax = 16
    private static let membersMax = 64

    /// Writes the value at `position` behind what `side` has and gives the view of it, in buffer 0.
    /// Returns where the value ends in `text`; -1 when this is not for us, and then nothing has
    /// changed.
    mutating func take(
        _ text: UnsafeRawBufferPointer, _ position: Int, into side: inout SideBytes,
        _ view: inout TextView
    ) -> Int {
        let bytes = text.baseAddress.unsafelyUnwrapped
        // The text gains one space for each `:` and `,`, so it at most doubles. What is reserved is
        // about the payload, not about the value, whose end is not known yet.
        let memory = side.reserve(2 &* (text.count &- position))
        let start = side.count
        members.removeAll(keepingCapacity: true)
        var writer = FormWriter(
            bytes: bytes, count: text.count, position: position, to: memory + start)
        guard value(&writer, depth: 0), writer.position < text.count else { return -1 }
        let written = writer.written
        view = TextView(
            UnsafeRawBufferPointer(start: memory + start, count: written), buffer: 0,
            position: start)
        if written > 12 { side.advance(written) }
        return writer.position
    }

    private mutating func value(_ writer: inout FormWriter, depth: Int) -> Bool {
        writer.skipSpace()
        switch writer.next {
        case 0x22: return writer.string()
        case 0x7B: return depth < Self.depthMax && object(&writer, depth: depth)
        case 0x5B: return depth < Self.depthMax && array(&writer, depth: depth)
        case 0x74: return writer.word(0x6575_7274, 4)
        case 0x6E: return writer.word(0x6C6C_756E, 4)
        case 0x66: return writer.word(0x65_736C_6166, 5)
        default: return writer.number()
        }
    }

    private mutating func array(_ writer: inout FormWriter, depth: Int) -> Bool {
        writer.put(0x5B)
        writer.position &+= 1
        writer.skipSpace()
        if writer.next == 0x5D { return writer.close(0x5D) }
        while true {
            guard value(&writer, depth: depth &+ 1) else { return false }
            writer.skipSpace()
            if writer.next == 0x5D { return writer.close(0x5D) }
            guard writer.comma() else { return false }
        }
    }

    private mutating func object(_ writer: inout FormWriter, depth: Int) -> Bool {
        writer.put(0x7B)
        writer.position &+= 1
        writer.skipSpace()
        if writer.next == 0x7D { return writer.close(0x7D) }
        let first = members.count
        var isSorted = true
        while true {
            writer.skipSpace()
            let start = writer.written
            guard writer.next == 0x22, writer.string() else { return false }
            let keyCount = writer.written &- start &- 2
            writer.skipSpace()
            guard writer.next == 0x3A else { return false }
            writer.position &+= 1
            writer.put(0x3A)
            writer.put(0x20)
            if members.count > first {
                let order = writer.orderOfKeys(
                    members[members.count - 1].start, members[members.count - 1].keyCount, start,
                    keyCount)
                // Of equal keys the last wins: rare enough for the other way.
                if order == 0 { return false }
                if order > 0 { isSorted = false }
            }
            guard members.count < Self.membersMax else { return false }
            let place = members.count
            members.append(Member(start: start, count: 0, keyCount: keyCount))
            // Members of what is nested come and go behind this one.
            guard value(&writer, depth: depth &+ 1) else { return false }
            members[place].count = writer.written &- start
            writer.skipSpace()
            if writer.next == 0x7D { break }
            guard writer.comma() else { return false }
        }
        if !isSorted, !sort(&writer, from: first) { return false }
        members.removeLast(members.count - first)
        return writer.close(0x7D)
    }

    /// Puts the members from `first` on, which end where the output ends, into their order. False
    /// when two have the same key.
    private mutating func sort(_ writer: inout FormWriter, from first: Int) -> Bool {
        let start = members[first].start
        for index in (first + 1)..<members.count {
            var place = index
            while place > first {
                let (low, high) = (members[place - 1], members[place])
                let order = writer.orderOfKeys(low.start, low.keyCount, high.start, high.keyCount)
                if order == 0 { return false }
                if order < 0 { break }
                members.swapAt(place - 1, place)
                place -= 1
            }
        }
        scratch.removeAll(keepingCapacity: true)
        for index in first..<members.count {
            if index > first {
                scratch.append(0x2C)
                scratch.append(0x20)
            }
            scratch.append(contentsOf: writer.output(members[index].start, members[index].count))
        }
        writer.replace(from: start, with: scratch)
        return true
    }
}

/// A cursor over JSON text that writes what it passes.
private struct FormWriter {
    let bytes: UnsafeRawPointer
    let count: Int
    var position: Int
    private let target: UnsafeMutableRawPointer
    private(set) var written = 0

    init(bytes: UnsafeRawPointer, count: Int, position: Int, to target: UnsafeMutableRawPointer) {
        self.bytes = bytes
        self.count = count
        self.position = position
        self.target = target
    }

    /// The next byte, 0 at the end, where nothing can go on.
    @inline(__always)
    var next: UInt8 {
        position < count ? bytes.load(fromByteOffset: position, as: UInt8.self) : 0
    }

    @inline(__always)
    mutating func skipSpace() {
        while true {
            let byte = next
            guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return }
            position &+= 1
        }
    }

    @inline(__always)
    mutating func put(_ byte: UInt8) {
        target.storeBytes(of: byte, toByteOffset: written, as: UInt8.self)
        written &+= 1
    }

    mutating func close(_ byte: UInt8) -> Bool {
        position &+= 1
        put(byte)
        return true
    }

    mutating func comma() -> Bool {
        guard next == 0x2C else { return false }
        position &+= 1
        put(0x2C)
        put(0x20)
        return true
    }

    @inline(__always)
    private mutating func copy(_ length: Int) {
        // A memory copy by the library costs more than most of these texts.
        var index = 0
        let from = bytes + position
        let to = target + written
        while index &+ 8 <= length {
            to.storeBytes(
                of: from.loadUnaligned(fromByteOffset: index, as: UInt64.self),
                toByteOffset: index, as: UInt64.self)
            index &+= 8
        }
        while index < length {
            to.storeBytes(
                of: from.load(fromByteOffset: index, as: UInt8.self), toByteOffset: index,
                as: UInt8.self)
            index &+= 1
        }
        position &+= length
        written &+= length
    }

    /// A string without escapes, with its quotes.
    @inline(__always)
    mutating func string() -> Bool {
        let end = endOfPlainText(bytes, position &+ 1, count)
        guard end < count, bytes.load(fromByteOffset: end, as: UInt8.self) == 0x22 else {
            return false
        }
        copy(end &+ 1 &- position)
        return true
    }

    mutating func word(_ letters: UInt64, _ length: Int) -> Bool {
        guard position &+ length <= count else { return false }
        for index in 0..<length
        where bytes.load(fromByteOffset: position &+ index, as: UInt8.self)
            != UInt8(truncatingIfNeeded: letters &>> UInt64(8 &* index))
        {
            return false
        }
        copy(length)
        return true
    }

    /// A number without exponent that is not a negative zero.
    @inline(__always)
    mutating func number() -> Bool {
        guard position < count else { return false }
        let end = endOfNumber(bytes, position, count)
        guard end >= 0 else { return false }
        if next == 0x2D {
            // "-0" and "-0.00" lose their sign.
            guard bytes.load(fromByteOffset: position &+ 1, as: UInt8.self) != 0x30 else {
                return false
            }
        }
        copy(end &- position)
        return true
    }

    /// How the keys of two members follow: below 0 when the first comes first. Shorter keys come
    /// before longer ones, then bytes decide.
    func orderOfKeys(_ left: Int, _ leftCount: Int, _ right: Int, _ rightCount: Int) -> Int {
        if leftCount != rightCount { return leftCount &- rightCount }
        // Behind the quotes.
        for index in 1..<(leftCount &+ 1) {
            let a = target.load(fromByteOffset: left &+ index, as: UInt8.self)
            let b = target.load(fromByteOffset: right &+ index, as: UInt8.self)
            if a != b { return Int(a) &- Int(b) }
        }
        return 0
    }

    func output(_ start: Int, _ count: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: target + start, count: count)
    }

    mutating func replace(from start: Int, with content: [UInt8]) {
        content.withUnsafeBytes { raw in
            if let from = raw.baseAddress {
                (target + start).copyMemory(from: from, byteCount: raw.count)
            }
        }
    }
}
