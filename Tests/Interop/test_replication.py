"""Partitions with copies on three processes: nodes are killed, stopped, frozen and damaged under real
clients, and what was acknowledged is there: once, in order, at its offset."""
import collections
import json
import os
import pathlib
import random
import shutil
import signal
import threading
import time

import pytest
from confluent_kafka import Consumer, ElectionType, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import ConfigResource

from cluster_setup import VOTERS, Cluster, produce, read_all
from conftest import eventually, weir

PARTITIONS = 3


class Load:
    """A producer that never stops, and a group of two that reads what it writes."""

    def __init__(self, cluster: Cluster, topic: str):
        self.cluster, self.topic = cluster, topic
        self.acknowledged: dict[tuple[int, int], int] = {}
        self.failures: list[str] = []
        self.read: collections.Counter = collections.Counter()
        self.longest = 0.0
        self.stops_writing = self.ends = False
        self.threads = [threading.Thread(target=self.write)]
        self.threads += [threading.Thread(target=self.consume) for _ in range(2)]
        for thread in self.threads:
            thread.start()

    def write(self):
        producer = Producer({
            "bootstrap.servers": self.cluster.kafka, "acks": "all", "enable.idempotence": True,
            "linger.ms": 2, "message.timeout.ms": 60000, "log_level": 0})
        last = time.monotonic()

        def delivered(error, message):
            nonlocal last
            now = time.monotonic()
            self.longest, last = max(self.longest, now - last), now
            if error is not None:
                self.failures.append(f"{error}")
                return
            self.acknowledged[message.partition(), message.offset()] = int(message.value())

        number = 0
        while not self.stops_writing:
            producer.produce(self.topic, b"%d" % number, partition=number % PARTITIONS,
                             on_delivery=delivered)
            number += 1
            producer.poll(0)
            time.sleep(0.001)
        left = producer.flush(60)
        if left:
            self.failures.append(f"{left} records were not answered")

    def consume(self):
        consumer = Consumer({
            "bootstrap.servers": self.cluster.kafka, "group.id": f"readers of {self.topic}",
            "auto.offset.reset": "earliest", "session.timeout.ms": 6000,
            "auto.commit.interval.ms": 200, "log_level": 0})
        consumer.subscribe([self.topic])
        while not self.ends:
            message = consumer.poll(0.1)
            if message is not None and message.error() is None:
                self.read[message.value()] += 1
        consumer.close()

    def wait_for_readers(self) -> None:
        """The group has read everything that was acknowledged."""
        self.stops_writing = True
        self.threads[0].join()
        values = {b"%d" % value for value in self.acknowledged.values()}
        eventually(lambda: not values - self.read.keys(), 60,
                   f"{len(values)} values that the group has read")

    def end(self) -> None:
        self.stops_writing = self.ends = True
        for thread in self.threads:
            thread.join()

    def check(self) -> None:
        """What was acknowledged is at its offset, each value once, those of a partition in order."""
        assert not self.failures, self.failures[:3]
        assert len(self.acknowledged) > 100
        places = read_places(self.cluster, self.topic)
        for place, value in self.acknowledged.items():
            assert places.get(place) == value, f"{value} was acknowledged at {place}"
        counts = collections.Counter(places.values())
        assert not [value for value, count in counts.items() if count > 1], "a record twice"
        for partition in range(PARTITIONS):
            values = [value for (of, _), value in sorted(places.items()) if of == partition]
            assert values == sorted(values), "in another order than they were sent"


def read_places(cluster: Cluster, topic: str) -> dict[tuple[int, int], int]:
    """All records, by partition and offset."""
    consumer = Consumer({"bootstrap.servers": cluster.kafka, "group.id": "unused",
                         "enable.partition.eof": True, "log_level": 0})
    consumer.assign([TopicPartition(topic, number, 0) for number in range(PARTITIONS)])
    places, ended = {}, set()
    deadline = time.monotonic() + 60
    while len(ended) < PARTITIONS and time.monotonic() < deadline:
        message = consumer.poll(0.5)
        if message is None:
            continue
        if message.error() is not None:
            if message.error().code() == -191:
                ended.add(message.partition())
            continue
        places[message.partition(), message.offset()] = int(message.value())
    consumer.close()
    assert len(ended) == PARTITIONS, "not all partitions could be read to their ends"
    return places


def in_sync(cluster: Cluster, topic: str) -> list[list[int]]:
    partitions = cluster.admin().list_topics(topic, timeout=5).topics[topic].partitions
    return [sorted(partitions[number].isrs) for number in sorted(partitions)]


