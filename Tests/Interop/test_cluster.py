"""Three processes are one cluster: real clients, kill -9, nodes that do not belong to it."""
import contextlib
import json
import os
import pathlib
import random
import shutil
import socket
import ssl
import subprocess
import tempfile
import time

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AclBinding, AclOperation, AclPermissionType, AdminClient, NewTopic, ResourcePatternType,
    ResourceType, ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion)

from cluster_setup import SETTINGS, VOTERS, Cluster, Node, produce, read_all
from conftest import Server, eventually, free_port, weir
from security_setup import make_certificates

@pytest.fixture(scope="module")
def cluster():
    one = Cluster().start()
    yield one
    one.remove()


def test_topics_are_spread_and_every_client_finds_the_leaders(cluster):
    cluster.create("spread", 6, through=cluster.node(2))
    leaders = eventually(lambda: cluster.leaders("spread"), what="the topic")
    assert sorted(leaders) == [1, 1, 2, 2, 3, 3]
    values = [b"value %d" % number for number in range(600)]
    produce(cluster, "spread", values, 6)
    assert sorted(read_all(cluster, "spread", 600, "readers")) == sorted(values)
    kcat = shutil.which("kcat")
    if kcat:
        done = subprocess.run(
            [kcat, "-C", "-e", "-q", "-b", cluster.node(3).kafka, "-t", "spread"],
            capture_output=True, timeout=60)
        assert sorted(done.stdout.split(b"\n")[:-1]) == sorted(values)


def test_offsets_of_a_group_are_where_its_coordinator_is(cluster):
    cluster.create("grouped", 3)
    produce(cluster, "grouped", [b"x"] * 30, 3)
    assert len(read_all(cluster, "grouped", 30, "kept")) == 30
    consumer = Consumer({"bootstrap.servers": cluster.node(1).kafka, "group.id": "kept",
                         "log_level": 0})
    committed = consumer.committed([TopicPartition("grouped", n) for n in range(3)], timeout=10)
    consumer.close()
    assert [place.offset for place in committed] == [10, 10, 10]


def test_what_is_not_possible_is_refused_by_name(cluster):
    with pytest.raises(KafkaException, match="there are 3 brokers"):
        cluster.create("copies", 1, replicas=4)
    status, answer = cluster.node(1).request(
        "POST", "/query", {"sql": "CREATE TABLE t (id INT)"})
    assert status == 503
    assert answer["code"] == "cluster.lake" and "--lake" in answer["hint"]


def test_metadata_changes_through_any_node_are_seen_on_all(cluster):
    cluster.create("settings", 1)
    for number in (1, 2, 3):
        server = cluster.node(number).kafka
        weir("topic", "partitions", "settings", str(number + 1), "--server", server,
             check=None)
        weir("config", "set", "settings", f"retention.ms={number}000", "--server", server,
             check=None)

    def seen():
        return {node.number: len(self_leaders) for node in cluster.nodes
                if (self_leaders := cluster.admin(node).list_topics("settings", timeout=5)
                    .topics["settings"].partitions)}

    assert eventually(lambda: len(set(seen().values())) == 1, what="one view")


def test_the_command_line_tells_of_the_cluster(cluster):
    _, out, _ = weir("cluster", "info", "-o", "json", "--server", cluster.node(1).kafka)
    info = json.loads(out)
    assert [node["node"] for node in info["nodes"]] == [1, 2, 3]
    assert all(node["votes"] for node in info["nodes"])
    assert info["controller"] == cluster.state(cluster.node(2))[0]
    _, out, _ = weir("cluster", "brokers", "-o", "json", "--server", cluster.node(2).kafka)
    brokers = json.loads(out)["brokers"]
    assert [(broker["broker"], broker["alive"]) for broker in brokers] == [
        (1, True), (2, True), (3, True)]
    code, out, _ = weir("cluster", "health", "-o", "json", "--server", cluster.node(3).kafka)
    assert json.loads(out)["healthy"] is True
    for words in (["cluster", "info"], ["cluster", "brokers"], ["cluster", "health"]):
        weir(*words, "--server", cluster.node(1).kafka)


