"""Real clients (librdkafka) that work the whole time and tell the ledger of it."""
import functools
import logging
import os
import random
import threading
import time
from collections import defaultdict

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import NewTopic

import ledger as states
from ledger import Ledger, Place
from nodes import QUIET, Cluster, Stuck, eventually, partition_list

PARTITIONS = 3
# By topic: partitions. Idempotent, plain and transactional writers have one each.
TOPICS = {"once": PARTITIONS, "plain": PARTITIONS, "atomic": PARTITIONS}
GROUP_TOPICS = ["once", "plain"]
GROUP = "readers"
# What librdkafka tells of itself, into a file for each client: `broker,cgrp,protocol`, for example.
DEBUG = os.environ.get("WEIR_FAULTS_DEBUG", "")
IMPATIENT = {"reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 500, "socket.timeout.ms": 15000,
             "retry.backoff.ms": 50, "topic.metadata.refresh.interval.ms": 10000}
# Long enough that hardly any record times out: an unknown outcome proves nothing.
PATIENCE_MILLISECONDS = 150_000


class Client(threading.Thread):
    """A thread with a generator of its own, so that one client's choices do not depend on another's."""

    def __init__(self, name: str, cluster: Cluster, ledger: Ledger, seed: int):
        super().__init__(daemon=True, name=name)
        self.cluster, self.ledger = cluster, ledger
        self.random = random.Random(f"{seed}/{name}")
        self.ends = False
        self.errors: dict[str, int] = defaultdict(int)
        self.doing = "starting"
        # Its errors are counted by their names; nobody has to read them twice.
        self.logger = logging.Logger(name)
        self.logger.addHandler(logging.FileHandler(cluster.folder / f"{name}.log") if DEBUG else logging.NullHandler())
        for handler in self.logger.handlers:
            handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))

    def settings(self, **more) -> dict:
        return {"bootstrap.servers": self.cluster.kafka, **QUIET, **IMPATIENT, **more, "logger": self.logger,
                **({"debug": DEBUG, "log_level": 7} if DEBUG else {}),
                "error_cb": lambda error: self.note(error)}

    def note(self, error: KafkaError):
        self.errors[f"{error.name()} while {self.doing}"] += 1

    def run(self):
        try:
            self.work()
        except Exception as trouble:  # noqa: BLE001 — a client that dies unseen would check nothing.
            self.ledger.anomaly("client failed", f"{self.name} while {self.doing}: {type(trouble).__name__}: {trouble}")

    def finish(self, timeout: float):
        self.join(timeout)
        if self.is_alive():
            self.ledger.anomaly("client is stuck", f"{self.name} does not end; it is {self.doing}")


class Sender(Client):
    """Produces without transactions."""

    def __init__(self, name, cluster, ledger, seed, topic: str, idempotent: bool, rate: float):
        super().__init__(name, cluster, ledger, seed)
        self.topic, self.idempotent, self.rate = topic, idempotent, rate

    def work(self):
        life = 0
        while not self.ends:
            life += 1
            self.live(f"{self.name}.{life}")

    def live(self, name: str):
        writer = self.ledger.writer(name, self.topic, idempotent=self.idempotent)
        producer = Producer(self.settings(**{
            "acks": "all", "enable.idempotence": self.idempotent, "linger.ms": self.random.choice([0, 2, 20]),
            "message.timeout.ms": PATIENCE_MILLISECONDS, "queue.buffering.max.messages": 5000,
            # Without idempotence only one request at a time keeps the order.
            **({} if self.idempotent else {"max.in.flight": 1})}))
        is_over = False

        def answered(number, error, message):
            nonlocal is_over
            if error is not None:
                self.note(error)
                # The records behind one that failed may be refused for ever; a new life begins.
                is_over = True
            self.ledger.answer(writer, number, error, message)

        self.doing = "producing"
        while not self.ends and not is_over:
            for _ in range(self.random.randint(1, 20)):
                partition = self.random.randrange(PARTITIONS)
                number = self.ledger.send(writer, partition)
                producer.produce(self.topic, writer.value(number), partition=partition,
                                 on_delivery=functools.partial(answered, number))
            producer.poll(0)
            time.sleep(self.random.uniform(0, 20 / self.rate))
            while len(producer) > 2000 and not self.ends:
                producer.poll(0.1)
        self.doing = "flushing"
        left = producer.flush(PATIENCE_MILLISECONDS / 1000 + 10)
        if left:
            self.ledger.anomaly("producer is stuck", f"{name}: {left} records have no outcome")


