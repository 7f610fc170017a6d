"""kcat, confluent-kafka (librdkafka), kafka-python and aiokafka, each as its users use it."""
import asyncio
import collections
import subprocess
import time

import pytest
from conftest import eventually

RECORDS = 100_000
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


def value_of(number: int) -> bytes:
    return b'{"number":%d,"text":"%s"}' % (number, b"abcdefghij" * (number % 7))


def check_all(values):
    """Every record exactly once, whatever the order between partitions."""
    counts = collections.Counter(values)
    assert len(counts) == RECORDS
    assert set(counts.values()) == {1}
    assert set(counts) == {value_of(n) for n in range(RECORDS)}


def create_topic(server, name: str, partitions: int, config: dict | None = None):
    """Through librdkafka; the client must live until the answer is there."""
    from confluent_kafka.admin import AdminClient, NewTopic
    admin = AdminClient({"bootstrap.servers": server.kafka})
    admin.create_topics([NewTopic(name, num_partitions=partitions, config=config or {})]
                        )[name].result()


# MARK: confluent-kafka


@pytest.mark.parametrize("codec", CODECS)
def test_confluent_produces_and_consumes_100000_records(server, codec):
    from confluent_kafka import Consumer, Producer

    topic = f"confluent-{codec}"
    create_topic(server, topic, 3)

    failures = []
    producer = Producer({
        "bootstrap.servers": server.kafka, "compression.type": codec, "linger.ms": 5,
        "acks": "all", "enable.idempotence": True, "queue.buffering.max.messages": RECORDS * 2})
    for number in range(RECORDS):
        producer.produce(topic, value_of(number), key=str(number % 1000),
                         on_delivery=lambda error, _: error and failures.append(error))
        if number % 10_000 == 0:
            producer.poll(0)
    assert producer.flush(60) == 0
    assert failures == []

    consumer = Consumer({
        "bootstrap.servers": server.kafka, "group.id": f"g-{topic}",
        "auto.offset.reset": "earliest", "enable.auto.commit": False})
    consumer.subscribe([topic])
    values, per_partition = [], collections.defaultdict(int)
    deadline = time.monotonic() + 90
    while len(values) < RECORDS and time.monotonic() < deadline:
        for message in consumer.consume(10_000, timeout=1):
            assert message.error() is None
            assert message.offset() == per_partition[message.partition()], "offsets are contiguous"
            per_partition[message.partition()] += 1
            values.append(message.value())
    consumer.close()
    check_all(values)


def test_confluent_offsets_by_time_and_headers(server):
    from confluent_kafka import Consumer, Producer, TopicPartition

    create_topic(server, "times", 1)
    producer = Producer({"bootstrap.servers": server.kafka})
    base = int(time.time() * 1000) - 100_000
    for n in range(100):
        producer.produce("times", b"v%d" % n, timestamp=base + n * 1000,
                         headers=[("trace", b"t%d" % n), ("empty", None)])
    assert producer.flush(30) == 0
    consumer = Consumer({"bootstrap.servers": server.kafka, "group.id": "times"})
    found = consumer.offsets_for_times([TopicPartition("times", 0, base + 41_500)], timeout=10)
    assert found[0].offset == 42
    low, high = consumer.get_watermark_offsets(TopicPartition("times", 0), timeout=10)
    assert (low, high) == (0, 100)
    consumer.assign([TopicPartition("times", 0, 42)])
    message = eventually(lambda: consumer.poll(1), what="a record")
    assert message.value() == b"v42"
    assert message.headers() == [("trace", b"t42"), ("empty", None)]
    assert message.timestamp()[1] == base + 42_000
    consumer.close()


def test_confluent_admin_lists_describes_and_deletes(server):
    from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic

    admin = AdminClient({"bootstrap.servers": server.kafka})
    admin.create_topics([NewTopic("adm", num_partitions=2, config={"retention.ms": "86400000"})]
                        )["adm"].result()
    metadata = admin.list_topics(timeout=10)
    assert len(metadata.topics["adm"].partitions) == 2
    resource = ConfigResource(ConfigResource.Type.TOPIC, "adm")
    configs = admin.describe_configs([resource])[resource].result()
    assert configs["retention.ms"].value == "86400000"
    assert configs["cleanup.policy"].value == "delete"
    with pytest.raises(Exception, match="TOPIC_ALREADY_EXISTS"):
        admin.create_topics([NewTopic("adm", num_partitions=2)])["adm"].result()
    with pytest.raises(Exception, match="INVALID_CONFIG"):
        admin.create_topics([NewTopic("adm2", 1, config={"cleanup.polcy": "x"})])["adm2"].result()
    admin.delete_topics(["adm"])["adm"].result()
    eventually(lambda: "adm" not in admin.list_topics(timeout=10).topics, what="topic deleted")
    cluster = admin.describe_cluster().result()
    assert len(cluster.nodes) == 1


