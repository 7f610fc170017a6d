"""Transactions with real clients: what is committed is seen once, what is aborted never."""
import asyncio
import collections
import json
import os
import random
import struct
import subprocess
import sys
import threading
import time
import uuid

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from conftest import eventually, new_server, remove, weir


def create_topic(server, partitions=1, **config):
    name = "txn-" + uuid.uuid4().hex[:8]
    admin = AdminClient({"bootstrap.servers": server.kafka})
    admin.create_topics([NewTopic(name, partitions, 1, config=config)])[name].result(20)
    return name


def new_producer(server, transactional_id=None, **more):
    return Producer({
        "bootstrap.servers": server.kafka, "linger.ms": 1,
        "transactional.id": transactional_id or "id-" + uuid.uuid4().hex[:8],
        "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 100, **more})


def read_all(server, topic, isolation="read_committed", partitions=1, start=0):
    """Everything in the topic that the isolation level shows, as (partition, offset, value)."""
    consumer = Consumer({
        "bootstrap.servers": server.kafka, "group.id": "reader-" + uuid.uuid4().hex[:8],
        "isolation.level": isolation, "enable.partition.eof": True,
        "enable.auto.commit": False, "auto.offset.reset": "earliest"})
    consumer.assign([TopicPartition(topic, p, start) for p in range(partitions)])
    found, ended = [], set()
    deadline = time.monotonic() + 30
    while len(ended) < partitions and time.monotonic() < deadline:
        message = consumer.poll(1)
        if message is None:
            continue
        if message.error():
            assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
            ended.add(message.partition())
        else:
            found.append((message.partition(), message.offset(), message.value().decode()))
    consumer.close()
    assert len(ended) == partitions
    return found


def values(server, topic, isolation="read_committed", partitions=1):
    return [value for _, _, value in read_all(server, topic, isolation, partitions)]


class Wire:
    """Requests that no client library sends, in their first flexible or classic layout."""

    def __init__(self, server):
        import socket
        host, port = server.kafka.split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=20)
        self.correlation = 0

    def call(self, key, version, body, flexible=True):
        self.correlation += 1
        head = struct.pack(">hhih", key, version, self.correlation, 4) + b"test"
        frame = head + (b"\x00" if flexible else b"") + body
        self.socket.sendall(struct.pack(">i", len(frame)) + frame)
        size, = struct.unpack(">i", self.exactly(4))
        answer = self.exactly(size)
        assert struct.unpack(">i", answer[:4])[0] == self.correlation
        return answer[5 if flexible else 4:]

    def exactly(self, count):
        data = b""
        while len(data) < count:
            piece = self.socket.recv(count - len(data))
            assert piece, "the broker closed the connection"
            data += piece
        return data

    def describe_producers(self, topic, partition=0):
        name = topic.encode()
        body = (b"\x02" + bytes([len(name) + 1]) + name + b"\x02"
                + struct.pack(">i", partition) + b"\x00\x00")
        answer = self.call(61, 0, body)
        position = 4 + 1 + 1 + len(name) + 1
        _, error = struct.unpack(">ih", answer[position:position + 6])
        assert error == 0
        position += 6 + 1
        count = answer[position] - 1
        position += 1
        producers = []
        for _ in range(count):
            fields = struct.unpack(">qiiqiq", answer[position:position + 36])
            producers.append(dict(zip(
                ("id", "epoch", "sequence", "time", "coordinator", "start"), fields)))
            position += 37
        return producers

    def list_transactions(self):
        answer = self.call(66, 0, b"\x01\x01\x00")
        assert struct.unpack(">h", answer[4:6])[0] == 0
        position = 7
        count = answer[position] - 1
        position += 1
        found = {}
        for _ in range(count):
            length = answer[position] - 1
            identity = answer[position + 1:position + 1 + length].decode()
            position += 1 + length + 8
            length = answer[position] - 1
            found[identity] = answer[position + 1:position + 1 + length].decode()
            position += 1 + length + 1
        return found

    def write_marker(self, topic, producer, commit=False, coordinator=None, partition=0):
        name = topic.encode()
        coordinator = producer["coordinator"] if coordinator is None else coordinator
        body = (b"\x02" + struct.pack(">qh?", producer["id"], producer["epoch"], commit)
                + b"\x02" + bytes([len(name) + 1]) + name + b"\x02"
                + struct.pack(">i", partition) + b"\x00"
                + struct.pack(">i", coordinator) + b"\x00" + b"\x00")
        answer = self.call(27, 1, body)
        position = 1 + 8 + 1 + 1 + len(name) + 1 + 4
        return struct.unpack(">h", answer[position:position + 2])[0]


# librdkafka

def test_commit_and_abort(server):
    topic = create_topic(server, partitions=3)
    producer = new_producer(server)
    producer.init_transactions(30)
    expected = []
    for round in range(6):
        producer.begin_transaction()
        batch = [f"{round}-{index}" for index in range(20)]
        for index, value in enumerate(batch):
            producer.produce(topic, value, partition=index % 3)
        if round % 2:
            producer.flush(20)
            producer.abort_transaction(30)
        else:
            producer.commit_transaction(30)
            expected += batch
    eventually(lambda: sorted(values(server, topic, partitions=3)) == sorted(expected),
               what="the committed records")
    everything = values(server, topic, "read_uncommitted", partitions=3)
    assert len(everything) == 120


def test_open_transaction_hides_what_follows(server):
    topic = create_topic(server)
    open_one = new_producer(server)
    open_one.init_transactions(30)
    open_one.begin_transaction()
    open_one.produce(topic, "open", partition=0)
    open_one.flush(20)
    plain = Producer({"bootstrap.servers": server.kafka})
    plain.produce(topic, "plain", partition=0)
    plain.flush(20)
    assert values(server, topic) == []
    assert values(server, topic, "read_uncommitted") == ["open", "plain"]
    reader = Consumer({"bootstrap.servers": server.kafka, "group.id": "watermarks"})
    open_one.abort_transaction(30)
    eventually(lambda: values(server, topic) == ["plain"], what="the record behind the abort")
    reader.close()


def test_a_waiting_reader_gets_the_commit_at_once(server):
    topic = create_topic(server)
    producer = new_producer(server)
    producer.init_transactions(30)
    consumer = Consumer({
        "bootstrap.servers": server.kafka, "group.id": "waiting", "fetch.wait.max.ms": 10_000,
        "isolation.level": "read_committed", "auto.offset.reset": "earliest"})
    consumer.assign([TopicPartition(topic, 0, 0)])
    assert consumer.poll(1) is None
    producer.begin_transaction()
    producer.produce(topic, "now", partition=0)
    producer.flush(20)
    assert consumer.poll(0.5) is None
    began = time.monotonic()
    producer.commit_transaction(30)
    message = consumer.poll(5)
    assert message is not None and message.value() == b"now"
    assert time.monotonic() - began < 3
    consumer.close()


def test_fencing_of_a_zombie(server):
    topic = create_topic(server)
    zombie = new_producer(server, "fenced")
    zombie.init_transactions(30)
    zombie.begin_transaction()
    zombie.produce(topic, "zombie", partition=0)
    zombie.flush(20)
    successor = new_producer(server, "fenced")
    successor.init_transactions(30)
    with pytest.raises(KafkaException) as fenced:
        zombie.commit_transaction(30)
    assert fenced.value.args[0].fatal() or fenced.value.args[0].code() == KafkaError._FENCED
    successor.begin_transaction()
    successor.produce(topic, "successor", partition=0)
    successor.commit_transaction(30)
    eventually(lambda: values(server, topic) == ["successor"], what="the successor's record")


def test_transaction_timeout(server):
    topic = create_topic(server)
    producer = new_producer(server, "slow", **{"transaction.timeout.ms": 2000})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic, "late", partition=0)
    producer.flush(20)
    wire = Wire(server)
    assert wire.list_transactions()["slow"] == "Ongoing"
    eventually(lambda: wire.list_transactions()["slow"] == "CompleteAbort", timeout=30,
               what="the abort")
    with pytest.raises(KafkaException):
        producer.commit_transaction(30)
    assert values(server, topic) == []


