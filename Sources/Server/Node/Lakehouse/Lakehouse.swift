// The lakehouse of one node: catalog, tables, and the jobs that keep them up to date.

import Base
import Catalog
import Columns
import Delta
import Engine
import SQL
import Streams
import Synchronization

/// Runs jobs again and again. The Runtime has threads and a scheduler; tests call the jobs.
package protocol JobHost: AnyObject, Sendable {
    /// Runs `job` every `period`, never twice at the same time.
    func start(_ name: String, every period: Duration, _ job: @escaping @Sendable () -> Void)
    /// Ends a job; when this returns it does not run any more.
    func stop(_ name: String)
}

/// Is told what jobs did. The demo makes its figures of it.
package protocol LakeObserver: AnyObject, Sendable {
    func epochCommitted(_ table: QualifiedName, _ outcome: EpochOutcome, at moment: Timestamp)
    func viewRefreshed(_ view: QualifiedName, rows: Int, at moment: Timestamp)
}

/// Memory that statements may hold, and where the rest waits.
package struct LakeLimits: Sendable {
    /// What the operators of one query hold; more waits on the scratch disk.
    package var queryBytes = 256 << 20
    /// Rows of a MERGE's source; a larger one is divided by its keys.
    package var mergeSourceBytes = 32 << 20
    /// Rows that OPTIMIZE brings into an order at a time.
    package var orderedBytes = 32 << 20
    /// Without it a larger source stays in memory, rows are ordered in runs, and a query that needs
    /// more than `queryBytes` fails.
    package var scratch: ScratchSpace?
    /// Who helps with statements that read; nil: each has one thread.
    package var workers: (any QueryWorkers)?
    /// Tables of fewer rows are read by one thread.
    package var dividedFromRows = Limits.dividedFromRows

    package init(scratch: ScratchSpace? = nil) { self.scratch = scratch }
}