def wait_for_copies(cluster: Cluster, topic: str):
    def whole():
        try:
            return in_sync(cluster, topic) == [[1, 2, 3]] * PARTITIONS
        except KafkaException:
            return False

    eventually(whole, 60, "all replicas in sync")


@pytest.fixture
def cluster():
    one = Cluster().start()
    yield one
    one.remove()


def test_copies_are_on_all_nodes_and_the_default_is_safe(cluster):
    cluster.create("t", PARTITIONS, replicas=3)
    cluster.create("usual", 1, replicas=-1)
    assert sorted(cluster.leaders("t")) == [1, 2, 3]
    assert in_sync(cluster, "t") == [[1, 2, 3]] * PARTITIONS
    assert in_sync(cluster, "usual") == [[1, 2, 3]]
    resource = ConfigResource(ConfigResource.Type.TOPIC, "usual")
    admin = cluster.admin()
    settings = admin.describe_configs([resource])[resource].result(20)
    assert settings["min.insync.replicas"].value == "2"
    produce(cluster, "t", [b"%d" % number for number in range(900)], PARTITIONS)
    # One node is not enough to acknowledge anything, and it says so.
    alone = cluster.node(cluster.wait(VOTERS))
    for node in cluster.nodes:
        if node is not alone:
            node.kill()
    producer = Producer({"bootstrap.servers": alone.kafka, "acks": "all",
                         "message.timeout.ms": 4000, "log_level": 0})
    outcomes = []
    producer.produce("t", b"lost?", partition=0,
                     on_delivery=lambda error, _: outcomes.append(error))
    producer.flush(60)
    assert len(outcomes) == 1 and outcomes[0] is not None


def test_nothing_is_lost_when_leaders_are_killed_under_load(cluster):
    cluster.create("t", PARTITIONS, replicas=3)
    load = Load(cluster, "t")
    generator = random.Random(7)
    try:
        eventually(lambda: len(load.acknowledged) > 100, what="the first records")
        for _ in range(int(os.environ.get("WEIR_KILLS", "3"))):
            leader = cluster.node(cluster.leaders("t")[generator.randrange(PARTITIONS)])
            leader.kill()
            before = len(load.acknowledged)
            eventually(lambda: len(load.acknowledged) > before + 200, 30,
                       "records that are acknowledged without the leader")
            leader.start()
            wait_for_copies(cluster, "t")
        load.wait_for_readers()
    finally:
        load.end()
    load.check()
    # The group has gone on where it was, not begun again and again.
    assert sum(load.read.values()) < len(load.acknowledged) * 2


def test_a_node_that_is_asked_to_stop_hands_over_first(cluster):
    cluster.create("t", PARTITIONS, replicas=3)
    load = Load(cluster, "t")
    try:
        eventually(lambda: len(load.acknowledged) > 100, what="the first records")
        for number in (1, 2, 3):
            node = cluster.node(number)
            assert node.stop() == 0
            eventually(lambda: number not in cluster.leaders("t"), what="other leaders")
            assert "handing leaderships over" in node.says()
            node.start()
            wait_for_copies(cluster, "t")
    finally:
        load.end()
    load.check()


def test_all_nodes_killed_at_once_lose_nothing(cluster):
    cluster.create("t", PARTITIONS, replicas=3)
    load = Load(cluster, "t")
    try:
        eventually(lambda: len(load.acknowledged) > 500, what="the first records")
        for node in cluster.nodes:
            node.process.send_signal(signal.SIGKILL)
        for node in cluster.nodes:
            node.process.wait()
        time.sleep(0.5)
        for node in cluster.nodes:
            node.launch()
        for node in cluster.nodes:
            node.ready()
        before = len(load.acknowledged)
        eventually(lambda: len(load.acknowledged) > before + 100, 30, "records after the start")
        wait_for_copies(cluster, "t")
    finally:
        load.end()
    load.check()


def test_a_leader_that_was_frozen_acknowledges_nothing_that_is_lost(cluster):
    cluster.create("t", PARTITIONS, replicas=3)
    load = Load(cluster, "t")
    try:
        eventually(lambda: len(load.acknowledged) > 100, what="the first records")
        leader = cluster.leaders("t")[0]
        frozen = cluster.node(leader)
        frozen.process.send_signal(signal.SIGSTOP)
        try:
            others = next(node for node in cluster.nodes if node is not frozen)

            def moved():
                topic = cluster.admin(others).list_topics("t", timeout=2).topics["t"]
                return topic.partitions[0].leader not in (leader, -1)

            eventually(moved, 30, "another leader")
        finally:
            frozen.process.send_signal(signal.SIGCONT)
        before = len(load.acknowledged)
        eventually(lambda: len(load.acknowledged) > before + 200, 30, "records after the thaw")
        wait_for_copies(cluster, "t")
    finally:
        load.end()
    load.check()


