"""Three processes that are one cluster, for the tests about it."""
import json
import os
import pathlib
import shutil
import tempfile
import time

from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from conftest import Server, eventually, free_port

VOTERS = 3
SETTINGS = ("-X", "broker.session.timeout.ms=2000")


class Node(Server):
    """One process of a cluster, with a log of its own."""

    def __init__(self, folder: pathlib.Path, number: int, addresses: list[str], flags: tuple[str, ...] = ()):
        home = folder / f"node{number}"
        home.mkdir(parents=True)
        (home / "data").mkdir()
        super().__init__(str(home / "data"))
        self.number = number
        self.addresses = addresses
        self.flags = flags

    def launch(self, *extra: str):
        super().launch(
            "--node", str(self.number), "--cluster", ",".join(self.addresses), *SETTINGS, *self.flags, *extra)

    def answers(self, path: str) -> int:
        """The status of a page; 0 while nobody answers."""
        try:
            return self.request("GET", path)[0]
        except OSError:
            return 0

    def says(self) -> str:
        with open(os.path.join(self.data, "..", "server.log"), "rb") as log:
            return log.read().decode(errors="replace")


class Cluster:
    def __init__(self, count: int = VOTERS, *flags: str):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-cluster-"))
        self.addresses = [f"127.0.0.1:{free_port()}" for _ in range(count)]
        self.nodes = [Node(self.folder, n + 1, self.addresses, flags) for n in range(count)]

    def start(self) -> "Cluster":
        for node in self.nodes:
            node.launch()
        for node in self.nodes:
            node.ready()
        self.wait(len(self.nodes))
        return self

    @property
    def kafka(self) -> str:
        return ",".join(node.kafka for node in self.nodes)

    def admin(self, node: Node | None = None) -> AdminClient:
        return AdminClient({"bootstrap.servers": node.kafka if node else self.kafka,
                            "log_level": 0})

    def state(self, node: Node):
        """(controller, brokers) as one node tells it; None while it does not answer."""
        try:
            found = self.admin(node).list_topics(timeout=2)
        except KafkaException:
            return None
        return found.controller_id, sorted(found.brokers)

    def wait(self, brokers: int, timeout: float = 30) -> int:
        """Until all living nodes agree on a controller and so many brokers; the controller."""
        alive = [node for node in self.nodes if node.is_running()]

        def agreed():
            states = {json.dumps(self.state(node)) for node in alive}
            if len(states) != 1:
                return None
            state = json.loads(states.pop())
            if not state or state[0] < 1 or len(state[1]) != brokers:
                return None
            return state[0]

        return eventually(agreed, timeout, f"a cluster of {brokers} brokers")

    def node(self, number: int) -> Node:
        return self.nodes[number - 1]

    def create(self, topic: str, partitions: int, through: Node | None = None, replicas: int = 1,
               timeout: float = 20):
        admin = self.admin(through)
        admin.create_topics(
            [NewTopic(topic, partitions, replicas)], request_timeout=timeout)[topic].result()

    def leaders(self, topic: str) -> list[int]:
        partitions = self.admin().list_topics(topic, timeout=5).topics[topic].partitions
        return [partitions[number].leader for number in sorted(partitions)]

    def remove(self):
        for node in self.nodes:
            if node.is_running():
                node.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def produce(cluster: Cluster, topic: str, values: list[bytes], partitions: int):
    failures = []
    producer = Producer({"bootstrap.servers": cluster.kafka, "acks": "all",
                         "enable.idempotence": True, "message.timeout.ms": 20000, "log_level": 0})
    for place, value in enumerate(values):
        producer.produce(topic, value, partition=place % partitions,
                         on_delivery=lambda error, _: error and failures.append(error))
    assert producer.flush(30) == 0
    assert failures == []


def read_all(cluster: Cluster, topic: str, count: int, group: str) -> list[bytes]:
    consumer = Consumer({"bootstrap.servers": cluster.kafka, "group.id": group,
                         "auto.offset.reset": "earliest", "log_level": 0})
    consumer.subscribe([topic])
    values = []
    deadline = time.monotonic() + 30
    while len(values) < count and time.monotonic() < deadline:
        message = consumer.poll(0.5)
        if message is not None and message.error() is None:
            values.append(message.value())
    consumer.commit(asynchronous=False)
    consumer.close()
    return values
