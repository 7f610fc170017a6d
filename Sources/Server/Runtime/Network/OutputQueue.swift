import Base
import CPlatform
import Glibc

/// The answers of a connection that have not left yet.
struct OutputQueue {
    enum Flush: Equatable {
        case drained
        /// The socket takes no more for now.
        case blocked
        case failed(Int32)
    }

    private var pieces: [Bytes] = []
    private var head = 0
    /// Bytes of `pieces[head]` that have left.
    private var sent = 0
    private(set) var bytes = 0

    var isEmpty: Bool { bytes == 0 }

    mutating func append(_ more: [Bytes]) {
        for piece in more where !piece.isEmpty {
            pieces.append(piece)
            bytes += piece.count
        }
    }

    mutating func removeAll() {
        pieces = []
        head = 0
        sent = 0
        bytes = 0
    }

    /// Sends until everything is gone or the socket is full.
    mutating func flush(to descriptor: Int32) -> Flush {
        while bytes > 0 {
            let result = sendSome(to: descriptor)
            // A view whose file has become shorter: what was promised can't be sent.
            if result == 0 { return .failed(EIO) }
            if result < 0 {
                return result == -Int64(EAGAIN) ? .blocked : .failed(Int32(-result))
            }
            advance(by: Int(result))
        }
        removeAll()
        return .drained
    }

    /// Hands the next bytes, piece by piece, to `body` and forgets them; false when `body` gave up.
    mutating func take(
        upTo limit: Int, _ body: (UnsafeRawBufferPointer) -> Bool
    ) -> Bool {
        var left = limit
        while left > 0, bytes > 0 {
            let piece = pieces[head]
            let count = min(piece.count - sent, left)
            var next = piece[sent..<(sent + count)]
            // A view of a file is read with a call that can fail, not by touching it.
            if let lent = piece.storage.source as? LentRange {
                guard let read = try? lent.read(from: next.start, count: count),
                    read.count == count
                else { return false }
                next = read
            }
            guard next.withUnsafeBytes(body) else { return false }
            advance(by: count)
            left -= count
        }
        if bytes == 0 { removeAll() }
        return true
    }

    /// Sends the pieces at the head: those in memory together, one that lies in a file by itself.
    private func sendSome(to descriptor: Int32) -> Int64 {
        if let lent = pieces[head].storage.source as? LentRange {
            let piece = pieces[head]
            return lent.send(
                to: descriptor, from: piece.start + sent, count: piece.count - sent)
        }
        var count = 1
        while count < 256, head + count < pieces.count,
            pieces[head + count].storage.source == nil
        {
            count += 1
        }
        let isMore = head + count < pieces.count
        return withUnsafeTemporaryAllocation(of: iovec.self, capacity: count) { vectors in
            for index in 0..<count {
                let piece = pieces[head + index]
                let skip = index == 0 ? sent : 0
                vectors[index] = iovec(
                    iov_base: piece.storage.base + piece.start + skip,
                    iov_len: piece.count - skip)
            }
            return withExtendedLifetime(pieces) {
                weir_send_pieces(descriptor, vectors.baseAddress, Int32(count), isMore ? 1 : 0)
            }
        }
    }

    private mutating func advance(by count: Int) {
        bytes -= count
        var rest = count
        while rest > 0 {
            let left = pieces[head].count - sent
            if rest < left {
                sent += rest
                return
            }
            rest -= left
            sent = 0
            // Its memory is free from now on, even if the queue never runs empty.
            pieces[head] = .empty
            head += 1
        }
        if head > 256, head * 2 > pieces.count {
            pieces.removeFirst(head)
            head = 0
        }
    }
}
