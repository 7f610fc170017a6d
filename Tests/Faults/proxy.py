"""A network that can be broken: every connection between nodes, and between clients and nodes, goes through here.

A route listens on a port of its own and leads to one node from one side, so that each pair of nodes, and each
direction of it, fails by itself. That works because a pair of nodes shares one connection, which the node with
the higher number opens: it is told the route's address as the address of the other node, and only it. The
alternative, network namespaces, cuts whole addresses; it has no resets, no slow and no half-open connections.

Bytes are held, late or slow, but never lost or exchanged: TCP would not let them. A connection whose client is
gone is closed with what it still held, as if the network had lost it: what was held must not arrive after all,
later than what the client has said since then on another connection.
"""
import collections
import os
import random
import selectors
import socket
import struct
import threading
import time

# Held back by one direction of a connection; more waits in the sockets, as in a network.
BUFFER_BYTES = 256 << 10


class Lane:
    """One direction of a route, and what is wrong with it."""

    def __init__(self):
        self.held = False
        self.delay = 0.0
        self.bytes_per_second = 0

    def heal(self):
        self.__init__()


class Route:
    """A port and where it leads. `there` goes from whoever connects to the target, `back` the other way."""

    def __init__(self, name: str, listener: socket.socket, target: tuple[str, int]):
        self.name, self.listener, self.target = name, listener, target
        self.port = listener.getsockname()[1]
        self.there, self.back = Lane(), Lane()
        self.refuses = False

    def heal(self):
        self.there.heal()
        self.back.heal()
        self.refuses = False


class Flow:
    """Bytes of one connection in one direction."""

    def __init__(self, lane: Lane, source: socket.socket, sink: socket.socket):
        self.lane, self.source, self.sink = lane, source, sink
        self.chunks: collections.deque[tuple[float, bytes]] = collections.deque()
        self.buffered = 0
        self.has_ended = False
        self.next_write = 0.0

    def wants_input(self) -> bool:
        return not self.has_ended and self.buffered < BUFFER_BYTES

    def is_due(self, now: float) -> bool:
        return bool(self.chunks) and not self.lane.held and self.chunks[0][0] <= now >= self.next_write


class Pair:
    """A connection of a client and the one that it led to."""

    def __init__(self, route: Route, near: socket.socket, far: socket.socket):
        self.route, self.near, self.far = route, near, far
        self.flows = [Flow(route.there, near, far), Flow(route.back, far, near)]
        self.is_connected = False
        self.is_closed = False


