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
from nodes import QUIET, Cluster, Stuck, eventually

PARTITIONS = 3
# By topic: partitions. Idempotent, plain and transactional writers have one each; "moved" gets what is in "once".
TOPICS = {"once": PARTITIONS, "plain": PARTITIONS, "atomic": PARTITIONS, "moved": PARTITIONS}
GROUP_TOPICS = ["once", "plain"]
GROUP, MOVERS = "readers", "movers"
# What librdkafka tells of itself, into a file for each client: `broker,cgrp,protocol`, for example.
DEBUG = os.environ.get("WEIR_FAULTS_DEBUG", "")
IMPATIENT = {"reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 500, "socket.timeout.ms": 15000,
             "retry.backoff.ms": 50, "topic.metadata.refresh.interval.ms": 10000}
# Long enough that hardly any record times out: an unknown outcome proves nothing.
PATIENCE_MILLISECONDS = 150_000
# A client that says nothing for so long is deaf, and left behind.
DEAF_SECONDS = 60
# Of a group. A member that is left behind goes on with its heartbeats; the others wait for it no longer than for its polls.
MEMBER = {"enable.auto.commit": False, "auto.offset.reset": "earliest", "session.timeout.ms": 6000,
          "heartbeat.interval.ms": 1000, "max.poll.interval.ms": 20000}
# librdkafka 2.16 can stop for ever: in send_offsets_to_transaction (its issues 5456 and 5511), and whenever it lost all
# its brokers at once and begins again with the bootstrap servers (KIP-1102; its log then says "Handle is terminating"
# until it says nothing). To free such a client waits for it, so that they are kept.
LEFT_BEHIND: list = []


def close(consumer: Consumer):
    """Closes it, or leaves it behind."""
    thread = threading.Thread(target=consumer.close, daemon=True)
    thread.start()
    thread.join(20)
    if thread.is_alive():
        LEFT_BEHIND.append(consumer)


class Client(threading.Thread):
    """A thread with a generator of its own, so that one client's choices do not depend on another's."""

    def __init__(self, name: str, cluster: Cluster, ledger: Ledger, seed: int):
        super().__init__(daemon=True, name=name)
        self.cluster, self.ledger = cluster, ledger
        self.random = random.Random(f"{seed}/{name}")
        self.ends = False
        self.errors: dict[str, int] = defaultdict(int)
        self.doing = "starting"
        self.changed_at = time.monotonic()
        self.lives = 0
        self.left_behind: dict[str, int] = defaultdict(int)
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

    def does(self, what: str):
        self.doing, self.changed_at = what, time.monotonic()

    def live_again(self):
        """Lives, one after the other, each in a thread that can be left behind when the client in it is deaf. Only the
        next life that is not served either is an anomaly: then something is missing at the end."""
        while not self.ends:
            self.lives += 1
            life = threading.Thread(target=self.try_life, args=(f"{self.name}.{self.lives}",), daemon=True)
            self.does("beginning")
            life.start()
            while life.is_alive() and time.monotonic() < self.changed_at + DEAF_SECONDS:
                life.join(0.2)
            if life.is_alive():
                self.left_behind[self.doing] += 1
            else:
                time.sleep(0.2)

    def is_over(self, life: int) -> bool:
        """Whether the life with this number has to end."""
        return self.ends or life != self.lives

    def try_life(self, name: str):
        try:
            self.live(name)
        except KafkaException as failure:
            self.note(failure.args[0])

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
        LEFT_BEHIND.append(producer)
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
        LEFT_BEHIND.append(producer)
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


