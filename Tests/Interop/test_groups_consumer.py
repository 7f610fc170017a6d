"""Groups of the consumer protocol (the broker assigns) with librdkafka."""
import subprocess
import sys
import textwrap
import time

import pytest
from confluent_kafka import (Consumer, KafkaError, KafkaException, Producer,
                             TopicPartition)
from confluent_kafka.admin import AdminClient, NewTopic

from conftest import eventually, new_server, remove

QUICK = ["-X", "group.consumer.heartbeat.interval.ms=300",
         "-X", "group.consumer.session.timeout.ms=4000",
         "-X", "group.initial.rebalance.delay.ms=0"]


@pytest.fixture(scope="module")
def quick():
    server = new_server().start(*QUICK)
    yield server
    remove(server)


def create(server, name, partitions):
    admin = AdminClient({"bootstrap.servers": server.kafka})
    admin.create_topics([NewTopic(name, partitions, 1)])[name].result(30)
    return admin


def produce(server, topic, count, partitions):
    producer = Producer({"bootstrap.servers": server.kafka})
    for number in range(count):
        producer.produce(topic, f"{number}".encode(), partition=number % partitions)
    assert producer.flush(30) == 0


def consumer(server, group, protocol="consumer", **more):
    return Consumer({
        "bootstrap.servers": server.kafka, "group.id": group, "group.protocol": protocol,
        "auto.offset.reset": "earliest", "enable.auto.commit": False,
        **{key.replace("_", "."): value for key, value in more.items()}})


def drain(members, wanted, seconds=40):
    """Polls all members until `wanted` values were seen; returns them by member."""
    seen = [set() for _ in members]
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and len(set().union(*seen)) < wanted:
        for place, member in enumerate(members):
            message = member.poll(0.05)
            if message is not None and message.error() is None:
                seen[place].add(int(message.value()))
    assert len(set().union(*seen)) == wanted
    return seen


def partitions(member):
    return sorted((part.topic, part.partition) for part in member.assignment())


def poll_until(members, condition, what, seconds=40):
    def step():
        for member in members:
            message = member.poll(0.05)
            assert message is None or message.error() is None or not message.error().fatal()
        return condition()
    return eventually(step, seconds, what)


def test_one_member_reads_commits_and_comes_back(quick):
    create(quick, "one", 3)
    produce(quick, "one", 300, 3)
    member = consumer(quick, "one-group")
    member.subscribe(["one"])
    drain([member], 300)
    member.commit(asynchronous=False)
    committed = member.committed([TopicPartition("one", p) for p in range(3)], 10)
    assert sum(part.offset for part in committed) == 300
    member.close()
    produce(quick, "one", 30, 3)
    member = consumer(quick, "one-group")
    member.subscribe(["one"])
    values = drain([member], 30)[0]
    assert values == set(range(30))
    member.close()


def test_two_members_share_and_one_takes_over(quick):
    create(quick, "shared", 4)
    first, second = consumer(quick, "shared-group"), consumer(quick, "shared-group")
    first.subscribe(["shared"])
    poll_until([first], lambda: len(first.assignment()) == 4, "the first member has all")
    second.subscribe(["shared"])
    both = [first, second]
    poll_until(both, lambda: len(first.assignment()) == 2 and len(second.assignment()) == 2,
               "they share")
    assert not set(partitions(first)) & set(partitions(second))
    produce(quick, "shared", 400, 4)
    seen = drain(both, 400)
    assert not seen[0] & seen[1], "nothing is read twice"
    second.close()
    poll_until([first], lambda: len(first.assignment()) == 4, "the other takes over")
    first.close()


@pytest.mark.parametrize("assignor", ["range", "uniform"])
def test_the_member_chooses_the_assignor(quick, assignor):
    topics = [f"{assignor}-a", f"{assignor}-b"]
    for topic in topics:
        create(quick, topic, 4)
    members = [consumer(quick, f"{assignor}-group", group_remote_assignor=assignor)
               for _ in range(2)]
    for member in members:
        member.subscribe(topics)
    poll_until(members, lambda: all(len(member.assignment()) == 4 for member in members),
               "an even share")
    if assignor == "range":
        for member in members:
            numbers = [[p for t, p in partitions(member) if t == topic] for topic in topics]
            assert numbers[0] == numbers[1] and len(numbers[0]) == 2
    for member in members:
        member.close()


def test_an_unknown_assignor_is_refused(quick):
    create(quick, "unknown-assignor", 1)
    member = consumer(quick, "unknown-assignor-group", group_remote_assignor="best")
    member.subscribe(["unknown-assignor"])
    errors = []

    def refused():
        try:
            message = member.poll(0.1)
            if message is not None and message.error() is not None:
                errors.append(message.error())
        except KafkaException as failure:
            errors.append(failure.args[0])
        return any(error.code() in (KafkaError.UNSUPPORTED_ASSIGNOR, KafkaError._FATAL)
                   and "assignor" in error.str() for error in errors)
    eventually(refused, 20, "the error")
    member.close()


