"""Chooses faults from a seed, and does them. One node at a time is in trouble, so that a majority always can go
on; on top of that come faults between clients and nodes, which no majority depends on. All nodes at once are
killed only together.
"""
import pathlib
import random
import threading
import time
from collections import Counter

from ledger import Ledger
from nodes import PATIENCE, Cluster, Node, Stuck
from proxy import Lane

# How often each is chosen, relative to the others.
NODE_FAULTS = {"kill": 5, "stop": 3, "freeze": 4, "cut node": 4, "cut link": 3, "slow links": 2, "reset links": 2}
ALONE_FAULTS = {"kill all": 2, "damage": 3}
CLIENT_FAULTS = {"hold clients": 2, "delay clients": 2, "throttle clients": 1, "reset clients": 2, "refuse clients": 1}
FAULTS = {**NODE_FAULTS, **ALONE_FAULTS, **CLIENT_FAULTS}


class Nemesis(threading.Thread):
    def __init__(self, trial, gap: float):
        super().__init__(daemon=True, name="nemesis")
        self.trial = trial
        # The longest time without a new fault.
        self.gap = gap
        self.cluster: Cluster = trial.cluster
        self.ledger: Ledger = trial.ledger
        self.random = random.Random(f"{trial.seed}/nemesis")
        self.ends = threading.Event()
        self.acts: list[threading.Thread] = []
        self.busy: set[str] = set()
        self.counts: Counter = Counter()
        self.admin = self.cluster.admin()
        self.tell = trial.tell

    def run(self):
        while not self.ends.wait(self.random.uniform(self.gap / 20, self.gap)):
            # All choices are made here, in one order, so that a seed stands for one row of faults.
            kind = self.random.choices(list(FAULTS), list(FAULTS.values()))[0]
            draw = random.Random(self.random.getrandbits(64))
            if kind in ALONE_FAULTS:
                self.wait_for_acts()
                if not self.ends.is_set():
                    self.act(kind, draw, None)
            elif kind in NODE_FAULTS:
                if "node" in self.busy:
                    continue
                self.begin(kind, draw, "node")
            elif "clients" not in self.busy:
                self.begin(kind, draw, "clients")
        self.wait_for_acts()
        for route in [*self.cluster.to_clients.values(), *self.cluster.between.values()]:
            route.heal()
        self.cluster.proxy.wake()
        for node in self.cluster.nodes:
            if node.is_frozen:
                node.thaw()
            if not node.is_running():
                node.launch()
        self.tell("everything is healed")

    def begin(self, kind: str, draw: random.Random, place: str):
        self.busy.add(place)
        thread = threading.Thread(target=self.act, args=(kind, draw, place), daemon=True)
        self.acts = [act for act in self.acts if act.is_alive()] + [thread]
        thread.start()

    def wait_for_acts(self):
        for act in self.acts:
            act.join()

    def act(self, kind: str, draw: random.Random, place: str | None):
        try:
            self.counts[kind] += 1
            self.trial.fault_count += 1
            getattr(self, kind.replace(" ", "_"))(draw)
        except Exception as trouble:  # noqa: BLE001 — else the run would go on without faults, and pass.
            self.ledger.anomaly("fault failed", f"{kind}: {type(trouble).__name__}: {trouble}")
        finally:
            self.busy.discard(place)

    def pause(self, seconds: float):
        self.ends.wait(seconds)

    def launch(self, node: Node):
        node.launch()
        self.tell(f"node {node.number} is started")
        deadline = time.monotonic() + PATIENCE
        while not node.is_ready():
            if time.monotonic() > deadline:
                raise Stuck(f"node {node.number} does not serve within {PATIENCE} s:\n{node.log_tail()}")
            if not node.is_running():
                return
            time.sleep(0.1)

    # MARK: Processes

    def kill(self, draw):
        node = draw.choice(self.cluster.nodes)
        self.tell(f"kill -9 of node {node.number}")
        node.kill()
        self.pause(draw.choice([0, draw.uniform(0, 1), draw.uniform(0, 8)]))
        self.launch(node)
        if draw.random() < 0.3:
            self.pause(draw.uniform(0, 1))
            self.tell(f"kill -9 of node {node.number}, again")
            node.kill()
            self.launch(node)

    def stop(self, draw):
        node = draw.choice(self.cluster.nodes)
        self.tell(f"SIGTERM to node {node.number}")
        code = node.stop()
        if code:
            self.ledger.anomaly("stop failed", f"node {node.number} ended with {code} when it was stopped:\n"
                                f"{node.log_tail()}")
        self.pause(draw.uniform(0, 5))
        self.launch(node)

    def freeze(self, draw):
        node = draw.choice(self.cluster.nodes)
        seconds = draw.choice([draw.uniform(0.2, 2), draw.uniform(0.2, 12)])
        self.tell(f"SIGSTOP of node {node.number} for {seconds:.1f} s")
        node.freeze()
        self.pause(seconds)
        node.thaw()
        self.tell(f"node {node.number} goes on")

    def kill_all(self, draw):
        nodes = draw.sample(self.cluster.nodes, 3)
        self.tell(f"kill -9 of all nodes, {', '.join(str(node.number) for node in nodes)}")
        for node in nodes:
            node.kill()
            time.sleep(draw.choice([0, draw.uniform(0, 0.3)]))
        self.pause(draw.uniform(0, 2))
        for node in draw.sample(nodes, 3):
            node.launch()
            self.tell(f"node {node.number} is started")
            self.pause(draw.choice([0, draw.uniform(0, 2)]))
        self.cluster.wait_until_ready(PATIENCE)

    # MARK: Network

    def routes_of(self, number: int) -> list[tuple[Lane, Lane, object]]:
        """(towards the node, away from it, route) of its links to other nodes."""
        found = []
        for (caller, called), route in self.cluster.between.items():
            if caller == number:
                found.append((route.back, route.there, route))
            elif called == number:
                found.append((route.there, route.back, route))
        return found

    def cut_node(self, draw):
        node = draw.choice(self.cluster.nodes)
        way = draw.choice(["both ways", "towards it", "away from it"])
        with_clients = draw.random() < 0.3
        seconds = draw.choice([draw.uniform(0.3, 2), draw.uniform(1, 10)])
        self.tell(f"cut node {node.number} off, {way}{', and from clients' if with_clients else ''}, for {seconds:.1f} s")
        lanes = []
        for towards, away, _ in self.routes_of(node.number):
            lanes += [towards] * (way != "away from it") + [away] * (way != "towards it")
        if with_clients:
            route = self.cluster.to_clients[node.number]
            lanes += [route.there, route.back]
        self.hold(lanes, seconds)
        self.tell(f"node {node.number} is connected again")

    def cut_link(self, draw):
        pair, route = draw.choice(list(self.cluster.between.items()))
        way = draw.choice(["both ways", f"towards {pair[1]}", f"towards {pair[0]}"])
        seconds = draw.choice([draw.uniform(0.3, 2), draw.uniform(1, 10)])
        self.tell(f"cut the link of {pair[0]} and {pair[1]}, {way}, for {seconds:.1f} s")
        lanes = [route.there] * (way != f"towards {pair[0]}") + [route.back] * (way != f"towards {pair[1]}")
        if draw.random() < 0.3:
            # Half open: one end thinks that it is connected, and new connections say nothing.
            self.cluster.proxy.reset(route)
        self.hold(lanes, seconds)
        self.tell(f"{pair[0]} and {pair[1]} are connected again")

    def hold(self, lanes: list[Lane], seconds: float):
        for lane in lanes:
            lane.held = True
        self.pause(seconds)
        for lane in lanes:
            lane.held = False
        self.cluster.proxy.wake()

    def slow_links(self, draw):
        node = draw.choice(self.cluster.nodes)
        seconds = draw.uniform(1, 10)
        delay = draw.choice([0, draw.uniform(0.005, 0.4)])
        rate = draw.choice([0, draw.randrange(5_000, 200_000)]) if delay else draw.randrange(5_000, 200_000)
        self.tell(f"links of node {node.number} are {delay * 1000:.0f} ms late, {rate or 'all'} bytes/s, for {seconds:.1f} s")
        lanes = [lane for towards, away, _ in self.routes_of(node.number) for lane in (towards, away)]
        self.burden(lanes, delay, rate, seconds)
        self.tell(f"links of node {node.number} are fast again")

    def burden(self, lanes: list[Lane], delay: float, rate: int, seconds: float):
        for lane in lanes:
            lane.delay, lane.bytes_per_second = delay, rate
        self.pause(seconds)
        for lane in lanes:
            lane.delay, lane.bytes_per_second = 0, 0
        self.cluster.proxy.wake()

    def reset_links(self, draw):
        node = draw.choice(self.cluster.nodes)
        times = draw.randint(1, 8)
        self.tell(f"links of node {node.number} are reset {times} times")
        for _ in range(times):
            for _, _, route in self.routes_of(node.number):
                self.cluster.proxy.reset(route)
            self.pause(draw.uniform(0, 0.6))

    def hold_clients(self, draw):
        node = draw.choice(self.cluster.nodes)
        route = self.cluster.to_clients[node.number]
        way = draw.choice(["both ways", "requests", "answers"])
        seconds = draw.uniform(0.2, 6)
        self.tell(f"cut clients from node {node.number}, {way}, for {seconds:.1f} s")
        lanes = [route.there] * (way != "answers") + [route.back] * (way != "requests")
        self.hold(lanes, seconds)
        if draw.random() < 0.5:
            self.cluster.proxy.reset(route)
        self.tell(f"clients reach node {node.number} again")

    def delay_clients(self, draw):
        node = draw.choice(self.cluster.nodes)
        seconds, delay = draw.uniform(1, 8), draw.uniform(0.005, 0.5)
        self.tell(f"clients of node {node.number} are {delay * 1000:.0f} ms late for {seconds:.1f} s")
        route = self.cluster.to_clients[node.number]
        self.burden([route.there, route.back], delay, 0, seconds)

    def throttle_clients(self, draw):
        node = draw.choice(self.cluster.nodes)
        seconds, rate = draw.uniform(1, 6), draw.randrange(2_000, 100_000)
        self.tell(f"clients of node {node.number} have {rate} bytes/s for {seconds:.1f} s")
        route = self.cluster.to_clients[node.number]
        self.burden([route.there, route.back], 0, rate, seconds)

    def reset_clients(self, draw):
        node = draw.choice(self.cluster.nodes)
        times = draw.randint(1, 5)
        self.tell(f"clients of node {node.number} are reset {times} times")
        for _ in range(times):
            self.cluster.proxy.reset(self.cluster.to_clients[node.number])
            self.pause(draw.uniform(0, 0.8))

    def refuse_clients(self, draw):
        node = draw.choice(self.cluster.nodes)
        seconds = draw.uniform(0.5, 6)
        self.tell(f"node {node.number} refuses new clients for {seconds:.1f} s")
        route = self.cluster.to_clients[node.number]
        route.refuses = True
        self.cluster.proxy.reset(route)
        self.pause(seconds)
        route.refuses = False

    # MARK: Disks

    def damage(self, draw):
        """Closed files of one node rot while it is down. Each node has partitions of its own that rot, so that two
        good copies of everything remain, however long the damage is not noticed."""
        node = draw.choice(self.cluster.nodes)
        try:
            self.cluster.wait_until_in_sync(self.admin, 40)
        except Stuck as stuck:
            self.tell(f"no damage, {stuck}")
            return
        if draw.random() < 0.5:
            node.kill()
        else:
            node.stop()
        victims = closed_files(node)
        chosen = draw.sample(victims, min(len(victims), draw.randint(1, 4)))
        names = []
        for path in chosen:
            names.append(f"{path.parent.name}/{path.name} {spoil(path, draw)}")
        self.tell(f"node {node.number} is down; damaged: {', '.join(names) or 'nothing is closed yet'}")
        self.launch(node)