def test_consume_transform_produce_exactly_once(server):
    source, sink = create_topic(server, partitions=2), create_topic(server)
    feeder = Producer({"bootstrap.servers": server.kafka})
    for number in range(200):
        feeder.produce(source, str(number), partition=number % 2)
    feeder.flush(20)
    group = "transform-" + uuid.uuid4().hex[:8]

    def worker(limit, aborts):
        consumer = Consumer({
            "bootstrap.servers": server.kafka, "group.id": group, "enable.auto.commit": False,
            "auto.offset.reset": "earliest", "isolation.level": "read_committed"})
        consumer.subscribe([source])
        producer = new_producer(server, "transform")
        producer.init_transactions(30)
        done, idle = 0, 0
        while done < limit:
            messages = [m for m in consumer.consume(10, timeout=2) if m.error() is None]
            if not messages:
                # The first rebalance of a group takes some seconds.
                idle += 1
                if idle > 6:
                    break
                continue
            idle = 0
            producer.begin_transaction()
            for message in messages:
                producer.produce(sink, b"<" + message.value() + b">", partition=0)
            producer.send_offsets_to_transaction(
                consumer.position(consumer.assignment()), consumer.consumer_group_metadata(), 30)
            if aborts and done % 20 == 0:
                producer.abort_transaction(30)
                # What was read in vain is read again.
                for partition in consumer.committed(consumer.assignment(), timeout=20):
                    if partition.offset < 0:
                        partition.offset = 0
                    consumer.seek(partition)
                aborts -= 1
                continue
            producer.commit_transaction(30)
            done += len(messages)
        consumer.close()
        return done

    first = worker(60, aborts=3)
    second = worker(1000, aborts=2)
    assert first + second == 200
    assert sorted(values(server, sink)) == sorted(f"<{number}>" for number in range(200))


