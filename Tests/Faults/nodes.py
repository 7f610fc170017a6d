"""Three nodes of one cluster as processes, with every connection through the proxy if there is one."""
import concurrent.futures
import ctypes
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from proxy import Proxy, Route

ROOT = pathlib.Path(__file__).resolve().parents[2]
WEIR = os.environ.get("WEIR", str(ROOT / ".build/release/weir"))
COUNT = 3
# Failures are noticed soon, files are closed and checked often, and the journal goes round often: what takes
# hours on a server has to take seconds here.
SETTINGS = {
    "broker.session.timeout.ms": 2000, "log.scrub.interval.ms": 3000, "checkpoint.interval.ms": 2000,
    "journal.file.bytes": 4 << 20,
}
QUIET = {"log_level": 0}
# What nodes have in their environment beside ours.
ENVIRONMENT: dict[str, str] = {}
# How long the cluster may take to be whole again: most of it is for machines that do something else as well.
PATIENCE = 180


class Stuck(Exception):
    """Something that has to come true did not."""


def free_ports(count: int) -> list[int]:
    """Below those that the kernel gives to clients: they stay free between this look and the start."""
    generator = random.Random(os.getpid() ^ time.monotonic_ns())
    found: list[int] = []
    while len(found) < count:
        port = generator.randrange(22_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return found


def eventually(condition, timeout: float, what: str):
    """Waits until `condition()` is true, else says what did not come true."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Stuck(f"{what}: not within {timeout:g} s")
        time.sleep(0.1)


def die_with_parent():
    """No node survives the program that started it, however that ends."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


# The kernel takes the thread that started a process for its parent: one that lives as long as the program.
STARTER = concurrent.futures.ThreadPoolExecutor(1, "starter")


class Node:
    def __init__(self, number: int, home: pathlib.Path, data: pathlib.Path):
        self.number, self.home, self.data = number, home, data
        self.kafka_port, self.http_port, self.peer_port = free_ports(3)
        self.advertised_port = self.kafka_port
        self.peers: list[str] = []
        self.process: subprocess.Popen | None = None
        # What ended it, if that was us: any other end is an anomaly.
        self.is_wanted = False
        self.is_frozen = False
        home.mkdir(parents=True, exist_ok=True)
        data.mkdir(parents=True, exist_ok=True)

    @property
    def kafka(self) -> str:
        return f"127.0.0.1:{self.advertised_port}"

    def launch(self):
        settings = {**SETTINGS, "advertised.listeners": self.kafka}
        options = [word for name, value in settings.items() for word in ("-X", f"{name}={value}")]
        with open(self.home / "server.log", "ab") as log:
            log.write(f"-- started at {time.strftime('%H:%M:%S')}\n".encode())
            log.flush()
            self.process = STARTER.submit(
                subprocess.Popen, [WEIR, "serve", "--data", str(self.data), "--kafka", f"127.0.0.1:{self.kafka_port}",
                 "--http", f"127.0.0.1:{self.http_port}", "--node", str(self.number),
                 "--cluster", ",".join(self.peers), *options],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent,
                env={**os.environ, **ENVIRONMENT, "SWIFT_BACKTRACE": "enable=no"}).result()
        self.is_wanted = True
        self.is_frozen = False

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self):
        self.is_wanted = False
        if self.is_running():
            self.process.send_signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()
        self.is_frozen = False

    def stop(self, timeout: float = 40) -> int:
        self.is_wanted = False
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)

    def freeze(self):
        self.is_frozen = True
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.is_frozen = False
        if self.is_running():
            self.process.send_signal(signal.SIGCONT)

    def page(self, path: str, timeout: float = 2) -> str | None:
        """What HTTP says at the path, past the proxy; None while it says nothing."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=timeout) as answer:
                return answer.read().decode()
        except (urllib.error.URLError, OSError):
            return None

    def is_ready(self) -> bool:
        return self.page("/readyz") is not None

    def metric(self, name: str) -> float | None:
        for line in (self.page("/metrics") or "").splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
        return None

    def log_tail(self, lines: int = 12) -> str:
        try:
            return "\n".join((self.home / "server.log").read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""


class Cluster:
    """The nodes, and what is asked of them past every fault."""

    def __init__(self, folder: pathlib.Path, proxy: Proxy | None = None, data=None):
        self.folder, self.proxy = folder, proxy
        self.nodes = [Node(n, folder / f"node{n}", (data or (lambda n: folder / f"node{n}" / "data"))(n))
                      for n in range(1, COUNT + 1)]
        # What was said when nobody answered.
        self.silence = ""
        # By the number of the node that it leads to.
        self.to_clients: dict[int, Route] = {}
        # By (who calls, who is called); the caller has the higher number.
        self.between: dict[tuple[int, int], Route] = {}
        for node in self.nodes:
            node.peers = [f"127.0.0.1:{other.peer_port}" for other in self.nodes]
        if proxy is None:
            return
        ports = iter(free_ports(COUNT + COUNT * (COUNT - 1) // 2))
        for node in self.nodes:
            route = proxy.add(f"clients-{node.number}", next(ports), ("127.0.0.1", node.kafka_port))
            self.to_clients[node.number] = route
            node.advertised_port = route.port
            for other in self.nodes[:node.number - 1]:
                route = proxy.add(f"{node.number}-{other.number}", next(ports), ("127.0.0.1", other.peer_port))
                self.between[node.number, other.number] = route
                node.peers[other.number - 1] = f"127.0.0.1:{route.port}"

    @property
    def kafka(self) -> str:
        return ",".join(node.kafka for node in self.nodes)

    def node(self, number: int) -> Node:
        return self.nodes[number - 1]

    def start(self):
        for node in self.nodes:
            node.launch()
        self.wait_until_ready(PATIENCE)
        eventually(self.has_all_brokers, PATIENCE, "all brokers are listed")

    def wait_until_ready(self, timeout: float):
        for node in self.nodes:
            eventually(lambda: node.is_ready() or self.ended_by_itself(), timeout, f"node {node.number} serves")

    def has_all_brokers(self) -> bool:
        """As a new client sees it: one that was told of no broker at all may never ask again."""
        try:
            found = self.admin().list_topics(timeout=2)
        except KafkaException:
            return False
        return len(found.brokers) == COUNT and found.controller_id > 0

    def ended_by_itself(self) -> list[Node]:
        return [node for node in self.nodes if node.is_wanted and not node.is_running()]

    def admin(self, **settings) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.kafka, **QUIET, **settings})

    def partitions(self, admin: AdminClient) -> dict[tuple[str, int], tuple[int, list[int]]]:
        """Leader and replicas in sync of each partition; nothing while the cluster does not answer."""
        topics = None
        # A client that has seen many nodes come and go may be the one that is stuck: a new one is asked, too.
        for asked in (admin, self.admin()):
            try:
                topics = asked.list_topics(timeout=5).topics.values()
                break
            except KafkaException as failure:
                self.silence = str(failure)
        if topics is None:
            return {}
        return {(topic.topic, number): (partition.leader, sorted(partition.isrs))
                for topic in topics for number, partition in topic.partitions.items()}

    def is_in_sync(self, admin: AdminClient) -> bool:
        found = self.partitions(admin)
        return bool(found) and all(leader > 0 and isrs == [1, 2, 3] for leader, isrs in found.values())

    def wait_until_in_sync(self, admin: AdminClient, timeout: float):
        last = {}

        def whole():
            nonlocal last
            last = self.partitions(admin)
            return bool(last) and all(leader > 0 and len(isrs) == COUNT for leader, isrs in last.values())

        try:
            eventually(whole, timeout, "all replicas in sync")
        except Stuck as stuck:
            missing = {f"{t}-{p}": found for (t, p), found in last.items() if found[0] < 1 or len(found[1]) != COUNT}
            some = json.dumps(dict(list(missing.items())[:8])) if last else f"no answer, {self.silence}"
            raise Stuck(f"{stuck}; {len(missing)} are missing, leader and in-sync replicas: {some}")

    def end(self):
        for node in self.nodes:
            if node.is_frozen:
                node.thaw()
            node.kill()
