"""A record is a row of the streaming table as soon as its producer knows that it is there: exactly once,
while the table commits, and after kill -9."""
import http.client
import json
import random
import threading
import time

from conftest import eventually
from confluent_kafka import Producer

ROUNDS = 3000


class Queries:
    """Queries over one kept connection."""

    def __init__(self, server):
        self.connection = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=30)

    def rows(self, sql, **members):
        self.connection.request("POST", "/query", json.dumps({"sql": sql, **members}),
                                {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        body = answer.read()
        assert answer.status == 200, body
        return json.loads(body)["rows"]


def declare(server):
    for statement in [
            "CREATE TOPIC e (id bigint, kind text) WITH (partitions = 3)",
            "CREATE STREAMING TABLE s (CONSTRAINT known EXPECT (kind <> 'bad') ON VIOLATION DROP ROW)"
            " WITH (commit_interval = '100 ms') AS SELECT id, kind FROM STREAM(e) WHERE id >= 0"]:
        status, answer = server.request("POST", "/query", {"sql": statement})
        assert status == 200, answer


def producer(server):
    return Producer({"bootstrap.servers": server.kafka, "linger.ms": 0, "acks": "all",
                     "enable.idempotence": True})


FIGURES = "SELECT count(*), count(DISTINCT id), coalesce(sum(id), 0)::bigint FROM s"


def test_what_was_produced_is_counted_at_once(own_server):
    server, drawn = own_server, random.Random(7)
    declare(server)
    client, queries = producer(server), Queries(server)
    count, total, number, versions = 0, 0, 0, set()
    for turn in range(ROUNDS):
        for _ in range(drawn.randrange(1, 5)):
            kind = drawn.choice(["good", "good", "fine", "bad"])
            hidden = drawn.random() < 0.1
            value = {"id": -1 if hidden else number, "kind": kind}
            client.produce("e", json.dumps(value), partition=drawn.randrange(3))
            if not hidden and kind != "bad":
                count, total = count + 1, total + number
            number += 1
        assert client.flush(30) == 0
        if turn % 500 == 499:
            # What was acknowledged is there, whatever the table had committed of it.
            server.kill()
            server.start()
            client, queries = producer(server), Queries(server)
        assert queries.rows(FIGURES) == [[count, count, total]], f"turn {turn}"
        if turn % 50 == 0:
            versions.add(queries.rows("SELECT version FROM weir.tables WHERE table_name = 's'")[0][0])
    assert len(versions) > 10, "the table has committed meanwhile"
    session = server.request("POST", "/sessions")[1]["session"]
    queries.rows("SET tail_reads = off; SHOW tail_reads", session=session)
    eventually(lambda: queries.rows(FIGURES, session=session) == [[count, count, total]],
               what="everything is committed")


def test_counts_lie_between_what_was_acknowledged_and_what_was_sent(own_server):
    server = own_server
    declare(server)
    sent, acknowledged, stop, failures = [0], [0], threading.Event(), []

    def produce():
        client = producer(server)

        def done(error, _):
            if error:
                failures.append(error)
            acknowledged[0] += 1
        while not stop.is_set():
            sent[0] += 1
            client.produce("e", json.dumps({"id": sent[0], "kind": "good"}), partition=sent[0] % 3,
                           on_delivery=done)
            client.poll(0)
            if sent[0] - acknowledged[0] > 200:
                client.poll(0.001)
        client.flush(30)

    thread = threading.Thread(target=produce)
    thread.start()
    try:
        queries, looks, last = Queries(server), 0, 0
        end = time.monotonic() + 15
        while time.monotonic() < end or looks < 200:
            low = acknowledged[0]
            count, distinct, _ = queries.rows(FIGURES)[0]
            high = sent[0]
            assert count == distinct and low <= count <= high and count >= last, (low, count, distinct, high)
            last, looks = count, looks + 1
    finally:
        stop.set()
        thread.join()
    assert not failures and last > 1000
    assert queries.rows(FIGURES)[0][0] == sent[0]
