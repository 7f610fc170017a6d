"""Partitions move between the brokers of a cluster of four processes, while they are written to."""
import collections
import json
import pathlib
import threading

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from cluster_setup import Cluster
from conftest import eventually, weir

PARTITIONS = 4


@pytest.fixture(scope="module")
def cluster():
    one = Cluster(4).start()
    yield one
    one.remove()


def run(cluster: Cluster, *words: str, check: int | None = 0):
    code, out, err = weir("cluster", *words, "--server", cluster.node(1).kafka, "-o", "json",
                          check=check)
    return code, json.loads(out) if out.strip() else None, out + err


def replicas(cluster: Cluster, topic: str) -> list[list[int]]:
    partitions = cluster.admin().list_topics(topic, timeout=5).topics[topic].partitions
    return [list(partitions[number].replicas) for number in sorted(partitions)]


class Writer:
    """Numbered records on their way all the time."""

    def __init__(self, cluster: Cluster, topic: str):
        self.cluster, self.topic = cluster, topic
        self.acknowledged: list[list[int]] = [[] for _ in range(PARTITIONS)]
        self.failures = []
        self.ends = False
        self.thread = threading.Thread(target=self.work)
        self.thread.start()

    def work(self):
        producer = Producer({
            "bootstrap.servers": self.cluster.kafka, "enable.idempotence": True,
            "linger.ms": 2, "message.timeout.ms": 30000, "log_level": 0})

        def told(error, message):
            if error is not None:
                self.failures.append(str(error))
            else:
                self.acknowledged[message.partition()].append(int(message.value()))

        number = 0
        while not self.ends:
            producer.produce(self.topic, b"%d" % number, partition=number % PARTITIONS,
                             on_delivery=told)
            producer.poll(0.001)
            number += 1
        assert producer.flush(30) == 0

    def end(self):
        self.ends = True
        self.thread.join()
        assert self.failures == []
        assert all(len(numbers) > 50 for numbers in self.acknowledged)
        found = self.read()
        for partition, numbers in enumerate(self.acknowledged):
            assert found[partition] == numbers, f"partition {partition} is not what was acknowledged"

    def read(self) -> dict[int, list[int]]:
        consumer = Consumer({"bootstrap.servers": self.cluster.kafka, "group.id": "unused",
                             "enable.partition.eof": True, "log_level": 0})
        consumer.assign([TopicPartition(self.topic, number, 0) for number in range(PARTITIONS)])
        found, ended = collections.defaultdict(list), set()
        while len(ended) < PARTITIONS:
            message = consumer.poll(10)
            assert message is not None, "a partition could not be read to its end"
            if message.error() is None:
                found[message.partition()].append(int(message.value()))
            else:
                ended.add(message.partition())
        consumer.close()
        return found


def test_partitions_move_while_they_are_written_to(cluster):
    cluster.create("moving", PARTITIONS, replicas=2)
    run(cluster, "reassign", "moving", "--to", "1,2")
    assert replicas(cluster, "moving") == [[1, 2], [2, 1], [1, 2], [2, 1]]
    writer = Writer(cluster, "moving")
    try:
        for target in ("3,4", "4,1,2", "2", "3,1"):
            eventually(lambda: min(len(one) for one in writer.acknowledged) > 20, what="records")
            _, moved, _ = run(cluster, "reassign", "moving", "--to", target)
            assert len(moved["moves"]) == PARTITIONS
            wanted = sorted(int(part) for part in target.split(","))
            # The controller has it; whoever is asked here may hear of it a moment later.
            eventually(lambda: [sorted(one) for one in replicas(cluster, "moving")] == [wanted] * PARTITIONS,
                       what=f"replicas on {target}")
        assert run(cluster, "reassign")[1] == {"moves": []}
    finally:
        writer.ends = True
    writer.end()
    # Nothing of it is left where it was.
    def folders(number: int) -> list[str]:
        data = pathlib.Path(cluster.node(number).data)
        return sorted(path.name for path in data.rglob("moving-*"))
    eventually(lambda: folders(2) == [] and folders(4) == [], what="folders that are gone")
    assert folders(1) != []


def test_more_copies_and_fewer(cluster):
    cluster.create("copied", 3, replicas=1)
    run(cluster, "reassign", "copied", "--replicas", "3")
    assert all(len(one) == 3 for one in replicas(cluster, "copied"))
    run(cluster, "reassign", "copied", "--replicas", "1", "--partition", "1")
    assert [len(one) for one in replicas(cluster, "copied")] == [3, 1, 3]
    # Its one copy may be on the node that the next test kills.
    admin = cluster.admin()
    admin.delete_topics(["copied"])["copied"].result()


