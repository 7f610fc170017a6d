import Base
import SQL
import Synchronization

/// Where catalog objects are kept. The node implements it with its metadata log; calls return when
/// the change is durable.
package protocol CatalogStorage: AnyObject, Sendable {
    func put(_ name: String, _ content: Bytes) throws(Problem)
    /// No error when there is no such object.
    func delete(_ name: String) throws(Problem)
    /// All objects whose name begins with `prefix`, in any order.
    func list(prefix: String) throws(Problem) -> [StoredCatalogObject]
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
package final class Catalog: Sendable {
    private struct State {
        var image: CatalogImage
        /// Names that a statement is changing.
        var reserved: Set<QualifiedName> = []
        /// Numbers given to objects that are not in the image yet.
        var highestOID: UInt32 = 0
    }

    private let state: Mutex<State>
    private let storage: any CatalogStorage

    private init(image: CatalogImage, storage: any CatalogStorage) {
        state = Mutex(State(image: image))
        self.storage = storage
    }

    private static let prefix = "catalog/"

    /// Reads what is stored. Objects that cannot be read are left out and reported: the process
    /// can serve the others, and they stay stored as they are.
    package static func load(
        from storage: any CatalogStorage
    ) throws(Problem) -> (catalog: Catalog, damaged: [Problem]) {
        var image = CatalogImage()
        var damaged: [Problem] = []
        let stored = try storage.list(prefix: prefix).sorted { $0.name < $1.name }
        for entry in stored {
            do throws(DecodeFailure) {
                image.put(try CatalogObject(json: try JSONValue(parsing: entry.content)))
            } catch {
                damaged.append(
                    Problem(
                        "catalog.object.damaged", "the catalog object '\(entry.name)' is unusable",
                        notes: ["\(error)", "it is left as it is"]))
            }
        }
        for old in image.renamedObjects {
            // The process ended in the middle of a rename: the new name is there, the old one goes.
            try storage.delete(key(old))
            image = image.applying(CatalogChange(removed: [old]))
        }
        return (Catalog(image: image, storage: storage), damaged)
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
        let change = try reserve(prepare)
        guard !change.isEmpty else { return change }
        do throws(Problem) {
            try store(change)
        } catch {
            state.withLock { $0.reserved.subtract(change.names) }
            throw error
        }
        state.withLock { state in
            state.image = state.image.applying(change)
            state.reserved.subtract(change.names)
        }
        return change
    }

    private func reserve(
        _ prepare: (CatalogImage) throws(Problem) -> CatalogChange
    ) throws(Problem) -> CatalogChange {
        let outcome: Result<CatalogChange, Problem> = state.withLock { state in
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
                return .success(change)
            } catch {
                return .failure(error)
            }
        }
        return try outcome.get()
    }

    /// New objects first, so that a rename interrupted half-way leaves both names and loses none.
    private func store(_ change: CatalogChange) throws(Problem) {
        for object in change.put {
            try storage.put(Self.key(object), object.json.serialized())
        }
        for object in change.removed {
            try storage.delete(Self.key(object))
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
