"""Tables of a cluster of three processes: any node answers, one works on each table, and whoever is killed meanwhile,
every record is a row once."""
import collections
import hashlib
import json
import pathlib
import random
import tempfile
import threading
import time

import pytest
from confluent_kafka import Producer

from cluster_setup import Cluster, produce
from conftest import Server, eventually, weir

FAST = "WITH (commit_interval = '200 ms')"


@pytest.fixture(scope="module")
def lake():
    with tempfile.TemporaryDirectory(prefix="weir-lake-") as folder:
        yield folder


@pytest.fixture(scope="module")
def cluster(lake):
    one = Cluster(3, "--lake", lake).start()
    yield one
    one.remove()


def rows(count: int, first: int = 0) -> list[bytes]:
    return [json.dumps({"id": number, "name": f"name {number}"}).encode() for number in range(first, first + count)]


def test_what_one_node_declares_all_have(cluster):
    first, second, third = cluster.nodes
    first.sql("CREATE TOPIC clicks (id bigint, name text) WITH (partitions = 6)")
    second.sql("CREATE SCHEMA bronze")
    third.sql(f"CREATE STREAMING TABLE bronze.clicks {FAST} AS SELECT id, name FROM STREAM(clicks)")
    produce(cluster, "clicks", rows(600), 6)
    for node in cluster.nodes:
        # Also what no commit has yet, whoever leads the partitions.
        assert node.sql("SELECT count(*), count(DISTINCT id), sum(id) FROM bronze.clicks") == [[600, 600, 179700]]
        assert node.sql("SELECT count(*) FROM clicks") == [[600]]
    for node in cluster.nodes:
        eventually(lambda: node.sql_of_tables("SELECT count(*) FROM bronze.clicks") == [[600]], what="rows in files")
    first.sql("CREATE TABLE plain (a int); INSERT INTO plain VALUES (1), (2)")
    second.sql("UPDATE plain SET a = a * 10 WHERE a = 2")
    assert third.sql("SELECT a FROM plain ORDER BY a") == [[1], [20]]
    third.sql("ALTER TABLE plain RENAME TO simple")
    assert first.sql("SELECT count(*) FROM simple") == [[2]]
    second.sql("DROP TABLE simple")
    for node in cluster.nodes:
        status, answer = node.request("POST", "/query", {"sql": "SELECT * FROM simple"})
        assert (status, answer["code"]) == (404, "42P01")


def test_views_follow_from_any_node(cluster):
    first, second, third = cluster.nodes
    second.sql("CREATE SCHEMA gold")
    first.sql("CREATE MATERIALIZED VIEW gold.counts REFRESH POLICY FULL WITH (refresh_interval = '300 ms') AS"
              " SELECT count(*) AS n FROM bronze.clicks")
    produce(cluster, "clicks", rows(100, 600), 6)
    for node in cluster.nodes:
        eventually(lambda: node.sql("SELECT n FROM gold.counts") == [[700]], what="the view has everything")
    third.sql("REFRESH MATERIALIZED VIEW gold.counts")
    assert third.sql("SELECT n FROM gold.counts") == [[700]]


def test_events_go_to_any_node(cluster):
    cluster.nodes[0].sql("CREATE TOPIC topic_app_events (user_id text) WITH (partitions = 6)")
    for node in cluster.nodes:
        for number in range(6):
            status, answer = node.request("POST", "/events/user", {
                "event_type": "page_view", "user_id": f"{node.number}.{number}", "session_id": "s",
                "timestamp": "2026-01-01T00:00:00Z", "properties": {}})
            assert status in (200, 201, 202), answer
    for node in cluster.nodes:
        assert node.sql("SELECT count(*), count(DISTINCT user_id) FROM topic_app_events") == [[18, 18]]


