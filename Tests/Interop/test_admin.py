"""Admin calls, incremental fetch and seeking by time, as clients' users make them."""
import time
import uuid

import pytest
from conftest import eventually


def unique(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def confluent(server):
    from confluent_kafka.admin import AdminClient
    return AdminClient({"bootstrap.servers": server.kafka})


@pytest.fixture
def python_admin(server):
    from kafka import KafkaAdminClient
    admin = KafkaAdminClient(bootstrap_servers=server.kafka)
    yield admin
    admin.close()


def produce(server, topic, values, **settings):
    from confluent_kafka import Producer
    failures = []
    producer = Producer({"bootstrap.servers": server.kafka, **settings})
    for partition, value, timestamp in values:
        producer.produce(topic, value, partition=partition, timestamp=timestamp,
                         on_delivery=lambda error, _: error and failures.append(error))
    assert producer.flush(30) == 0
    assert failures == []


# MARK: confluent-kafka


def test_confluent_topics(server, confluent):
    from confluent_kafka import KafkaError, KafkaException
    from confluent_kafka.admin import NewPartitions, NewTopic

    name = unique("topics")
    created = confluent.create_topics(
        [NewTopic(name, num_partitions=2, replication_factor=1,
                  config={"retention.ms": "100000"})])[name].result()
    assert created is None
    metadata = confluent.list_topics(name, timeout=10).topics[name]
    assert sorted(metadata.partitions) == [0, 1]
    confluent.create_partitions([NewPartitions(name, 5)])[name].result()
    assert len(confluent.list_topics(name, timeout=10).topics[name].partitions) == 5

    def error(future):
        with pytest.raises(KafkaException) as caught:
            future.result()
        return caught.value.args[0].code()

    assert error(confluent.create_topics([NewTopic(name, 1)])[name]) == \
        KafkaError.TOPIC_ALREADY_EXISTS
    bad = unique("bad") + "/"
    assert error(confluent.create_topics([NewTopic(bad, 1)])[bad]) == \
        KafkaError.TOPIC_EXCEPTION
    three = unique("three")
    assert error(confluent.create_topics(
        [NewTopic(three, 1, replication_factor=3)])[three]) == \
        KafkaError.INVALID_REPLICATION_FACTOR
    assert error(confluent.create_topics(
        [NewTopic(three, 1, config={"retention.ms": "soon"})])[three]) == \
        KafkaError.INVALID_CONFIG
    # Only checked: nothing is created.
    confluent.create_topics([NewTopic(three, 1)], validate_only=True)[three].result()
    assert error(confluent.create_partitions([NewPartitions(name, 2)])[name]) == \
        KafkaError.INVALID_PARTITIONS
    confluent.delete_topics([name])[name].result()
    assert error(confluent.delete_topics([name])[name]) == KafkaError.UNKNOWN_TOPIC_OR_PART
    assert three not in confluent.list_topics(timeout=10).topics


def test_confluent_describes_topics_and_cluster(server, confluent):
    from confluent_kafka import TopicCollection
    from confluent_kafka.admin import NewTopic

    name = unique("described")
    confluent.create_topics([NewTopic(name, 3)])[name].result()
    topic = confluent.describe_topics(TopicCollection([name]))[name].result()
    assert topic.name == name and len(topic.partitions) == 3 and not topic.is_internal
    assert all(len(p.replicas) == len(p.isr) == 1 for p in topic.partitions)
    cluster = confluent.describe_cluster(include_authorized_operations=True).result()
    assert cluster.cluster_id and len(cluster.nodes) == 1
    assert cluster.authorized_operations


def test_confluent_configs(server, confluent):
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import (
        AlterConfigOpType, ConfigEntry, ConfigResource, ConfigSource, NewTopic)

    name = unique("configs")
    confluent.create_topics([NewTopic(name, 1)])[name].result()

    def describe(kind, resource_name):
        resource = ConfigResource(kind, resource_name)
        return confluent.describe_configs([resource])[resource].result()

    def alter(kind, resource_name, *changes):
        resource = ConfigResource(
            kind, resource_name,
            incremental_configs=[
                ConfigEntry(key, value, incremental_operation=operation)
                for key, operation, value in changes])
        confluent.incremental_alter_configs([resource])[resource].result()

    configs = describe("topic", name)
    assert len(configs) >= 32
    assert configs["retention.ms"].value == "604800000"
    assert configs["retention.ms"].source == ConfigSource.DEFAULT_CONFIG.value
    alter("topic", name,
          ("retention.ms", AlterConfigOpType.SET, "1000000"),
          ("cleanup.policy", AlterConfigOpType.APPEND, "compact"))
    configs = describe("topic", name)
    assert configs["retention.ms"].value == "1000000"
    assert configs["retention.ms"].source == ConfigSource.DYNAMIC_TOPIC_CONFIG.value
    assert set(configs["cleanup.policy"].value.split(",")) == {"delete", "compact"}
    alter("topic", name,
          ("retention.ms", AlterConfigOpType.DELETE, None),
          ("cleanup.policy", AlterConfigOpType.SUBTRACT, "delete"))
    configs = describe("topic", name)
    assert configs["retention.ms"].value == "604800000"
    assert configs["cleanup.policy"].value == "compact"
    with pytest.raises(KafkaException):
        alter("topic", name, ("retention.ms", AlterConfigOpType.SET, "soon"))
    # The whole set at once: what is left out goes back to its default.
    resource = ConfigResource("topic", name, set_config={"segment.ms": "7200000"})
    confluent.alter_configs([resource])[resource].result()
    configs = describe("topic", name)
    assert configs["segment.ms"].value == "7200000"
    assert configs["cleanup.policy"].value == "delete"

    node = str(next(iter(confluent.list_topics(timeout=10).brokers)))
    broker = describe("broker", node)
    assert len(broker) >= 250
    assert broker["num.partitions"].is_read_only
    assert broker["ssl.key.password"].is_sensitive
    alter("broker", node, ("log.retention.ms", AlterConfigOpType.SET, "3000000"))
    assert describe("topic", name)["retention.ms"].value == "3000000"
    assert describe("topic", name)["retention.ms"].source == \
        ConfigSource.DYNAMIC_BROKER_CONFIG.value
    alter("broker", node, ("log.retention.ms", AlterConfigOpType.DELETE, None))
    assert describe("topic", name)["retention.ms"].value == "604800000"


def test_confluent_offsets_and_records(server, confluent):
    from confluent_kafka import KafkaException, TopicPartition
    from confluent_kafka.admin import NewTopic, OffsetSpec

    name = unique("offsets")
    confluent.create_topics([NewTopic(name, 1)])[name].result()
    now = int(time.time() * 1000)
    produce(server, name, [(0, b"%d" % n, now - 10_000 + n * 1000) for n in range(10)])
    partition = TopicPartition(name, 0)

    def offset(spec):
        return confluent.list_offsets({partition: spec})[partition].result()

    assert offset(OffsetSpec.earliest()).offset == 0
    assert offset(OffsetSpec.latest()).offset == 10
    assert offset(OffsetSpec.max_timestamp()).offset == 9
    found = offset(OffsetSpec.for_timestamp(now - 10_000 + 3500))
    assert (found.offset, found.timestamp) == (4, now - 10_000 + 4000)
    assert offset(OffsetSpec.for_timestamp(now + 1_000_000)).offset == -1
    low = confluent.delete_records([TopicPartition(name, 0, 6)])[
        TopicPartition(name, 0, 6)].result()
    assert low.low_watermark == 6
    assert offset(OffsetSpec.earliest()).offset == 6
    with pytest.raises(KafkaException):
        wrong = TopicPartition(name, 0, 60)
        confluent.delete_records([wrong])[wrong].result()


def test_confluent_elects_nobody(server, confluent):
    from confluent_kafka import ElectionType, KafkaError, TopicPartition
    from confluent_kafka.admin import NewTopic

    name = unique("elect")
    confluent.create_topics([NewTopic(name, 1)])[name].result()
    answer = confluent.elect_leaders(
        ElectionType.PREFERRED, [TopicPartition(name, 0)]).result()
    assert [error.code() for error in answer.values()] == [KafkaError.ELECTION_NOT_NEEDED]


# MARK: kafka-python


def test_python_describes_log_dirs_and_topics(server, python_admin, confluent):
    from confluent_kafka.admin import NewTopic

    name = unique("logdirs")
    confluent.create_topics([NewTopic(name, 2)])[name].result()
    produce(server, name, [(0, b"x" * 1000, 0) for _ in range(10)])
    answer = python_admin.describe_log_dirs()
    text = str(answer)
    assert name in text and server.data in text


def test_python_configs(server, python_admin, confluent):
    from confluent_kafka.admin import NewTopic
    from kafka.admin import ConfigResource, ConfigResourceType

    name = unique("python-configs")
    confluent.create_topics([NewTopic(name, 1)])[name].result()
    resource = ConfigResource(ConfigResourceType.TOPIC, name, configs={"retention.ms": "5000"})
    python_admin.alter_configs([resource])
    text = str(python_admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)]))
    assert "retention.ms" in text and "5000" in text


