"""Quotas as clients feel them. No client here has the admin calls: the test speaks for itself."""
import socket
import struct
import time

import pytest


def text(value):
    if value is None:
        return struct.pack(">h", -1)
    return struct.pack(">h", len(value)) + value.encode()


def call(server, key, version, body):
    """The body of the answer to a request without flexible fields."""
    request = struct.pack(">hhi", key, version, 7) + text("quota-admin") + body
    with socket.create_connection(("127.0.0.1", server.kafka_port), timeout=10) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        answer = b""
        while len(answer) < 4 or len(answer) < 4 + struct.unpack(">i", answer[:4])[0]:
            part = connection.recv(65536)
            assert part, "the broker closed the connection"
            answer += part
    assert answer[4:8] == struct.pack(">i", 7)
    return answer[8:]


def set_quota(server, client_id, name, value, remove=False):
    entity = struct.pack(">i", 1) + text("client-id") + text(client_id)
    operation = struct.pack(">i", 1) + text(name) + struct.pack(">d?", value, remove)
    answer = call(server, 49, 0, struct.pack(">i", 1) + entity + operation + b"\0")
    throttle, count, error = struct.unpack(">iih", answer[:10])
    assert (throttle, count, error) == (0, 1, 0), answer


def timed_produce(server, client_id, count, throttled):
    from confluent_kafka import Producer
    producer = Producer({"bootstrap.servers": server.kafka, "client.id": client_id,
                         "throttle_cb": throttled.append, "batch.size": 100_000,
                         "linger.ms": 5, "compression.type": "none"})
    began = time.monotonic()
    failures = []
    for _ in range(count):
        producer.produce("quotas", b"x" * 50_000, on_delivery=lambda e, _: e and failures.append(e))
    assert producer.flush(60) == 0
    assert failures == []
    return time.monotonic() - began


@pytest.fixture(scope="module")
def topic(server):
    from confluent_kafka.admin import AdminClient, NewTopic
    admin = AdminClient({"bootstrap.servers": server.kafka})
    admin.create_topics([NewTopic("quotas", 1)])["quotas"].result(20)
    return "quotas"


def test_a_producer_is_slowed_to_its_rate(server, topic):
    set_quota(server, "slow-producer", "producer_byte_rate", 250_000)
    throttled = []
    # 6 MB, of which ten seconds' worth are free: the rest takes 14 seconds, less what the client
    # has under way at the end.
    took = timed_produce(server, "slow-producer", 120, throttled)
    assert 5 < took < 30, took
    assert throttled and max(event.throttle_time for event in throttled) > 0.2
    free = []
    assert timed_produce(server, "free-producer", 60, free) < 3
    assert free == []
    set_quota(server, "slow-producer", "producer_byte_rate", 0, remove=True)
    assert timed_produce(server, "slow-producer", 60, []) < 3


def test_a_consumer_is_slowed_to_its_rate(server, topic):
    from kafka import KafkaConsumer
    timed_produce(server, "free-producer", 60, [])
    set_quota(server, "slow-consumer", "consumer_byte_rate", 200_000)

    def read(client_id):
        consumer = KafkaConsumer(
            topic, bootstrap_servers=server.kafka, client_id=client_id, group_id=None,
            auto_offset_reset="earliest", max_partition_fetch_bytes=200_000,
            consumer_timeout_ms=30_000)
        began, size = time.monotonic(), 0
        for message in consumer:
            size += len(message.value)
            if size >= 3_000_000:
                break
        consumer.close()
        assert size >= 3_000_000
        return time.monotonic() - began

    assert read("free-consumer") < 5
    assert 3 < read("slow-consumer") < 25


def test_changes_beyond_the_quota_are_refused(server):
    from kafka import KafkaAdminClient
    from kafka.admin import NewTopic
    from kafka.errors import ThrottlingQuotaExceededError
    set_quota(server, "busy-admin", "controller_mutation_rate", 0.5)
    admin = KafkaAdminClient(bootstrap_servers=server.kafka, client_id="busy-admin")
    admin.create_topics([NewTopic("many", 20, 1)])
    with pytest.raises(ThrottlingQuotaExceededError):
        admin.create_topics([NewTopic("more", 1, 1)])
    other = KafkaAdminClient(bootstrap_servers=server.kafka, client_id="other-admin")
    other.create_topics([NewTopic("more", 1, 1)])
    admin.close()
    other.close()


def test_a_client_that_keeps_the_broker_busy_waits(server):
    def ask(client_id, count):
        request = struct.pack(">hhi", 3, 1, 7) + text(client_id) + struct.pack(">i", -1)
        began = time.monotonic()
        with socket.create_connection(("127.0.0.1", server.kafka_port), timeout=30) as connection:
            for _ in range(count):
                connection.sendall(struct.pack(">i", len(request)) + request)
                length = struct.unpack(">i", connection.recv(4, socket.MSG_WAITALL))[0]
                assert len(connection.recv(length, socket.MSG_WAITALL)) == length
        return time.monotonic() - began

    # A thousandth of a percent of ten seconds is a tenth of a millisecond.
    set_quota(server, "busy-reader", "request_percentage", 0.001)
    ask("busy-reader", 20)
    assert ask("busy-reader", 4) > 2
    assert ask("idle-reader", 200) < 2
    set_quota(server, "busy-reader", "request_percentage", 0, remove=True)
    assert ask("busy-reader", 50) < 2
