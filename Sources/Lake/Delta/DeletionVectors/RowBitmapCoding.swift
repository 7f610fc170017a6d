// The serialized form of a set of rows, "RoaringBitmapArray". Numbers are little-endian.
//
// | portable | bytes | native (older) | bytes |
// |---|---|---|---|
// | magic 1681511377 | 4 | magic 1681511376 | 4 |
// | number of buckets | 8 | number of buckets | 4 |
// | each: high 32 bits of its rows, then a bitmap | 4 + n | each: size n, then a bitmap | 4 + n |
//
// A bitmap of 32-bit numbers: cookie 12346 and the number of containers, or (containers − 1) << 16 |
// 12347 and one bit a container that says whether it is of runs; for each container its high 16
// bits and its rows − 1; where each begins, left out with runs in fewer than four containers; then
// the containers: 2 bytes a row up to 4096 rows, else 8192 bytes of bits; or the number of runs and
// for each its first row and its rows − 1.

import Base

extension RowBitmap {
    private static let portableMagic: Int32 = 1_681_511_377
    private static let nativeMagic: Int32 = 1_681_511_376
    private static let plainCookie: UInt32 = 12_346
    private static let runCookie: UInt32 = 12_347

    /// The set in `bytes`, all of which must belong to it.
    package init(decoding bytes: Bytes) throws(DecodeFailure) {
        self.init()
        var reader = ByteReader(bytes)
        switch try reader.int32LE() {
        case Self.portableMagic:
            let count = try reader.uint64LE()
            var previous: Int64 = -1
            for _ in 0..<(try Self.checked(count, &reader, bytesEach: 12)) {
                let key = try reader.uint32LE()
                guard Int64(key) > previous, key < 1 << 31 else {
                    throw .malformed("bucket \(key) is out of order", position: reader.position)
                }
                previous = Int64(key)
                try readBitmap(&reader, high: UInt64(key))
            }
        case Self.nativeMagic, Self.nativeMagic.byteSwapped:
            // The specification's own example has the head in big-endian numbers.
            let isBigEndian = bytes[0] == UInt8(truncatingIfNeeded: Self.nativeMagic >> 24)
            func number() throws(DecodeFailure) -> UInt32 {
                isBigEndian ? try reader.uint32() : try reader.uint32LE()
            }
            let count = UInt64(try number())
            for key in 0..<(try Self.checked(count, &reader, bytesEach: 12)) {
                let size = try number()
                let end = reader.position + Int(size)
                try readBitmap(&reader, high: UInt64(key))
                guard reader.position == end else {
                    throw .malformed(
                        "bucket \(key) does not have its \(size) bytes", position: reader.position)
                }
            }
        case let magic:
            throw .malformed("magic number \(magic) of no known bitmap", position: 0)
        }
        guard reader.isAtEnd else {
            throw .malformed("bytes behind the end of the bitmap", position: reader.position)
        }
    }

    private static func checked(
        _ count: UInt64, _ reader: inout ByteReader, bytesEach: Int
    ) throws(DecodeFailure) -> Int {
        guard count <= UInt64(reader.remaining / bytesEach) else {
            throw .malformed(
                "\(count) buckets in \(reader.remaining) bytes", position: reader.position)
        }
        return Int(count)
    }

    private mutating func readBitmap(
        _ reader: inout ByteReader, high: UInt64
    ) throws(DecodeFailure) {
        let cookie = try reader.uint32LE()
        let containerCount: Int
        var runFlags = Bytes.empty
        if cookie & 0xFFFF == Self.runCookie {
            containerCount = Int(cookie >> 16) + 1
            runFlags = try reader.slice((containerCount + 7) / 8)
        } else if cookie == Self.plainCookie {
            let count = try reader.uint32LE()
            guard count <= 65_536 else {
                throw .malformed("\(count) containers", position: reader.position)
            }
            containerCount = Int(count)
        } else {
            throw .malformed("cookie \(cookie) of no known bitmap", position: reader.position)
        }
        var headers: [(key: UInt16, count: Int)] = []
        try reader.require(containerCount * 4)
        for _ in 0..<containerCount {
            let key = try reader.uint16LE()
            if let last = headers.last, key <= last.key {
                throw .malformed("containers out of order", position: reader.position)
            }
            headers.append((key, Int(try reader.uint16LE()) + 1))
        }
        // The containers follow each other, so where each begins is known without this.
        if runFlags.isEmpty || containerCount >= 4 { try reader.skip(containerCount * 4) }
        for (index, header) in headers.enumerated() {
            let isRuns = !runFlags.isEmpty && runFlags[index / 8] >> UInt8(index % 8) & 1 == 1
            let container =
                isRuns
                ? try Self.readRuns(&reader)
                : try Self.readRows(&reader, count: header.count)
            guard container.count == header.count else {
                throw .malformed(
                    "a container of \(container.count) rows, \(header.count) expected",
                    position: reader.position)
            }
            append(key: high << 16 | UInt64(header.key), container)
        }
    }

