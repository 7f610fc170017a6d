/// Something that the log says about one file.
protocol FileAction: Sendable {
    var key: FileKey { get }
}

extension AddFile: FileAction {}
extension RemoveFile: FileAction {}

/// Files in the order in which they were added, found by key. Insertion and removal are O(1)
/// amortised; iteration never follows the order of the hash table.
struct FileSet<File: FileAction>: Sendable {
    private var entries: [File?] = []
    private var places: [FileKey: Int] = [:]

    var count: Int { places.count }

    /// The files in the order of their arrival.
    var files: [File] { entries.compactMap { $0 } }

    func contains(_ key: FileKey) -> Bool { places[key] != nil }

    subscript(key: FileKey) -> File? { places[key].flatMap { entries[$0] } }

    /// Adds `file` at the end; one with the same key is replaced in its place.
    mutating func insert(_ file: File) {
        if let place = places[file.key] {
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
        entries[place] = nil
        if entries.count > 64, places.count * 2 < entries.count { compact() }
        return file
    }

    mutating func removeAll(where isUnwanted: (File) -> Bool) {
        var kept: [File?] = []
        for case .some(let file) in entries where !isUnwanted(file) { kept.append(file) }
        entries = kept
        compact()
    }

    private mutating func compact() {
        entries = entries.filter { $0 != nil }
        places.removeAll(keepingCapacity: true)
        for (place, file) in entries.enumerated() {
            if let file { places[file.key] = place }
        }
    }
}