def test_statements_of_all_nodes_at_once(cluster):
    """Names are given once, and nothing that was answered is lost."""
    made = collections.Counter()
    failures = []

    def work(node):
        for number in range(8):
            for name in (f"own_{node.number}_{number}", f"same_{number}"):
                status, answer = node.request("POST", "/query", {"sql": f"CREATE TABLE {name} (a int)"})
                if status == 200:
                    made[name] += 1
                elif answer["code"] not in ("42P07", "55P03"):
                    failures.append((name, answer))

    threads = [threading.Thread(target=work, args=(node,)) for node in cluster.nodes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(made) == sorted([f"same_{n}" for n in range(8)] + [f"own_{k}_{n}" for k in (1, 2, 3) for n in range(8)])
    assert set(made.values()) == {1}
    for node in cluster.nodes:
        assert node.sql("SELECT count(*) FROM weir.tables WHERE table_name LIKE 'same%' OR table_name LIKE 'own%'") == [[32]]


def canonical(values) -> str:
    """SHA-256 of the rows in order, one JSON array a line."""
    lines = sorted(json.dumps(row, separators=(",", ":")) for row in values)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def test_every_record_is_a_row_once_while_owners_are_killed(cluster):
    """Several tables, so that each node works on some; each is killed several times while records come."""
    tables = [f"bronze.k{number}" for number in range(4)]
    cluster.nodes[0].sql("CREATE TOPIC kept (id bigint, name text) WITH (partitions = 4)")
    for table in tables:
        cluster.nodes[0].sql(
            f"CREATE STREAMING TABLE {table} {FAST} AS SELECT id, name FROM STREAM(kept)")
    acknowledged: dict[tuple[int, int], bytes] = {}
    ends = threading.Event()
    failures = []

    def write():
        producer = Producer({"bootstrap.servers": cluster.kafka, "acks": "all", "enable.idempotence": True,
                             "message.timeout.ms": 60000, "linger.ms": 5, "log_level": 0})

        def answered(error, message):
            if error is not None:
                failures.append(str(error))
            else:
                acknowledged[message.partition(), message.offset()] = message.value()

        number = 0
        while not ends.is_set():
            for value in rows(20, number):
                producer.produce("kept", value, partition=number % 4, on_delivery=answered)
                number += 1
            producer.poll(0)
            time.sleep(0.02)
        assert producer.flush(60) == 0

    writer = threading.Thread(target=write)
    writer.start()
    chance = random.Random(7)
    try:
        for round in range(9):
            # Any moment of an epoch: reading, writing files, committing.
            time.sleep(0.4 + chance.random())
            node = cluster.nodes[round % 3]
            node.kill()
            time.sleep(chance.random())
            node.launch()
            node.ready()
            cluster.wait(3)
    finally:
        ends.set()
        writer.join()
    assert failures == []
    expected = [[value["id"], value["name"]] for value in map(json.loads, acknowledged.values())]
    assert len(expected) > 1000
    for table in tables:
        node = cluster.nodes[tables.index(table) % 3]
        eventually(lambda: node.sql_of_tables(f"SELECT count(*) FROM {table}") == [[len(expected)]], 60,
                   f"{table} has everything")
        assert canonical(node.sql_of_tables(f"SELECT id, name FROM {table}")) == canonical(expected)
    # With everything that no commit has: nothing is left.
    assert cluster.nodes[1].sql(f"SELECT count(*) FROM {tables[0]}") == [[len(expected)]]


def test_a_cluster_without_a_place_says_what_to_do():
    one = Cluster(3).start()
    try:
        status, answer = one.nodes[1].request("POST", "/query", {"sql": "CREATE TABLE t (a int)"})
        assert status >= 400 and answer["code"] == "cluster.lake" and "--lake" in answer["hint"]
        # Topics need none.
        one.nodes[0].sql("CREATE TOPIC plain (a int)")
        produce(one, "plain", [b'{"a":1}'], 1)
        assert one.nodes[2].sql("SELECT a FROM plain") == [[1]]
    finally:
        one.remove()


def test_a_node_with_another_place_works_on_no_table(lake):
    with tempfile.TemporaryDirectory(prefix="weir-lake-") as mine, \
            tempfile.TemporaryDirectory(prefix="weir-lake-") as other:
        one = Cluster(3)
        try:
            for node in one.nodes:
                node.flags = ("--lake", other if node.number == 3 else mine)
            one.start()
            eventually(lambda: (pathlib.Path(mine) / "_weir/lake").exists() or "lake.foreign" in one.node(3).says(),
                       what="the place is known")
            told = eventually(lambda: [n for n in one.nodes if "lake.foreign" in n.says()], what="a node complains")
            odd = told[0]
            status, answer = odd.request("POST", "/query", {"sql": "CREATE TABLE t (a int)"})
            assert status >= 400 and answer["code"] == "lake.foreign", answer
        finally:
            one.remove()


def test_a_node_alone_keeps_its_tables_in_a_folder(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "lake").mkdir()
    server = Server(str(tmp_path / "data")).start("--lake", f"{tmp_path}/lake/")
    server.sql("CREATE TABLE t AS SELECT 7 AS a")
    assert (tmp_path / "lake/public/t/_delta_log").is_dir() and not (tmp_path / "data/lake/public").exists()
    assert server.stop() == 0
    server.start("--lake", f"file://{tmp_path}/lake")
    assert server.sql("SELECT a FROM t") == [[7]]
    assert server.stop() == 0
    for place, code, hint in [
            (f"{tmp_path}/elsewhere", "objects.moved", "--lake of before"), ("lake", "usage.value", ""),
            ("http://lake", "objects.url", "")]:
        status, _, told = weir("serve", "--data", str(tmp_path / "data"), "--kafka", "127.0.0.1:0", "--http",
                               "127.0.0.1:0", "--lake", place, check=None)
        assert status != 0 and f"error[{code}]" in told and hint in told, told
    status, _, told = weir("serve", "--data", str(tmp_path / "other"), "--kafka", "127.0.0.1:0", "--http", "127.0.0.1:0",
                           "--lake", f"{tmp_path}/elsewhere", check=None)
    assert status != 0 and "elsewhere does not exist" in told and "make the folder first" in told