def test_offsets_of_an_open_transaction_are_unstable(server):
    topic = create_topic(server)
    group = "unstable-" + uuid.uuid4().hex[:8]
    consumer = Consumer({"bootstrap.servers": server.kafka, "group.id": group,
                         "enable.auto.commit": False})
    producer = new_producer(server)
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.send_offsets_to_transaction(
        [TopicPartition(topic, 0, 42)], consumer.consumer_group_metadata(), 30)
    # librdkafka asks for stable offsets and tries again until its time is up.
    with pytest.raises(KafkaException):
        consumer.committed([TopicPartition(topic, 0)], timeout=1)
    producer.commit_transaction(30)
    assert consumer.committed([TopicPartition(topic, 0)], timeout=20)[0].offset == 42
    producer.begin_transaction()
    producer.send_offsets_to_transaction(
        [TopicPartition(topic, 0, 50)], consumer.consumer_group_metadata(), 30)
    producer.abort_transaction(30)
    assert consumer.committed([TopicPartition(topic, 0)], timeout=20)[0].offset == 42
    consumer.close()


def test_hanging_transaction_is_found_and_aborted(server):
    topic = create_topic(server)
    producer = new_producer(server, "hanging")
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic, "stuck", partition=0)
    producer.flush(20)
    wire = Wire(server)
    found = [p for p in wire.describe_producers(topic) if p["start"] >= 0]
    assert len(found) == 1 and found[0]["start"] == 0
    assert wire.write_marker(topic, found[0], coordinator=1) == 0
    assert [p["start"] for p in wire.describe_producers(topic)] == [-1]
    plain = Producer({"bootstrap.servers": server.kafka})
    plain.produce(topic, "free", partition=0)
    plain.flush(20)
    assert values(server, topic) == ["free"]
    assert wire.write_marker(topic, found[0], coordinator=0) == 52
    assert wire.write_marker("missing", found[0], coordinator=1) == 3


def test_the_command_line_aborts_a_hanging_transaction(server):
    topic = create_topic(server)
    producer = new_producer(server, "hanging-too")
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic, "stuck", partition=0)
    producer.flush(20)
    number = next(p["id"] for p in Wire(server).describe_producers(topic) if p["start"] >= 0)
    place = ["txn", "abort", "--yes", "-b", server.kafka, "--topic", topic, "--partition", "0"]
    _, _, error = weir(*place, "--producer-id", str(number + 1000), check=1)
    assert f"open there: producer {number}" in error
    weir(*place, "--producer-id", str(number))
    assert values(server, topic) == []
    _, _, error = weir(*place, "--producer-id", str(number), check=1)
    assert "txn.notOpen" in error


# kafka-python