def test_a_pattern_follows_topics(quick):
    create(quick, "pattern.one", 1)
    create(quick, "other", 1)
    member = consumer(quick, "pattern-group")
    member.subscribe(["^pattern\\..*"])
    poll_until([member], lambda: partitions(member) == [("pattern.one", 0)], "the first topic")
    create(quick, "pattern.two", 2)
    poll_until([member], lambda: len(member.assignment()) == 3, "the second topic")
    assert all(topic.startswith("pattern.") for topic, _ in partitions(member))
    member.close()


def test_new_partitions_are_assigned(quick):
    from confluent_kafka.admin import NewPartitions
    admin = create(quick, "growing", 1)
    member = consumer(quick, "growing-group")
    member.subscribe(["growing"])
    poll_until([member], lambda: len(member.assignment()) == 1, "one partition")
    admin.create_partitions([NewPartitions("growing", 4)])["growing"].result(30)
    poll_until([member], lambda: len(member.assignment()) == 4, "the new ones")
    member.close()


def test_a_killed_member_is_replaced(quick, tmp_path):
    create(quick, "killed", 2)
    script = tmp_path / "member.py"
    script.write_text(textwrap.dedent(f"""
        from confluent_kafka import Consumer
        member = Consumer({{"bootstrap.servers": "{quick.kafka}", "group.id": "killed-group",
                           "group.protocol": "consumer"}})
        member.subscribe(["killed"])
        while True:
            member.poll(0.1)
            if len(member.assignment()) > 0:
                print(len(member.assignment()), flush=True)
    """))
    other = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE)
    assert other.stdout.readline().strip() == b"2"
    member = consumer(quick, "killed-group")
    member.subscribe(["killed"])
    poll_until([member], lambda: len(member.assignment()) == 1, "a share")
    other.kill()
    other.wait()
    poll_until([member], lambda: len(member.assignment()) == 2, "all after the session")
    member.close()


def test_a_static_member_keeps_its_partitions(quick):
    create(quick, "static", 4)
    settings = {"group_instance_id": "one"}
    first = consumer(quick, "static-group", **settings)
    other = consumer(quick, "static-group", group_instance_id="two")
    for member in (first, other):
        member.subscribe(["static"])
    poll_until([first, other],
               lambda: len(first.assignment()) == 2 and len(other.assignment()) == 2, "shares")
    mine, others = partitions(first), partitions(other)
    first.close()
    again = consumer(quick, "static-group", **settings)
    again.subscribe(["static"])
    poll_until([again, other], lambda: partitions(again) == mine, "the same partitions")
    assert partitions(other) == others
    again.close()
    other.close()


def test_a_group_survives_the_restart_of_the_server():
    server = new_server().start(*QUICK)
    try:
        create(server, "kept", 2)
        produce(server, "kept", 100, 2)
        member = consumer(server, "kept-group")
        member.subscribe(["kept"])
        drain([member], 100)
        member.commit(asynchronous=False)
        server.kill()
        server.start(*QUICK)
        produce(server, "kept", 10, 2)
        values = drain([member], 10)[0]
        assert values == set(range(10)), "it goes on where it was"
        member.commit(asynchronous=False)
        member.close()
    finally:
        remove(server)


def test_members_of_both_protocols_share_a_group(quick):
    create(quick, "mixed", 4)
    classic = consumer(quick, "mixed-group", "classic",
                       partition_assignment_strategy="cooperative-sticky",
                       heartbeat_interval_ms=300, session_timeout_ms=10000)
    classic.subscribe(["mixed"])
    poll_until([classic], lambda: len(classic.assignment()) == 4, "the classic member has all")
    newer = consumer(quick, "mixed-group")
    newer.subscribe(["mixed"])
    both = [classic, newer]
    poll_until(both, lambda: [len(m.assignment()) for m in both] == [2, 2], "they share")
    produce(quick, "mixed", 200, 4)
    seen = drain(both, 200)
    assert not seen[0] & seen[1]
    newer.close()
    poll_until([classic], lambda: len(classic.assignment()) == 4, "back to the classic protocol")
    classic.close()


def test_a_group_has_settings_of_its_own(quick):
    from confluent_kafka.admin import (AlterConfigOpType, ConfigEntry, ConfigResource,
                                       ResourceType)
    admin = AdminClient({"bootstrap.servers": quick.kafka})
    kind = getattr(ResourceType, "GROUP", None)
    if kind is None:
        pytest.skip("this client has no settings of groups")
    try:
        resource = ConfigResource(kind, "timed-group", incremental_configs=[
            ConfigEntry("consumer.heartbeat.interval.ms", "6000",
                        incremental_operation=AlterConfigOpType.SET)])
        admin.incremental_alter_configs([resource])[resource].result(30)
    except ValueError as refusal:
        pytest.skip(f"this client has no settings of groups: {refusal}")
    described = admin.describe_configs([ConfigResource(kind, "timed-group")])
    settings = list(described.values())[0].result(30)
    assert settings["consumer.heartbeat.interval.ms"].value == "6000"