class Atomic(Client):
    """Writes in transactions, of which every fourth is aborted."""

    def work(self):
        life = 0
        while not self.ends:
            life += 1
            try:
                self.live(f"{self.name}.{life}")
            except KafkaException as failure:
                # The transaction's state stays as it was: never asked to commit, or unknown.
                self.note(failure.args[0])
                time.sleep(0.2)
        # Whoever comes next under this name ends what was left open, so that readers are not held up.
        self.doing = "ending what was left open"
        self.connect(90)

    def connect(self, timeout: float) -> Producer:
        producer = Producer(self.settings(**{
            "transactional.id": self.name, "transaction.timeout.ms": 20000, "linger.ms": 1,
            "message.timeout.ms": 20000}))
        self.retry(producer.init_transactions, timeout)
        return producer

    def retry(self, call, timeout: float):
        """Calls until it succeeds or fails for good."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                return call(10)
            except KafkaException as failure:
                error = failure.args[0]
                if not error.retriable() or time.monotonic() > deadline:
                    raise
                self.note(error)

    def live(self, name: str):
        self.doing = "asking for a producer id"
        producer = self.connect(60)
        writer = self.ledger.writer(name, "atomic", idempotent=True, transactional=True)
        while not self.ends:
            self.doing = "writing a transaction"
            self.ledger.begin(writer)
            producer.begin_transaction()
            for _ in range(self.random.randint(1, 25)):
                partition = self.random.randrange(PARTITIONS)
                number = self.ledger.send(writer, partition)
                producer.produce("atomic", writer.value(number), partition=partition, on_delivery=functools.partial(
                    self.ledger.answer, writer, number))
                producer.poll(0)
            # Some stay open long enough for a fault to fall into them.
            time.sleep(self.random.uniform(0, 0.05) if self.random.random() < 0.8 else self.random.uniform(0, 1.5))
            if self.random.random() < 0.25:
                self.doing = "aborting"
                self.ledger.end(writer, states.ABORTED)
                # Without the flush librdkafka may ask the coordinator to end what it never began there, which is
                # refused, and that is fatal: a seldom test of a new life.
                if self.random.random() < 0.9:
                    producer.flush(10)
                self.retry(producer.abort_transaction, 60)
                continue
            self.doing = "committing"
            # From here on it may be there, whatever the client is told, until it is told that it is.
            self.ledger.end(writer, states.ENDING)
            try:
                self.retry(producer.commit_transaction, 60)
            except KafkaException as failure:
                if not failure.args[0].txn_requires_abort():
                    raise
                self.note(failure.args[0])
                self.doing = "aborting what could not be committed"
                self.retry(producer.abort_transaction, 60)
                continue
            self.ledger.end(writer, states.COMMITTED)


class Follower(Client):
    """Reads everything from the beginning, as it comes, and never begins again."""

    def __init__(self, name, cluster, ledger, seed, committed: bool):
        super().__init__(name, cluster, ledger, seed)
        self.committed = committed
        self.read: dict[Place, set[int]] = defaultdict(set)
        self.last: dict[Place, int] = {}

    def work(self):
        consumer = Consumer(self.settings(**{
            "group.id": f"unused by {self.name}", "enable.auto.commit": False, "auto.offset.reset": "error",
            "isolation.level": "read_committed" if self.committed else "read_uncommitted"}))
        consumer.assign(partition_list(TOPICS, 0))
        self.doing = "reading"
        while not self.ends:
            for message in consumer.consume(500, 0.2):
                if message.error() is not None:
                    self.note(message.error())
                    if message.error().code() == KafkaError._AUTO_OFFSET_RESET:
                        self.ledger.anomaly("reader is beyond the log", f"{self.name} at {message.topic()}-"
                                            f"{message.partition()}: {message.error().str()}; it was shown up to "
                                            f"{self.last.get((message.topic(), message.partition()))}")
                    continue
                place, offset = (message.topic(), message.partition()), message.offset()
                if self.last.get(place, -1) >= offset:
                    self.ledger.anomaly("reader went back", f"{self.name} was shown {place[0]}-{place[1]} offset {offset} "
                                        f"after {self.last[place]}")
                self.last[place] = offset
                self.read[place].add(offset)
                self.ledger.read(self.name, place, offset, message.value(), committed=self.committed)
        self.doing = "closing"
        consumer.close()


class Member(Client):
    """One of a group that commits what it has read. Now and then it leaves and comes back."""

    def work(self):
        while not self.ends:
            self.live()

    def live(self):
        floors: dict[Place, int] = {}
        last: dict[Place, int] = {}

        def assigned(_, partitions):
            # What is acknowledged by now must not come again.
            for partition in partitions:
                place = (partition.topic, partition.partition)
                floors[place] = self.ledger.floors.get(place, 0)
                last.pop(place, None)

        consumer = Consumer(self.settings(**{
            "group.id": GROUP, "enable.auto.commit": False, "auto.offset.reset": "earliest",
            "session.timeout.ms": 6000, "heartbeat.interval.ms": 1000}))
        self.doing = "joining"
        consumer.subscribe(GROUP_TOPICS, on_assign=assigned)
        ends_at = time.monotonic() + self.random.uniform(15, 60)
        next_commit = 0.0
        read: dict[Place, int] = {}
        while not self.ends and time.monotonic() < ends_at:
            self.doing = "reading"
            for message in consumer.consume(500, 0.2):
                if message.error() is not None:
                    self.note(message.error())
                    continue
                place, offset = (message.topic(), message.partition()), message.offset()
                if offset < floors.get(place, 0):
                    self.ledger.anomaly("group read again what was committed", f"{self.name} was shown {place[0]}-{place[1]} "
                                        f"offset {offset}; {floors[place]} was committed before it got the partition")
                if offset <= last.get(place, -1):
                    self.ledger.anomaly("group went back", f"{self.name} was shown {place[0]}-{place[1]} offset {offset} "
                                        f"after {last[place]}")
                last[place] = offset
                packed = self.ledger.read("group", place, offset, message.value(), committed=False)
                if packed is not None:
                    self.ledger.group_read.add(packed)
                read[place] = offset + 1
            if read and time.monotonic() > next_commit:
                self.doing = "committing offsets"
                self.commit(consumer, read)
                read = {}
                next_commit = time.monotonic() + self.random.uniform(0.1, 1)
        if read:
            self.commit(consumer, read)
        self.doing = "leaving"
        consumer.close()

    def commit(self, consumer: Consumer, read: dict[Place, int]):
        try:
            outcome = consumer.commit(
                offsets=[TopicPartition(topic, partition, offset) for (topic, partition), offset in read.items()],
                asynchronous=False)
        except KafkaException as failure:
            self.note(failure.args[0])
            return
        for one in outcome:
            if one.error is None:
                self.ledger.commit((one.topic, one.partition), one.offset)


class Clients:
    """All of them together."""

    def __init__(self, cluster: Cluster, ledger: Ledger, seed: int, rate: float = 150):
        self.cluster, self.ledger = cluster, ledger
        common = (cluster, ledger, seed)
        self.writers = [
            Sender("once-a", *common, "once", True, rate), Sender("once-b", *common, "once", True, rate),
            Sender("plain-a", *common, "plain", False, rate),
            Atomic("atomic-a", *common), Atomic("atomic-b", *common),
        ]
        self.followers = [Follower("committed-a", *common, True), Follower("committed-b", *common, True),
                          Follower("everything", *common, False)]
        self.members = [Member("member-a", *common), Member("member-b", *common)]

    def create_topics(self, **settings: str):
        admin = self.cluster.admin()
        # Small segments, so that many are closed before long.
        settings = {"segment.bytes": "262144", **settings}
        topics = [NewTopic(name, count, COPIES, config=settings) for name, count in TOPICS.items()]
        for outcome in admin.create_topics(topics, request_timeout=30).values():
            outcome.result(40)

    @property
    def all(self) -> list[Client]:
        return [*self.writers, *self.followers, *self.members]

    def start(self):
        for client in self.all:
            client.start()

    def stop_writing(self):
        for writer in self.writers:
            writer.ends = True
        for writer in self.writers:
            writer.finish(PATIENCE_MILLISECONDS / 1000 + 60)

    def wait_for_readers(self, committed: dict[Place, dict[int, int]], timeout: float):
        """Until followers and the group were shown everything that is there."""
        def behind():
            missing = [f"{follower.name} at {place[0]}-{place[1]} ({follower.last.get(place, -1)} of {max(records)})"
                       for follower in self.followers for place, records in committed.items()
                       if records and follower.last.get(place, -1) < max(records)]
            wanted = [packed for (topic, _), records in committed.items() if topic in GROUP_TOPICS
                      for packed in records.values()]
            unread = sum(packed not in self.ledger.group_read for packed in wanted)
            return missing + ([f"the group, {unread} records behind"] if unread else [])

        try:
            eventually(lambda: not behind(), timeout, "readers are shown everything")
        except Stuck:
            self.ledger.anomaly("readers are stuck", "; ".join(behind()[:6]))

    def stop_reading(self):
        readers = [*self.followers, *self.members]
        for reader in readers:
            reader.ends = True
        for reader in readers:
            reader.finish(60)

    def committed_offsets(self) -> dict[Place, int]:
        consumer = Consumer({"bootstrap.servers": self.cluster.kafka, "group.id": GROUP, **QUIET})
        wanted = [TopicPartition(topic, n) for topic in GROUP_TOPICS for n in range(TOPICS[topic])]
        deadline = time.monotonic() + 60
        while True:
            try:
                found = consumer.committed(wanted, timeout=20)
                break
            except KafkaException:
                if time.monotonic() > deadline:
                    raise Stuck("the group's offsets can't be read")
        consumer.close()
        return {(one.topic, one.partition): one.offset for one in found}


COPIES = 3


def read_log(cluster: Cluster, ledger: Ledger, reader: str, *, committed: bool, timeout: float = 120,
             starts: dict[Place, int] | None = None, limit: int | None = None) -> dict[Place, dict[int, int]]:
    """All records, or those from some offsets on, to the end of each partition, or `limit` of each.

    A new leader may say for a moment that its log ends before what others have acknowledged (KIP-207 is about
    timestamps only), so an end before what is known to be there is believed only when it stays."""
    consumer = Consumer({
        "bootstrap.servers": cluster.kafka, "group.id": "unused", "enable.partition.eof": True,
        "auto.offset.reset": "error", "enable.auto.commit": False, **QUIET, **IMPATIENT,
        "isolation.level": "read_committed" if committed else "read_uncommitted"})
    places = list(starts) if starts is not None else [(t, n) for t, count in TOPICS.items() for n in range(count)]
    consumer.assign([TopicPartition(topic, number, (starts or {}).get((topic, number), 0)) for topic, number in places])
    log: dict[Place, dict[int, int]] = {place: {} for place in places}
    open_places, short_places = set(places), set()
    known = dict(ledger.ends)
    began = time.monotonic()
    deadline = began + timeout
    while open_places:
        if open_places <= short_places and time.monotonic() > began + 20:
            break
        if time.monotonic() > deadline:
            names = ", ".join(sorted(f"{topic}-{number}" for topic, number in open_places))
            consumer.close()
            raise Stuck(f"{reader}: not read to the end within {timeout:g} s: {names}")
        for message in consumer.consume(1000, 0.2):
            place = (message.topic(), message.partition())
            if message.error() is not None:
                if message.error().code() == KafkaError._PARTITION_EOF:
                    if message.offset() > known.get(place, -1):
                        open_places.discard(place)
                    short_places.add(place)
                elif message.error().code() == KafkaError._AUTO_OFFSET_RESET:
                    ledger.anomaly("reader is beyond the log", f"{reader} at {place[0]}-{place[1]}: "
                                   f"{message.error().str()}")
                    open_places.discard(place)
                continue
            if place not in log:
                continue
            packed = ledger.read(reader, place, message.offset(), message.value(), committed=committed)
            if packed is not None:
                log[place][message.offset()] = packed
            if limit is not None and len(log[place]) >= limit:
                open_places.discard(place)
    consumer.close()
    return log
