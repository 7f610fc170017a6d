"""kill -9 at random moments: nothing acknowledged is lost, and the table has each record once."""
import collections
import json
import os
import random
import subprocess
import sys
import threading
import time

from conftest import eventually, new_server, remove

KILLS = int(os.environ.get("WEIR_KILLS", "50"))

PRODUCER = r"""
import json, sys
from confluent_kafka import Producer
bootstrap, topic, log = sys.argv[1:4]
out = open(log, "a", buffering=1)
producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "enable.idempotence": True,
                     "linger.ms": 2, "message.timeout.ms": 60000,
                     "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 100})
acknowledged = []
def delivered(error, message):
    if error is None:
        acknowledged.append((message.partition(), message.offset(), int(message.key())))
number = int(sys.argv[4])
while True:
    for _ in range(50):
        producer.produce(topic, json.dumps({"id": number, "text": "x" * (number % 200)}),
                         key=str(number), on_delivery=delivered)
        number += 1
    producer.poll(0.01)
    while len(producer) > 2000:
        producer.poll(0.05)
    if acknowledged:
        out.write("".join(f"{p} {o} {k}\n" for p, o, k in acknowledged))
        acknowledged.clear()
"""


def test_kill_nine_loses_and_doubles_nothing(tmp_path):
    from confluent_kafka import Consumer, TopicPartition

    server = new_server().start()
    try:
        server.sql("CREATE SCHEMA IF NOT EXISTS bronze")
        server.sql("CREATE TOPIC crash (id bigint, text text) FORMAT PLAIN ENCODE JSON "
                   "WITH (partitions = 3)")
        server.sql("CREATE STREAMING TABLE bronze.crash WITH (commit_interval = '500 ms') AS "
                   "SELECT id, text, _partition, _offset FROM STREAM(crash)")
        script = tmp_path / "producer.py"
        script.write_text(PRODUCER)
        log = tmp_path / "acknowledged"
        log.touch()
        producer = subprocess.Popen(
            [sys.executable, str(script), server.kafka, "crash", str(log), "0"],
            stderr=subprocess.DEVNULL)
        generator = random.Random(20260216)
        try:
            # The load must be running before the first kill: a producer without its id has
            # nothing in flight that could be lost.
            eventually(lambda: log.stat().st_size > 20_000, timeout=60, what="acknowledgements")
            for _ in range(KILLS):
                time.sleep(generator.uniform(0.02, 0.9))
                server.kill()
                server.start()
                assert producer.poll() is None, "the producer gave up"
            time.sleep(1)
        finally:
            producer.terminate()
            producer.wait()

        acknowledged = {}
        for line in log.read_text().splitlines():
            parts = line.split()
            if len(parts) == 3:
                acknowledged[(int(parts[0]), int(parts[1]))] = int(parts[2])
        assert len(acknowledged) > 1000

        # Every acknowledged record is at its offset.
        consumer = Consumer({"bootstrap.servers": server.kafka, "group.id": "check",
                             "enable.partition.eof": True})
        stored = {}
        ends = {}
        for partition in range(3):
            ends[partition] = consumer.get_watermark_offsets(
                TopicPartition("crash", partition), timeout=10)[1]
        consumer.assign([TopicPartition("crash", p, 0) for p in range(3)])
        deadline = time.monotonic() + 120
        while len(stored) < sum(ends.values()) and time.monotonic() < deadline:
            for message in consumer.consume(10_000, timeout=1):
                if message.error() is None:
                    stored[(message.partition(), message.offset())] = int(message.key())
        consumer.close()
        assert len(stored) == sum(ends.values())
        lost = {place for place, key in acknowledged.items() if stored.get(place) != key}
        assert not lost, f"{len(lost)} of {len(acknowledged)} acknowledged records lost"
        # An idempotent producer left no record twice.
        doubled = [k for k, n in collections.Counter(stored.values()).items() if n > 1]
        assert not doubled

        # The table has exactly the topic's records.
        eventually(
            lambda: server.sql_of_tables("SELECT count(*) FROM bronze.crash")[0][0] == len(stored),
            timeout=60, what="all records in the table")
        rows = server.sql_of_tables("SELECT _partition, _offset, id FROM bronze.crash")
        assert len(rows) == len(stored)
        assert {(p, o): i for p, o, i in rows} == stored
        print(f"{KILLS} kills, {len(acknowledged)} acknowledged, {len(stored)} stored")
    finally:
        remove(server)
