/// Something that the log says about one file.
protocol FileAction: Sendable {
    var key: FileKey { get }
    /// Bytes of the file, 0 when the log does not say it.
    var byteCount: Int64 { get }
    var deletionVector: DeletionVector? { get }
    /// Rows of the file, those that its deletion vector takes out included.
    var knownRowCount: Int64? { get }
}

extension AddFile: FileAction {
    var byteCount: Int64 { size }
    var knownRowCount: Int64? { recordedRowCount }
}
extension RemoveFile: FileAction {
    var byteCount: Int64 { size ?? 0 }
    var knownRowCount: Int64? { 0 }
}

/// Files in the order in which they were added, found by key.
///
/// A value whose copies share nearly everything: a commit changes a few files of many, and the
/// version before it must stay as it is. Changes gather in a small open layer, which is what a copy
/// costs. When it is full it becomes a layer that never changes; of two neighbouring layers the
/// lower one is always more than twice as large, so there are few of them, and merging them to keep
/// it so costs O(log n) for each file ever added. Iteration never follows the order of a hash table.
///
/// Invariant: a key that a layer has and a layer below has, too, is in `gone` of the upper one.
struct FileSet<File: FileAction>: Sendable {
    private final class Layer: Sendable {
        let files: [File]
        let places: [FileKey: Int]
        /// Files of the layers below that are not there any more.
        let gone: Set<FileKey>

        init(_ files: [File], gone: Set<FileKey>) {
            self.files = files
            self.gone = gone
            var places = [FileKey: Int](minimumCapacity: files.count)
            for (place, file) in files.enumerated() { places[file.key] = place }
            self.places = places
        }

        var weight: Int { files.count + gone.count }
    }

    /// What was changed last.
    private struct OpenLayer: Sendable {
        var files: [File?] = []
        var places: [FileKey: Int] = [:]
        var gone: Set<FileKey> = []
        var weight: Int { files.count + gone.count }
    }

    /// From the oldest, lowest, up.
    private var layers: [Layer] = []
    private var open = OpenLayer()
    private(set) var count = 0
    private(set) var byteCount: Int64 = 0
    private(set) var deletedRowCount: Int64 = 0
    private(set) var deletionVectorCount: Int64 = 0
    private var knownRows: Int64 = 0
    private var unknownCount = 0

    /// Changes that a copy may have to copy.
    private static var openMax: Int { 128 }

    /// Rows of all files without those that deletion vectors take out; nil when the log does not say
    /// it for each file.
    var rowCount: Int64? { unknownCount == 0 ? knownRows &- deletedRowCount : nil }

    /// The files in the order of their arrival.
    var files: [File] {
        var result: [File] = []
        result.reserveCapacity(count)
        for (index, layer) in layers.enumerated() {
            let above = layers[(index + 1)...].map(\.gone) + [open.gone]
            let hiding = above.filter { !$0.isEmpty }
            if hiding.isEmpty {
                result += layer.files
            } else {
                for file in layer.files where !hiding.contains(where: { $0.contains(file.key) }) {
                    result.append(file)
                }
            }
        }
        for case .some(let file) in open.files { result.append(file) }
        return result
    }

    func contains(_ key: FileKey) -> Bool { self[key] != nil }

    subscript(key: FileKey) -> File? {
        if let place = open.places[key] { return open.files[place] }
        return below(key)
    }

    /// The file as the layers below the open one have it.
    private func below(_ key: FileKey) -> File? {
        if layers.isEmpty || open.gone.contains(key) { return nil }
        for layer in layers.reversed() {
            if let place = layer.places[key] { return layer.files[place] }
            if !layer.gone.isEmpty, layer.gone.contains(key) { return nil }
        }
        return nil
    }

    /// Adds `file` at the end; one with the same key is replaced.
    mutating func insert(_ file: File) {
        let key = file.key
        note(file, 1)
        if let place = open.places[key] {
            if let old = open.files[place] { note(old, -1) }
            open.files[place] = file
            return
        }
        if let old = below(key) {
            note(old, -1)
            open.gone.insert(key)
        }
        open.places[key] = open.files.count
        open.files.append(file)
        closeWhenFull()
    }

    /// Adds `more` at the end, as one layer where nothing was before.
    mutating func insert(contentsOf more: [File]) {
        if layers.isEmpty, open.weight == 0, more.count >= Self.openMax {
            let layer = Layer(more, gone: [])
            // Fewer places than files: some stand there twice.
            if layer.places.count == more.count {
                layers = [layer]
                for file in more { note(file, 1) }
                return
            }
        }
        for file in more { insert(file) }
    }

    @discardableResult
    mutating func remove(_ key: FileKey) -> File? {
        if let place = open.places.removeValue(forKey: key) {
            let old = open.files[place]
            open.files[place] = nil
            if let old { note(old, -1) }
            return old
        }
        guard let old = below(key) else { return nil }
        note(old, -1)
        open.gone.insert(key)
        closeWhenFull()
        return old
    }

    mutating func removeAll(where isUnwanted: (File) -> Bool) {
        let all = files
        let kept = all.filter { !isUnwanted($0) }
        if kept.count == all.count { return }
        self = FileSet()
        for file in kept { note(file, 1) }
        if !kept.isEmpty { layers = [Layer(kept, gone: [])] }
    }

    private mutating func note(_ file: File, _ sign: Int64) {
        count += Int(sign)
        byteCount &+= sign &* file.byteCount
        if let rows = file.knownRowCount {
            knownRows &+= sign &* rows
        } else {
            unknownCount += Int(sign)
        }
        guard let vector = file.deletionVector else { return }
        deletionVectorCount += sign
        deletedRowCount &+= sign &* vector.cardinality
    }

    // MARK: Layers

    private mutating func closeWhenFull() {
        guard open.weight >= Self.openMax else { return }
        let files = open.files.compactMap { $0 }
        layers.append(Layer(files, gone: layers.isEmpty ? [] : open.gone))
        open = OpenLayer()
        while let last = layers.last, layers.count > 1,
            layers[layers.count - 2].weight <= 2 * last.weight
        {
            layers.removeLast()
            let lower = layers.removeLast()
            layers.append(Self.merged(lower, last, isLowest: layers.isEmpty))
        }
    }

    private static func merged(_ lower: Layer, _ upper: Layer, isLowest: Bool) -> Layer {
        var files = lower.files
        if !upper.gone.isEmpty { files.removeAll { upper.gone.contains($0.key) } }
        files += upper.files
        // Nothing is below the lowest layer that could be gone.
        if isLowest { return Layer(files, gone: []) }
        let stillGone = upper.gone.filter { lower.places[$0] == nil }
        return Layer(files, gone: lower.gone.union(stillGone))
    }

    /// Traps unless the layers are as they should be. For tests.
    func checkInvariants() {
        precondition(files.count == count, "what is counted is what is there")
        for (index, layer) in layers.enumerated() where index > 0 {
            for file in layer.files {
                let isBelow = layers[..<index].contains { $0.places[file.key] != nil }
                precondition(
                    !isBelow || layer.gone.contains(file.key),
                    "what a layer replaces is gone from those below")
            }
            precondition(
                layers[index - 1].weight > 2 * layer.weight, "layers grow towards the lowest")
        }
        precondition(layers.first?.gone.isEmpty ?? true, "nothing is below the lowest layer")
    }
}