class Mover(Atomic):
    """Moves records from one topic to another, exactly once: what is read, written and committed is one transaction."""

    def work(self):
        # The next life fences off the one that was left behind.
        self.live_again()
        self.doing = "ending what was left open"
        self.connect(90)

    def live(self, name: str):
        life = self.lives
        self.does("asking for a producer id")
        producer = self.connect(60)
        writer = self.ledger.writer(name, "moved", idempotent=True, transactional=True)
        consumer = Consumer(self.settings(**{"group.id": MOVERS, "isolation.level": "read_committed", **MEMBER}))
        consumer.subscribe(["once"])
        read: dict[Place, int] = {}
        self.does("reading")
        try:
            while not self.is_over(life):
                messages = [message for message in consumer.consume(500, 0.2) if message.error() is None]
                # One that hears nothing while there is something is deaf, too.
                if messages or not self.is_behind(read):
                    self.does("reading")
                if not messages:
                    continue
                read.update({(message.topic(), message.partition()): message.offset() for message in messages})
                self.ledger.begin(writer)
                producer.begin_transaction()
                for message in messages:
                    self.ledger.read("mover", (message.topic(), message.partition()), message.offset(), message.value(),
                                     committed=True)
                    number = self.ledger.send(writer, message.partition(), message.offset())
                    producer.produce("moved", writer.value(number), partition=message.partition(),
                                     on_delivery=functools.partial(self.ledger.answer, writer, number))
                self.does("sending offsets")
                position = [one for one in consumer.position(consumer.assignment()) if one.offset >= 0]
                producer.send_offsets_to_transaction(position, consumer.consumer_group_metadata(), 30)
                if self.random.random() < 0.1:
                    self.does("aborting")
                    self.ledger.end(writer, states.ABORTED)
                    producer.abort_transaction(30)
                    # What was read is read again.
                    firsts: dict[tuple[str, int], int] = {}
                    for message in messages:
                        firsts.setdefault((message.topic(), message.partition()), message.offset())
                    for place, offset in firsts.items():
                        consumer.seek(TopicPartition(*place, offset))
                    continue
                self.does("committing")
                self.ledger.end(writer, states.ENDING)
                self.retry(producer.commit_transaction, 60)
                self.ledger.end(writer, states.COMMITTED)
        finally:
            close(consumer)

    def is_behind(self, read: dict[Place, int]) -> bool:
        return any(read.get(place, -1) < end for place, end in list(self.ledger.ends.items()) if place[0] == "once")


class Follower(Client):
    """Reads everything from the beginning, as it comes, and never begins again."""

    def __init__(self, name, cluster, ledger, seed, committed: bool):
        super().__init__(name, cluster, ledger, seed)
        self.committed = committed
        self.read: dict[Place, set[int]] = defaultdict(set)
        self.last: dict[Place, int] = {}

    def work(self):
        self.live_again()

    def live(self, _):
        life = self.lives
        consumer = Consumer(self.settings(**{
            "group.id": f"unused by {self.name}", "enable.auto.commit": False, "auto.offset.reset": "error",
            "isolation.level": "read_committed" if self.committed else "read_uncommitted"}))
        consumer.assign([TopicPartition(topic, number, self.last.get((topic, number), -1) + 1)
                         for topic, count in TOPICS.items() for number in range(count)])
        self.does("reading")
        while not self.is_over(life):
            messages = consumer.consume(500, 0.2)
            if messages or not self.is_behind():
                self.does("reading")
            for message in messages:
                if self.is_over(life):
                    break
                self.take(message)
        self.does("closing")
        close(consumer)

    def is_behind(self) -> bool:
        """Whether there is something to read."""
        return any(self.last.get(place, -1) < end for place, end in list(self.ledger.ends.items()))

    def take(self, message):
        if message.error() is not None:
            self.note(message.error())
            if message.error().code() == KafkaError._AUTO_OFFSET_RESET:
                self.ledger.anomaly("reader is beyond the log", f"{self.name} at {message.topic()}-"
                                    f"{message.partition()}: {message.error().str()}; it was shown up to "
                                    f"{self.last.get((message.topic(), message.partition()))}")
            return
        place, offset = (message.topic(), message.partition()), message.offset()
        if self.last.get(place, -1) >= offset:
            self.ledger.anomaly("reader went back", f"{self.name} was shown {place[0]}-{place[1]} offset {offset} "
                                f"after {self.last[place]}")
        self.last[place] = offset
        self.read[place].add(offset)
        self.ledger.read(self.name, place, offset, message.value(), committed=self.committed)