def test_two_members_share_partitions_and_one_takes_over(server):
    from confluent_kafka import Consumer, Producer

    create_topic(server, "shared", 4)

    def member():
        consumer = Consumer({
            "bootstrap.servers": server.kafka, "group.id": "sharing",
            "session.timeout.ms": 6000, "heartbeat.interval.ms": 500,
            "auto.offset.reset": "earliest", "enable.auto.commit": True,
            "auto.commit.interval.ms": 200})
        consumer.subscribe(["shared"])
        return consumer

    first, second = member(), member()

    def poll_both():
        for consumer in (first, second):
            consumer.poll(0.05)
        return len(first.assignment()) == 2 and len(second.assignment()) == 2

    eventually(poll_both, timeout=40, what="two partitions each")
    assert {p.partition for p in first.assignment()} | {p.partition for p in second.assignment()} \
        == {0, 1, 2, 3}

    producer = Producer({"bootstrap.servers": server.kafka})
    for n in range(400):
        producer.produce("shared", b"%d" % n, partition=n % 4)
    assert producer.flush(30) == 0
    seen = collections.Counter()

    def read_all():
        for consumer in (first, second):
            for message in consumer.consume(100, timeout=0.1):
                seen[message.value()] += 1
        return len(seen) == 400

    eventually(read_all, timeout=30, what="400 records read")
    assert set(seen.values()) == {1}
    # One leaves; the other gets everything.
    second.close()

    def alone():
        first.poll(0.1)
        return len(first.assignment()) == 4

    eventually(alone, timeout=40, what="all four partitions")
    first.close()


def test_a_killed_member_is_replaced(server, tmp_path):
    """A member that dies without leaving loses its partitions when its session ends."""
    import sys
    from confluent_kafka import Consumer

    create_topic(server, "takeover", 2)
    settings = {"bootstrap.servers": server.kafka, "group.id": "takeover",
                "session.timeout.ms": 6000, "heartbeat.interval.ms": 500}
    script = tmp_path / "member.py"
    script.write_text(
        "import sys\nfrom confluent_kafka import Consumer\n"
        f"c = Consumer({settings!r})\nc.subscribe(['takeover'])\n"
        "while True:\n    c.poll(0.1)\n    print(len(c.assignment()), flush=True)\n")
    victim = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    try:
        for line in victim.stdout:
            if line.strip() == "2":
                break
        survivor = Consumer(settings)
        survivor.subscribe(["takeover"])

        def shares():
            survivor.poll(0.1)
            return len(survivor.assignment()) == 1

        eventually(shares, timeout=40, what="one partition each")
        victim.kill()
        victim.wait()

        def has_all():
            survivor.poll(0.1)
            return len(survivor.assignment()) == 2

        eventually(has_all, timeout=40, what="the dead member's partition")
        survivor.close()
    finally:
        victim.kill()


# MARK: kafka-python


@pytest.mark.parametrize("codec", CODECS)
def test_kafka_python_produces_and_consumes_100000_records(server, codec):
    from kafka import KafkaConsumer, KafkaProducer
    from kafka.admin import KafkaAdminClient, NewTopic

    topic = f"kafka-python-{codec}"
    admin = KafkaAdminClient(bootstrap_servers=server.kafka)
    admin.create_topics([NewTopic(topic, num_partitions=2, replication_factor=1)])
    admin.close()
    producer = KafkaProducer(
        bootstrap_servers=server.kafka, compression_type=None if codec == "none" else codec,
        linger_ms=20, batch_size=256 * 1024, acks="all")
    for number in range(RECORDS):
        producer.send(topic, value_of(number))
    producer.flush(timeout=120)
    producer.close()
    consumer = KafkaConsumer(
        topic, bootstrap_servers=server.kafka, group_id=f"g-{topic}",
        auto_offset_reset="earliest", consumer_timeout_ms=10_000, max_poll_records=10_000)
    values = []
    for message in consumer:
        values.append(message.value)
        if len(values) == RECORDS:
            break
    consumer.close()
    check_all(values)