def test_a_killed_controller_is_replaced_within_seconds_and_comes_back():
    cluster = Cluster().start()
    try:
        controller = cluster.wait(VOTERS)
        cluster.create("before", 6)
        values = [b"%d" % number for number in range(300)]
        produce(cluster, "before", values, 6)
        cluster.node(controller).kill()
        began = time.monotonic()
        alive = [node for node in cluster.nodes if node.number != controller]
        cluster.create("during", 4, through=alive[0])
        assert time.monotonic() - began < 10
        assert cluster.wait(VOTERS - 1) != controller
        assert set(cluster.leaders("during")) == {node.number for node in alive}
        assert -1 in cluster.leaders("before"), "who had the only replica leads no more"
        code, out, _ = weir("cluster", "health", "-o", "json", "--server", alive[0].kafka,
                            check=4)
        troubles = json.loads(out)["troubles"]
        assert {"trouble": "broker fenced", "name": f"broker {controller}"} in troubles
        cluster.node(controller).start()
        cluster.wait(VOTERS)
        eventually(lambda: -1 not in cluster.leaders("before"), what="leaders of all partitions")
        assert sorted(read_all(cluster, "before", 300, "after")) == sorted(values)
        cluster.create("after", 6)
        produce(cluster, "after", values, 6)
    finally:
        cluster.remove()


def test_a_cluster_of_which_all_were_killed_is_the_same_afterwards():
    cluster = Cluster().start()
    try:
        cluster.create("kept", 6)
        values = [b"%d" % number for number in range(600)]
        produce(cluster, "kept", values, 6)
        identity = weir("cluster", "info", "-o", "json", "--server", cluster.node(1).kafka)[1]
        for node in cluster.nodes:
            node.kill()
        cluster.start()
        again = weir("cluster", "info", "-o", "json", "--server", cluster.node(1).kafka)[1]
        assert json.loads(again)["cluster"] == json.loads(identity)["cluster"]
        eventually(lambda: -1 not in cluster.leaders("kept"), what="leaders of all partitions")
        assert sorted(read_all(cluster, "kept", 600, "g")) == sorted(values)
    finally:
        cluster.remove()