class Member(Client):
    """One of a group that commits what it has read. Now and then it leaves and comes back."""

    def work(self):
        self.live_again()

    def live(self, _):
        life = self.lives
        # Of the partitions that it has.
        floors: dict[Place, int] = {}
        last: dict[Place, int] = {}
        read: dict[Place, int] = {}

        def assigned(_, partitions):
            # What is acknowledged by now must not come again.
            for partition in partitions:
                place = (partition.topic, partition.partition)
                floors[place] = self.ledger.floors.get(place, 0)
                last.pop(place, None)

        def revoked(_, partitions):
            # Whoever gets the partition may be further already; a coordinator takes the older offset, too.
            for partition in partitions:
                place = (partition.topic, partition.partition)
                floors.pop(place, None)
                read.pop(place, None)

        consumer = Consumer(self.settings(**{"group.id": GROUP, **MEMBER}))
        self.does("joining")
        consumer.subscribe(GROUP_TOPICS, on_assign=assigned, on_revoke=revoked)
        ends_at = time.monotonic() + self.random.uniform(15, 60)
        next_commit = 0.0
        while not self.is_over(life) and time.monotonic() < ends_at:
            self.does("reading")
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
                if place in floors:
                    read[place] = offset + 1
            if read and time.monotonic() > next_commit:
                self.does("committing offsets")
                self.commit(consumer, read)
                read.clear()
                next_commit = time.monotonic() + self.random.uniform(0.1, 1)
        if read:
            self.commit(consumer, read)
        self.does("leaving")
        close(consumer)

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
        self.mover = Mover("mover", *common)
        self.members = [Member("member-a", *common), Member("member-b", *common)]

    def create_topics(self):
        # Small segments, so that many are closed before long.
        topics = [NewTopic(name, count, COPIES, config={"segment.bytes": "262144"}) for name, count in TOPICS.items()]
        admin = self.cluster.admin()
        for outcome in admin.create_topics(topics, request_timeout=30).values():
            outcome.result(40)

    @property
    def all(self) -> list[Client]:
        return [*self.writers, self.mover, *self.followers, *self.members]

    def start(self):
        for client in self.all:
            client.start()

    def stop_writing(self):
        for writer in self.writers:
            writer.ends = True
        for writer in self.writers:
            writer.finish(PATIENCE_MILLISECONDS / 1000 + 60)

    def stop_moving(self, timeout: float):
        """When everything is moved."""
        def behind():
            committed = self.committed_offsets(MOVERS, ["once"])
            return [f"once-{number} ({committed['once', number]} of {end})" for number in range(TOPICS["once"])
                    if committed["once", number] <= (end := self.ledger.ends.get(("once", number), -1))]

        try:
            eventually(lambda: not behind(), timeout, "everything is moved")
        except Stuck:
            self.ledger.anomaly("mover is stuck", f"it is {self.mover.doing}; {', '.join(behind())}")
        self.mover.ends = True
        self.mover.finish(200)

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
            reader.finish(DEAF_SECONDS + 60)

    def committed_offsets(self, group: str = GROUP, topics: list[str] = GROUP_TOPICS) -> dict[Place, int]:
        consumer = Consumer({"bootstrap.servers": self.cluster.kafka, "group.id": group, **QUIET})
        wanted = [TopicPartition(topic, n) for topic in topics for n in range(TOPICS[topic])]
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


def read_log(cluster: Cluster, ledger: Ledger, reader: str, *, committed: bool,
             starts: dict[Place, int] | None = None, limit: int | None = None) -> dict[Place, dict[int, int]]:
    """All records, or those from some offsets on, to the end of each partition, or `limit` of each.

    A new leader may say for a moment that its log ends before what others have acknowledged, so an end before what is
    known to be there is believed only when it stays."""
    places = list(starts) if starts is not None else [(t, n) for t, count in TOPICS.items() for n in range(count)]
    log: dict[Place, dict[int, int]] = {place: {} for place in places}
    known = dict(ledger.ends)
    open_places, short_places = set(places), set()
    for _ in range(4):
        # A reader that hears nothing may be deaf: the next one goes on where it was.
        consumer = Consumer({
            "bootstrap.servers": cluster.kafka, "group.id": "unused", "enable.partition.eof": True,
            "auto.offset.reset": "error", "enable.auto.commit": False, **QUIET, **IMPATIENT,
            "isolation.level": "read_committed" if committed else "read_uncommitted"})
        consumer.assign([TopicPartition(*place, max(log[place], default=(starts or {}).get(place, 0) - 1) + 1)
                         for place in open_places])
        heard = time.monotonic()
        while open_places and time.monotonic() < heard + 20:
            for message in consumer.consume(1000, 0.2):
                heard = time.monotonic()
                place = (message.topic(), message.partition())
                if message.error() is None:
                    packed = ledger.read(reader, place, message.offset(), message.value(), committed=committed)
                    if packed is not None:
                        log[place][message.offset()] = packed
                    if limit is not None and len(log[place]) >= limit:
                        open_places.discard(place)
                elif message.error().code() == KafkaError._PARTITION_EOF:
                    short_places.add(place)
                    if message.offset() > known.get(place, -1):
                        open_places.discard(place)
                elif message.error().code() == KafkaError._AUTO_OFFSET_RESET:
                    ledger.anomaly("reader is beyond the log", f"{reader} at {place[0]}-{place[1]}: "
                                   f"{message.error().str()}")
                    open_places.discard(place)
        close(consumer)
        if not open_places:
            return log
    if open_places <= short_places:
        return log
    names = ", ".join(sorted(f"{topic}-{number}" for topic, number in open_places))
    raise Stuck(f"{reader}: not read to the end: {names}")
