import Base
import CPlatform

/// Reads lines from a descriptor, or from whatever gives pieces of bytes.
package struct LineReader {
    private let receive: () throws(Problem) -> Bytes
    private let limit: Int
    private var piece = Bytes.empty
    private var at = 0
    private var isAtEnd = false
    private var number = 0

    /// `receive` returns an empty piece at the end. A line longer than `limit` is an error.
    package init(limit: Int, receive: @escaping () throws(Problem) -> Bytes) {
        self.limit = limit
        self.receive = receive
    }

    package init(descriptor: Int32, limit: Int) {
        self.init(limit: limit) { () throws(Problem) in
            let storage = ByteStorage(count: 256 << 10)
            let count = weir_read(descriptor, storage.base, storage.count)
            if count < 0 {
                throw Problem("file.read", "can't read: \(describe(Int32(count)))")
            }
            return Bytes(storage: storage, start: 0, count: Int(count))
        }
    }

    /// The next line without its line feed; nil at the end. A last line without a line feed counts.
    package mutating func next() throws(Problem) -> Bytes? {
        var begun: [Bytes] = []
        var length = 0
        while true {
            if at == piece.count {
                if !isAtEnd { piece = try receive() }
                at = 0
                if isAtEnd || piece.isEmpty {
                    isAtEnd = true
                    if begun.isEmpty { return nil }
                    return Bytes.joined(begun)
                }
            }
            let end = lineFeed(from: at)
            let part = piece[at..<(end ?? piece.count)]
            length += part.count
            if length > limit {
                throw Problem(
                    "usage.lineTooLong", "line \(number + 1) is longer than \(grouped(limit)) bytes"
                )
            }
            at = end.map { $0 + 1 } ?? piece.count
            if end != nil {
                number += 1
                // The usual case: the whole line is in one piece, and nothing is copied.
                return begun.isEmpty ? part : Bytes.joined(begun + [part])
            }
            begun.append(part)
        }
    }

    private func lineFeed(from start: Int) -> Int? {
        piece.withUnsafeBytes { buffer in
            guard let base = buffer.baseAddress,
                let found = weir_find_byte(base + start, 0x0A, buffer.count - start)
            else { return nil }
            return found - base
        }
    }
}
