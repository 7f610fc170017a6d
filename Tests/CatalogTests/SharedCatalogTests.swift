import Base
import Catalog
import Dispatch
import SQL
import Synchronization
import Testing

/// A storage that several catalogs share, with answers that may get lost.
private final class SharedStorage: CatalogStorage {
    enum Loss { case none, before, after }

    private struct State {
        var objects: OrderedMap<String, Bytes> = [:]
        var marks = 0
        var loss = Loss.none
        var lists = 0
    }

    private let state = Mutex(State())
    let isShared = true

    /// The next change is not made, or it is, and its outcome is not known.
    func lose(_ loss: Loss) { state.withLock { $0.loss = loss } }
    var lists: Int { state.withLock { $0.lists } }
    var count: Int { state.withLock { $0.objects.count } }

    func newMark() -> String {
        state.withLock { state in
            state.marks += 1
            return "m\(state.marks)"
        }
    }

    func change(
        _ changes: [CatalogStorageChange], expecting: [CatalogStorageChange]
    ) throws(Problem) {
        let (isAsExpected, loss) = state.withLock { state in
            let loss = state.loss
            state.loss = .none
            if loss == .before { return (true, loss) }
            guard expecting.allSatisfy({ state.objects[$0.name] == $0.content }) else {
                return (false, loss)
            }
            for change in changes { state.objects[change.name] = change.content }
            return (true, loss)
        }
        if loss != .none { throw Problem(CatalogStorageCode.uncertain, "nobody knows") }
        if !isAsExpected { throw Problem(CatalogStorageCode.changed, "it is another one") }
    }

    func list(prefix: String) throws(Problem) -> [StoredCatalogObject] {
        state.withLock { state in
            state.lists += 1
            return state.objects.filter { $0.key.hasPrefix(prefix) }
                .map { StoredCatalogObject(name: $0.key, content: $0.value) }
        }
    }
}

@Suite struct SharedCatalogTests {
    private let storage = SharedStorage()

    private func pair() throws -> (Catalog, Catalog) {
        let (left, right) = (Catalog(sharing: storage), Catalog(sharing: storage))
        try left.create(object(.schema, "gold"))
        return (left, right)
    }

    @Test func `what one creates another finds`() throws {
        let (left, right) = try pair()
        try left.create(object(.table, "gold.a"))
        #expect(right.image.object(name("gold.a")) == nil)
        try right.refresh()
        #expect(right.image.object(name("gold.a"))?.oid == left.image.object(name("gold.a"))?.oid)
        try right.drop([name("gold.a")], kind: .table)
        try left.refresh()
        #expect(left.image.object(name("gold.a")) == nil)
    }

    @Test func `nothing is read again while nothing changes`() throws {
        let (left, right) = try pair()
        try right.refresh()
        let before = storage.lists
        for _ in 0..<5 { try right.refresh() }
        #expect(storage.lists == before + 5)
        #expect(left.image.schema("gold") != nil)
    }

    @Test func `a change is checked against what others have changed`() throws {
        let (left, right) = try pair()
        try left.create(object(.table, "gold.a"))
        // The other one has not looked since.
        #expect(
            problem { () throws(Problem) in try right.create(object(.table, "gold.a")) }?.code
                == "42P07")
        try right.create(object(.table, "gold.b"))
        try left.refresh()
        let oids = left.image.relations.map(\.oid)
        #expect(Set(oids).count == 2)
        #expect(
            problem { () throws(Problem) in try left.drop([name("gold")], kind: .schema) }?.code
                == "2BP01")
    }

    @Test func `many at a time lose nothing and give each object a number of its own`() throws {
        _ = try pair()
        let failures = Mutex<[Problem]>([])
        DispatchQueue.concurrentPerform(iterations: 4) { thread in
            let catalog = Catalog(sharing: storage)
            for place in 0..<25 {
                do throws(Problem) {
                    // Whoever is overtaken ten times in a row says so, and tries again.
                    while true {
                        do throws(Problem) {
                            try catalog.create(object(.table, "gold.t\(thread)_\(place)"))
                            break
                        } catch {
                            guard error.code == "55P03" else { throw error }
                        }
                    }
                } catch {
                    failures.withLock { $0.append(error) }
                }
            }
        }
        #expect(failures.withLock { $0 } == [])
        let catalog = Catalog(sharing: storage)
        try catalog.refresh()
        #expect(catalog.image.relations.count == 100)
        #expect(Set(catalog.image.relations.map(\.oid)).count == 100)
    }

    @Test(arguments: [true, false])
    func `a change whose outcome is not known is made once`(isMade: Bool) throws {
        let (left, right) = try pair()
        storage.lose(isMade ? .after : .before)
        try left.create(object(.table, "gold.a"))
        #expect(left.image.object(name("gold.a")) != nil)
        try right.create(object(.table, "gold.b"))
        try left.refresh()
        #expect(left.image.relations.count == 2)
        #expect(Set(left.image.relations.map(\.oid)).count == 2)
    }

    @Test func `what is known of an object stays with it, and not with its successor`() throws {
        let (left, right) = try pair()
        try left.create(object(.table, "gold.a"))
        try right.refresh()
        right.recordActivity(of: name("gold.a")) { $0.rowCount = 7 }
        try left.create(object(.table, "gold.b"))
        try right.refresh()
        #expect(right.image.activity(of: name("gold.a"))?.rowCount == 7)
        try left.drop([name("gold.a")], kind: .table)
        try left.create(object(.table, "gold.a"))
        try right.refresh()
        #expect(right.image.activity(of: name("gold.a"))?.rowCount == nil)
    }
}