/// Safe from any thread. Calls block while tables are read and written: they belong on workers.
///
/// The lock guards the maps below and is never held while storage, the node or a query works.
package final class Lakehouse: Sendable {
    let port: any NodePort
    let reader: any TopicReader
    let store: any ObjectStore
    let paths: LakePaths
    package let uploads: LakeUploads
    package let queries = QueryRegistry()
    package let sessions = LakeSessions()
    let catalog: Catalog
    let diagnostics: any Diagnostics
    let clock: @Sendable () -> Now
    let timeZones: any TimeZoneSource
    let limits: LakeLimits
    /// nil: nobody else has this lake.
    let sharing: LakeSharing?
    let shared = Mutex(SharedLakeState())
    /// This start of the process.
    let life: String
    /// Whether somebody calls `careForTables`, which writes the checkpoints that commits leave to it.
    private let caresForTables: Bool
    private let host: any JobHost
    private let observer: (any LakeObserver)?
    private let state: Mutex<State>

    private struct State {
        var tables: OrderedMap<QualifiedName, DeltaTable> = [:]
        /// The versions of the inputs that a view was last computed from.
        var refreshedFrom: OrderedMap<QualifiedName, [String]> = [:]
        /// Automatic maintenance: how far it is, when it may work again and where it goes on.
        var care: OrderedMap<QualifiedName, CareState> = [:]
        var careRestsUntil = Instant.zero
        var careGoesOnBehind: QualifiedName?
        var random: Random
    }

    /// Opens the catalog from the node's metadata. Jobs run after `startJobs`, maintenance among them;
    /// who never starts them says so with `caresForTables`.
    package init(
        port: any NodePort, store: any ObjectStore, paths: LakePaths = .ofServer,
        host: any JobHost, random: Random, timeZones: any TimeZoneSource = NoTimeZones(),
        diagnostics: any Diagnostics, clock: @escaping @Sendable () -> Now,
        limits: LakeLimits = LakeLimits(), caresForTables: Bool = true,
        sharing: LakeSharing? = nil, observer: (any LakeObserver)? = nil
    ) throws(Problem) {
        self.limits = limits
        self.sharing = sharing
        self.caresForTables = caresForTables
        self.port = port
        self.store = store
        self.paths = paths
        uploads = LakeUploads(store, clock: clock)
        self.host = host
        self.diagnostics = diagnostics
        self.clock = clock
        self.timeZones = timeZones
        self.observer = observer
        reader = NodeTopicReader(port: port)
        var random = random
        let storage = NodeCatalogStorage(
            port: port, isShared: sharing != nil, random: random.fork())
        life = random.uuid().description
        state = Mutex(State(random: random))
        if sharing != nil {
            // The node has to find its cluster first, and serves meanwhile.
            catalog = Catalog(sharing: storage)
            return
        }
        let loaded = try Catalog.load(from: storage)
        catalog = loaded.catalog
        for problem in loaded.damaged {
            diagnostics.report(.error, "catalog", problem.description)
        }
        // An object that cannot be read may own any folder.
        if loaded.damaged.isEmpty { try settleFolders() }
    }

    /// Starts the jobs of everything that the catalog has, and takes up the figures of its tables.
    package func startJobs() {
        host.start("maintenance", every: CareSettings().period) { [weak self] in
            self?.careForTables()
        }
        if sharing != nil { return startFollowing(host) }
        for object in catalog.image.relations where object.kind.isStored {
            updateActivity(of: object)
            if let snapshot = try? table(of: object).cachedSnapshot {
                takeColumnsInPassing(of: object, from: snapshot)
            }
            startJob(of: object)
        }
    }

    func withRandom<Outcome>(_ body: (inout Random) -> Outcome) -> Outcome {
        state.withLock { body(&$0.random) }
    }

    // MARK: Tables

    /// The Delta table of an object; it is opened once and keeps its snapshot.
    func table(of object: CatalogObject) throws(Problem) -> DeltaTable {
        guard let path = object.path else {
            throw Problem("42809", "\(object.name) is a \(object.kind.words), it has no files")
        }
        try requirePlace()
        return state.withLock { state in
            if let open = state.tables[object.name], open.path == path { return open }
            // Tables of other owners are checkpointed as they say; ours when there is time.
            let isLater = caresForTables && object.kind != .externalTable
            let table = openTable(path, checkpoints: isLater ? .later : .withCommit)
            state.tables[object.name] = table
            return table
        }
    }

    /// Of the tables that are open the versions that are known here, by their folders.
    var knownVersions: OrderedMap<String, Int64> {
        let tables = state.withLock { $0.tables.values }
        var versions: OrderedMap<String, Int64> = [:]
        for table in tables { versions[table.path] = table.cachedSnapshot?.version }
        return versions
    }

    /// The Delta table in a folder that has no catalog entry, opened anew for each statement.
    func table(inFolder path: String) -> DeltaTable { openTable(path) }

    func openTable(
        _ path: String, checkpoints: DeltaTable.CheckpointTiming = .withCommit
    ) -> DeltaTable {
        let (clock, timeZones) = (clock, timeZones)
        return DeltaTable(
            store: store, path: path, diagnostics: diagnostics,
            rules: { (metadata) throws(DeltaFailure) in
                try RowConditions(metadata, clock: clock, zones: timeZones)
            }, checkpoints: checkpoints)
    }

    // MARK: State of automatic maintenance

    /// The tables that this node has opened and owns, those first that are next in turn.
    func openTables() -> [(name: QualifiedName, table: DeltaTable)] {
        let (open, last) = state.withLock { state in
            (state.tables.map { (name: $0.key, table: $0.value) }, state.careGoesOnBehind)
        }
        let image = catalog.image
        let owned = open.filter { entry in
            image.object(entry.name).map {
                $0.kind.isStored && $0.kind != .externalTable && works(on: $0)
            } ?? false
        }
        guard let last, let place = owned.firstIndex(where: { $0.name == last }) else {
            return owned
        }
        return Array(owned[(place + 1)...] + owned[...place])
    }

    func isCareRested(at now: Instant) -> Bool { state.withLock { $0.careRestsUntil <= now } }

    func restCare(until moment: Instant, startingBehind name: QualifiedName) {
        state.withLock { state in
            state.careRestsUntil = moment
            state.careGoesOnBehind = name
        }
    }

    func careState(of name: QualifiedName) -> CareState {
        state.withLock { $0.care[name] ?? CareState() }
    }

    func keepCareState(_ care: CareState, of name: QualifiedName) {
        state.withLock { $0.care[name] = care }
    }

    func forgetTable(_ name: QualifiedName) {
        state.withLock { state in
            state.tables[name] = nil
            state.care[name] = nil
            state.refreshedFrom[name] = nil
        }
    }

    // MARK: Jobs

    func jobName(_ object: CatalogObject) -> String { "\(object.name)#\(object.oid)" }

    func hasJob(_ object: CatalogObject) -> Bool {
        object.kind == .materializedView
            || object.kind == .streamingTable && !object.query.isEmpty
    }

    /// The object is there: whoever is to work on it begins.
    func startJob(of object: CatalogObject) {
        if sharing == nil { beginJob(of: object) } else { follow() }
    }

    /// The object is gone.
    func stopJob(of object: CatalogObject) {
        if sharing == nil { endJob(of: object) } else { follow() }
    }

    func beginJob(of object: CatalogObject) {
        let name = object.name
        switch object.kind {
        case .streamingTable where !object.query.isEmpty:
            host.start(jobName(object), every: interval(object, "commit_interval", 10)) {
                [weak self] in
                self?.runEpochs(name)
            }
        case .materializedView:
            host.start(jobName(object), every: interval(object, "refresh_interval", 60)) {
                [weak self] in
                self?.refreshIfNeeded(name)
            }
        default: break
        }
    }

    func endJob(of object: CatalogObject) { host.stop(jobName(object)) }

    private func interval(
        _ object: CatalogObject, _ property: String, _ seconds: Int64
    ) -> Duration {
        let text = object.properties[property]
        let found = text.flatMap { try? OptionValues.duration($0) }
        return .microseconds(found ?? seconds * 1_000_000)
    }

    /// Runs epochs of one table until its topic is drained; a backlog is worked off in one go.
    private func runEpochs(_ name: QualifiedName) {
        guard let object = catalog.image.object(name) else { return }
        do throws(Problem) {
            let pipeline = try streamingTable(object)
            while catalog.image.object(name)?.oid == object.oid {
                var random = withRandom { $0.fork() }
                let outcome = try pipeline.runEpoch(
                    now: clock(), random: &random, zones: timeZones, isCancelled: { false })
                if outcome.version != nil {
                    note(outcome, of: object)
                }
                clearFailure(of: name)
                if !outcome.hasMore { return }
            }
        } catch {
            recordFailure(error, of: name)
        }
    }

    private func note(_ outcome: EpochOutcome, of object: CatalogObject) {
        let moment = clock().timestamp
        if outcome.skippedRecords > 0 {
            diagnostics.report(
                .error, "streams",
                "\(object.name): retention removed \(outcome.skippedRecords) records before they"
                    + " were read")
        }
        updateActivity(of: object)
        observer?.epochCommitted(object.name, outcome, at: moment)
    }

    /// Computes a view anew if one of its inputs has a new version, or if it reads the time.
    private func refreshIfNeeded(_ name: QualifiedName) {
        guard let object = catalog.image.object(name) else { return }
        do throws(Problem) {
            _ = try refresh(object, isForced: false)
            clearFailure(of: name)
        } catch {
            recordFailure(error, of: name)
        }
    }

    /// Returns the rows of the new version, or nil when nothing had changed.
    func refresh(_ object: CatalogObject, isForced: Bool) throws(Problem) -> Int? {
        let plan = try plan(Parser.query(object.query))
        let source = LakeSource(self)
        // A refresh that somebody waits for has everything that was there when it began. Those of the
        // schedule read tables alone: the commit that brings the tail brings the next refresh, too.
        try source.pin(plan, readsTails: isForced)
        let inputs = try source.versions(of: plan)
        let last = state.withLock { $0.refreshedFrom[object.name] }
        if !isForced, last == inputs, !plan.readsTime { return nil }
        var random = withRandom { $0.fork() }
        let view = MaterializedView(name: object.name, table: try table(of: object))
        let context = QueryContext(
            now: clock(), random: random.fork(), zones: timeZones,
            memoryBytes: limits.queryBytes, scratch: limits.scratch)
        let outcome = try view.refresh(plan, source: source, context, random: &random)
        state.withLock { $0.refreshedFrom[object.name] = inputs }
        updateActivity(of: object)
        observer?.viewRefreshed(object.name, rows: outcome.rows, at: clock().timestamp)
        return outcome.rows
    }

    private func recordFailure(_ problem: Problem, of name: QualifiedName) {
        let isNew = catalog.image.activity(of: name)?.problem != problem.message
        catalog.recordActivity(of: name) { $0.problem = problem.message }
        if isNew { diagnostics.report(.error, "streams", "\(name): \(problem)") }
    }

    private func clearFailure(of name: QualifiedName) {
        guard catalog.image.activity(of: name)?.problem != nil else { return }
        catalog.recordActivity(of: name) { $0.problem = nil }
        diagnostics.report(.info, "streams", "\(name) moves on")
    }

    // MARK: Figures

    /// Shows in the catalog what the table's newest version says.
    func updateActivity(of object: CatalogObject) {
        guard let table = try? table(of: object), let snapshot = try? table.snapshot() else {
            return
        }
        let figures = StreamFigures(
            of: object.name, in: snapshot, rules: object.expectations.map(\.name))
        catalog.recordActivity(of: object.name) { activity in
            activity.version = snapshot.version
            activity.committed = snapshot.timestamp
            activity.rowCount = snapshot.rowCount
            activity.fileCount = Int64(snapshot.fileCount)
            activity.bytes = snapshot.totalBytes
            activity.newestRow = figures.newestRecord
            for rule in figures.expectations {
                activity.expectations[rule.name] = CatalogActivity.ExpectationCounts(
                    checked: rule.checked, violations: rule.violations)
            }
        }
    }

    // MARK: Streaming tables

    /// The machinery of a streaming table, made from its declaration.
    func streamingTable(_ object: CatalogObject) throws(Problem) -> StreamingTable {
        let plan = try StreamingPlan(plan(Parser.query(object.query)))
        let topic = try catalog.image.require(plan.source)
        let rules = object.expectations.map { rule in
            ExpectationSet.Rule(
                name: rule.name, text: rule.condition, action: rule.action.epochAction)
        }
        return StreamingTable(
            name: object.name, plan: plan,
            declaration: TopicDeclaration(
                topic: TopicNames.topic(of: topic), columns: topic.columns.map(\.field)),
            rules: try expectations(rules, columns: plan.schema.fields), reader: reader,
            table: try table(of: object),
            quarantine: { [weak self] (name) throws(Problem) in
                guard let self else { throw Problem("57P01", "the server is stopping") }
                return try self.table(of: self.catalog.image.require(name))
            })
    }

    /// Binds the rules' conditions to the columns of the table.
    func expectations(
        _ rules: [ExpectationSet.Rule], columns: [Field]
    ) throws(Problem) -> ExpectationSet {
        guard !rules.isEmpty else {
            return ExpectationSet(rules: [], plan: nil, columns: columns)
        }
        let schema = TableSchema(columns)
        var conditions: [NamedExpression] = []
        for rule in rules {
            do throws(Problem) {
                var binder = Binder(provider: catalog.image)
                let condition = try binder.condition(
                    Parser.expression(rule.text), over: schema, table: "row")
                conditions.append(NamedExpression(rule.name, condition))
            } catch {
                var problem = error
                // The position is in the condition, not in the statement.
                problem.position = nil
                problem.notes.append(
                    "in the expectation \(rule.name), which reads the columns of the table")
                throw problem
            }
        }
        let rows = ScanNode(
            relation: ExpectationSet.relation, kind: .system, tableSchema: schema)
        return ExpectationSet(
            rules: rules, plan: .project(.scan(rows), conditions), columns: columns)
    }

    /// Binds and optimizes a query against the catalog.
    func plan(_ query: Query) throws(Problem) -> LogicalPlan {
        var binder = Binder(provider: LakeRelations(lake: self))
        return try binder.plan(query)
    }

    /// The same for a statement of a client: with the settings of its session.
    func plan(_ query: Query, _ options: StatementOptions) throws(Problem) -> LogicalPlan {
        var binder = binder(options, LakeRelations(lake: self))
        return try binder.plan(query)
    }

    func binder(_ options: StatementOptions, _ relations: LakeRelations) -> Binder {
        var relations = relations
        relations.transaction = options.session?.transaction
        return Binder(provider: relations, context: binderContext(options))
    }

    func binderContext(_ options: StatementOptions) -> BinderContext {
        var context = BinderContext()
        let session = options.session
        context.clock = session?.zone
        context.setting = { try? SessionSettings.value($0, session) }
        return context
    }
}

extension CatalogExpectation.Action {
    var epochAction: ExpectationSet.Action {
        switch self {
        case .keep: .keep
        case .dropRow: .dropRow
        case .failUpdate: .failUpdate
        case .quarantine(let table): .quarantine(into: table)
        }
    }
}

extension LogicalPlan {
    /// Whether the result changes with time alone.
    var readsTime: Bool {
        var found = false
        func look(_ expression: BoundExpression) {
            if case .call(let function, _, _) = expression, function == .now || function.isVolatile
            {
                found = true
            }
            for child in expression.children where !found { look(child) }
        }
        func visit(_ plan: LogicalPlan) {
            plan.expressions.forEach(look)
            plan.inputs.forEach(visit)
        }
        visit(self)
        return found
    }
}