def test_a_move_to_a_lost_node_waits_and_can_be_taken_back(cluster):
    cluster.create("patient", 1, replicas=2)
    run(cluster, "reassign", "patient", "--to", "1,2")
    cluster.create("bereft", 3, replicas=2)
    run(cluster, "reassign", "bereft", "--to", "4,1")
    cluster.create("orphaned", 2, replicas=1)
    run(cluster, "reassign", "orphaned", "--to", "1")
    run(cluster, "reassign", "orphaned", "--to", "4", "--partition", "1")
    cluster.node(4).kill()
    cluster.wait(3)
    _, plan, _ = run(cluster, "reassign", "patient", "--to", "4,2", "--dry-run")
    assert plan["moves"][0]["replicas"] == [4, 2]
    thread = threading.Thread(target=run, args=(cluster, "reassign", "patient", "--to", "4,2"))
    thread.start()
    moves = eventually(lambda: run(cluster, "reassign")[1]["moves"], what="the move")
    assert moves == [{"topic": "patient", "partition": 0, "replicas": [4, 2, 1], "adding": [4],
                      "removing": [1]}]
    # Who comes is not missed.
    troubles = run(cluster, "health", check=None)[1]["troubles"]
    assert {"trouble": "replicas missing", "name": "patient-0"} not in troubles
    run(cluster, "reassign", "patient", "--cancel")
    thread.join()
    assert sorted(replicas(cluster, "patient")[0]) == [1, 2]
    # Others take the place of one that is gone for good.
    code, result, _ = run(cluster, "drain", "4", check=None)
    assert code == 1
    assert [one["message"] for one in result["moves"] if one["error"]] == [
        "orphaned-1 can't move: nobody else has all of it"]
    assert not any(4 in one for one in replicas(cluster, "bereft"))
    assert run(cluster, "health", check=None)[1]["troubles"] == [
        {"trouble": "broker fenced", "name": "broker 4"},
        {"trouble": "no leader", "name": "orphaned-1"}]
    run(cluster, "drain", "4", "--cancel")
    cluster.node(4).launch()
    cluster.node(4).ready()
    cluster.wait(4)


def test_a_node_is_emptied_and_filled_again(cluster):
    cluster.create("spread", 8, replicas=3)
    assert any(4 in one for one in replicas(cluster, "spread"))
    cluster.create("leaving", PARTITIONS, replicas=2)
    run(cluster, "reassign", "leaving", "--to", "4,1")
    writer = Writer(cluster, "leaving")
    try:
        run(cluster, "drain", "4")
        assert not any(4 in one for one in replicas(cluster, "spread"))
        brokers = run(cluster, "brokers")[1]["brokers"]
        assert [one["replicas"] for one in brokers if one["broker"] == 4] == [0]
        cluster.create("later", 6, replicas=2)
        assert not any(4 in one for one in replicas(cluster, "later"))
        # Three copies are on three brokers: none of them can be emptied.
        code, _, err = run(cluster, "drain", "3", check=None)
        assert code == 1 and "can't leave broker 3" in err
        code, _, err = run(cluster, "add", "4", check=None)
        assert code == 1 and "is being drained" in err
        run(cluster, "drain", "4", "--cancel")
        run(cluster, "add", "4")
        brokers = run(cluster, "brokers")[1]["brokers"]
        counts = [one["replicas"] for one in brokers]
        assert max(counts) - min(counts) <= 1, counts
    finally:
        writer.ends = True
    writer.end()


def test_plans_are_read_and_what_is_wrong_with_them_is_said(cluster, tmp_path):
    cluster.create("planned", 2, replicas=1)
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"version": 1, "partitions": [
        {"topic": "planned", "partition": 0, "replicas": [2, 3], "log_dirs": ["any", "any"]},
        {"topic": "planned", "partition": 7, "replicas": [2]},
        {"topic": "planned", "partition": 1, "replicas": [9]}]}))
    code, result, _ = run(cluster, "reassign", "--plan", str(plan), check=None)
    assert code == 1
    errors = {one["move"]: one["message"] for one in result["moves"] if one["error"]}
    assert set(errors) == {"planned-7", "planned-1"}
    assert "there is no broker 9" in errors["planned-1"]
    assert replicas(cluster, "planned")[0] == [2, 3]
    for text, complaint in (("{", "is no JSON"), ("{}", 'has no list \\"partitions\\"'),
                            ('{"partitions":[{}]}', "in entry 1")):
        plan.write_text(text)
        code, _, err = run(cluster, "reassign", "--plan", str(plan), check=None)
        assert code == 2 and complaint in err, err
    code, _, err = run(cluster, "reassign", "plannd", "--to", "1", check=None)
    assert code == 1 and "planned" in err
    code, _, err = run(cluster, "reassign", "planned", check=None)
    assert code == 2 and "--to" in err
