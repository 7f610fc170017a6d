// The loop, one round:
//
//   wait for events → mail of other threads → requests → timer      (all go into the machine)
//   → effects: answers are queued, syncs and wake-ups noted         (until none is left)
//   → every connection with new answers is flushed once
//
// All events of a round reach the machine before its effects are carried out, so whatever arrived
// together shares one journal sync and one send.

import Base
import CPlatform
import Glibc
import Log
import Node
import Quorum
import TLS

/// Drives one machine with real sockets, clocks and files, on one thread.
///
/// `@unchecked Sendable` is sound because everything mutable is used only by the thread that runs
/// `run`; other threads reach the loop through `port`, which is `Sendable`.
package final class NodeDriver<Machine: EventMachine>: @unchecked Sendable {
    /// The way for other threads to give the node commands.
    package let port: CommandPort

    private var machine: Machine
    private let settings: DriverSettings
    private let log: any Diagnostics
    private let epoll: Int32
    private let syncer: JournalSyncer
    private let segmentSyncer: JournalSyncer
    /// Threads of a node of a cluster: they exist when there is the first work for them.
    private var workThreads: [WorkThread.Purpose: WorkThread] = [:]
    private var doors: [DriverDoor]
    /// What was received and is still encrypted.
    private let ciphertext = ByteStorage(count: 64 << 10)
    private var door: Door

    private var connections: [UInt64: Connection] = [:]
    private var nextConnection = Mark.firstConnection
    private var dirty: [Connection] = []
    private var buffer = ReceiveBuffer()
    private var partialBudget: Int
    /// Connections with requests that wait for a later round.
    private var backlogged: [Connection] = []

    private var effects: [NodeEffect] = []
    /// Empty, with room for the effects of the next round.
    private var spareEffects: [NodeEffect] = []
    /// What the machine said at the last begin of a round. Asking it for each request would copy
    /// all of it.
    private var measuresRequests = false
    /// Events went into the machine since its last `finishRound`.
    private var isRoundOpen = false
    private var commands: [UInt64: CommandPort.Completion] = [:]
    private var nextCommand: UInt64 = 1
    private var syncsRunning = 0
    private var syncPace = SyncPace()
    /// Requests that went into the machine in this round.
    private var requestsInRound = 0
    private var wakeAt = Instant.distantFuture
    /// Connections that are read again at some moment.
    private var paused = DeadlineQueue<UInt64>()
    private var nextSweep = Instant.distantFuture
    private var stopBy: Instant?
    /// When it stops though other nodes have not taken over.
    private var leaveBy: Instant?
    private var halted: Problem?
    private var now = SystemClock.now

    /// What an epoll entry is about; connections count up from `firstConnection`.
    private enum Mark {
        static var mail: UInt64 { 0 }
        static var firstListener: UInt64 { 1 }
        static var firstConnection: UInt64 { 64 }
    }

    package init(
        machine: sending Machine, doors: [DriverDoor], settings: DriverSettings = .init(),
        diagnostics: any Diagnostics
    ) throws(Problem) {
        self.machine = machine
        self.settings = settings
        self.doors = doors
        log = diagnostics
        partialBudget = settings.partialBytes
        weir_ignore_broken_pipes()
        let port = try CommandPort(capacity: settings.commands)
        self.port = port
        epoll = weir_epoll_create()
        if epoll < 0 { throw Problem("system.descriptors", "no epoll: \(describe(epoll))") }
        door = Door(settings: settings, diagnostics: diagnostics)
        syncer = JournalSyncer(name: "weir-sync", reserve: settings.reserve) {
            port.post(.synced($0, ofJournal: true))
        }
        segmentSyncer = JournalSyncer(name: "weir-segments") {
            port.post(.synced($0, ofJournal: false))
        }
        var code = weir_epoll_add(
            epoll, port.wakeDescriptor, UInt32(WEIR_EPOLL_IN), Mark.mail)
        if code == 0 { code = watchListeners() }
        if code < 0 { throw Problem("system.descriptors", "epoll failed: \(describe(code))") }
    }

    /// A driver whose listeners are open to everybody.
    package convenience init(
        machine: sending Machine, listeners: [Listener], settings: DriverSettings = .init(),
        diagnostics: any Diagnostics
    ) throws(Problem) {
        try self.init(
            machine: machine, doors: listeners.map { DriverDoor($0) }, settings: settings,
            diagnostics: diagnostics)
    }

    deinit {
        for connection in connections.values { weir_close(connection.descriptor) }
        door.shut()
        weir_close(epoll)
    }

    /// Asks the loop to finish its answers and end. From any thread, any number of times.
    package func stop() { port.post(.stop) }

    /// Sessions that begin from now on use `context`; those that are open go on with theirs.
    package func replaceTLS(_ context: TLSContext) { port.post(.replaceTLS(context)) }

    // MARK: The loop

    /// Runs the loop on the calling thread until it is stopped or the machine halts.
    package func run() -> DriverExit {
        port.adoptLoopThread()
        accept(.timer)
        carryOut()
        if let halted { return end(.halted(halted)) }
        var events = [weir_epoll_event](repeating: weir_epoll_event(), count: 256)
        while true {
            let count = weir_epoll_wait(epoll, &events, 256, timeoutMilliseconds())
            now = SystemClock.now
            measuresRequests = machine.measuresRequests
            requestsInRound = 0
            // Taken in every round, not only when the event is there: it is one mutex, and mail
            // that came meanwhile shares this round.
            takeMail()
            deliverBacklogs()
            for event in events.prefix(Int(max(0, count))) { react(to: event) }
            if now.monotonic >= wakeAt {
                wakeAt = .distantFuture
                accept(.timer)
            }
            if now.monotonic >= nextSweep { sweep() }
            resumePaused()
            carryOut()
            if let halted { return end(.halted(halted)) }
            if door.isDue(now.monotonic) { watchAgain() }
            if let leaveBy, now.monotonic >= leaveBy { beginStopping() }
            if let stopBy, isFinished || now.monotonic >= stopBy { return end(.stopped) }
        }
    }

    /// Until the next thing that has a time, rounded up so that the loop does not spin before it.
    private func timeoutMilliseconds() -> Int32 {
        if backlogged.contains(where: { wantsRequests(of: $0) }) { return 0 }
        var next = min(wakeAt, nextSweep, door.resumesAt)
        if let resume = paused.next { next = min(next, resume) }
        if let deadline = stopBy ?? leaveBy { next = min(next, deadline) }
        if next == .distantFuture { return -1 }
        let wait = (next - SystemClock.monotonic).wholeNanoseconds
        return wait <= 0 ? 0 : Int32(min((wait + 999_999) / 1_000_000, 60_000))
    }

    private var isFinished: Bool {
        syncsRunning == 0 && commands.isEmpty && connections.values.allSatisfy { !$0.hasOutput }
    }

    private func end(_ exit: DriverExit) -> DriverExit {
        port.closeForCommands()
        let problem: Problem
        if case .halted(let reason) = exit {
            log.report(.error, "node", "halted: \(reason)")
            problem = reason
        } else {
            problem = Problem("server.stopping", "the server is stopping")
        }
        for message in port.take() {
            if case .command(_, let completion) = message { completion(.failure(problem)) }
        }
        let waiting = commands
        commands = [:]
        for completion in waiting.values { completion(.failure(problem)) }
        for connection in connections.values { weir_close(connection.descriptor) }
        connections = [:]
        doors = []
        syncer.stop(waiting: syncsRunning == 0)
        segmentSyncer.stop(waiting: syncsRunning == 0)
        for (purpose, thread) in workThreads { thread.stop(waiting: !purpose.mayBeSlow) }
        workThreads = [:]
        if exit == .stopped, syncsRunning == 0 {
            do throws(Problem) {
                try machine.close(now: SystemClock.now)
            } catch {
                // Everything acknowledged is durable already; only the next start takes longer.
                log.report(.error, "node", "the node did not close in order: \(error)")
            }
        }
        return exit
    }

    private func takeMail() {
        for message in port.take() {
            switch message {
            case .command(let command, let completion):
                if stopBy != nil {
                    completion(.failure(Problem("server.stopping", "the server is stopping")))
                    continue
                }
                let id = nextCommand
                nextCommand += 1
                commands[id] = completion
                accept(.command(CommandID(id), command))
            case .synced(let result, let ofJournal):
                syncsRunning -= 1
                if ofJournal { syncPace.note(result.took) }
                accept(.journalSynced(result.ticket, failure: result.failure))
            case .replaceTLS(let context):
                for place in doors.indices
                where doors[place].tls != nil && !doors[place].isForNodes {
                    doors[place].tls = context
                }
            case .event(let event): accept(event)
            case .dialed(let node, let result): dialed(node, result)
            case .stop: beginLeaving()
            }
        }
    }

    /// Other nodes get the time to take over.
    private func beginLeaving() {
        guard leaveBy == nil, stopBy == nil else { return }
        leaveBy = now.monotonic + settings.leaving
        accept(.leave)
    }

    /// No new connection and no new request; what was accepted is finished.
    private func beginStopping() {
        guard stopBy == nil else { return }
        stopBy = now.monotonic + settings.grace
        unwatchListeners()
        doors = []
        for connection in connections.values { watch(connection) }
    }

    private func react(to event: weir_epoll_event) {
        if event.data == Mark.mail { return }
        if event.data < Mark.firstConnection {
            acceptConnections(Int32(truncatingIfNeeded: event.data))
            return
        }
        guard let connection = connections[event.data] else { return }
        let failed = UInt32(WEIR_EPOLL_ERR) | UInt32(WEIR_EPOLL_HUP)
        if event.events & UInt32(WEIR_EPOLL_OUT) != 0 { markDirty(connection) }
        if event.events & UInt32(WEIR_EPOLL_IN) != 0, wantsRequests(of: connection) {
            if !connection.isBacklogged { receive(connection) }
        } else if event.events & failed != 0 {
            close(connection, reason: nil)
        }
    }

    // MARK: Effects

    private func accept(_ event: NodeEvent) {
        machine.accept(event, now: now, into: &effects)
        isRoundOpen = true
    }

    /// Ends the round: carries out effects and flushes, until neither brings anything new.
    private func carryOut() {
        while halted == nil, isRoundOpen || !effects.isEmpty || !dirty.isEmpty {
            if isRoundOpen {
                isRoundOpen = false
                machine.finishRound(now: now, into: &effects)
            }
            var batch = spareEffects
            spareEffects = []
            swap(&batch, &effects)
            for effect in batch {
                carryOut(effect)
                if halted != nil { return }
            }
            batch.removeAll(keepingCapacity: true)
            spareEffects = batch
            let flushing = dirty
            dirty.removeAll(keepingCapacity: true)
            for connection in flushing { flush(connection) }
        }
    }

    private func carryOut(_ effect: NodeEffect) {
        switch effect {
        case .send(let id, let pieces):
            guard let connection = connections[id.value], connection.closing == nil else { return }
            connection.output.append(pieces)
            markDirty(connection)
        case .close(let id, let reason):
            guard let connection = connections[id.value], connection.closing == nil else { return }
            door.complain("closing \(connection.peer): \(reason)", now: now.monotonic)
            connection.closing = reason
            markDirty(connection)
        case .syncJournal(let ticket, let file): syncJournal(ticket, file)
        case .syncSegment(let ticket, let file):
            syncsRunning += 1
            segmentSyncer.sync(ticket, file)
        case .wakeAt(let instant): wakeAt = instant
        case .authenticated(let id): connections[id.value]?.isTrusted = true
        case .linked(let id):
            connections[id.value]?.isTrusted = true
            connections[id.value]?.isLink = true
        case .pause(let id, let instant): pause(id, until: instant)
        case .commandFinished(let id, let result):
            commands.removeValue(forKey: id.value)?(result)
        case .dial(let node, let host, let port):
            let mail = self.port
            work(.dialing(node)) {
                mail.post(.dialed(node, DialedSocket.connect(to: HostPort(host: host, port: port))))
            }
        case .runQuorumJob(let job):
            guard let disk = settings.disk else {
                preconditionFailure("a node of a cluster has a disk")
            }
            let mail = self.port
            work(job.isSync ? .quorumSync : .quorumFiles) {
                mail.post(
                    .event(.quorumJobDone(number: job.number, failure: job.run(on: disk))))
            }
        case .mayStop: beginStopping()
        case .halt(let problem): halted = problem
        }
    }

    /// A request that is alone gets its sync here: with nobody to share it with, the two changes of
    /// thread would only cost time.
    private func syncJournal(_ ticket: SyncTicket, _ file: any DiskFile) {
        if requestsInRound > 0 { settings.reserve?.noteProduced(at: now.monotonic) }
        let isAlone = requestsInRound == 1 && syncsRunning == 0 && backlogged.isEmpty
        guard isAlone, syncPace.isQuick else {
            syncsRunning += 1
            syncer.sync(ticket, file)
            return
        }
        let result = SyncTicketResult(syncing: file, for: ticket)
        syncPace.note(result.took)
        now = SystemClock.now
        accept(.journalSynced(result.ticket, failure: result.failure))
    }

    private func markDirty(_ connection: Connection) {
        if connection.isDirty { return }
        connection.isDirty = true
        dirty.append(connection)
    }

    private func flush(_ connection: Connection) {
        connection.isDirty = false
        guard connections[connection.id.value] === connection else { return }
        let outcome: OutputQueue.Flush
        if let stream = connection.stream {
            let before = stream.sentBytes
            outcome = stream.flush(&connection.output, to: connection.descriptor)
            if stream.sentBytes > before { connection.lastActivity = now.monotonic }
        } else {
            let before = connection.output.bytes
            outcome = connection.output.flush(to: connection.descriptor)
            if connection.output.bytes < before { connection.lastActivity = now.monotonic }
        }
        switch outcome {
        case .failed: close(connection, reason: nil)
        case .drained where connection.closing != nil: close(connection, reason: nil)
        default:
            if connection.output.bytes > settings.outputBytes {
                close(
                    connection,
                    reason: "it does not read its answers (\(connection.output.bytes) bytes wait)")
                return
            }
            updatePause(connection)
            watch(connection)
        }
    }

    private func updatePause(_ connection: Connection) {
        // Two nodes that both wait for each other to read would wait for ever.
        if connection.isLink { return }
        let waiting = connection.output.bytes
        if waiting > settings.outputPauseBytes {
            connection.isReadPaused = true
        } else if waiting <= settings.outputPauseBytes / 2 {
            connection.isReadPaused = false
        }
    }

    private func wantsRequests(of connection: Connection) -> Bool {
        stopBy == nil && connection.closing == nil && !connection.isReadPaused
            && connection.pausedUntil <= now.monotonic
    }

    /// Tells epoll what the connection waits for, if that has changed.
    private func watch(_ connection: Connection) {
        var interest: UInt32 = 0
        if wantsRequests(of: connection) { interest |= UInt32(WEIR_EPOLL_IN) }
        if connection.hasOutput { interest |= UInt32(WEIR_EPOLL_OUT) }
        guard interest != connection.interest else { return }
        connection.interest = interest
        weir_epoll_modify(epoll, connection.descriptor, interest, connection.id.value)
    }

    // MARK: Connections

    private func acceptConnections(_ mark: Int32) {
        let index = Int(mark) - Int(Mark.firstListener)
        guard stopBy == nil, !door.isPaused else { return }
        var sockets: [(descriptor: Int32, door: Int)] = []
        for (number, door) in doors.enumerated() {
            sockets += door.listener.descriptors.map { ($0, number) }
        }
        guard index < sockets.count else { return }
        let outcome = door.accept(
            from: sockets[index].descriptor, open: connections.count, now: now.monotonic)
        for newcomer in outcome.accepted {
            open(newcomer.descriptor, peer: newcomer.peer, through: sockets[index].door)
        }
        if outcome.mustPause { unwatchListeners() }
    }

    private func open(_ descriptor: Int32, peer: String, through number: Int) {
        let id = nextConnection
        var stream: EncryptedStream?
        if let context = doors[number].tls {
            guard let session = TLSSession(context) else {
                door.complain("no memory for a session with \(peer)", now: now.monotonic)
                weir_close(descriptor)
                return
            }
            stream = EncryptedStream(session)
        }
        let code = weir_epoll_add(epoll, descriptor, UInt32(WEIR_EPOLL_IN), id)
        if code < 0 {
            door.complain("can't watch \(peer): \(describe(code))", now: now.monotonic)
            weir_close(descriptor)
            return
        }
        nextConnection += 1
        let connection = Connection(
            id: ConnectionID(id), descriptor: descriptor, peer: peer, stream: stream, door: number,
            now: now.monotonic)
        connection.isTrusted = !doors[number].mustSignOn
        connections[id] = connection
        if nextSweep == .distantFuture { nextSweep = now.monotonic + sweepPeriod }
        // An encrypted connection is announced when it is known who is at its other end.
        if stream == nil { announce(connection, principal: nil) }
    }

    // MARK: Other nodes

    private func work(_ purpose: WorkThread.Purpose, _ task: @escaping @Sendable () -> Void) {
        let thread = workThreads[purpose] ?? WorkThread(purpose)
        workThreads[purpose] = thread
        thread.submit(task)
    }

    private func dialed(_ node: NodeID, _ result: Result<DialedSocket, DialFailure>) {
        switch result {
        case .failure(let failure): accept(.dialFailed(node, failure.reason))
        case .success(let socket):
            guard stopBy == nil else {
                weir_close(socket.descriptor)
                return
            }
            let id = nextConnection
            var stream: EncryptedStream?
            if let context = settings.dialTLS {
                guard let session = TLSSession(context, host: socket.host) else {
                    weir_close(socket.descriptor)
                    return accept(.dialFailed(node, "no memory for a session"))
                }
                stream = EncryptedStream(session)
            }
            let code = weir_epoll_add(epoll, socket.descriptor, UInt32(WEIR_EPOLL_IN), id)
            if code < 0 {
                weir_close(socket.descriptor)
                return accept(.dialFailed(node, describe(code)))
            }
            nextConnection += 1
            let connection = Connection(
                id: ConnectionID(id), descriptor: socket.descriptor, peer: socket.address,
                stream: stream, door: -1, now: now.monotonic)
            connection.isTrusted = false
            connection.dialed = node
            connections[id] = connection
            if nextSweep == .distantFuture { nextSweep = now.monotonic + sweepPeriod }
            if let stream {
                _ = establish(connection, stream)
            } else {
                announce(connection, principal: nil)
            }
        }
    }

    private func announce(_ connection: Connection, principal: String?) {
        connection.isAnnounced = true
        if let node = connection.dialed {
            return accept(.dialed(node, connection.id, address: connection.peer))
        }
        accept(
            .connectionOpened(
                connection.id, peer: connection.peer, listener: connection.door,
                principal: principal))
    }

    /// Ends a connection at once; `reason` is logged when it is ours.
    private func close(_ connection: Connection, reason: String?) {
        guard connections.removeValue(forKey: connection.id.value) != nil else { return }
        if let reason {
            door.complain("closed \(connection.peer): \(reason)", now: now.monotonic)
        }
        connection.frames.release(budget: &partialBudget)
        connection.output.removeAll()
        connection.stream?.end(to: connection.descriptor)
        weir_close(connection.descriptor)
        if connection.isAnnounced {
            accept(.connectionClosed(connection.id))
        } else if let node = connection.dialed {
            accept(.dialFailed(node, reason ?? "it hung up"))
        }
    }

    /// Receives what is there, up to about four buffers, so that one busy connection does not
    /// starve the others; the rest wakes the loop again.
    private func receive(_ connection: Connection) {
        if let stream = connection.stream { return receive(connection, through: stream) }
        for _ in 0..<4 {
            let own = connection.frames.room()
            let room =
                own
                ?? (connection.frames.expectsLarge
                    ? UnsafeMutableRawBufferPointer(rebasing: buffer.room().prefix(1024))
                    : buffer.room())
            let count = weir_receive(connection.descriptor, room.baseAddress, room.count)
            if count == -Int64(EAGAIN) { return }
            if count <= 0 {
                close(connection, reason: nil)
                return
            }
            connection.lastActivity = now.monotonic
            let received = own == nil ? buffer.take(Int(count)) : nil
            do throws(FrameViolation) {
                try cut(connection, received: received, count: Int(count))
            } catch {
                close(connection, reason: describe(error))
                return
            }
            deliver(connection)
            // A part of the room unfilled: there was no more.
            if count < room.count || connection.isBacklogged { return }
        }
    }

    /// The same for a connection whose bytes are encrypted. Everything that was fed is decrypted at
    /// once, so no more than one receive waits inside the session.
    private func receive(_ connection: Connection, through stream: EncryptedStream) {
        for _ in 0..<4 {
            let count = weir_receive(
                connection.descriptor, ciphertext.base, ciphertext.count)
            if count == -Int64(EAGAIN) { return }
            let isFed =
                count > 0
                && stream.session.feed(
                    UnsafeRawBufferPointer(start: ciphertext.base, count: Int(count)))
            guard isFed else { return close(connection, reason: nil) }
            connection.lastActivity = now.monotonic
            if !stream.isEstablished, !establish(connection, stream) { return }
            guard decrypt(connection, stream) else { return }
            // Answers of the session itself: alerts, key updates. A peer that asks for many and
            // takes none would fill the memory.
            if stream.session.pending > Limits.unauthenticatedBytes * 4 {
                return close(connection, reason: "it takes no answers of the TLS session")
            }
            if stream.hasOutput { markDirty(connection) }
            deliver(connection)
            if Int(count) < ciphertext.count || connection.isBacklogged { return }
        }
    }

    /// Goes on with the handshake. True when it is done.
    private func establish(_ connection: Connection, _ stream: EncryptedStream) -> Bool {
        switch stream.handshake() {
        case .wantsMore:
            markDirty(connection)
            return false
        case .closed, .failed("the session ended"):
            close(connection, reason: "it ended the TLS handshake")
            return false
        case .failed(let reason):
            close(connection, reason: "TLS: \(reason)")
            return false
        case .done:
            markDirty(connection)
            var principal: String?
            if connection.dialed == nil, let mapping = doors[connection.door].principals,
                let name = stream.session.peerName
            {
                guard let user = mapping.user(name) else {
                    close(connection, reason: "no rule maps the certificate of \(name)")
                    return false
                }
                principal = user
            }
            announce(connection, principal: principal)
            return true
        }
    }

    /// Cuts everything that the session can decrypt into requests. False when the connection ended.
    private func decrypt(_ connection: Connection, _ stream: EncryptedStream) -> Bool {
        while true {
            let own = connection.frames.room()
            let (count, progress) = stream.session.read(into: own ?? buffer.room())
            switch progress {
            case .wantsMore: return true
            case .closed:
                close(connection, reason: nil)
                return false
            case .failed(let reason):
                close(connection, reason: "TLS: \(reason)")
                return false
            case .done: break
            }
            let received = own == nil ? buffer.take(count) : nil
            do throws(FrameViolation) {
                try cut(connection, received: received, count: count)
            } catch {
                close(connection, reason: describe(error))
                return false
            }
        }
    }

    private func cut(
        _ connection: Connection, received: Bytes?, count: Int
    ) throws(FrameViolation) {
        let before = connection.backlog.count
        defer { connection.requests += UInt64(connection.backlog.count - before) }
        guard let received else {
            let frame = try connection.frames.filledRoom(by: count, budget: &partialBudget)
            if let frame { connection.backlog.append(frame) }
            return
        }
        // A node that was called goes on behind its welcome, which nobody has looked at when both come
        // together. Its address is one of our own list.
        let limits =
            connection.isTrusted
            ? (settings.firstRequestBytes, settings.requestBytes)
            : (
                Limits.unauthenticatedBytes,
                connection.dialed == nil ? Limits.unauthenticatedBytes : settings.requestBytes
            )
        try connection.frames.take(
            received, limits: limits,
            isFirst: connection.requests == 0, budget: &partialBudget, into: &connection.backlog)
    }

    /// Hands some requests of the connection to the machine. The others wait for the next round,
    /// when it is known how large the answers are: thousands of small requests for large answers
    /// fit into one receive.
    private func deliver(_ connection: Connection) {
        var seen = effects.count
        var answerBytes = 0
        for _ in 0..<settings.requestsPerRound {
            guard answerBytes < settings.answerBytesPerRound,
                let request = connection.nextRequest()
            else { break }
            let began = measuresRequests ? SystemClock.monotonic : nil
            requestsInRound += 1
            accept(.request(connection.id, request))
            if let began {
                machine.requestTook(
                    SystemClock.monotonic - began, of: connection.id, now: now, into: &effects)
            }
            while seen < effects.count {
                answerBytes += effects[seen].answerBytes
                seen += 1
            }
        }
        if !connection.isBacklogDone(), !connection.isBacklogged {
            connection.isBacklogged = true
            backlogged.append(connection)
        }
    }

    private func deliverBacklogs() {
        if backlogged.isEmpty { return }
        for connection in backlogged where wantsRequests(of: connection) { deliver(connection) }
        backlogged.removeAll { connection in
            let isDone =
                connection.isBacklogDone() || connections[connection.id.value] !== connection
            if isDone { connection.isBacklogged = false }
            return isDone
        }
    }

    // MARK: What has a time

    /// Reads nothing more from a connection for a while.
    private func pause(_ id: ConnectionID, until instant: Instant) {
        guard let connection = connections[id.value], connection.pausedUntil < instant else {
            return
        }
        connection.pausedUntil = instant
        paused.push(instant, id.value)
        if paused.count > 2 * connections.count + 64 {
            paused.prune { instant, id in connections[id]?.pausedUntil == instant }
        }
        watch(connection)
    }

    private func resumePaused() {
        while let (_, id) = paused.popDue(now.monotonic) {
            guard let connection = connections[id] else { continue }
            // Silence was our wish.
            connection.lastActivity = now.monotonic
            watch(connection)
        }
    }

    private var sweepPeriod: Duration {
        min(settings.idle, settings.firstRequest, settings.signOn, settings.writeStall) / 8
    }

    /// Closes connections that have overstayed. Runs a few times per shortest time limit.
    private func sweep() {
        var overdue: [(Connection, String?)] = []
        for connection in connections.values {
            let quiet = now.monotonic - connection.lastActivity
            if connection.hasOutput, quiet > settings.writeStall {
                overdue.append((connection, "it took none of its answers for \(quiet)"))
            } else if connection.requests == 0,
                now.monotonic - connection.openedAt > settings.firstRequest
            {
                overdue.append((connection, "no request within \(settings.firstRequest)"))
            } else if !connection.isTrusted,
                now.monotonic - connection.openedAt > settings.signOn
            {
                overdue.append((connection, "no sign-on within \(settings.signOn)"))
            } else if quiet > settings.idle, connection.pausedUntil <= now.monotonic {
                overdue.append((connection, nil))
            }
        }
        for (connection, reason) in overdue.sorted(by: { $0.0.id < $1.0.id }) {
            close(connection, reason: reason)
        }
        nextSweep = connections.isEmpty ? .distantFuture : now.monotonic + sweepPeriod
    }

    private func watchListeners() -> Int32 {
        var mark = Mark.firstListener
        for door in doors {
            for descriptor in door.listener.descriptors {
                guard mark < Mark.firstConnection else { return 0 }
                let code = weir_epoll_add(epoll, descriptor, UInt32(WEIR_EPOLL_IN), mark)
                if code < 0 { return code }
                mark += 1
            }
        }
        return 0
    }

    private func unwatchListeners() {
        for door in doors {
            for descriptor in door.listener.descriptors { weir_epoll_remove(epoll, descriptor) }
        }
    }

    private func watchAgain() {
        door.resume()
        let code = watchListeners()
        if code < 0 { log.report(.error, "network", "can't listen again: \(describe(code))") }
    }
}

private func describe(_ violation: FrameViolation) -> String {
    switch violation {
    case .negativeLength(let length): "it announced a request of \(length) bytes"
    case .tooLong(let length, let limit):
        "it announced a request of \(length) bytes, the limit is \(limit)"
    case .noMemory(let length):
        "no memory is left for its unfinished request of \(length) bytes"
    }
}

extension NodeEffect {
    /// Bytes that a client will get.
    fileprivate var answerBytes: Int {
        guard case .send(_, let pieces) = self else { return 0 }
        return pieces.reduce(0) { $0 + $1.count }
    }
}
