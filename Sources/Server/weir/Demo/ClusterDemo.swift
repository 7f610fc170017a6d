// Several nodes on one machine, and what becomes of records while nodes are killed, stopped and
// frozen on stage.

import Base
import CPlatform
import Glibc
import Runtime
import Synchronization
import WeirClient

struct ClusterDemoSettings: Sendable {
    var nodes: Int
    /// nil = until interrupted.
    var seconds: Int?
    /// Records a second.
    var rate: Double
    var seed: UInt64
}

/// What is done to a node.
enum StageAct: String, Sendable {
    case kill, stop, freeze

    /// In the order in which they are shown.
    static let programme: [StageAct] = [.kill, .stop, .kill, .freeze]

    var text: String {
        switch self {
        case .kill: "kill -9"
        case .stop: "controlled stop"
        case .freeze: "freeze"
        }
    }

    var wayBack: String { self == .freeze ? "goes on" : "is started again" }
}

/// Something that was done to the cluster.
struct StageEvent: Sendable {
    var act: StageAct
    var node: Int32
    /// The partition whose leader it was.
    var partition: Int32
    var wasController: Bool
    var seconds: Double
    /// The longest time without an acknowledgement of some partition from then until the next event.
    var pause = Duration.zero

    var text: String {
        let role = wasController ? ", and the controller" : ""
        return "\(act.text) of node \(node), the leader of partition \(partition)\(role)"
    }
}

final class ClusterDemo {
    /// What a node says of the cluster.
    struct Picture: Sendable {
        var controller: Int32
        var brokers: Set<Int32>
        var partitions: [TopicInfo.Partition]

        var isWhole: Bool {
            !partitions.isEmpty
                && partitions.allSatisfy {
                    $0.leader >= 0 && $0.inSyncReplicas.count == $0.replicas.count
                }
        }
        func leads(_ node: Int32) -> Int { partitions.count { $0.leader == node } }
        func inSync(_ node: Int32) -> Int {
            partitions.count { $0.inSyncReplicas.contains(node) }
        }
    }

    private static let topic = "numbers"
    private static let partitions = 3
    /// Between two acts.
    private static let calm = Duration.seconds(2)

    /// Between an act and the way back: long enough for the others to go on without the node. One that
    /// is silent is missed later than one that has ended.
    private static func held(_ act: StageAct) -> Duration {
        act == .freeze ? .seconds(6) : .seconds(4)
    }

    let settings: ClusterDemoSettings
    let context: CommandContext
    private(set) var nodes: [ChildServer] = []
    private(set) var events: [StageEvent] = []
    private(set) var problems: [String] = []
    private var random: Random
    private let folder: String
    private let began = SystemClock.monotonic
    private var staged = Instant.distantFuture
    private var show: ClusterDemoShow

    init(_ settings: ClusterDemoSettings, _ context: CommandContext) throws(Problem) {
        self.settings = settings
        self.context = context
        random = Random(seed: settings.seed)
        folder = try temporaryDirectory()
        show = ClusterDemoShow(context)
    }

    /// Runs the demo to its end. Whatever happens, no process and no folder of it is left.
    func run() throws(Problem) -> ClusterDemoSummary {
        var keepsFolder = false
        defer {
            for node in nodes { node.kill() }
            if !keepsFolder { removeFolder() }
        }
        let client = try start()
        let admin = Admin(Self.patient(client))
        defer { admin.close() }
        try createTopic(admin)
        let traffic = NumberedTraffic(
            Self.topic, partitions: Self.partitions, rate: settings.rate, client: client)
        let watch = ClusterWatch(Self.topic, client)
        defer {
            watch.stop()
            traffic.abandon()
        }
        sayHello()
        try perform(traffic, watch)
        let seconds = Self.seconds(since: staged)
        show.clear()
        context.say("everybody back on stage; reading all records from the beginning…")
        try bringBack(watch)
        traffic.stopProducing()
        closeEvent(traffic)
        let live = traffic.counts
        let counts: NumberedTraffic.Counts
        do throws(ClientFailure) {
            counts = try traffic.readBack(admin: admin) { InterruptSignal.count < 2 }
        } catch {
            throw Problem(error)
        }
        if InterruptSignal.count >= 2 { problems.append("reading back was interrupted") }
        if let problem = traffic.problem { problems.append(problem) }
        let summary = ClusterDemoSummary(
            seconds: seconds, events: events, live: live, counts: counts, problems: problems)
        if !counts.isGood {
            keepsFolder = true
            context.say("the data of the nodes is kept: \(folder)")
        }
        return summary
    }

    private static func seconds(since begin: Instant) -> Double {
        Double((SystemClock.monotonic - begin).wholeNanoseconds) / 1e9
    }