class Proxy:
    """All routes, served by one thread."""

    def __init__(self, seed: int = 0):
        self.random = random.Random(seed)
        self.routes: list[Route] = []
        self.pairs: list[Pair] = []
        self.selector = selectors.DefaultSelector()
        self.lock = threading.Lock()
        self.to_reset: list[Route] = []
        self.ends = False
        self.bell, self.ring = os.pipe()
        os.set_blocking(self.ring, False)
        self.selector.register(self.bell, selectors.EVENT_READ, None)
        self.thread = threading.Thread(target=self.run, daemon=True, name="proxy")

    def add(self, name: str, port: int, target: tuple[str, int]) -> Route:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(256)
        listener.setblocking(False)
        route = Route(name, listener, target)
        self.routes.append(route)
        self.selector.register(listener, selectors.EVENT_READ, route)
        return route

    def start(self):
        self.thread.start()

    def wake(self):
        """After a change of a lane: what it held may go on."""
        try:
            os.write(self.ring, b"!")
        except BlockingIOError:
            pass

    def reset(self, route: Route):
        """All connections of the route end with RST."""
        with self.lock:
            self.to_reset.append(route)
        self.wake()

    def heal(self):
        for route in self.routes:
            route.heal()
        self.wake()

    def stop(self):
        self.ends = True
        self.wake()
        self.thread.join(5)
        for route in self.routes:
            route.listener.close()

    # MARK: The thread

    def run(self):
        while not self.ends:
            # Late bytes are looked for often; nothing else needs the clock.
            late = any(flow.chunks and not flow.lane.held for pair in self.pairs for flow in pair.flows)
            for key, events in self.selector.select(0.004 if late else 0.25):
                if key.data is None:
                    os.read(self.bell, 4096)
                elif isinstance(key.data, Route):
                    self.accept(key.data)
                else:
                    self.serve(key.data, key.fileobj, events)
            with self.lock:
                resets, self.to_reset = self.to_reset, []
            now = time.monotonic()
            for pair in list(self.pairs):
                if pair.route in resets:
                    self.close(pair, hard=True)
                    continue
                for flow in pair.flows:
                    if pair.is_connected and flow.is_due(now):
                        self.write(pair, flow, now)
                self.listen(pair)
            self.pairs = [pair for pair in self.pairs if not pair.is_closed]
        for pair in self.pairs:
            self.close(pair)

    def accept(self, route: Route):
        try:
            near, _ = route.listener.accept()
        except OSError:
            return
        if route.refuses:
            near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            near.close()
            return
        far = socket.socket()
        for end in (near, far):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        far.connect_ex(route.target)
        pair = Pair(route, near, far)
        self.pairs.append(pair)
        self.selector.register(near, selectors.EVENT_READ, pair)
        self.selector.register(far, selectors.EVENT_WRITE, pair)

    def serve(self, pair: Pair, end: socket.socket, events: int):
        if pair.is_closed:
            return
        if end is pair.far and not pair.is_connected:
            if end.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                return self.close(pair, hard=True)
            pair.is_connected = True
        now = time.monotonic()
        if events & selectors.EVENT_READ:
            self.read(pair, pair.flows[0 if end is pair.near else 1], now)
        if events & selectors.EVENT_WRITE and not pair.is_closed and pair.is_connected:
            flow = pair.flows[1 if end is pair.near else 0]
            if flow.is_due(now):
                self.write(pair, flow, now)

    def read(self, pair: Pair, flow: Flow, now: float):
        if not flow.wants_input():
            return
        try:
            data = flow.source.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            return self.close(pair, hard=True)
        if not data:
            flow.has_ended = True
            # Whoever called and hangs up takes back what was under way; an answer still arrives if it can.
            if flow is pair.flows[0] or not flow.chunks:
                self.close(pair)
            return
        late = flow.lane.delay * self.random.uniform(0.5, 1.5) if flow.lane.delay else 0
        # In the order in which they came, however late.
        due = max(now + late, flow.chunks[-1][0] if flow.chunks else 0)
        flow.chunks.append((due, data))
        flow.buffered += len(data)
        if pair.is_connected and flow.is_due(now):
            self.write(pair, flow, now)

    def write(self, pair: Pair, flow: Flow, now: float):
        while flow.is_due(now) and not pair.is_closed:
            due, data = flow.chunks[0]
            rate = flow.lane.bytes_per_second
            # A slow lane gives a few bytes at a time: frames arrive in pieces.
            piece = data[:max(1, rate // 50)] if rate else data
            try:
                sent = flow.sink.send(piece)
            except BlockingIOError:
                return
            except OSError:
                return self.close(pair, hard=True)
            flow.buffered -= sent
            if sent == len(data):
                flow.chunks.popleft()
            else:
                flow.chunks[0] = (due, data[sent:])
            if rate:
                flow.next_write = now + sent / rate
        if flow.has_ended and not flow.chunks:
            self.close(pair)

    def listen(self, pair: Pair):
        """Asks the selector for what can be worked on, and for nothing else."""
        if pair.is_closed:
            return
        now = time.monotonic()
        there, back = pair.flows
        for end, incoming, outgoing in ((pair.near, there, back), (pair.far, back, there)):
            events = 0
            if end is pair.far and not pair.is_connected:
                events = selectors.EVENT_WRITE
            else:
                if incoming.wants_input():
                    events |= selectors.EVENT_READ
                if outgoing.is_due(now):
                    events |= selectors.EVENT_WRITE
            known = self.selector.get_map().get(end.fileno())
            if known is None:
                if events:
                    self.selector.register(end, events, pair)
            elif not events:
                self.selector.unregister(end)
            elif known.events != events:
                self.selector.modify(end, events, pair)

    def close(self, pair: Pair, hard: bool = False):
        if pair.is_closed:
            return
        pair.is_closed = True
        for end in (pair.near, pair.far):
            if self.selector.get_map().get(end.fileno()) is not None:
                self.selector.unregister(end)
            if hard:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.close()
