"""A file system that is really full: writes are refused so that clients try again, everything else
goes on, and nothing acknowledged is lost."""
import os
import shutil
import subprocess
import tempfile

import pytest

from conftest import Server, eventually, weir

confluent = pytest.importorskip("confluent_kafka")

SETTINGS = ["-X", "journal.files=2", "-X", "journal.file.bytes=8388608",
            "-X", "storage.reserve.bytes=8388608", "-X", "checkpoint.interval.ms=500"]


@pytest.fixture
def small_server():
    folder = tempfile.mkdtemp(prefix="weir-small-")
    data = os.path.join(folder, "disk")
    os.mkdir(data)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=96m", "weir-small", data], capture_output=True)
    if mounted.returncode != 0:
        shutil.rmtree(folder, ignore_errors=True)
        pytest.skip(f"no file system of a fixed size: {mounted.stderr.decode().strip()}")
    server = Server(os.path.join(data, "data"))
    os.mkdir(server.data)
    # The log of the server must not be what fills the disk.
    server.tail = lambda: ""
    try:
        yield server
    finally:
        if server.is_running():
            server.kill()
        # The system may still be taking the killed process down.
        subprocess.run(["umount", "--lazy", data], check=True)
        shutil.rmtree(folder, ignore_errors=True)


def produce(server, topic, megabytes):
    """Sends records of 64 KiB; returns keys that were acknowledged, and the errors met."""
    acknowledged, errors = [], []

    def delivered(error, message):
        if error is None:
            acknowledged.append(message.key())
        else:
            errors.append(error)

    producer = confluent.Producer({
        "bootstrap.servers": server.kafka, "acks": "all", "retries": 0,
        "batch.num.messages": 8, "message.timeout.ms": 20000, "linger.ms": 2})
    for number in range(megabytes * 16):
        producer.produce(topic, os.urandom(1 << 16), key=b"%08d" % number, on_delivery=delivered)
        producer.poll(0)
        while len(producer) > 64:
            producer.poll(0.05)
    producer.flush(60)
    return acknowledged, errors


def consume_keys(server, topic, count):
    consumer = confluent.Consumer({
        "bootstrap.servers": server.kafka, "group.id": "reader", "enable.auto.commit": False,
        "auto.offset.reset": "earliest"})
    consumer.assign([confluent.TopicPartition(topic, 0, 0)])
    keys = []
    try:
        def enough():
            for message in consumer.consume(500, timeout=0.5):
                assert message.error() is None
                keys.append(message.key())
            return len(keys) >= count
        eventually(enough, what=f"{count} records of {topic}")
    finally:
        consumer.close()
    return keys


def test_a_full_disk_refuses_writes_and_nothing_else(small_server):
    server = small_server.start(*SETTINGS)
    weir("topic", "create", "kept", "-p", "1", "-b", server.kafka)
    weir("topic", "create", "filler", "-p", "1", "-b", server.kafka)
    kept, errors = produce(server, "kept", 4)
    assert len(kept) == 64 and not errors

    filled, errors = produce(server, "filler", 120)
    assert errors, "the disk did not become full"
    assert 0 < len(filled) < 120 * 16
    for error in errors:
        assert error.code() == confluent.KafkaError.KAFKA_STORAGE_ERROR, error

    # Reads go on, of old and new records.
    assert server.is_running()
    assert set(kept) <= set(consume_keys(server, "kept", len(kept)))
    assert set(filled) <= set(consume_keys(server, "filler", len(filled)))

    # A restart on the full disk finds everything that was acknowledged.
    server.kill()
    server.start(*SETTINGS)
    assert set(filled) <= set(consume_keys(server, "filler", len(filled)))

    # Deleting makes room, and writes go on without a restart.
    weir("topic", "delete", "filler", "--yes", "-b", server.kafka)

    def writes_again():
        more, _ = produce(server, "kept", 1)
        return len(more) == 16
    eventually(writes_again, what="a write after the deletion")
    assert set(kept) <= set(consume_keys(server, "kept", len(kept)))