# MARK: aiokafka


@pytest.mark.parametrize("codec", CODECS)
def test_aiokafka_produces_and_consumes_100000_records(server, codec):
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic

    topic = f"aiokafka-{codec}"

    async def run():
        admin = AIOKafkaAdminClient(bootstrap_servers=server.kafka)
        await admin.start()
        await admin.create_topics([NewTopic(topic, num_partitions=2, replication_factor=1)])
        await admin.close()
        producer = AIOKafkaProducer(
            bootstrap_servers=server.kafka, compression_type=None if codec == "none" else codec,
            linger_ms=10, max_batch_size=256 * 1024, acks="all")
        await producer.start()
        pending = []
        for number in range(RECORDS):
            pending.append(await producer.send(topic, value_of(number)))
            if len(pending) == 20_000:
                await asyncio.gather(*pending)
                pending = []
        await asyncio.gather(*pending)
        await producer.stop()
        consumer = AIOKafkaConsumer(
            topic, bootstrap_servers=server.kafka, group_id=f"g-{topic}",
            auto_offset_reset="earliest")
        await consumer.start()
        values = []
        deadline = time.monotonic() + 90
        while len(values) < RECORDS and time.monotonic() < deadline:
            for batch in (await consumer.getmany(timeout_ms=1000, max_records=20_000)).values():
                values += [message.value for message in batch]
        await consumer.commit()
        await consumer.stop()
        return values

    check_all(asyncio.run(run()))


# MARK: kcat


@pytest.mark.parametrize("codec", CODECS)
def test_kcat_produces_and_consumes_100000_records(server, codec):
    topic = f"kcat-{codec}"
    lines = b"\n".join(value_of(n) for n in range(RECORDS)) + b"\n"
    subprocess.run(
        ["kcat", "-b", server.kafka, "-P", "-t", topic, "-z", codec, "-X", "acks=all"],
        input=lines, check=True, timeout=120)
    done = subprocess.run(
        ["kcat", "-b", server.kafka, "-C", "-t", topic, "-o", "beginning", "-e", "-q"],
        check=True, capture_output=True, timeout=120)
    check_all(done.stdout.splitlines())


def test_kcat_lists_metadata_and_queries_offsets(server):
    subprocess.run(["kcat", "-b", server.kafka, "-P", "-t", "kcat-meta"], input=b"a\nb\n",
                   check=True, timeout=30)
    listing = subprocess.run(["kcat", "-b", server.kafka, "-L", "-t", "kcat-meta"],
                             check=True, capture_output=True, text=True, timeout=30).stdout
    assert 'topic "kcat-meta" with 1 partitions' in listing
    answer = subprocess.run(["kcat", "-b", server.kafka, "-Q", "-t", "kcat-meta:0:-1"],
                            check=True, capture_output=True, text=True, timeout=30).stdout
    assert "offset 2" in answer


# MARK: restart


def test_records_topics_and_group_offsets_survive_a_restart(own_server):
    from confluent_kafka import Consumer, Producer, TopicPartition

    server = own_server
    create_topic(server, "kept", 2, config={"retention.ms": "-1"})
    producer = Producer({"bootstrap.servers": server.kafka})
    for n in range(1000):
        producer.produce("kept", b"%d" % n, partition=n % 2)
    assert producer.flush(30) == 0
    group = {"bootstrap.servers": server.kafka, "group.id": "kept-group"}
    consumer = Consumer(group)
    consumer.commit(offsets=[TopicPartition("kept", 0, 123), TopicPartition("kept", 1, 45)],
                    asynchronous=False)
    consumer.close()

    for stop in (server.stop, server.kill):
        stop()
        server.start()
        consumer = Consumer(group)
        committed = consumer.committed(
            [TopicPartition("kept", 0), TopicPartition("kept", 1)], timeout=10)
        assert [p.offset for p in committed] == [123, 45]
        assert consumer.get_watermark_offsets(TopicPartition("kept", 0), timeout=10) == (0, 500)
        consumer.close()