@contextlib.contextmanager
def stranger(cluster: Cluster, number: int, data: str | None = None):
    """A process that wants to be node `number`, on another disk."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-stranger-"))
    node = Node(folder, number, cluster.addresses)
    if data:
        shutil.rmtree(node.data)
        shutil.copytree(data, node.data)
    try:
        yield node
    finally:
        if node.is_running():
            node.kill()
        shutil.rmtree(folder, ignore_errors=True)


def test_who_does_not_belong_to_the_cluster_is_refused_on_both_sides():
    first, second = Cluster().start(), Cluster().start()
    try:
        # The disk of a node of another cluster.
        second.node(3).kill()
        first.node(3).kill()
        with stranger(first, 3, data=second.node(3).data) as node:
            node.launch()
            eventually(lambda: "refuses this node" in node.says(), what="the refusal")
            assert "belongs to cluster" in node.says()
            eventually(lambda: "node 3 is refused" in first.node(1).says(), what="the report")
        # An empty disk under the number of a member.
        with stranger(first, 3) as node:
            node.launch()
            eventually(lambda: "refuses this node" in node.says(), what="the refusal")
            assert "it was replaced, or two nodes have one number" in node.says()
        first.node(3).start()
        first.wait(VOTERS)
        # A second process under the number of a living node can't even listen; elsewhere it is
        # refused, and the living one is not disturbed.
        with stranger(first, 2) as node:
            node.launch()
            assert node.process.wait(10) != 0
        moved = list(first.addresses)
        moved[1] = f"127.0.0.1:{free_port()}"
        with stranger(first, 2) as node:
            node.addresses = moved
            node.launch()
            eventually(lambda: "refuses this node" in node.says(), what="the refusal")
        first.wait(VOTERS)
        first.create("undisturbed", 3)
    finally:
        first.remove()
        second.remove()


def test_a_directory_keeps_its_kind():
    cluster = Cluster().start()
    try:
        node = cluster.node(1)
        node.kill()
        with pytest.raises(RuntimeError, match="a node of a cluster"):
            Server.launch(node)
            node.ready()
        with pytest.raises(RuntimeError, match="belongs to node 1"):
            node.number = 2
            cluster.node(2).kill()
            node.start()
    finally:
        cluster.remove()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-single-"))
    (folder / "data").mkdir()
    single = Server(str(folder / "data")).start()
    try:
        single.stop()
        with pytest.raises(RuntimeError, match="stands alone"):
            single.start("--node", "1", "--cluster", f"127.0.0.1:{free_port()}")
        single.start().stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("flags", [
    ["--node", "1"], ["--cluster", "127.0.0.1:9090"], ["--node", "2", "--cluster", "127.0.0.1:9090"],
    ["--node", "1", "--cluster", ":9090"], ["--node", "1", "--cluster", "a:1,a:1"],
    ["--node", "x", "--cluster", "a:1"],
])
def test_flags_that_make_no_sense_are_refused(flags, tmp_path):
    _, _, error = weir("serve", "--data", str(tmp_path / "data"), *flags, check=2)
    assert "--node" in error or "--cluster" in error


def test_links_are_encrypted_and_only_for_those_with_a_certificate(tmp_path):
    certificates = str(tmp_path)
    make_certificates(certificates)
    secure = ["-X", f"ssl.certificate.location={certificates}/server.pem",
              "-X", f"ssl.key.location={certificates}/server.key",
              "-X", f"ssl.truststore.location={certificates}/ca.pem"]
    cluster = Cluster()
    try:
        for node in cluster.nodes[:2]:
            node.launch(*secure)
        # The third has no certificate: it can't make itself understood.
        third = cluster.node(3)
        third.launch()
        eventually(lambda: third.answers("/livez") == 200, what="the process")
        assert third.answers("/readyz") == 503, "it serves nobody"
        eventually(lambda: "closed" in cluster.node(1).says() or "TLS" in cluster.node(1).says(),
                   what="the report")
        time.sleep(1)
        assert "founded" not in cluster.node(1).says()
        third.kill()
        third.launch(*secure)
        cluster.wait(VOTERS)
        cluster.create("secret", 3)
        produce(cluster, "secret", [b"x"] * 30, 3)
        host, port = cluster.addresses[0].split(":")
        trusting = ssl.create_default_context(cafile=f"{certificates}/ca.pem")
        with socket.create_connection((host, int(port))) as plain:
            with pytest.raises((ssl.SSLError, ConnectionError, OSError)):
                with trusting.wrap_socket(plain, server_hostname="localhost") as session:
                    session.send(b"\0\0\0\4abcd")
                    if session.recv(10) == b"":
                        raise ConnectionError("hung up")
    finally:
        cluster.remove()


def test_strangers_on_the_port_for_nodes_change_nothing(cluster):
    host, port = cluster.addresses[0].split(":")
    randomly = random.Random(7)
    frames = [b"", b"\0", b"\xff" * 64, b"\x7f\xff\xff\xff", b"\0\0\0\0",
              b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\x0a" + bytes(10)]
    frames += [randomly.randbytes(randomly.randrange(1, 300)) for _ in range(100)]
    for frame in frames:
        with socket.create_connection((host, int(port)), timeout=5) as stranger_socket:
            with contextlib.suppress(ConnectionError):
                stranger_socket.sendall(frame)
    # One that announces more than anybody unknown may send is not waited for.
    with socket.create_connection((host, int(port)), timeout=10) as stranger_socket:
        stranger_socket.sendall((200 << 20).to_bytes(4, "big") + bytes(100))
        with contextlib.suppress(ConnectionError):
            assert stranger_socket.recv(10) == b""
    cluster.wait(VOTERS)
    cluster.create("after-strangers", 3)


def test_users_and_rules_of_one_node_are_those_of_all(tmp_path):
    password = tmp_path / "password"
    password.write_text("admin-secret\n")
    cluster = Cluster()
    try:
        for node in cluster.nodes:
            node.launch("--listener", f"SASL_PLAINTEXT://{node.kafka}",
                        "--bootstrap-user", f"admin:{password}",
                        "-X", "sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512",
                        "-X", "super.users=User:admin", "-X", "authorizer.class.name=acl")

        def client(node, user, secret):
            return AdminClient({
                "bootstrap.servers": node.kafka, "security.protocol": "SASL_PLAINTEXT",
                "sasl.mechanism": "SCRAM-SHA-256", "sasl.username": user,
                "sasl.password": secret, "log_level": 0})

        def signs_on(node, user, secret):
            admin = client(node, user, secret)
            try:
                return len(admin.list_topics(timeout=3).brokers) == VOTERS
            except KafkaException:
                return False

        for node in cluster.nodes:
            eventually(lambda: signs_on(node, "admin", "admin-secret"), 30, "the first user")
        admin = client(cluster.node(2), "admin", "admin-secret")
        admin.alter_user_scram_credentials([UserScramCredentialUpsertion(
            "ada", ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096),
            b"ada-secret")])["ada"].result()
        for node in cluster.nodes:
            eventually(lambda: signs_on(node, "ada", "ada-secret"), 10, "the new user")
            ada = client(node, "ada", "ada-secret")
            with pytest.raises(KafkaException, match="AUTHORIZATION|uthoriz|may not"):
                ada.create_topics([NewTopic("forbidden", 1, 1)])["forbidden"].result()
        admin.create_acls([AclBinding(
            ResourceType.TOPIC, "allowed", ResourcePatternType.PREFIXED, "User:ada", "*",
            AclOperation.CREATE, AclPermissionType.ALLOW)])
        for node in cluster.nodes:
            name = f"allowed-{node.number}"

            def made():
                ada = client(node, "ada", "ada-secret")
                try:
                    ada.create_topics([NewTopic(name, 1, 1)])[name].result()
                except KafkaException as failure:
                    return failure.args[0].name() == "TOPIC_ALREADY_EXISTS"
                return True

            eventually(made, 10, "the rule")
    finally:
        cluster.remove()
