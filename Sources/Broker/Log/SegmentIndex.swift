// The sparse indexes of a segment, about one entry for each 4096 bytes of batches (big-endian):
//
//   <base>.index      4 last offset of a batch, relative to the base · 4 position of that batch
//   <base>.timeindex  8 largest timestamp up to and including · 4 this relative offset
//
// A time entry is added only when the largest timestamp has grown. Both are derived from the
// batches. Files are written when a segment is closed; the checkpoint holds their checksum, and a
// file that does not match is ignored and built again.

import Base

struct SegmentIndex: Sendable {
    struct OffsetEntry: Hashable, Sendable {
        var relativeOffset: UInt32
        var position: UInt32
    }

    struct TimeEntry: Hashable, Sendable {
        var timestamp: Int64
        var relativeOffset: UInt32
    }

    private(set) var offsets: [OffsetEntry] = []
    private(set) var times: [TimeEntry] = []
    /// Entries are known for batches at this position and above; 0 = for the whole segment.
    private(set) var knownFrom: Int64
    private var bytesSinceEntry = 0

    init(knownFrom: Int64 = 0) { self.knownFrom = knownFrom }

    var isComplete: Bool { knownFrom == 0 }
    var byteCount: Int { offsets.count * 8 }

    /// Takes note of a batch. `maxTimestamp` is the largest of the segment, this batch included.
    mutating func add(
        lastOffset: Int64, base: Int64, position: Int64, bytes: Int, maxTimestamp: Int64,
        interval: Int
    ) {
        if bytesSinceEntry > interval {
            bytesSinceEntry = 0
            let relative = UInt32(truncatingIfNeeded: lastOffset - base)
            offsets.append(
                OffsetEntry(
                    relativeOffset: relative, position: UInt32(truncatingIfNeeded: position)))
            if maxTimestamp > times.last?.timestamp ?? -1 {
                times.append(TimeEntry(timestamp: maxTimestamp, relativeOffset: relative))
            }
        }
        bytesSinceEntry += bytes
    }

    /// The position from which a walk finds the batch that contains `relativeOffset`.
    func position(for relativeOffset: Int64) -> Int64 {
        var low = 0
        var high = offsets.count
        while low < high {
            let middle = (low + high) / 2
            if Int64(offsets[middle].relativeOffset) <= relativeOffset {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low == 0 ? 0 : Int64(offsets[low - 1].position)
    }

    /// A place where a batch begins, at or below `limit`: all batches before it end below
    /// `relativeOffset`. 0 when nothing is known.
    func boundary(atOrBelow limit: Int64, offsetsBelow relativeOffset: Int64) -> Int64 {
        var low = 0
        var high = offsets.count
        while low < high {
            let middle = (low + high) / 2
            let entry = offsets[middle]
            if Int64(entry.position) <= limit, Int64(entry.relativeOffset) < relativeOffset {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low == 0 ? 0 : Int64(offsets[low - 1].position)
    }

    /// All records up to and including this relative offset are older than `timestamp`; -1 when
    /// nothing is known.
    func relativeOffset(olderThan timestamp: Int64) -> Int64 {
        var low = 0
        var high = times.count
        while low < high {
            let middle = (low + high) / 2
            if times[middle].timestamp < timestamp { low = middle + 1 } else { high = middle }
        }
        return low == 0 ? -1 : Int64(times[low - 1].relativeOffset)
    }

    /// Puts the entries of the part that was not known in front of the others.
    mutating func prepend(_ older: SegmentIndex) {
        offsets = older.offsets.filter { Int64($0.position) < knownFrom } + offsets
        let firstNew = offsets.first { Int64($0.position) >= knownFrom }?.relativeOffset
        let oldTimes = older.times.filter { firstNew == nil || $0.relativeOffset < firstNew ?? 0 }
        let reached = oldTimes.last?.timestamp ?? -1
        times = oldTimes + times.filter { $0.timestamp > reached }
        knownFrom = 0
    }

    /// Forgets the entries, which can be read or built again.
    mutating func unload(segmentBytes: Int64) {
        offsets = []
        times = []
        knownFrom = segmentBytes
    }

    // MARK: Files

    func encodedOffsets() -> Bytes {
        var writer = ByteWriter(capacity: offsets.count * 8)
        for entry in offsets {
            writer.uint32(entry.relativeOffset)
            writer.uint32(entry.position)
        }
        return writer.finish()
    }

    func encodedTimes() -> Bytes {
        var writer = ByteWriter(capacity: times.count * 12)
        for entry in times {
            writer.int64(entry.timestamp)
            writer.uint32(entry.relativeOffset)
        }
        return writer.finish()
    }

    static func checksum(offsets: Bytes, times: Bytes) -> UInt32 {
        crc32c(times, seed: crc32c(offsets))
    }

    /// The index of a whole segment from its files; nil when they are not what was written.
    init?(offsets offsetBytes: Bytes, times timeBytes: Bytes, checksum: UInt32) {
        guard Self.checksum(offsets: offsetBytes, times: timeBytes) == checksum else { return nil }
        knownFrom = 0
        var offsetReader = ByteReader(offsetBytes)
        var timeReader = ByteReader(timeBytes)
        do {
            while !offsetReader.isAtEnd {
                offsets.append(
                    OffsetEntry(
                        relativeOffset: try offsetReader.uint32(),
                        position: try offsetReader.uint32()))
            }
            while !timeReader.isAtEnd {
                times.append(
                    TimeEntry(
                        timestamp: try timeReader.int64(),
                        relativeOffset: try timeReader.uint32()))
            }
        } catch {
            return nil
        }
    }
}
