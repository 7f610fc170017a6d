import Base
import RowFiles

/// Files on their way between a client and a statement: `COPY t FROM 'upload:ID'`, `COPY t TO
/// 'upload:ID'`. A file of any size is a row of parts, none larger than a request.
///
///     _uploads/<id>/00000, 00001, …
package final class LakeUploads: Sendable {
    /// What is left behind by clients that went away is deleted after so many milliseconds.
    private static let lifetime: Int64 = 24 * 3_600_000
    private static let prefix = "upload:"
    private static let folder = "_uploads"
    private static let partsMax = 100_000
    /// The size of a part that a statement writes.
    static let partBytes = 8 << 20

    private let store: any ObjectStore
    private let clock: @Sendable () -> Now

    init(_ store: any ObjectStore, clock: @escaping @Sendable () -> Now) {
        self.store = store
        self.clock = clock
    }

    static func isName(_ path: String) -> Bool { path.hasPrefix(prefix) }

    /// A new one of no parts; also removes those that are too old.
    package func create(_ id: UUID128) throws(Problem) -> String {
        do throws(StorageFailure) {
            let now = clock().timestamp.milliseconds
            for entry in try store.list(Self.folder, recursive: true)
            where now - entry.modified.milliseconds > Self.lifetime {
                try store.delete(entry.path)
            }
        } catch {
            throw Self.problem(error)
        }
        return id.description
    }

    package func put(_ id: String, part: Int, _ content: Bytes) throws(Problem) {
        let path = try path(id, part)
        // A client that lost the answer sends the part again.
        do throws(StorageFailure) { try store.replace(path, content) } catch {
            throw Self.problem(error)
        }
    }

    /// Nil behind the last part.
    package func part(_ id: String, _ part: Int) throws(Problem) -> Bytes? {
        let path = try path(id, part)
        guard store.exists(path) else { return nil }
        do throws(StorageFailure) { return try store.get(path, range: nil) } catch {
            throw Self.problem(error)
        }
    }

    package func delete(_ id: String) throws(Problem) {
        let folder = Self.folder + "/" + (try checked(id))
        do throws(StorageFailure) {
            for entry in try store.list(folder, recursive: true) { try store.delete(entry.path) }
        } catch {
            throw Self.problem(error)
        }
    }

    // MARK: For statements

    /// The file whose parts were sent.
    func file(_ name: String) throws(Problem) -> RowFile {
        let id = try checked(String(name.dropFirst(Self.prefix.count)))
        let entries: [ObjectEntry]
        do throws(StorageFailure) {
            entries = try store.list(Self.folder + "/" + id, recursive: false).filter {
                !lastComponent(of: $0.path).hasPrefix(".")
            }
        } catch {
            throw Self.problem(error)
        }
        guard !entries.isEmpty else {
            throw Problem(
                "42P01", "there is no upload \(id)",
                hint: "uploads are kept for a day: send the file again")
        }
        var starts: [Int64] = []
        var size: Int64 = 0
        for (number, entry) in entries.enumerated() {
            guard entry.path == (try path(id, number)) else {
                throw Problem("58030", "part \(number) of the upload \(id) is missing")
            }
            starts.append(size)
            size += entry.size
        }
        let store = store
        let (positions, total) = (starts, size)
        return RowFile(name: "the file", size: size) { (position, count) throws(StorageFailure) in
            var pieces: [Bytes] = []
            var at = position
            let end = min(position &+ Int64(count), total)
            var part = (positions.lastIndex { $0 <= position } ?? 0)
            while at < end, part < entries.count {
                let from = at - positions[part]
                let upTo = min(end - positions[part], entries[part].size)
                let piece = try store.get(entries[part].path, range: from..<upTo)
                // A part that became shorter since.
                if piece.count != Int(upTo - from) { break }
                pieces.append(piece)
                at += Int64(piece.count)
                part += 1
            }
            return Bytes.joined(pieces)
        }
    }

    /// What a statement writes for a client to fetch.
    func writer(_ name: String) throws(Problem) -> any ObjectWriter {
        UploadWriter(self, try checked(String(name.dropFirst(Self.prefix.count))))
    }

    // MARK: Names

    private func checked(_ id: String) throws(Problem) -> String {
        guard let name = UUID128(text: id), name.description == id else {
            throw Problem("22023", "\"\(id.prefix(50))\" is not the name of an upload")
        }
        return id
    }

    private func path(_ id: String, _ part: Int) throws(Problem) -> String {
        guard (0..<Self.partsMax).contains(part) else {
            throw Problem("54000", "an upload has at most \(Self.partsMax) parts")
        }
        let digits = String(part)
        let number = String(repeating: "0", count: 5 - digits.count) + digits
        return Self.folder + "/" + (try checked(id)) + "/" + number
    }

    static func problem(_ failure: StorageFailure) -> Problem {
        Problem("58030", "uploads can't be kept", notes: [failure.description])
    }
}

private final class UploadWriter: ObjectWriter {
    private let uploads: LakeUploads
    private let id: String
    private var waiting: [Bytes] = []
    private var waitingBytes = 0
    private var part = 0

    init(_ uploads: LakeUploads, _ id: String) {
        self.uploads = uploads
        self.id = id
    }

    func write(_ piece: Bytes) throws(StorageFailure) {
        waiting.append(piece)
        waitingBytes += piece.count
        while waitingBytes >= LakeUploads.partBytes {
            let all = Bytes.joined(waiting)
            try put(all[0..<LakeUploads.partBytes])
            let rest = all[LakeUploads.partBytes..<all.count]
            waiting = [rest]
            waitingBytes = rest.count
        }
    }

    func finish() throws(StorageFailure) {
        // An empty file is one part of nothing.
        if waitingBytes > 0 || part == 0 { try put(Bytes.joined(waiting)) }
    }

    func cancel() {}

    private func put(_ bytes: Bytes) throws(StorageFailure) {
        do throws(Problem) {
            try uploads.put(id, part: part, bytes)
        } catch {
            throw .remote(operation: "put", path: id, detail: error.message)
        }
        part += 1
    }
}
