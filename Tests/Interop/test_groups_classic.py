"""Groups of the classic protocol: static members, cooperative assignment, three clients."""
import asyncio
import threading
import time

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from conftest import eventually, new_server, remove


@pytest.fixture(scope="module")
def server():
    one = new_server().start("-X", "group.initial.rebalance.delay.ms=0")
    yield one
    remove(one)


def create(server, name, partitions):
    admin = AdminClient({"bootstrap.servers": server.kafka})
    admin.create_topics([NewTopic(name, partitions, 1)])[name].result(30)


def produce(server, topic, count, partitions):
    producer = Producer({"bootstrap.servers": server.kafka})
    for number in range(count):
        producer.produce(topic, f"{number}".encode(), partition=number % partitions)
    assert producer.flush(30) == 0


def consumer(server, group, **more):
    return Consumer({
        "bootstrap.servers": server.kafka, "group.id": group, "auto.offset.reset": "earliest",
        "enable.auto.commit": False, "session.timeout.ms": 6000, "heartbeat.interval.ms": 500,
        **{key.replace("_", "."): value for key, value in more.items()}})


def partitions(member):
    return sorted((part.topic, part.partition) for part in member.assignment())


def poll_until(members, condition, what, seconds=40):
    def step():
        for member in members:
            member.poll(0.05)
        return condition()
    return eventually(step, seconds, what)


def test_a_static_member_comes_back_without_a_rebalance(server):
    create(server, "static", 4)
    rebalances = []
    first = consumer(server, "static-group", group_instance_id="one")
    other = consumer(server, "static-group", group_instance_id="two")
    first.subscribe(["static"])
    other.subscribe(["static"], on_assign=lambda _, parts: rebalances.append(len(parts)),
                    on_revoke=lambda _, parts: rebalances.append(-len(parts)))
    poll_until([first, other],
               lambda: len(first.assignment()) == 2 and len(other.assignment()) == 2, "shares")
    mine, before = partitions(first), list(rebalances)
    first.close()
    first = consumer(server, "static-group", group_instance_id="one")
    first.subscribe(["static"])
    poll_until([first, other], lambda: partitions(first) == mine, "its old partitions")
    assert rebalances == before, "the other member noticed nothing"
    first.close()
    other.close()


def test_a_second_static_member_of_one_name_fences_the_first(server):
    create(server, "fenced", 1)
    first = consumer(server, "fenced-group", group_instance_id="one")
    first.subscribe(["fenced"])
    poll_until([first], lambda: len(first.assignment()) == 1, "the first")
    second = consumer(server, "fenced-group", group_instance_id="one")
    second.subscribe(["fenced"])
    poll_until([second], lambda: len(second.assignment()) == 1, "the second")

    def is_fenced():
        try:
            message = first.poll(0.1)
            error = None if message is None else message.error()
        except KafkaException as failure:
            error = failure.args[0]
        return error is not None and error.code() in (KafkaError._FATAL,
                                                      KafkaError.FENCED_INSTANCE_ID)
    eventually(is_fenced, 20, "the first is fenced")
    second.close()


def test_cooperative_members_keep_what_they_have(server):
    create(server, "cooperative", 6)
    lost = []
    settings = {"partition_assignment_strategy": "cooperative-sticky"}
    first = consumer(server, "cooperative-group", **settings)
    first.subscribe(["cooperative"], on_revoke=lambda _, parts: lost.extend(parts))
    poll_until([first], lambda: len(first.assignment()) == 6, "everything")
    second = consumer(server, "cooperative-group", **settings)
    second.subscribe(["cooperative"])
    poll_until([first, second],
               lambda: len(first.assignment()) == 3 and len(second.assignment()) == 3, "shares")
    assert len(lost) == 3, "only what the other got"
    third = consumer(server, "cooperative-group", **settings)
    third.subscribe(["cooperative"])
    members = [first, second, third]
    poll_until(members, lambda: [len(m.assignment()) for m in members] == [2, 2, 2], "thirds")
    second.close()
    poll_until([first, third],
               lambda: len(first.assignment()) == 3 and len(third.assignment()) == 3, "halves")
    first.close()
    third.close()


def test_offsets_keep_their_text_and_epoch(server):
    create(server, "texts", 1)
    member = consumer(server, "texts-group")
    member.commit(offsets=[TopicPartition("texts", 0, 42, metadata="where é was")],
                  asynchronous=False)
    found = member.committed([TopicPartition("texts", 0)], 10)[0]
    assert (found.offset, found.metadata) == (42, "where é was")
    with pytest.raises(KafkaException):
        member.commit(offsets=[TopicPartition("texts", 0, 43, metadata="x" * 5000)],
                      asynchronous=False)
    assert member.committed([TopicPartition("texts", 0)], 10)[0].offset == 42
    member.close()


def test_kafka_python_members_share(server):
    from kafka import KafkaConsumer
    create(server, "kp", 4)
    produce(server, "kp", 200, 4)
    seen, stop, lock = [set(), set()], threading.Event(), threading.Lock()
    sizes = [0, 0]

    def run(place):
        member = KafkaConsumer("kp", bootstrap_servers=server.kafka, group_id="kp-group",
                               auto_offset_reset="earliest", session_timeout_ms=10000,
                               heartbeat_interval_ms=500, enable_auto_commit=False)
        while not stop.is_set():
            for records in member.poll(timeout_ms=200).values():
                with lock:
                    seen[place].update(int(record.value) for record in records)
            sizes[place] = len(member.assignment())
        member.close()
    threads = [threading.Thread(target=run, args=(place,)) for place in range(2)]
    threads[0].start()
    try:
        eventually(lambda: sizes[0] == 4, 40, "all partitions for the first")
        threads[1].start()
        eventually(lambda: sizes == [2, 2], 40, "two partitions each")
        eventually(lambda: len(seen[0] | seen[1]) == 200, 40, "all records")
    finally:
        stop.set()
        for thread in threads:
            if thread.is_alive():
                thread.join(30)


def test_aiokafka_members_share(server):
    from aiokafka import AIOKafkaConsumer
    create(server, "aio", 4)
    produce(server, "aio", 200, 4)

    async def run():
        members = [AIOKafkaConsumer(
            "aio", bootstrap_servers=server.kafka, group_id="aio-group",
            auto_offset_reset="earliest", session_timeout_ms=6000, heartbeat_interval_ms=500,
            enable_auto_commit=False) for _ in range(2)]
        for member in members:
            await member.start()
        values = set()
        deadline = time.monotonic() + 40
        while time.monotonic() < deadline:
            for member in members:
                for records in (await member.getmany(timeout_ms=200)).values():
                    values.update(int(record.value) for record in records)
            if len(values) == 200 and all(len(m.assignment()) == 2 for m in members):
                break
        shares = [len(member.assignment()) for member in members]
        await members[0].commit()
        for member in members:
            await member.stop()
        return values, shares
    values, shares = asyncio.run(run())
    assert len(values) == 200
    assert shares == [2, 2]
