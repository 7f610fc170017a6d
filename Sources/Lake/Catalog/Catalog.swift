import Base
import SQL
import Synchronization

/// Where catalog objects are kept. The node implements it with its metadata log; calls return when
/// the change is durable.
package protocol CatalogStorage: AnyObject, Sendable {
    /// Other processes change the catalog, too.
    var isShared: Bool { get }
    /// Makes all changes or none. Those of `expecting` have to be as it says: else a problem with the code
    /// `CatalogStorageCode.changed` is thrown. With `uncertain` it may have been done, or not.
    func change(
        _ changes: [CatalogStorageChange], expecting: [CatalogStorageChange]
    ) throws(Problem)
    /// All objects whose name begins with `prefix`, in any order, with every change that this process
    /// has heard the outcome of.
    func list(prefix: String) throws(Problem) -> [StoredCatalogObject]
    /// A text that no other call gives, here or in another process.
    func newMark() -> String
}

package enum CatalogStorageCode {
    package static let changed = "object.changed"
    package static let uncertain = "cluster.uncertain"
}

/// An object as it is to be, or as it is expected to be; nil: there is none.
package struct CatalogStorageChange: Sendable {
    package var name: String
    package var content: Bytes?

    package init(_ name: String, _ content: Bytes?) {
        self.name = name
        self.content = content
    }
}

package struct StoredCatalogObject: Sendable {
    package var name: String
    package var content: Bytes

    package init(name: String, content: Bytes) {
        self.name = name
        self.content = content
    }
}

