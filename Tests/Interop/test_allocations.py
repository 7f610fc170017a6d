"""Produce and fetch allocate for requests and batches, never for records."""
import os
import pathlib
import shutil
import struct
import subprocess

import pytest

from conftest import new_server, remove, weir

confluent = pytest.importorskip("confluent_kafka")
RECORDS = 200_000


@pytest.fixture
def counting(tmp_path, monkeypatch):
    compiler = shutil.which("cc") or shutil.which("clang") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler for the counter")
    library = tmp_path / "count.so"
    source = pathlib.Path(__file__).with_name("count_allocations.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, source], check=True)
    counter = tmp_path / "count"
    counter.write_bytes(bytes(8))
    server = new_server()
    monkeypatch.setenv("LD_PRELOAD", str(library))
    monkeypatch.setenv("WEIR_COUNT", str(counter))
    server.start()
    monkeypatch.delenv("LD_PRELOAD")
    server.allocations = lambda: struct.unpack("=q", counter.read_bytes())[0]
    yield server
    remove(server)


def test_no_allocation_per_record(counting):
    server = counting
    assert server.allocations() > 1000, "the counter does not count"
    weir("topic", "create", "many", "-p", "1", "-b", server.kafka)
    producer = confluent.Producer({
        "bootstrap.servers": server.kafka, "linger.ms": 200, "batch.size": 900_000,
        "batch.num.messages": 100_000, "queue.buffering.max.messages": RECORDS + 1})
    before = server.allocations()
    for number in range(RECORDS):
        producer.produce("many", b"v%07d" % number, key=b"k")
    assert producer.flush(60) == 0
    produced = server.allocations() - before

    consumer = confluent.Consumer({
        "bootstrap.servers": server.kafka, "group.id": "g", "enable.auto.commit": False})
    consumer.assign([confluent.TopicPartition("many", 0, 0)])
    before = server.allocations()
    seen = 0
    while seen < RECORDS:
        messages = consumer.consume(50_000, timeout=10)
        assert messages, f"{seen} of {RECORDS} records"
        seen += len(messages)
    fetched = server.allocations() - before
    consumer.close()
    print(f"allocations: {produced} to produce, {fetched} to fetch {RECORDS} records")
    assert produced < RECORDS / 20
    assert fetched < RECORDS / 20