    // MARK: Beginning

    /// Starts all nodes, and returns how clients reach them once they are a cluster.
    private func start() throws(Problem) -> ClientConfiguration {
        // Not by the seed: several demos may run at once.
        var drawn = systemRandom()
        let ports = try freePorts(2 * settings.nodes, &drawn)
        let members = ports.prefix(settings.nodes).map { HostPort(host: "127.0.0.1", port: $0) }
        let doors = ports.suffix(settings.nodes).map { HostPort(host: "127.0.0.1", port: $0) }
        for (index, door) in doors.enumerated() {
            let node = ChildServer(
                Int32(index + 1), of: members, kafka: door, folder: folder)
            nodes.append(node)
            try node.start()
        }
        // Impatient, because a node that is frozen answers nobody.
        let client = ClientConfiguration(
            bootstrapServers: doors.map(\.text), clientId: "weir-demo",
            connectTimeout: .seconds(1), requestTimeout: .seconds(2), retryTimeout: .seconds(60))
        var quick = client
        quick.retryTimeout = .milliseconds(100)
        let admin = Admin(quick)
        defer { admin.close() }
        let deadline = SystemClock.monotonic + .seconds(60)
        while true {
            try checkNodes()
            if let brokers = try? admin.describeCluster().brokers,
                brokers.count == settings.nodes
            {
                return client
            }
            if InterruptSignal.wasRaised { throw Self.interrupted }
            if SystemClock.monotonic >= deadline {
                throw Problem(
                    "demo.start", "the nodes are no cluster after 60 s",
                    notes: nodes.flatMap(\.lastWords))
            }
            SystemClock.sleep(.milliseconds(50))
        }
    }

    private static let interrupted = Problem(
        "demo.interrupted", "ended before the cluster was there")

    /// For calls that may take their time.
    private static func patient(_ client: ClientConfiguration) -> ClientConfiguration {
        var patient = client
        patient.requestTimeout = .seconds(20)
        return patient
    }

    private func createTopic(_ admin: Admin) throws(Problem) {
        let new = NewTopic(
            Self.topic, partitions: Int32(Self.partitions), replicationFactor: 3)
        try calling { () throws(ClientFailure) in
            do throws(ClientFailure) {
                try admin.createTopic(new)
            } catch  where error.codeName == "TOPIC_ALREADY_EXISTS" {
                // An attempt whose answer was lost made it.
            }
        }
    }

    private func sayHello() {
        let milliseconds = (SystemClock.monotonic - began).wholeNanoseconds / 1_000_000
        context.say(
            "\(Version.text) · \(settings.nodes) nodes on this machine · ready after \(milliseconds) ms"
        )
        context.say("  data   \(folder), removed at the end")
        context.say("  kafka  \(nodes.map(\.kafka.text).joined(separator: ","))")
        context.say(
            "  topic  \(Self.topic), \(Self.partitions) partitions on 3 nodes each, acks=all")
        context.say(
            "  fenced after \(fixed(Double(ChildServer.sessionMilliseconds) / 1000, 0)) s of silence"
        )
        let end = settings.seconds.map { "ends after \($0) s" } ?? "Ctrl-C ends it"
        context.say("  rate   \(grouped(Int64(settings.rate))) records/s · \(end)\n")
    }

    // MARK: On stage

    private enum Scene {
        /// Until all copies are there and nothing has happened for a while.
        case calm(since: Instant)
        case held(StageAct, ChildServer, until: Instant)
    }

    private func perform(_ traffic: NumberedTraffic, _ watch: ClusterWatch) throws(Problem) {
        staged = SystemClock.monotonic
        var scene = Scene.calm(since: staged)
        var nextAct = 0
        let patience = Duration.seconds(120)
        while !InterruptSignal.wasRaised {
            SystemClock.sleep(.milliseconds(20))
            for node in nodes { node.look() }
            try checkNodes()
            let now = SystemClock.monotonic
            if let seconds = settings.seconds, now - staged >= .seconds(seconds) { return }
            if traffic.problem != nil { return }
            switch scene {
            case .calm(let since):
                if now - since > patience {
                    throw Problem(
                        "demo.copies",
                        "not all copies are in sync \(patience.wholeMilliseconds / 1000) s after the last event",
                        notes: nodes.flatMap(\.lastWords))
                }
                guard now - since >= Self.calm, let picture = watch.picture(since: since),
                    picture.isWhole, picture.brokers.count == nodes.count
                else { break }
                closeEvent(traffic)
                let act = StageAct.programme[nextAct % StageAct.programme.count]
                nextAct += 1
                let node = perform(act, picture)
                traffic.restartPause()
                scene = .held(act, node, until: now + Self.held(act))
            case .held(let act, let node, let until):
                guard now >= until else { break }
                if act == .stop, node.isRunning {
                    if now - until > patience {
                        throw Problem(
                            "demo.stop", "node \(node.number) does not stop",
                            notes: node.lastWords)
                    }
                    break
                }
                try bring(back: node, after: act)
                scene = .calm(since: SystemClock.monotonic)
            }
            show.draw(self, traffic, watch.picture, elapsed: Self.seconds(since: staged))
        }
    }

