/// Something that the log says about one file.
protocol FileAction: Sendable {
    var key: FileKey { get }
    /// Bytes of the file, 0 when the log does not say it.
    var byteCount: Int64 { get }
    var deletionVector: DeletionVector? { get }
}

extension AddFile: FileAction {
    var byteCount: Int64 { size }
}
extension RemoveFile: FileAction {
    var byteCount: Int64 { size ?? 0 }
}

/// Files in the order in which they were added, found by key. Insertion and removal are O(1)
/// amortised; iteration never follows the order of the hash table.
struct FileSet<File: FileAction>: Sendable {
    private var entries: [File?] = []
    private var places: [FileKey: Int] = [:]
    private(set) var byteCount: Int64 = 0
    private(set) var deletedRowCount: Int64 = 0
    private(set) var deletionVectorCount: Int64 = 0

    var count: Int { places.count }

    /// The files in the order of their arrival.
    var files: [File] { entries.compactMap { $0 } }

    func contains(_ key: FileKey) -> Bool { places[key] != nil }

    subscript(key: FileKey) -> File? { places[key].flatMap { entries[$0] } }

    /// Adds `file` at the end; one with the same key is replaced in its place.
    mutating func insert(_ file: File) {
        count(file, 1)
        if let place = places[file.key] {
            if let old = entries[place] { count(old, -1) }
            entries[place] = file
            return
        }
        places[file.key] = entries.count
        entries.append(file)
    }

    @discardableResult
    mutating func remove(_ key: FileKey) -> File? {
        guard let place = places.removeValue(forKey: key) else { return nil }
        let file = entries[place]
        if let file { count(file, -1) }
        entries[place] = nil
        if entries.count > 64, places.count * 2 < entries.count { compact() }
        return file
    }

    mutating func removeAll(where isUnwanted: (File) -> Bool) {
        var kept: [File?] = []
        for case .some(let file) in entries {
            if isUnwanted(file) { count(file, -1) } else { kept.append(file) }
        }
        entries = kept
        compact()
    }

    private mutating func count(_ file: File, _ sign: Int64) {
        byteCount &+= sign &* file.byteCount
        guard let vector = file.deletionVector else { return }
        deletionVectorCount += sign
        deletedRowCount &+= sign &* vector.cardinality
    }

    private mutating func compact() {
        entries = entries.filter { $0 != nil }
        places.removeAll(keepingCapacity: true)
        for (place, file) in entries.enumerated() {
            if let file { places[file.key] = place }
        }
    }
}
