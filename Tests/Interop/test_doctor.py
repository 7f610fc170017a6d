"""`weir doctor`: what it finds on a machine, a server and a cluster that are well, and that are not."""
import json
import os

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from cluster_setup import Cluster
from conftest import eventually, free_port, weir

CHECKS = ["open files", "file system", "room", "syncs"]


def examine(*words: str, check: int | None = 0) -> list[dict]:
    _, out, _ = weir("doctor", "-o", "json", *words, check=check)
    answer = json.loads(out)
    assert answer["healthy"] == all(one["state"] != "failing" for one in answer["findings"])
    return answer["findings"]


def found(findings: list[dict], subject: str) -> list[dict]:
    return [one for one in findings if one["subject"] == subject]


def away() -> list[str]:
    return ["--server", f"127.0.0.1:{free_port()}", "--http-server", f"127.0.0.1:{free_port()}"]


def test_a_machine_without_a_server_is_looked_at(tmp_path):
    findings = examine("-d", str(tmp_path / "not" / "there" / "yet"), *away(), check=None)
    for subject in CHECKS:
        assert found(findings, subject), subject
    assert "durable in" in found(findings, "syncs")[0]["found"]
    for subject in ("broker", "tables"):
        assert found(findings, subject)[0]["state"] == "unknown"
        assert "weir serve" in found(findings, subject)[0]["remedy"]
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"
    _, text, _ = weir("doctor", "-d", str(tmp_path), *away(), check=None)
    assert "→ is it running? weir serve --kafka" in text and "…" not in text


@pytest.mark.skipif(not os.path.isdir("/dev/shm"), reason="there is no file system in memory")
def test_a_directory_in_memory_fails():
    findings = examine("-d", "/dev/shm/weir", *away(), check=4)
    assert found(findings, "file system")[0]["state"] == "failing"
    assert "gone with the power" in found(findings, "file system")[0]["found"]


def test_a_server_that_is_well_and_a_group_that_is_not(own_server):
    place = ["-d", own_server.data, "--server", own_server.kafka,
             "--http-server", f"127.0.0.1:{own_server.http_port}"]
    findings = examine(*place, check=None)
    assert found(findings, "cluster")[0]["state"] == "ok"
    assert found(findings, "tables")[0]["state"] == "ok"
    admin = AdminClient({"bootstrap.servers": own_server.kafka, "log_level": 0})
    admin.create_topics([NewTopic("t", 1, 1)])["t"].result()
    producer = Producer({"bootstrap.servers": own_server.kafka, "log_level": 0})
    for number in range(500):
        producer.produce("t", b"%d" % number)
    assert producer.flush(20) == 0
    weir("group", "seek", "slow", "--topic", "t", "--to", "start", "--server", own_server.kafka)
    assert found(examine(*place, check=None), "groups")[0]["state"] == "ok"
    groups = found(examine(*place, "--lag", "100", check=None), "groups")
    assert [one["state"] for one in groups] == ["warning"]
    assert "slow is 500 records behind" in groups[0]["found"]
    assert groups[0]["remedy"] == "weir group describe slow"


def test_a_lost_node_is_told_in_a_few_lines():
    cluster = Cluster(3).start()
    try:
        cluster.create("whole", 20, replicas=3)
        cluster.create("single", 3, replicas=1)
        cluster.node(3).kill()
        cluster.wait(2)
        place = [*away()[2:], "--server", cluster.node(1).kafka]

        def troubles():
            told = found(examine(*place, check=None), "cluster")
            return told if len(told) == 3 else None

        findings = eventually(troubles, what="three kinds of trouble")
        texts = {one["found"].split(":")[0]: one for one in findings}
        assert set(texts) == {"broker fenced", "no leader", "replicas missing"}
        assert texts["no leader"]["state"] == "failing"
        assert "and 17 more" in texts["replicas missing"]["found"]
        assert texts["replicas missing"]["state"] == "warning"
    finally:
        cluster.remove()
