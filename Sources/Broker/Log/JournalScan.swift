import Base

/// Reads all frames of a journal after a restart, valid ones and those whose header alone survived.
///
/// The chain of frames may have holes: sectors of the last, unacknowledged group may be missing in
/// any order, and a durable frame may be damaged. So the scan does not stop at the first bad byte,
/// it looks for the next header at each multiple of 8. Cost: one pass over the ring.
struct JournalScan: Sendable {
    struct Frame: Sendable {
        var header: JournalFrameHeader
        var fileIndex: Int
        var position: Int64
        var payloadIsIntact: Bool
    }

    private(set) var files: [CommitJournal.File] = []
    /// In ascending order of sequence, none twice.
    private(set) var frames: [Frame] = []
    private(set) var notes: [DurableNote] = []
    /// One past the largest sequence and generation seen, stale frames included.
    private(set) var nextSequence: UInt64 = 1
    private(set) var nextGeneration: UInt64 = 1
    private(set) var bytes: Int64 = 0
    private(set) var remarks: [String] = []

    /// `replayFrom`: frames below are not needed; nil when the checkpoint that knows is lost. Then
    /// the newest generation of each file is taken, older laps were released before it began.
    init(
        disk: any Disk, identity: UInt64, replayFrom: UInt64?, planted: PlantedBug
    ) throws(StorageFailure) {
        guard disk.isDirectory(CommitJournal.directory) else { return }
        for name in try disk.list(CommitJournal.directory) {
            let path = CommitJournal.directory + "/" + name
            guard let number = CommitJournal.number(name: name) else {
                try disk.remove(path)
                continue
            }
            let file = try disk.open(path)
            let content = try file.read(at: 0, count: Int(file.size))
            if let remark = Self.checkHeader(
                content, number: number, identity: identity, path: path)
            {
                remarks.append(remark)
            }
            files.append(
                CommitJournal.File(number: number, path: path, file: file, capacity: file.size))
            scan(content, replayFrom: replayFrom, identity: identity, planted: planted)
        }
        frames.sort { $0.header.sequence < $1.header.sequence }
        var unique: [Frame] = []
        unique.reserveCapacity(frames.count)
        for frame in frames where unique.last?.header.sequence != frame.header.sequence {
            unique.append(frame)
        }
        frames = unique
    }

    private static func checkHeader(
        _ content: Bytes, number: Int, identity: UInt64, path: String
    ) -> String? {
        let expected = CommitJournal.header(
            number: number, size: Int64(content.count), identity: identity)
        guard content.count >= 36, content[0..<36] == expected[0..<36] else {
            return "the header of \(path) is damaged; its frames were checked one by one"
        }
        return nil
    }

    private mutating func scan(
        _ content: Bytes, replayFrom: UInt64?, identity: UInt64, planted: PlantedBug
    ) {
        let fileIndex = files.count - 1
        var found: [Frame] = []
        var foundNotes: [(generation: UInt64, note: DurableNote)] = []
        content.withUnsafeBytes { buffer in
            var position = CommitJournal.headerBytes
            while position + JournalFrameHeader.byteCount <= buffer.count {
                guard let header = JournalFrameHeader(buffer, at: position, identity: identity)
                else {
                    position += 8
                    continue
                }
                nextSequence = max(nextSequence, header.sequence &+ 1)
                nextGeneration = max(nextGeneration, header.generation &+ 1)
                let payloadFrom = position + JournalFrameHeader.byteCount
                let fits = header.payloadLength <= buffer.count - payloadFrom
                // A stale frame may reach into newer ones, so it is not skipped as a whole.
                guard fits, header.sequence >= replayFrom ?? 0 else {
                    position += 8
                    continue
                }
                let payload = UnsafeRawBufferPointer(
                    rebasing: buffer[payloadFrom..<(payloadFrom + header.payloadLength)])
                let isIntact =
                    header.isIntact(payload) || planted == .skipChecksum
                switch header.kind {
                case .batch:
                    found.append(
                        Frame(
                            header: header, fileIndex: fileIndex, position: Int64(position),
                            payloadIsIntact: isIntact))
                case .leaderEpoch:
                    found.append(
                        Frame(
                            header: header, fileIndex: fileIndex, position: Int64(position),
                            payloadIsIntact: true))
                case .reference:
                    // As a batch whose payload was lost: the segment has to have it.
                    found.append(
                        Frame(
                            header: header, fileIndex: fileIndex, position: Int64(position),
                            payloadIsIntact: false))
                case .durableNote:
                    if isIntact, let note = Self.decodeNote(payload) {
                        foundNotes.append((header.generation, note))
                    }
                }
                // Behind a frame whose payload is torn newer frames may begin anywhere.
                position += isIntact ? header.paddedByteCount : 8
            }
        }
        if replayFrom == nil {
            let newest = found.map(\.header.generation).max() ?? 0
            found.removeAll { $0.header.generation != newest }
            foundNotes.removeAll { $0.generation < newest }
        }
        for frame in found { bytes += Int64(frame.header.paddedByteCount) }
        frames += found
        notes += foundNotes.map(\.note)
    }

    private static func decodeNote(_ payload: UnsafeRawBufferPointer) -> DurableNote? {
        do { return try DurableNote(Bytes(payload)) } catch { return nil }
    }

    /// The payload of a frame, read again from its file.
    func payload(of frame: Frame) throws(StorageFailure) -> Bytes {
        try files[frame.fileIndex].file.read(
            at: frame.position + Int64(JournalFrameHeader.byteCount),
            count: frame.header.payloadLength)
    }
}
