"""Three nodes in three racks: a consumer that says in which it is reads from the replica there."""
import re
import time
import urllib.request

import pytest
from confluent_kafka import Consumer, TopicPartition

from cluster_setup import Cluster, Node, produce
from conftest import eventually


@pytest.fixture(scope="module")
def cluster():
    one = Cluster()
    for node in one.nodes:
        launch(node)
    for node in one.nodes:
        node.ready()
    one.wait(len(one.nodes))
    yield one
    one.remove()


def launch(node: Node):
    node.launch("-X", f"broker.rack=rack{node.number}")


def fetched(node: Node) -> int:
    """Bytes of records that a node has sent to consumers."""
    with urllib.request.urlopen(node.http + "/metrics", timeout=5) as answer:
        found = re.search(r"^weir_fetched_bytes_total (\S+)$", answer.read().decode(), re.M)
    return int(float(found[1]))


def read(consumer: Consumer, count: int) -> list[bytes]:
    values = []
    deadline = time.monotonic() + 60
    while len(values) < count and time.monotonic() < deadline:
        message = consumer.poll(0.5)
        if message is not None and message.error() is None:
            values.append(message.value())
    return values


@pytest.mark.parametrize("isolation", ["read_uncommitted", "read_committed"])
def test_a_consumer_reads_from_the_replica_in_its_rack(cluster, isolation):
    topic = f"near-{isolation}"
    cluster.create(topic, 1, replicas=3)
    values = [b"%099d" % number for number in range(3000)]
    produce(cluster, topic, values, 1)
    leader = cluster.leaders(topic)[0]
    near = leader % 3 + 1
    eventually(lambda: in_sync(cluster, topic) == [1, 2, 3], what="three replicas in sync")
    before = [fetched(node) for node in cluster.nodes]
    consumer = Consumer({
        "bootstrap.servers": cluster.kafka, "group.id": "near", "client.rack": f"rack{near}",
        "isolation.level": isolation, "log_level": 0})
    consumer.assign([TopicPartition(topic, 0, 0)])
    assert read(consumer, len(values)) == values
    sent = [fetched(node) - old for node, old in zip(cluster.nodes, before)]
    assert sent[near - 1] > 100 * len(values)
    assert sum(sent) == sent[near - 1], "nobody else sent any"
    # It goes on with what is written now, and after its replica is lost, from another.
    more = [b"%d" % number for number in range(100)]
    produce(cluster, topic, more, 1)
    assert read(consumer, len(more)) == more
    node = cluster.node(near)
    node.kill()
    rest = [b"rest %d" % number for number in range(100)]
    produce(cluster, topic, rest, 1)
    assert read(consumer, len(rest)) == rest
    consumer.close()
    launch(node)
    node.ready()
    cluster.wait(3)


def in_sync(cluster: Cluster, topic: str) -> list[int]:
    found = cluster.admin().list_topics(topic, timeout=5).topics[topic].partitions[0]
    return sorted(found.isrs)