    private static func readRows(
        _ reader: inout ByteReader, count: Int
    ) throws(DecodeFailure) -> Container {
        if count > arrayCountMax {
            try reader.require(8192)
            var words: [UInt64] = []
            words.reserveCapacity(1024)
            for _ in 0..<1024 { words.append(try reader.uint64LE()) }
            return .bitmap(words)
        }
        try reader.require(count * 2)
        var rows: [UInt16] = []
        rows.reserveCapacity(count)
        for _ in 0..<count {
            let row = try reader.uint16LE()
            if let last = rows.last, row <= last {
                throw .malformed("rows of a container out of order", position: reader.position)
            }
            rows.append(row)
        }
        return .array(rows)
    }

    private static func readRuns(_ reader: inout ByteReader) throws(DecodeFailure) -> Container {
        let count = Int(try reader.uint16LE())
        try reader.require(count * 4)
        var runs: [Run] = []
        runs.reserveCapacity(count)
        for _ in 0..<count {
            let first = try reader.uint16LE()
            let length = try reader.uint16LE()
            let (last, overflow) = first.addingReportingOverflow(length)
            if overflow || runs.last.map({ $0.last >= first }) ?? false {
                throw .malformed("runs of a container out of order", position: reader.position)
            }
            runs.append(Run(first: first, last: last))
        }
        return .runs(runs)
    }

    // MARK: Writing

    /// The portable form.
    package func encoded() -> Bytes {
        var writer = ByteWriter(capacity: 256)
        writer.int32LE(Self.portableMagic)
        var buckets: [Range<Int>] = []
        var start = 0
        while start < keys.count {
            var end = start
            while end < keys.count, keys[end] >> 16 == keys[start] >> 16 { end += 1 }
            buckets.append(start..<end)
            start = end
        }
        writer.uint64LE(UInt64(buckets.count))
        for bucket in buckets {
            writer.uint32LE(UInt32(truncatingIfNeeded: keys[bucket.lowerBound] >> 16))
            writeBitmap(bucket, &writer)
        }
        return writer.finish()
    }

    private func writeBitmap(_ bucket: Range<Int>, _ writer: inout ByteWriter) {
        let stored = bucket.map { containers[$0].smallest }
        var flags = [UInt8](repeating: 0, count: (stored.count + 7) / 8)
        for (index, container) in stored.enumerated() {
            if case .runs = container { flags[index / 8] |= 1 << UInt8(index % 8) }
        }
        let hasRuns = flags.contains { $0 != 0 }
        if hasRuns {
            writer.uint32LE(UInt32(stored.count - 1) << 16 | Self.runCookie)
            writer.bytes(flags)
        } else {
            writer.uint32LE(Self.plainCookie)
            writer.uint32LE(UInt32(stored.count))
        }
        let bitmapStart = hasRuns ? 4 + flags.count : 8
        for (index, container) in zip(bucket, stored) {
            writer.uint16LE(UInt16(truncatingIfNeeded: keys[index]))
            writer.uint16LE(UInt16(container.count - 1))
        }
        if !hasRuns || stored.count >= 4 {
            var position = bitmapStart + stored.count * 8
            for container in stored {
                writer.uint32LE(UInt32(position))
                position += container.byteCount
            }
        }
        for container in stored { container.write(to: &writer) }
    }
}

extension RowBitmap.Container {
    /// Bytes of the serialized container.
    fileprivate var byteCount: Int {
        switch self {
        case .array(let rows): rows.count * 2
        case .bitmap: 8192
        case .runs(let runs): 2 + runs.count * 4
        }
    }

    /// The same rows in the form that takes the fewest bytes.
    fileprivate var smallest: Self {
        var runs: [RowBitmap.Run] = []
        forEach(from: 0, to: 65_536) { row in
            let row = UInt16(row)
            if let last = runs.last?.last, last < row, last + 1 == row {
                runs[runs.count - 1].last = row
            } else {
                runs.append(RowBitmap.Run(first: row, last: row))
            }
        }
        let plain = Self(words: words)
        return 2 + runs.count * 4 < plain.byteCount ? .runs(runs) : plain
    }

    fileprivate func write(to writer: inout ByteWriter) {
        switch self {
        case .array(let rows): for row in rows { writer.uint16LE(row) }
        case .bitmap(let words): for word in words { writer.uint64LE(word) }
        case .runs(let runs):
            writer.uint16LE(UInt16(runs.count))
            for run in runs {
                writer.uint16LE(run.first)
                writer.uint16LE(run.last - run.first)
            }
        }
    }
}