def test_python_seeks_by_time_and_fetches_incrementally(server, confluent):
    from confluent_kafka.admin import NewTopic
    from kafka import KafkaConsumer, TopicPartition

    name = unique("time")
    confluent.create_topics([NewTopic(name, 4)])[name].result()
    now = int(time.time() * 1000)
    produce(server, name,
            [(p, b"%d-%d" % (p, n), now - 50_000 + n * 1000)
             for p in range(4) for n in range(40)])
    consumer = KafkaConsumer(bootstrap_servers=server.kafka, enable_auto_commit=False,
                             fetch_max_wait_ms=100)
    partitions = [TopicPartition(name, p) for p in range(4)]
    consumer.assign(partitions)
    places = consumer.offsets_for_times({p: now - 50_000 + 30_500 for p in partitions})
    assert {place.offset for place in places.values()} == {31}
    for partition, place in places.items():
        consumer.seek(partition, place.offset)
    values = set()

    def read():
        for records in consumer.poll(timeout_ms=200).values():
            values.update(record.value for record in records)
        return len(values) == 36

    eventually(read, what="nine records of each partition")
    assert values == {b"%d-%d" % (p, n) for p in range(4) for n in range(31, 40)}
    # The session goes on: only the partition with news is told, and nothing is missed.
    for round_ in range(5):
        produce(server, name, [(round_ % 4, b"later-%d" % round_, now)])
        eventually(lambda: read() or b"later-%d" % round_ in values, what="a late record")
    consumer.close()


def test_old_values_of_a_codec_reach_every_client(server, confluent):
    from confluent_kafka import Consumer
    from confluent_kafka.admin import NewTopic

    name = unique("stored-zstd")
    confluent.create_topics([NewTopic(name, 1, config={"compression.type": "zstd"})])[
        name].result()
    produce(server, name, [(0, b"value-%d" % n, 0) for n in range(1000)],
            **{"compression.type": "gzip"})
    consumer = Consumer({"bootstrap.servers": server.kafka, "group.id": unique("g"),
                         "auto.offset.reset": "earliest"})
    consumer.subscribe([name])
    values = []

    def read():
        values.extend(message.value() for message in consumer.consume(500, timeout=0.5)
                      if not message.error())
        return len(values) == 1000

    eventually(read, what="1000 records")
    consumer.close()
    assert values == [b"value-%d" % n for n in range(1000)]
