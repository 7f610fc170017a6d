"""The command line with transactions and with groups of the newer protocol."""
import json
import signal
import socket
import struct
import subprocess

import pytest
from confluent_kafka import Consumer, KafkaException, Producer

from conftest import WEIR, eventually, new_server, remove, weir
from test_cli import ENVIRONMENT, as_json, on, produce


@pytest.fixture(scope="module")
def server():
    one = new_server().start("-X", "group.initial.rebalance.delay.ms=0")
    yield one
    remove(one)


def needs(server, *kinds):
    """Skips aloud when the broker does not serve these requests (by their numbers)."""
    with socket.create_connection(("127.0.0.1", server.kafka_port), timeout=10) as link:
        link.sendall(struct.pack(">ihhih", 10, 18, 0, 1, 0))
        size = struct.unpack(">i", link.recv(4, socket.MSG_WAITALL))[0]
        answer = link.recv(size, socket.MSG_WAITALL)
    count = struct.unpack(">i", answer[6:10])[0]
    served = {struct.unpack(">hhh", answer[10 + 6 * index:16 + 6 * index])[0]
              for index in range(count)}
    if missing := set(kinds) - served:
        pytest.skip(f"the broker serves no requests of kind {sorted(missing)}")


def transactional(server, name):
    producer = Producer({"bootstrap.servers": server.kafka, "transactional.id": name,
                         "transaction.timeout.ms": 60000})
    producer.init_transactions(20)
    return producer


def test_transactions_are_listed_described_and_aborted(server):
    needs(server, 24, 26, 65, 66)
    on(server, "topic", "create", "txn-cli", "-p", "2")
    producer = transactional(server, "payments")
    producer.begin_transaction()
    producer.produce("txn-cli", b"open", partition=1)
    producer.flush(20)
    listed = as_json(server, "txn", "list")["transactions"]
    assert [(one["id"], one["state"]) for one in listed] == [("payments", "Ongoing")]
    assert as_json(server, "txn", "list", "--state", "Empty")["transactions"] == []
    on(server, "txn", "list", "--state", "Nonsense", check=1)
    info = as_json(server, "txn", "describe", "payments")
    assert info["partitions"] == [{"topic": "txn-cli", "partition": 1}]
    assert info["state"] == "Ongoing" and 0 <= info["open_seconds"] < 60
    _, error = on(server, "txn", "describe", "paymnts", check=1)
    assert 'did you mean "payments"?' in error
    assert on(server, "consume", "txn-cli", "--from", "start", "--count", "1")[0] == "open\n"
    on(server, "txn", "abort", "payments", check=2)
    on(server, "txn", "abort", check=2)
    on(server, "txn", "abort", "payments", "--yes")
    with pytest.raises(KafkaException):
        producer.commit_transaction(10)
    eventually(lambda: as_json(server, "txn", "describe", "payments")["state"] != "Ongoing",
               what="the end of the transaction")
    eventually(lambda: as_json(server, "txn", "describe", "payments")["open_seconds"] is None,
               what="nothing that is open")
    _, error = on(server, "txn", "abort", "payments", "--yes", check=1)
    assert "error[txn.notOpen]" in error
    produce(server, "txn-cli", ["plain"], "-p", "1")
    out, _ = on(server, "consume", "txn-cli", "--committed", "--from", "start", "--count", "1")
    assert out == "plain\n"


def test_tail_of_committed_records_leaves_aborted_ones_out(server):
    needs(server, 24, 26)
    on(server, "topic", "create", "txn-tail", "-p", "1")
    producer = transactional(server, "tailing")
    for number in range(4):
        producer.begin_transaction()
        producer.produce("txn-tail", str(number).encode())
        producer.flush(20)
        (producer.commit_transaction if number % 2 == 0 else producer.abort_transaction)(20)
    out, _ = on(server, "tail", "txn-tail", "--committed", "--exit", "-n", "100", "-o", "ndjson")
    assert [json.loads(line)["value"] for line in out.splitlines()] == ["0", "2"]


def test_groups_of_the_newer_protocol(server):
    needs(server, 68, 69)
    on(server, "topic", "create", "new-groups", "-p", "4")
    produce(server, "new-groups", [str(number) for number in range(100)])
    out, _ = on(server, "consume", "new-groups", "-g", "modern", "--group-protocol", "consumer",
                "--exit")
    assert sorted(map(int, out.split())) == list(range(100))
    report = as_json(server, "group", "describe", "modern")
    assert report["lag"] == 0 and report["state"] == "Empty"
    member = subprocess.Popen(
        [WEIR, "consume", "new-groups", "-g", "modern", "--group-protocol", "consumer",
         "-b", server.kafka], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env=ENVIRONMENT)
    other = Consumer({"bootstrap.servers": server.kafka, "group.id": "modern",
                      "group.protocol": "consumer", "auto.offset.reset": "earliest"})
    try:
        other.subscribe(["new-groups"])

        def shared():
            other.poll(0.1)
            members = as_json(server, "group", "describe", "modern")["members"]
            return sorted(one["partitions"] for one in members) == [2, 2]
        eventually(shared, what="two members with two partitions each")
        _, error = on(server, "group", "seek", "modern", "--to", "start", check=1)
        assert "error[group.active]" in error
        other.close()
        eventually(lambda: [one["partitions"] for one in as_json(
            server, "group", "describe", "modern")["members"]] == [4], what="one member with four")
        produce(server, "new-groups", ["last"])
        assert member.stdout.readline() == "last\n"
        member.send_signal(signal.SIGINT)
        assert member.wait(20) == 130
    finally:
        member.kill()
    eventually(lambda: as_json(server, "group", "describe", "modern")["members"] == [],
               what="an empty group")
    on(server, "group", "seek", "modern", "--to", "start")
    assert as_json(server, "group", "lag", "modern")["lag"] == 101
    on(server, "group", "delete", "modern", "--yes")


def test_offsets_of_one_topic_are_forgotten(server):
    needs(server, 47)
    for topic in ("forget-a", "forget-b"):
        on(server, "topic", "create", topic)
        produce(server, topic, ["x"])
        on(server, "consume", topic, "-g", "forgetful", "--exit")
    _, error = on(server, "group", "delete", "forgetful", "--topic", "forget-c", "--yes", check=1)
    assert 'did you mean "forget-' in error
    on(server, "group", "delete", "forgetful", "--topic", "forget-a", "--yes", "--dry-run")
    on(server, "group", "delete", "forgetful", "--topic", "forget-a", "--yes")
    report = as_json(server, "group", "describe", "forgetful")
    assert {one["topic"] for one in report["partitions"]} == {"forget-b"}
