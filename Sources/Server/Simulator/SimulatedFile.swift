import Base

/// One file of the simulated disk: what processes see (the cache) and what a power loss leaves.
/// Processes use it through a `SimulatedHandle`.
package final class SimulatedFile {
    /// The state of a sync between its begin and its end: what it will make durable.
    package struct Flush {
        fileprivate var sectors: [(sector: Int, version: UInt64, content: Bytes)]
        fileprivate var length: Int
        fileprivate var order: Int
    }

    let id: Int
    private unowned let disk: SimulatedDisk
    let cache = FileImage()
    private let durable = FileImage()
    /// Sectors that differ from what is durable, perhaps, with the version of their last write.
    private var dirty: [Int: UInt64] = [:]
    private var version: UInt64 = 0
    private var flushesBegun = 0
    private var newestFlushDone = 0
    var modified: Timestamp

    init(id: Int, disk: SimulatedDisk, modified: Timestamp) {
        self.id = id
        self.disk = disk
        self.modified = modified
    }

    package var size: Int64 { Int64(cache.count) }

    package func read(at position: Int64, count: Int) throws(StorageFailure) -> Bytes {
        try disk.begin("read", id)
        return cache.bytes(from: Int(position), count: count)
    }

    package func write(_ pieces: [Bytes], at position: Int64) throws(StorageFailure) {
        var left = pieces.reduce(0) { $0 + $1.count }
        let verdict = disk.beginWrite(id, position: position, count: left)
        var allowed = left
        switch verdict {
        case .whole: break
        case .cut(let after), .refused(let after, _): allowed = min(after, left)
        }
        let growth = Int(position) + allowed - cache.count
        if growth > 0 {
            let granted = disk.grant(growth)
            allowed -= growth - granted
        }
        let wanted = left
        left = max(allowed, 0)
        var at = Int(position)
        for piece in pieces where left > 0 {
            let count = min(piece.count, left)
            put(piece[0..<count], at: at)
            at += count
            left -= count
        }
        modified = disk.now
        switch verdict {
        case .whole: break
        case .cut: throw disk.crashed("write")
        case .refused(_, let failure): throw failure
        }
        if allowed < wanted { throw .noSpace(path: "file \(id)") }
    }

    private func put(_ bytes: Bytes, at position: Int) {
        let end = position + bytes.count
        let oldCount = cache.count
        if end > cache.count { cache.resize(to: end) }
        cache.put(bytes, at: position)
        markDirty(min(position, oldCount)..<end)
    }

    private func markDirty(_ range: Range<Int>) {
        guard !range.isEmpty else { return }
        version += 1
        let size = disk.sectorBytes
        for sector in (range.lowerBound / size)...((range.upperBound - 1) / size) {
            dirty[sector] = version
        }
    }

    package func truncate(to size: Int64) throws(StorageFailure) {
        try disk.begin("truncate", id)
        let size = Int(size)
        modified = disk.now
        if size < cache.count {
            disk.release(cache.count - size)
            cache.resize(to: size)
        } else if size > cache.count {
            let old = cache.count
            guard disk.grant(size - old) == size - old else {
                throw .noSpace(path: "file \(id)")
            }
            cache.resize(to: size)
            markDirty(old..<size)
        }
    }

    package func sync() throws(StorageFailure) {
        do {
            try disk.begin("sync", id)
        } catch {
            if disk.injectionStruckLast { failFlush(beginFlush()) }
            throw error
        }
        let flush = beginFlush()
        if disk.syncFails() {
            failFlush(flush)
            throw .system(operation: "fsync", path: "file \(id)", code: 5)
        }
        finishFlush(flush)
    }

    // MARK: Syncs that take time

    /// What is dirty now is what the sync covers; what is written later is not.
    package func beginFlush() -> Flush {
        flushesBegun += 1
        let sectors = dirty.keys.sorted().map { sector in
            (sector: sector, version: dirty[sector] ?? 0, content: content(of: sector))
        }
        return Flush(sectors: sectors, length: cache.count, order: flushesBegun)
    }

    package func finishFlush(_ flush: Flush) {
        // A sync that began later has made newer content durable already.
        guard flush.order > newestFlushDone else { return }
        newestFlushDone = flush.order
        durable.resize(to: flush.length)
        for entry in flush.sectors {
            overwrite(entry.sector, with: entry.content)
            if dirty[entry.sector] == entry.version { dirty[entry.sector] = nil }
        }
    }

    /// A failed sync: the system forgets that the sectors are dirty and goes on showing the new
    /// bytes, although the disk has the old ones.
    package func failFlush(_ flush: Flush) {
        for entry in flush.sectors where dirty[entry.sector] == entry.version {
            dirty[entry.sector] = nil
        }
    }

    /// Puts bytes into the durable image, as far as it reaches.
    private func overwrite(_ sector: Int, with content: Bytes) {
        let start = sector * disk.sectorBytes
        let count = min(content.count, durable.count - start)
        if count > 0 { durable.put(content[0..<count], at: start) }
    }

    private func content(of sector: Int) -> Bytes {
        cache.bytes(from: sector * disk.sectorBytes, count: disk.sectorBytes)
    }

    // MARK: Crashes

    /// The power is gone: each dirty sector was written, or not, or torn at some byte; a new
    /// length is kept or not.
    func losePower(_ random: inout Random) {
        if cache.count != durable.count, random.chance(1, in: 2) {
            durable.resize(to: cache.count)
        }
        for sector in dirty.keys.sorted() {
            let fresh = content(of: sector)
            var count = 0
            switch random.below(4) {
            case 0, 1: count = fresh.count
            case 2: count = 0
            default: count = random.below(fresh.count + 1)
            }
            overwrite(sector, with: fresh[0..<count])
        }
        cache.copy(durable)
        dirty = [:]
    }

    // MARK: Rot

    /// Flips one bit of what is stored.
    package func flip(bit: Int, at position: Int) {
        cache.flip(bit: bit, at: position)
        durable.flip(bit: bit, at: position)
    }

    /// Loses the end of the file.
    package func shorten(to count: Int) {
        guard count < cache.count else { return }
        disk.release(cache.count - count)
        cache.resize(to: count)
        durable.resize(to: min(durable.count, count))
    }
}