def test_kafka_python(server):
    kafka = pytest.importorskip("kafka")
    topic = create_topic(server, partitions=2)
    producer = kafka.KafkaProducer(
        bootstrap_servers=server.kafka, transactional_id="python-" + uuid.uuid4().hex[:8])
    producer.init_transactions()
    expected = []
    for round in range(4):
        producer.begin_transaction()
        for index in range(10):
            value = f"p{round}-{index}"
            producer.send(topic, value.encode(), partition=index % 2)
            if round % 2 == 0:
                expected.append(value)
        producer.flush()
        if round % 2 == 0:
            producer.commit_transaction()
        else:
            producer.abort_transaction()
    producer.close()
    consumer = kafka.KafkaConsumer(
        bootstrap_servers=server.kafka, isolation_level="read_committed",
        auto_offset_reset="earliest", consumer_timeout_ms=5000, enable_auto_commit=False)
    consumer.assign([kafka.TopicPartition(topic, p) for p in range(2)])
    assert sorted(record.value.decode() for record in consumer) == sorted(expected)
    consumer.close()


# aiokafka

def test_aiokafka(server):
    aiokafka = pytest.importorskip("aiokafka")
    topic = create_topic(server)
    source = create_topic(server)
    group = "aio-" + uuid.uuid4().hex[:8]

    async def run():
        producer = aiokafka.AIOKafkaProducer(
            bootstrap_servers=server.kafka, transactional_id="aio-" + uuid.uuid4().hex[:8])
        await producer.start()
        try:
            async with producer.transaction():
                await producer.send_and_wait(topic, b"one", partition=0)
                await producer.send_offsets_to_transaction(
                    {aiokafka.TopicPartition(source, 0): 7}, group)
            with pytest.raises(ValueError):
                async with producer.transaction():
                    await producer.send_and_wait(topic, b"never", partition=0)
                    raise ValueError("roll back")
            async with producer.transaction():
                await producer.send_and_wait(topic, b"two", partition=0)
        finally:
            await producer.stop()
        consumer = aiokafka.AIOKafkaConsumer(
            bootstrap_servers=server.kafka, isolation_level="read_committed",
            auto_offset_reset="earliest", group_id=group, enable_auto_commit=False)
        await consumer.start()
        try:
            consumer.assign([aiokafka.TopicPartition(topic, 0)])
            found = []
            while len(found) < 2:
                record = await asyncio.wait_for(consumer.getone(), 20)
                found.append(record.value)
            assert found == [b"one", b"two"]
            assert await consumer.committed(aiokafka.TopicPartition(source, 0)) == 7
        finally:
            await consumer.stop()

    asyncio.run(run())


# Streaming tables

def test_tables_have_committed_records_only(server):
    server.sql("CREATE SCHEMA IF NOT EXISTS bronze")
    server.sql("CREATE TOPIC sales (id bigint) FORMAT PLAIN ENCODE JSON WITH (partitions = 1)")
    server.sql("CREATE STREAMING TABLE bronze.sales WITH (commit_interval = '200 ms') AS "
               "SELECT id, _offset FROM STREAM(sales)")
    producer = new_producer(server)
    producer.init_transactions(30)
    for round in range(4):
        producer.begin_transaction()
        for index in range(5):
            producer.produce("sales", json.dumps({"id": round * 10 + index}), partition=0)
        producer.flush(20)
        if round % 2:
            producer.abort_transaction(30)
        else:
            producer.commit_transaction(30)
    eventually(lambda: server.sql_of_tables("SELECT count(*) FROM bronze.sales")[0][0] == 10,
               what="the committed rows")
    rows = server.sql_of_tables("SELECT id FROM bronze.sales ORDER BY id")
    assert [row[0] for row in rows] == [0, 1, 2, 3, 4, 20, 21, 22, 23, 24]


# kill -9