    private func perform(_ act: StageAct, _ picture: Picture) -> ChildServer {
        let chosen = picture.partitions[random.below(picture.partitions.count)]
        let node = nodes[Int(chosen.leader) - 1]
        let event = StageEvent(
            act: act, node: node.number, partition: chosen.partition,
            wasController: picture.controller == node.number,
            seconds: Self.seconds(since: staged))
        switch act {
        case .kill: node.kill()
        case .stop: node.stop()
        case .freeze: node.freeze()
        }
        events.append(event)
        show.say(event)
        return node
    }

    private func bring(back node: ChildServer, after act: StageAct) throws(Problem) {
        if act == .freeze { node.thaw() } else { try node.start() }
        show.say(
            "node \(node.number) \(act.wayBack)", node: node.number,
            act: act == .freeze ? "thaw" : "start", seconds: Self.seconds(since: staged))
    }

    /// The pause of the last event is known when the next one begins.
    private func closeEvent(_ traffic: NumberedTraffic) {
        if !events.isEmpty { events[events.count - 1].pause = traffic.longestPause }
    }

    /// Nobody ends unasked.
    private func checkNodes() throws(Problem) {
        for node in nodes {
            node.look()
            guard case .ended = node.state else { continue }
            throw Problem(
                "demo.node", "node \(node.number) \(node.state.text)", notes: node.lastWords)
        }
    }

    /// Every node runs again and has everything.
    private func bringBack(_ watch: ClusterWatch) throws(Problem) {
        let deadline = SystemClock.monotonic + .seconds(60)
        var since = SystemClock.monotonic
        while InterruptSignal.count < 2 {
            try checkNodes()
            for node in nodes {
                switch node.state {
                case .frozen: node.thaw()
                case .killed: try node.start()
                case .stopped where !node.isRunning: try node.start()
                default: continue
                }
                since = SystemClock.monotonic
            }
            if let picture = watch.picture(since: since), picture.isWhole,
                nodes.allSatisfy({ $0.state == .up })
            {
                return
            }
            if SystemClock.monotonic >= deadline {
                problems.append("not all copies are in sync 60 s after the end")
                return
            }
            SystemClock.sleep(.milliseconds(50))
        }
    }

    private func removeFolder() {
        guard let slash = folder.lastIndex(of: "/") else { return }
        let name = String(folder[folder.index(after: slash)...])
        do throws(StorageFailure) {
            try FileDisk(shared: String(folder[..<slash])).removeTree(name)
        } catch {
            context.say("\(folder) could not be removed: \(error)")
        }
    }
}

/// Asks the cluster how it is, again and again, on a thread of its own: a node that is frozen answers
/// late or never.
final class ClusterWatch: Sendable {
    private let state = Mutex<(picture: ClusterDemo.Picture, asked: Instant)?>(nil)
    private let isRunning = Atomic<Bool>(true)
    private let thread = Mutex<SystemThread?>(nil)

    init(_ topic: String, _ client: ClientConfiguration) {
        var quick = client
        quick.requestTimeout = .seconds(1)
        quick.retryTimeout = .milliseconds(100)
        let settings = quick
        let started = SystemThread(name: "weir-watching") { [self] in
            let admin = Admin(settings)
            while isRunning.load(ordering: .acquiring) {
                let asked = SystemClock.monotonic
                if let cluster = try? admin.describeCluster(),
                    let topic = try? admin.describeTopics([topic]).first
                {
                    let picture = ClusterDemo.Picture(
                        controller: cluster.controllerId, brokers: Set(cluster.brokers.map(\.id)),
                        partitions: topic.partitions)
                    state.withLock { $0 = (picture, asked) }
                }
                SystemClock.sleep(.milliseconds(200))
            }
            admin.close()
        }
        thread.withLock { $0 = started }
    }

    /// What was said last; nil before the first answer.
    var picture: ClusterDemo.Picture? { state.withLock { $0?.picture } }

    /// What was said to a question that was asked after `moment`.
    func picture(since moment: Instant) -> ClusterDemo.Picture? {
        state.withLock { state in
            guard let state, state.asked > moment else { return nil }
            return state.picture
        }
    }

    func stop() {
        isRunning.store(false, ordering: .releasing)
        thread.withLock { thread in
            defer { thread = nil }
            return thread
        }?.join()
    }
}
