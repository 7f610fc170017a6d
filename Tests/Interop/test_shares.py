"""Share groups with librdkafka, whose share consumer is a preview."""
import time

import confluent_kafka
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import (AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource,
                                   NewTopic, ResourceType)

from conftest import new_server, remove, weir

ShareConsumer = getattr(confluent_kafka, "ShareConsumer", None)
pytestmark = pytest.mark.skipif(
    ShareConsumer is None, reason="this confluent-kafka has no share consumer")

QUICK = ["-X", "group.share.heartbeat.interval.ms=300",
         "-X", "group.share.record.lock.duration.ms=2000"]


@pytest.fixture(scope="module")
def quick():
    server = new_server().start(*QUICK)
    yield server
    remove(server)


def prepare(server, topic, group, count, partitions=2):
    admin = AdminClient({"bootstrap.servers": server.kafka})
    admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(30)
    setting = ConfigResource(
        ResourceType.GROUP, group, incremental_configs=[ConfigEntry(
            "share.auto.offset.reset", "earliest",
            incremental_operation=AlterConfigOpType.SET)])
    for future in admin.incremental_alter_configs([setting]).values():
        future.result(30)
    producer = Producer({"bootstrap.servers": server.kafka})
    for number in range(count):
        producer.produce(topic, f"{number}".encode(), partition=number % partitions)
    assert producer.flush(30) == 0


def consumer(server, topic, group, mode="implicit"):
    member = ShareConsumer({"bootstrap.servers": server.kafka, "group.id": group,
                            "share.acknowledgement.mode": mode})
    member.subscribe([topic])
    return member


def drain(members, wanted, seconds=40):
    """Polls all members until `wanted` values were seen; returns them in order, by member."""
    seen = [[] for _ in members]
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and len(set(sum(seen, []))) < wanted:
        for place, member in enumerate(members):
            for message in member.poll(0.2):
                assert message.error() is None, message.error()
                seen[place].append(int(message.value()))
    assert len(set(sum(seen, []))) == wanted
    return seen


def test_members_share_every_record_once(quick):
    prepare(quick, "shared", "sg", 400)
    members = [consumer(quick, "shared", "sg") for _ in range(3)]
    seen = drain(members, 400)
    assert sorted(sum(seen, [])) == list(range(400))
    for member in members:
        member.commit_sync(10)
        member.close()
    _, out, _ = weir("group", "describe", "sg", "-b", quick.kafka)
    assert "type      share" in out and "total lag 0" in out


def test_what_is_not_accepted_comes_again(quick):
    prepare(quick, "again", "sa", 10, partitions=1)
    member = consumer(quick, "again", "sa", "explicit")
    counts = {}
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and len(
            [value for value, count in counts.items() if count == (2 if value % 2 else 1)]) < 10:
        for message in member.poll(0.5):
            value = int(message.value())
            counts[value] = counts.get(value, 0) + 1
            release = value % 2 == 1 and counts[value] == 1
            kinds = confluent_kafka.AcknowledgeType
            member.acknowledge(message, kinds.RELEASE if release else kinds.ACCEPT)
    member.commit_sync(10)
    member.close()
    assert counts == {value: 2 if value % 2 else 1 for value in range(10)}


def test_after_a_kill_nothing_accepted_comes_again():
    server = new_server().start(*QUICK)
    try:
        prepare(server, "killed", "sk", 100)
        member = consumer(server, "killed", "sk")
        first = set(drain([member], 100)[0])
        member.commit_sync(10)
        server.kill()
        server.start(*QUICK)
        producer = Producer({"bootstrap.servers": server.kafka})
        for number in range(100, 120):
            producer.produce("killed", f"{number}".encode(), partition=number % 2)
        assert producer.flush(30) == 0
        other = consumer(server, "killed", "sk")
        second = set(sum(drain([member, other], 20), []))
        assert first & second == set() and second == set(range(100, 120))
        other.close()
        member.close()
    finally:
        remove(server)


def test_the_command_line_shares_with_librdkafka(quick):
    prepare(quick, "mixed", "sm", 50)
    _, out, _ = weir("consume", "mixed", "--share", "sm", "--count", "20", "-b", quick.kafka)
    taken = set(map(int, out.split()))
    assert len(taken) == 20
    member = consumer(quick, "mixed", "sm")
    rest = set(sum(drain([member], 30), []))
    member.commit_sync(10)
    member.close()
    assert taken | rest == set(range(50)) and not taken & rest
    weir("group", "seek", "sm", "--to", "start", "-b", quick.kafka)
    _, out, _ = weir("consume", "mixed", "--share", "sm", "--exit", "-b", quick.kafka)
    assert sorted(map(int, out.split())) == list(range(50))