WORKER = r"""
import sys, time
from confluent_kafka import Producer, KafkaException
bootstrap, topic, log = sys.argv[1:4]
KEYS = 7
out = open(log, "a", buffering=1)
def connect():
    while True:
        producer = Producer({
            "bootstrap.servers": bootstrap, "transactional.id": "survivor", "linger.ms": 1,
            "transaction.timeout.ms": 20000, "reconnect.backoff.ms": 20,
            "reconnect.backoff.max.ms": 100})
        try:
            producer.init_transactions(60)
            return producer
        except KafkaException:
            time.sleep(0.1)
producer = connect()
number = 0
while True:
    number += 1
    aborts = number % 4 == 0
    try:
        producer.begin_transaction()
        for index in range(8):
            producer.produce(topic, f"{number}:{index}", key=f"{number % KEYS}:{index}",
                             partition=index % 3)
        if aborts:
            producer.flush(60)
            out.write(f"aborting {number}\n")
            producer.abort_transaction(60)
        else:
            out.write(f"committing {number}\n")
            producer.commit_transaction(60)
            out.write(f"committed {number}\n")
    except KafkaException as failure:
        error = failure.args[0]
        if error.txn_requires_abort():
            out.write(f"aborting {number}\n")
            try:
                producer.abort_transaction(60)
                continue
            except KafkaException:
                pass
        producer = connect()
"""


def check_compacted(server, topic, committed, committing, aborted):
    """Of each key the last record is of the last transaction that was committed, for all its parts
    alike, and records were cleaned away."""
    records = read_all(server, topic, partitions=3)
    assert not {int(value.split(":")[0]) for _, _, value in records} & (aborted - committing)
    last = {}
    for _, _, value in records:
        number, index = map(int, value.split(":"))
        last[number % 7, index] = number
    for residue in range(7):
        newest = max((number for number in committed if number % 7 == residue), default=None)
        if newest is None:
            continue
        parts = {last.get((residue, index)) for index in range(8)}
        assert len(parts) == 1, f"half a transaction: {parts}"
        assert parts.pop() >= newest, "a committed value is lost"
    eventually(lambda: len(read_all(server, topic, partitions=3)) < 8 * len(committed), timeout=60,
               what="fewer records than were committed: a cleaned segment")


CLEANS_OFTEN = ["-X", "log.cleaner.backoff.ms=100", "-X", "checkpoint.interval.ms=200"]
COMPACTED = {"cleanup.policy": "compact", "segment.bytes": "4096",
             "min.cleanable.dirty.ratio": "0.01", "delete.retention.ms": "100"}


@pytest.mark.parametrize("policy", ["delete", "compact"])
def test_kill_nine_in_the_middle_of_transactions(tmp_path, policy):
    server = new_server().start(*CLEANS_OFTEN)
    try:
        topic = create_topic(server, 3, **(COMPACTED if policy == "compact" else {}))
        script, log = tmp_path / "worker.py", tmp_path / "log"
        script.write_text(WORKER)
        log.touch()
        worker = subprocess.Popen(
            [sys.executable, str(script), server.kafka, topic, str(log)],
            stderr=subprocess.DEVNULL)
        generator = random.Random(20261129)
        try:
            eventually(lambda: log.read_text().count("committed") > 3, timeout=60,
                       what="the first commits")
            for _ in range(int(os.environ.get("WEIR_KILLS", "12"))):
                time.sleep(generator.uniform(0.05, 1.0))
                server.kill()
                server.start(*CLEANS_OFTEN)
                assert worker.poll() is None, "the producer gave up"
            before = log.read_text().count("committed")
            # Only closed segments are cleaned: on a slow machine the kills alone do not fill one.
            enough = max(before + 3, 60 if policy == "compact" else 0)
            eventually(lambda: log.read_text().count("committed") > enough, timeout=90,
                       what="commits after the last kill")
        finally:
            worker.terminate()
            worker.wait()
        # The last transaction is open: the next producer with its id ends it.
        closer = new_producer(server, "survivor")
        closer.init_transactions(60)

        committed, committing, aborted = set(), set(), set()
        for line in log.read_text().splitlines():
            word, number = line.split()
            {"committed": committed, "committing": committing, "aborting": aborted}[word].add(
                int(number))
        if policy == "compact":
            return check_compacted(server, topic, committed, committing, aborted)
        found = collections.Counter(values(server, topic, partitions=3))
        assert not [value for value, count in found.items() if count > 1], "a record twice"
        parts = collections.Counter(int(value.split(":")[0]) for value in found)
        assert not {n for n, count in parts.items() if count != 8}, "half a transaction"
        lost = committed - set(parts)
        assert not lost, f"{len(lost)} of {len(committed)} committed transactions lost"
        assert not set(parts) & (aborted - committing), "an aborted transaction is visible"
        assert set(parts) <= committing
        print(f"{len(committed)} committed, {len(parts)} visible")
    finally:
        remove(server)