def test_files_damaged_while_a_node_is_down_are_copied_anew(cluster):
    cluster.create("t", PARTITIONS, replicas=3)
    cluster.admin().list_topics("t", timeout=5)
    produce(cluster, "t", [b"%d" % number for number in range(30_000)], PARTITIONS)
    node = cluster.node(cluster.leaders("t")[0])
    node.stop()
    damaged = 0
    for path in sorted(pathlib.Path(node.data).rglob("*.log")):
        if path.parent.name.startswith("t-") and path.stat().st_size > 4096:
            with open(path, "r+b") as file:
                file.seek(path.stat().st_size // 2)
                file.write(b"\xff" * 512)
            damaged += 1
    assert damaged
    node.start()
    wait_for_copies(cluster, "t")
    lead(cluster, "t")
    # Whoever reads finds the damage, and is served by another node meanwhile.
    assert sorted(read_places(cluster, "t").values()) == list(range(30_000))
    eventually(lambda: node.says().count("was damaged and is fetched anew") >= 1, what="a repair")
    wait_for_copies(cluster, "t")
    lead(cluster, "t")
    assert node.number in cluster.leaders("t")
    assert sorted(read_places(cluster, "t").values()) == list(range(30_000))


def lead(cluster: Cluster, topic: str):
    """Gives the leaderships back to the first replicas."""
    wanted = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    admin = cluster.admin()
    admin.elect_leaders(ElectionType.PREFERRED, wanted).result(20)
    eventually(lambda: sorted(cluster.leaders(topic)) == [1, 2, 3], what="the first leaders")


class Transactions:
    """Moves records from one topic to another, exactly once: what is read, written and committed belongs
    to one transaction. Every fifth is aborted and done again.

    librdkafka can wait for ever in `send_offsets_to_transaction`, whatever time it is given, when the
    coordinator that it remembers has left the metadata (its issues 5456 and 5511). A mover that gets
    nowhere is left alone then, as an application that hangs is replaced: another one takes over under
    the same transactional id, which fences the first one off."""

    # The group gives the partitions of one that hangs to others after the first, it is replaced after the
    # second.
    POLL_SECONDS, PATIENCE_SECONDS = 12, 20

    def __init__(self, cluster: Cluster, source: str, target: str):
        self.cluster, self.source, self.target = cluster, source, target
        self.ends = False
        self.committed = 0
        self.trouble: Exception | None = None
        self.movers: list[threading.Thread] = []
        self.progress = time.monotonic()
        self.overseer = threading.Thread(target=self.oversee)
        self.overseer.start()

    def end(self):
        self.ends = True
        self.overseer.join()

    def oversee(self):
        while not self.ends and self.trouble is None:
            mover = threading.Thread(target=self.run, daemon=True)
            self.movers.append(mover)
            self.progress = time.monotonic()
            mover.start()
            while mover.is_alive() and time.monotonic() - self.progress < self.PATIENCE_SECONDS:
                mover.join(0.2)
                if self.ends:
                    mover.join(self.PATIENCE_SECONDS)
                    return

    def goes_on(self) -> bool:
        return not self.ends and self.movers[-1] is threading.current_thread()

    def run(self):
        while self.goes_on():
            try:
                self.move()
            except KafkaException:
                time.sleep(0.1)
            except Exception as trouble:
                self.trouble = trouble
                return

    def move(self):
        consumer = Consumer({
            "bootstrap.servers": self.cluster.kafka, "group.id": "movers",
            "auto.offset.reset": "earliest", "enable.auto.commit": False,
            "isolation.level": "read_committed", "session.timeout.ms": 6000, "log_level": 0,
            "max.poll.interval.ms": self.POLL_SECONDS * 1000})
        consumer.subscribe([self.source])
        producer = Producer({
            "bootstrap.servers": self.cluster.kafka, "transactional.id": "mover", "linger.ms": 1,
            "transaction.timeout.ms": 20000, "log_level": 0})
        try:
            producer.init_transactions(30)
            number = 0
            while self.goes_on():
                messages = [m for m in consumer.consume(20, 0.2) if m.error() is None]
                if not messages:
                    self.progress = time.monotonic()
                    continue
                number += 1
                producer.begin_transaction()
                for message in messages:
                    producer.produce(self.target, message.value(),
                                     partition=int(message.value()) % PARTITIONS)
                producer.send_offsets_to_transaction(
                    consumer.position(consumer.assignment()),
                    consumer.consumer_group_metadata(), 30)
                if number % 5 == 0:
                    producer.abort_transaction(30)
                    # What was read is read again, from where it was committed last.
                    return
                producer.commit_transaction(30)
                self.committed += 1
                self.progress = time.monotonic()
        finally:
            consumer.close()


def test_transactions_are_exactly_once_while_nodes_are_killed(cluster):
    cluster.create("source", PARTITIONS, replicas=3)
    cluster.create("target", PARTITIONS, replicas=3)
    count = 450
    values = [b"%d" % number for number in range(count)]
    mover = Transactions(cluster, "source", "target")
    generator = random.Random(11)
    try:
        for start in range(0, count, 75):
            produce(cluster, "source", values[start:start + 75], PARTITIONS)
            before = mover.committed
            eventually(lambda: mover.committed > before or mover.trouble, 60, "a commit")
            if start % 150 == 0:
                node = cluster.node(generator.randint(1, 3))
                node.kill()
                time.sleep(generator.uniform(0.5, 3))
                node.start()
                wait_for_copies(cluster, "target")

        def moved():
            assert mover.trouble is None, mover.trouble
            return sorted(read_committed(cluster, "target")) == list(range(count))

        eventually(moved, 120, "all records, each once")
    finally:
        mover.end()


def read_committed(cluster: Cluster, topic: str) -> list[int]:
    consumer = Consumer({"bootstrap.servers": cluster.kafka, "group.id": "unused",
                         "enable.partition.eof": True, "isolation.level": "read_committed",
                         "log_level": 0})
    consumer.assign([TopicPartition(topic, number, 0) for number in range(PARTITIONS)])
    values, ended = [], set()
    deadline = time.monotonic() + 30
    while len(ended) < PARTITIONS and time.monotonic() < deadline:
        message = consumer.poll(0.5)
        if message is None:
            continue
        if message.error() is not None:
            ended.add(message.partition())
        else:
            values.append(int(message.value()))
    consumer.close()
    return values


def test_a_lost_disk_is_replaced(cluster):
    cluster.create("t", PARTITIONS, replicas=3)
    values = [b"%d" % number for number in range(3000)]
    produce(cluster, "t", values, PARTITIONS)
    node = cluster.node(cluster.leaders("t")[0])
    code, out, _ = weir("cluster", "forget", str(node.number), "-o", "json", "--server",
                        cluster.kafka.split(",")[0], check=None)
    assert code != 0 and "is alive" in out
    node.kill()
    shutil.rmtree(node.data)
    os.mkdir(node.data)
    others = [other for other in cluster.nodes if other is not node]
    cluster.wait(VOTERS - 1)
    # Not before an operator has said so: its votes were on the disk.
    node.launch()
    eventually(lambda: "the disk" in node.says() + others[0].says() + others[1].says(),
               what="a refusal")
    node.kill()
    eventually(lambda: weir("cluster", "forget", str(node.number), "--server", others[0].kafka,
                            check=None)[0] == 0, 30, "the node is forgotten")
    node.launch()
    node.ready(30)
    wait_for_copies(cluster, "t")
    cluster.wait(VOTERS)

    def votes():
        _, out, _ = weir("cluster", "info", "-o", "json", "--server", others[0].kafka)
        return [member["node"] for member in json.loads(out)["nodes"] if member["votes"]]

    eventually(lambda: votes() == [1, 2, 3], what="three voters")
    # The new disk has everything: it alone of the three is needed for reading, with one other.
    others[0].kill()
    eventually(lambda: -1 not in cluster.leaders("t"), what="leaders")
    assert sorted(read_places(cluster, "t").values()) == list(range(3000))


def test_leaders_go_back_to_their_places_when_asked(cluster):
    cluster.create("t", PARTITIONS, replicas=3)
    places = cluster.leaders("t")
    node = cluster.node(places[0])
    node.stop()
    eventually(lambda: cluster.leaders("t")[0] != places[0], what="another leader")
    node.start()
    wait_for_copies(cluster, "t")
    wanted = [TopicPartition("t", number) for number in range(PARTITIONS)]
    admin = cluster.admin()
    outcome = admin.elect_leaders(ElectionType.PREFERRED, wanted).result(20)
    assert outcome[TopicPartition("t", 0)] is None
    eventually(lambda: cluster.leaders("t") == places, what="the leaders of the beginning")
    node.stop()
    node.start()
    wait_for_copies(cluster, "t")
    _, out, _ = weir("cluster", "balance", "-o", "json", "--server", cluster.node(1).kafka)
    assert "t-0" in json.loads(out)["moved"]
    eventually(lambda: cluster.leaders("t") == places, what="the leaders of the beginning again")
    produce(cluster, "t", [b"%d" % number for number in range(30)], PARTITIONS)
    assert len(read_all(cluster, "t", 30, "after")) == 30
