// The lake of a cluster: one catalog in the metadata, one place for all tables, and for each table one node
// that works on it (decision 0028).

import Base
import Catalog
import Synchronization

/// What a node of a cluster has to know to share the lake with the others.
package struct LakeSharing: Sendable {
    /// This node.
    package var node: Int32
    /// Why there is no place for tables; nil when there is one, which all nodes reach.
    package var trouble: Problem?

    package init(node: Int32, trouble: Problem? = nil) {
        self.node = node
        self.trouble = trouble
    }
}

/// How far a node is with its part.
struct SharedLakeState: Sendable {
    /// The jobs that run here, by their names.
    var jobs: OrderedMap<String, CatalogObject> = [:]
    /// The objects that this node works on.
    var owned: Set<UInt32> = []
    /// The place is that of the cluster, and what the last process left undone is done.
    var isSettled = false
    var isFollowing = false
    var followsAgain = false
    /// What was in the way last, and was reported.
    var trouble: Problem?
    var figuresDue = Instant.zero
}

extension Lakehouse {
    /// How often a node looks who works on what.
    private static let followEvery = Duration.milliseconds(500)
    /// The figures of tables that others work on are read anew so often.
    private static let figuresEvery = Duration.seconds(10)
    private static let identityFile = "_weir/lake"
    private static let identityObject = "lake-identity"

    /// The node of `alive` that works on an object: each gives it another weight, and the largest wins, so
    /// that a node that comes or goes moves no more than its share. nil when nobody is there.
    static func owner(of oid: UInt32, among alive: [Int32]) -> Int32? {
        func weight(_ node: Int32) -> UInt64 {
            // The finalizer of splitmix64: all bits of both count.
            var bits = UInt64(oid) << 32 | UInt64(UInt32(bitPattern: node))
            bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
            bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
            return bits ^ (bits >> 31)
        }
        return alive.max { weight($0) < weight($1) }
    }

    /// Whether this node works on an object: it runs its job, and cares for its files.
    func works(on object: CatalogObject) -> Bool {
        sharing == nil || shared.withLock { $0.owned.contains(object.oid) }
    }

    /// Takes over what other nodes have changed in the catalog. What follows sees everything that was done
    /// before, through whichever node, or with `isQuick` what this one has heard of.
    func refreshCatalog(isQuick: Bool = false) throws(Problem) {
        guard sharing != nil else { return }
        if !isQuick { _ = try port.call(.catchUp) }
        for problem in try catalog.refresh() {
            diagnostics.report(.error, "catalog", problem.description)
        }
    }

    /// Throws when this node has no place for tables, or not that of the others.
    func requirePlace() throws(Problem) {
        guard let sharing else { return }
        if let trouble = sharing.trouble { throw trouble }
        try settle()
    }

    func startFollowing(_ host: any JobHost) {
        host.start("cluster", every: Self.followEvery) { [weak self] in self?.follow() }
    }

    /// Looks who is there and what there is, and takes or leaves what this node is to work on. Two at a
    /// time would contradict each other: the second one lets the first look once more.
    package func follow() {
        let isFirst = shared.withLock { state in
            state.followsAgain = state.isFollowing
            if state.isFollowing { return false }
            state.isFollowing = true
            return true
        }
        guard isFirst else { return }
        var goesOn = true
        while goesOn {
            followOnce()
            goesOn = shared.withLock { state in
                defer { state.followsAgain = false }
                state.isFollowing = state.followsAgain
                return state.followsAgain
            }
        }
    }

    private func followOnce() {
        var alive: [Int32] = []
        do throws(Problem) {
            guard case .statistics(let figures) = try port.call(.statistics) else {
                throw unexpectedAnswer("statistics")
            }
            // Who was fenced and does not know yet works on as the others do: of two that commit the same
            // records one is refused.
            if let cluster = figures.cluster, cluster.isServing {
                try refreshCatalog(isQuick: true)
                try settle()
                alive = cluster.alive
            }
            shared.withLock { $0.trouble = nil }
        } catch {
            let isNew = shared.withLock { state in
                defer { state.trouble = error }
                return state.trouble != error
            }
            if isNew { diagnostics.report(.error, "lake", "\(error)") }
        }
        takeWork(among: alive)
        readFigures()
    }