/// The list of what exists, kept durably. Any thread may read and change it.
///
/// A change is checked against the image, then stored, then shown: nothing is visible before it is
/// durable. Between check and show its names are reserved, so that two statements do not both
/// create one object; the lock itself is never held while storage works.
///
/// A catalog that several processes share is read again when another one has changed it (`refresh`). Each
/// change of it replaces one more object, the version, and is made only if that is still what this
/// process has read; else it is checked again against what is there by then.
package final class Catalog: Sendable {
    private struct State {
        var image: CatalogImage
        /// Names that a statement is changing.
        var reserved: Set<QualifiedName> = []
        /// Numbers given to objects that are not in the image yet.
        var highestOID: UInt32 = 0
        /// What the image was read with.
        var version: CatalogVersion = .none
        /// Another one with each image.
        var generation: UInt64 = 0

        mutating func show(_ image: CatalogImage) {
            self.image = image
            generation += 1
        }
    }

    private let state: Mutex<State>
    private let storage: any CatalogStorage

    private init(image: CatalogImage, storage: any CatalogStorage) {
        state = Mutex(State(image: image))
        self.storage = storage
    }

    private static let prefix = "catalog/"
    /// Outside of the prefix, and beside it: one list has both.
    private static let versionName = "catalog-version"
    private static let everything = "catalog"
    private static let attemptsMax = 10

    /// A catalog that others change, too. It is empty until `refresh` has read it.
    package init(sharing storage: any CatalogStorage) {
        state = Mutex(State(image: CatalogImage()))
        self.storage = storage
    }

    /// Reads what is stored. Objects that cannot be read are left out and reported: the process
    /// can serve the others, and they stay stored as they are.
    package static func load(
        from storage: any CatalogStorage
    ) throws(Problem) -> (catalog: Catalog, damaged: [Problem]) {
        var (image, damaged) = read(try storage.list(prefix: prefix))
        for old in image.renamedObjects {
            // The process ended in the middle of a rename: the new name is there, the old one goes.
            try storage.change([CatalogStorageChange(key(old), nil)], expecting: [])
            image = image.applying(CatalogChange(removed: [old]))
        }
        return (Catalog(image: image, storage: storage), damaged)
    }

    private static func read(
        _ stored: [StoredCatalogObject]
    ) -> (image: CatalogImage, damaged: [Problem]) {
        var image = CatalogImage()
        var damaged: [Problem] = []
        for entry in stored.sorted(by: { $0.name < $1.name }) {
            do throws(DecodeFailure) {
                image.put(try CatalogObject(json: try JSONValue(parsing: entry.content)))
            } catch {
                damaged.append(
                    Problem(
                        "catalog.object.damaged", "the catalog object '\(entry.name)' is unusable",
                        notes: ["\(error)", "it is left as it is"]))
            }
        }
        return (image, damaged)
    }

    /// Reads what others have changed. Returns the objects that could not be read, if it had to be read at
    /// all. Costs one look at one object when nothing has changed.
    @discardableResult
    package func refresh() throws(Problem) -> [Problem] {
        guard storage.isShared else { return [] }
        while true {
            let (known, generation) = state.withLock { ($0.version, $0.generation) }
            if try storedVersion() == known { return [] }
            let stored = try storage.list(prefix: Self.everything)
            let version = CatalogVersion(stored.first { $0.name == Self.versionName }?.content)
            let (image, damaged) = Self.read(stored.filter { $0.name.hasPrefix(Self.prefix) })
            let isDone = state.withLock { state in
                guard state.generation == generation else { return false }
                state.show(image.keepingActivity(of: state.image))
                state.version = version
                return true
            }
            if isDone { return damaged }
        }
    }

    private func storedVersion() throws(Problem) -> CatalogVersion {
        CatalogVersion(try storage.list(prefix: Self.versionName).first?.content)
    }

    /// What exists now.
    package var image: CatalogImage { state.withLock { $0.image } }

    // MARK: Statements

    /// CREATE. Returns the stored object, or nil when IF NOT EXISTS found the name taken.
    @discardableResult
    package func create(
        _ object: CatalogObject, _ mode: CreateMode = .create
    ) throws(Problem) -> CatalogObject? {
        try change { image throws(Problem) in try image.creating(object, mode) }.put.first
    }

    /// DROP. Returns what went, dependents first; the caller removes their data.
    @discardableResult
    package func drop(
        _ names: [QualifiedName], kind: CatalogKind, ifExists: Bool = false, cascade: Bool = false
    ) throws(Problem) -> [CatalogObject] {
        try change { image throws(Problem) in
            try image.dropping(names, kind: kind, ifExists: ifExists, cascade: cascade)
        }.removed
    }

    /// ALTER and COMMENT.
    package func alter(
        _ name: QualifiedName, kind: CatalogKind? = nil, now: Timestamp,
        _ edit: (inout CatalogObject) throws(Problem) -> Void
    ) throws(Problem) {
        _ = try change { image throws(Problem) in
            try image.altering(name, kind: kind, now: now, edit)
        }
    }

    package func rename(
        _ name: QualifiedName, to newName: String, now: Timestamp
    ) throws(Problem) {
        _ = try change { image throws(Problem) in
            try image.renaming(name, to: newName, now: now)
        }
    }

    /// Checks, reserves, stores and shows one change.
    private func change(
        _ prepare: (CatalogImage) throws(Problem) -> CatalogChange
    ) throws(Problem) -> CatalogChange {
        guard storage.isShared else { return try changeOnce(prepare) }
        for _ in 0..<Self.attemptsMax {
            try refresh()
            do throws(Problem) {
                return try changeOnce(prepare)
            } catch {
                guard error.code == CatalogStorageCode.changed else { throw error }
            }
        }
        throw Problem(
            "55P03", "other nodes change the catalog all the time", notes: ["nothing was changed"],
            hint: "try again")
    }

    private func changeOnce(
        _ prepare: (CatalogImage) throws(Problem) -> CatalogChange
    ) throws(Problem) -> CatalogChange {
        let (change, before) = try reserve(prepare)
        guard !change.isEmpty else { return change }
        defer { state.withLock { $0.reserved.subtract(change.names) } }
        guard let after = try store(change, before) else {
            // Others have changed it since: what is there has the change.
            try refresh()
            return change
        }
        state.withLock { state in
            state.show(state.image.applying(change))
            state.version = after
        }
        return change
    }

    private func reserve(
        _ prepare: (CatalogImage) throws(Problem) -> CatalogChange
    ) throws(Problem) -> (CatalogChange, CatalogVersion) {
        let outcome: Result<(CatalogChange, CatalogVersion), Problem> = state.withLock { state in
            do throws(Problem) {
                var change = try prepare(state.image)
                for name in change.names where state.reserved.contains(name) {
                    throw Problem(
                        "55P03", "\(name) is being changed by another statement",
                        hint: "try again")
                }
                for index in change.put.indices {
                    let isNew = state.image.object(oid: change.put[index].oid) == nil
                    if isNew {
                        let oid = max(change.put[index].oid, state.highestOID &+ 1)
                        change.put[index].oid = oid
                        state.highestOID = oid
                    }
                }
                state.reserved.formUnion(change.names)
                return .success((change, state.version))
            } catch {
                return .failure(error)
            }
        }
        return try outcome.get()
    }

    /// Stores a change of the catalog at `before`. Returns the version with it; nil when it was made, and
    /// others have changed the catalog since.
    private func store(
        _ change: CatalogChange, _ before: CatalogVersion
    ) throws(Problem) -> CatalogVersion? {
        var changes = change.put.map { CatalogStorageChange(Self.key($0), $0.json.serialized()) }
        changes += change.removed.map { CatalogStorageChange(Self.key($0), nil) }
        guard storage.isShared else {
            try storage.change(changes, expecting: [])
            return before
        }
        let mark = storage.newMark()
        let after = before.followed(by: mark)
        changes.append(CatalogStorageChange(Self.versionName, after.content))
        let expected = [CatalogStorageChange(Self.versionName, before.content)]
        var attempt = 0
        while true {
            attempt += 1
            do throws(Problem) {
                try storage.change(changes, expecting: expected)
                return after
            } catch {
                switch error.code {
                // The same again is made only if it was not made before.
                case CatalogStorageCode.uncertain where attempt < Self.attemptsMax: continue
                case CatalogStorageCode.changed where attempt > 1:
                    if try storedVersion().marks.contains(Substring(mark)) { return nil }
                    throw error
                default: throw error
                }
            }
        }
    }

    private static func key(_ object: CatalogObject) -> String {
        let kind = object.kind == .schema ? "schema/" : "object/"
        return prefix + kind + name(object.name)
    }

    /// The length of the schema keeps `a.b` + `c` and `a` + `b.c` apart.
    private static func name(_ name: QualifiedName) -> String {
        guard let schema = name.schema else { return name.name }
        return "\(schema.utf8.count):\(schema).\(name.name)"
    }

    // MARK: Activity

    /// Shows what happened to an object last. Not durable: tables know their own figures.
    package func recordActivity(
        of name: QualifiedName, _ edit: (inout CatalogActivity) -> Void
    ) {
        state.withLock { state in
            guard state.image.object(name) != nil else { return }
            var activity = state.image.activity(of: name) ?? CatalogActivity()
            edit(&activity)
            state.image.setActivity(activity, of: name)
        }
    }
}

/// What a shared catalog was last changed by: the marks of the newest changes, the newest one last.
struct CatalogVersion: Hashable, Sendable {
    static let none = CatalogVersion(nil)
    /// Whoever does not know whether its change was made looks for it among so many.
    private static let marksMax = 64

    let content: Bytes?

    init(_ content: Bytes?) { self.content = content }

    var marks: [Substring] {
        content?.validText.map { $0.split(separator: " ") } ?? []
    }

    func followed(by mark: String) -> CatalogVersion {
        let all = marks.suffix(Self.marksMax - 1) + [Substring(mark)]
        return CatalogVersion(Bytes(utf8: all.joined(separator: " ")))
    }
}