def closed_files(node: Node) -> list[pathlib.Path]:
    """Logs and indexes of all segments but the last, which may end in a torn batch for good reasons."""
    found = []
    for folder in sorted(node.data.iterdir()):
        topic, _, partition = folder.name.rpartition("-")
        if not topic or not partition.isdigit() or int(partition) % 3 != node.number - 1:
            continue
        logs = sorted(folder.glob("*.log"))
        for log in logs[:-1]:
            found += [path for path in (log, log.with_suffix(".index"), log.with_suffix(".timeindex"))
                      if path.exists() and path.stat().st_size]
    return found


def spoil(path: pathlib.Path, draw: random.Random) -> str:
    """What rot, a lost write and a misdirected one leave."""
    data = bytearray(path.read_bytes())
    kind = draw.choice(["bit", "zeros", "noise", "cut"])
    place = draw.randrange(len(data))
    if kind == "bit":
        data[place] ^= 1 << draw.randrange(8)
    elif kind == "cut":
        del data[place:]
    else:
        length = min(draw.choice([64, 512, 4096]), len(data) - place)
        data[place:place + length] = bytes(length) if kind == "zeros" else draw.randbytes(length)
    with open(path, "r+b") as file:
        file.write(data)
        file.truncate(len(data))
    return f"{kind} at {place}"