    private func takeWork(among alive: [Int32]) {
        guard let node = sharing?.node else { return }
        let mine = catalog.image.relations.filter {
            $0.kind.isStored && Self.owner(of: $0.oid, among: alive) == node
        }
        let wanted = mine.filter(hasJob)
        let (ending, starting) = shared.withLock { state in
            state.owned = Set(mine.map(\.oid))
            let names = Set(wanted.map(jobName))
            let ending = state.jobs.filter { !names.contains($0.key) }.map(\.value)
            let starting = wanted.filter { state.jobs[jobName($0)] == nil }
            for object in ending { state.jobs[jobName(object)] = nil }
            for object in starting { state.jobs[jobName(object)] = object }
            return (ending, starting)
        }
        for object in ending { endJob(of: object) }
        for object in starting { beginJob(of: object) }
        // Open tables are cared for.
        for object in mine { _ = try? table(of: object) }
    }

    /// What other nodes have committed shows in the lists of this one.
    private func readFigures() {
        let now = clock().monotonic
        let isDue = shared.withLock { state in
            guard state.isSettled, state.figuresDue <= now else { return false }
            state.figuresDue = now + Self.figuresEvery
            return true
        }
        guard isDue else { return }
        for object in catalog.image.relations where object.kind.isStored && !works(on: object) {
            updateActivity(of: object)
        }
    }

    // MARK: The place

    /// Once in the life of the process. Twice at a time does no harm.
    private func settle() throws(Problem) {
        guard shared.withLock({ !$0.isSettled }) else { return }
        if sharing?.trouble == nil { try checkPlace() }
        try settleFolders()
        shared.withLock { $0.isSettled = true }
    }

    /// The place and the metadata keep the same text, made by whichever node comes first: so one that was
    /// given another place than the others, or that of another cluster, finds out before it reads or
    /// writes a table.
    private func checkPlace() throws(Problem) {
        while true {
            let here = try placeIdentity()
            let known = try metadataIdentity()
            switch (here, known) {
            case (let here?, let known?):
                if here == known { return }
                throw Problem(
                    "lake.foreign", "the place of the tables belongs to another cluster",
                    notes: ["its file \(Self.identityFile) has another identity than the metadata"],
                    hint: "start this node with the --lake of the others")
            case (nil, _?):
                throw Problem(
                    "lake.foreign", "the place of the tables is not that of the other nodes",
                    notes: [
                        "it has no file \(Self.identityFile), which the first of them has made"
                    ],
                    hint:
                        "--lake has to be the same bucket, or the same shared file system, on all nodes"
                )
            case (let here?, nil): try keepIdentity(here)
            case (nil, nil): try makeIdentity()
            }
        }
    }

    private func placeIdentity() throws(Problem) -> Bytes? {
        do throws(StorageFailure) {
            guard store.exists(Self.identityFile) else { return nil }
            return try store.get(Self.identityFile, range: nil)
        } catch {
            if case .notFound = error { return nil }
            throw Problem(
                "objects.unusable", "the place of the tables can't be used", notes: ["\(error)"])
        }
    }

    private func metadataIdentity() throws(Problem) -> Bytes? {
        guard case .objects(let found) = try port.call(.listObjects(prefix: Self.identityObject))
        else { throw unexpectedAnswer("listObjects") }
        return found.first { $0.name == Self.identityObject }?.content
    }

    private func makeIdentity() throws(Problem) {
        let text = withRandom { $0.uuid().description } + "\n"
        do throws(StorageFailure) {
            try store.putIfAbsent(Self.identityFile, Bytes(utf8: text))
        } catch {
            if case .alreadyExists = error { return }
            throw Problem(
                "objects.unusable", "the place of the tables can't be used", notes: ["\(error)"])
        }
    }

    private func keepIdentity(_ identity: Bytes) throws(Problem) {
        do throws(Problem) {
            _ = try port.call(
                .changeObjects(
                    [ObjectChange(Self.identityObject, identity)],
                    expecting: [ObjectChange(Self.identityObject, nil)]))
        } catch {
            // Another node was first, or it may be done: what is there is read again.
            guard
                error.code == CatalogStorageCode.changed
                    || error.code == CatalogStorageCode.uncertain
            else { throw error }
        }
    }
}
