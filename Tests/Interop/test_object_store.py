"""Tables in a bucket: a real service of the protocol (moto's), which checks every signature."""
import json
import os
import subprocess
import sys
import time
import urllib.request

import boto3
import pytest
from botocore.config import Config
from confluent_kafka import Producer
from conftest import WEIR, eventually, free_port, new_server, remove, weir

TABLE = """
CREATE SCHEMA bronze;
CREATE STREAMING TABLE bronze.orders PARTITIONED BY (kind) WITH (commit_interval = '200 ms')
  AS SELECT o.id, o.kind, o.price, o._partition, o._offset FROM STREAM(orders) AS o
"""
POLICY = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
VARIABLES = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "AWS_REGION"]


class Service:
    def __init__(self):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        # The first calls, which make a user, are free; from then on signatures are checked.
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from moto.server import main; main()", "-p", str(self.port)],
            env={**os.environ, "INITIAL_NO_AUTH_ACTION_COUNT": "3"},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        eventually(self.is_up, 30, "moto's server")
        free = {"endpoint_url": self.url, "region_name": "us-east-1",
                "aws_access_key_id": "x", "aws_secret_access_key": "x"}
        users = boto3.client("iam", **free)
        users.create_user(UserName="weir")
        users.put_user_policy(UserName="weir", PolicyName="all", PolicyDocument=json.dumps(POLICY))
        self.key = users.create_access_key(UserName="weir")["AccessKey"]
        self.s3 = boto3.client(
            "s3", endpoint_url=self.url, region_name="us-east-1",
            aws_access_key_id=self.key["AccessKeyId"],
            aws_secret_access_key=self.key["SecretAccessKey"],
            config=Config(s3={"addressing_style": "path"}))
        self.s3.create_bucket(Bucket="lake")

    def is_up(self):
        try:
            return urllib.request.urlopen(self.url + "/moto-api/", timeout=1).status == 200
        except OSError:
            return False

    def environment(self, **more):
        return {"AWS_ACCESS_KEY_ID": self.key["AccessKeyId"],
                "AWS_SECRET_ACCESS_KEY": self.key["SecretAccessKey"],
                "AWS_ENDPOINT_URL": self.url, "AWS_REGION": "us-east-1", **more}

    def keys(self, prefix=""):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket="lake", Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


@pytest.fixture(scope="module")
def service():
    one = Service()
    yield one
    one.process.kill()
    one.process.wait()


@pytest.fixture
def node(service, monkeypatch):
    for name, value in service.environment().items():
        monkeypatch.setenv(name, value)
    server = new_server()
    yield server
    remove(server)


def storage(service):
    return {"AWS_ACCESS_KEY_ID": service.key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": service.key["SecretAccessKey"],
            "AWS_ENDPOINT_URL": service.url, "AWS_REGION": "us-east-1", "AWS_ALLOW_HTTP": "true",
            "aws_conditional_put": "etag"}


def produce(server, first, count):
    producer = Producer({"bootstrap.servers": server.kafka})
    for number in range(first, first + count):
        # A partition value with everything that a path has to encode.
        producer.produce("orders", json.dumps(
            {"id": f"o{number}", "kind": ["a b", "c/d=é&f+g", "100%"][number % 3],
             "price": number / 4}))
    assert producer.flush(30) == 0


def start_again(arguments, environment):
    """A start that must fail: what it says."""
    done = subprocess.run(
        [WEIR, "serve", "--kafka", "127.0.0.1:0", "--http", "127.0.0.1:0", *arguments],
        capture_output=True, text=True, timeout=60,
        env={**{n: v for n, v in os.environ.items() if n not in VARIABLES}, **environment})
    assert done.returncode != 0
    return done.stderr


def test_tables_live_in_a_bucket(service, node):
    import deltalake
    node.start("--lake", "s3://lake/tables")
    status, answer = node.request("POST", "/query", {
        "sql": "CREATE TOPIC orders (id text, kind text, price double precision) "
               "WITH (partitions = 2)"})
    assert status == 200, answer
    status, answer = node.request("POST", "/query", {"sql": TABLE})
    assert status == 200, answer
    produce(node, 0, 300)
    eventually(lambda: node.sql_of_tables("SELECT count(*) FROM bronze.orders")[0][0] == 300,
               what="300 rows")
    keys = service.keys("tables/")
    assert any("_delta_log/00000000000000000000.json" in key for key in keys)
    assert not os.path.isdir(os.path.join(node.data, "lake"))
    assert not [key for key in service.keys() if "trial" in key]
    # The next process finds them, and goes on where the log of the table says.
    node.kill()
    node.start("--lake", "s3://lake/tables")
    produce(node, 300, 300)
    eventually(lambda: node.sql_of_tables("SELECT count(*) FROM bronze.orders")[0][0] == 600,
               what="600 rows")
    root = next(key for key in service.keys("tables/") if "_delta_log" in key).split("/_delta_log")[0]
    table = deltalake.DeltaTable("s3://lake/" + root, storage_options=storage(service))
    rows = table.to_pyarrow_table().sort_by([("_partition", "ascending"), ("_offset", "ascending")])
    assert sorted(rows["id"].to_pylist()) == sorted(f"o{number}" for number in range(600))
    assert set(rows["kind"].to_pylist()) == {"a b", "c/d=é&f+g", "100%"}
    assert node.stop() == 0


def test_a_foreign_writer_is_respected(service, node):
    """delta-rs and Weir commit to one table at the same time: each row once."""
    import deltalake
    import pyarrow
    node.start("--lake", "s3://lake/shared")
    status, answer = node.request("POST", "/query", {
        "sql": "CREATE TOPIC orders (id text, kind text, price double precision)"})
    assert status == 200, answer
    status, answer = node.request("POST", "/query", {"sql": TABLE})
    assert status == 200, answer
    produce(node, 0, 3)
    eventually(lambda: node.sql_of_tables("SELECT count(*) FROM bronze.orders")[0][0] == 3, what="3 rows")
    root = next(key for key in service.keys("shared/") if "_delta_log" in key).split("/_delta_log")[0]
    schema = deltalake.DeltaTable(
        "s3://lake/" + root, storage_options=storage(service)).to_pyarrow_table().schema
    for number in range(20):
        produce(node, 3 + number * 5, 5)
        row = {"id": [f"foreign-{number}"], "kind": ["a b"], "price": [0.5],
               "_partition": [9], "_offset": [number]}
        deltalake.write_deltalake(
            "s3://lake/" + root, pyarrow.table(row, schema=schema), mode="append",
            storage_options=storage(service))
    eventually(lambda: node.sql_of_tables("SELECT count(*) FROM bronze.orders")[0][0] == 123,
               what="123 rows")
    found = [row[0] for row in node.sql("SELECT id FROM bronze.orders")]
    assert sorted(found) == sorted(
        [f"o{number}" for number in range(103)] + [f"foreign-{number}" for number in range(20)])
    assert node.stop() == 0


def test_statements_that_change_tables(service, node):
    import deltalake
    import pyarrow
    node.start("--lake", "s3://lake/changed")
    node.sql("CREATE SCHEMA s")
    node.sql("CREATE TABLE s.t (id bigint, name text) "
             "WITH ('delta.enableDeletionVectors' = 'true')")
    for start in (0, 100, 200):
        values = ", ".join(f"({number}, 'n{number}')" for number in range(start, start + 100))
        node.sql(f"INSERT INTO s.t VALUES {values}")
    node.sql("DELETE FROM s.t WHERE id % 10 = 0")
    node.sql("UPDATE s.t SET name = 'changed' WHERE id < 5")
    node.sql("MERGE INTO s.t USING (VALUES (1, 'merged'), (1000, 'new')) AS v (id, name) "
             "ON t.id = v.id WHEN MATCHED THEN UPDATE SET name = v.name "
             "WHEN NOT MATCHED THEN INSERT VALUES (v.id, v.name)")
    expected = {number: f"n{number}" for number in range(300) if number % 10}
    expected.update({number: "changed" for number in (2, 3, 4)})
    expected.update({1: "merged", 1000: "new"})
    root = next(key for key in service.keys("changed/") if "_delta_log" in key).split("/_delta")[0]
    for statement in ["SELECT 1", "OPTIMIZE s.t", "VACUUM s.t"]:
        node.sql(statement)
        assert {row[0]: row[1] for row in node.sql("SELECT id, name FROM s.t")} == expected
        table = deltalake.DeltaTable("s3://lake/" + root, storage_options=storage(service))
        # Its other way of reading knows no deletion vectors.
        rows = pyarrow.table(deltalake.QueryBuilder().register("t", table).execute(
            "SELECT id, name FROM t"))
        assert dict(zip(rows["id"].to_pylist(), rows["name"].to_pylist())) == expected
    # A clone names the files by their addresses, which are paths for the server, too.
    node.sql("CREATE TABLE s.c SHALLOW CLONE s.t")
    node.sql("INSERT INTO s.c VALUES (2000, 'own')")
    address = "s3://lake/" + root.rsplit("/", 1)[0] + "/c"
    cloned = {row[0]: row[1] for row in node.sql(f"SELECT id, name FROM delta.'{address}'")}
    assert cloned == {**expected, 2000: "own"}
    table = deltalake.DeltaTable(address, storage_options=storage(service))
    rows = pyarrow.table(deltalake.QueryBuilder().register("t", table).execute(
        "SELECT id, name FROM t"))
    assert dict(zip(rows["id"].to_pylist(), rows["name"].to_pylist())) == cloned
    assert node.stop() == 0


def test_what_can_not_be_used_is_said_at_the_start(service, tmp_path):
    known = service.environment()
    data = ["--data", str(tmp_path / "data")]
    text = start_again([*data, "--lake", "s3://missing-bucket/x"], known)
    assert "error[objects.unusable]" in text and 'there is no bucket "missing-bucket"' in text
    text = start_again([*data, "--lake", "s3://lake/x"],
                       {**known, "AWS_SECRET_ACCESS_KEY": "wrong"})
    assert "SignatureDoesNotMatch" in text, text
    text = start_again([*data, "--lake", "s3://lake/x"], {"HOME": str(tmp_path)})
    assert "error[objects.credentials]" in text and "AWS_ACCESS_KEY_ID" in text
    text = start_again([*data, "--lake", "gs://lake/x"], known)
    assert "expected s3://bucket/prefix" in text
    text = start_again([*data, "--lake", "s3://lake/x"],
                       {**known, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}"})
    assert "attempts" in text and "error[objects.unusable]" in text


def test_a_server_does_not_look_for_its_tables_elsewhere(service, node):
    node.start("--lake", "s3://lake/first")
    assert node.stop() == 0
    known = service.environment()
    for other in [[], ["--lake", "s3://lake/second"]]:
        text = start_again(["--data", node.data, *other], known)
        assert "error[objects.moved]" in text and "s3://lake/first" in text
    began = time.monotonic()
    node.start("--lake", "s3://lake/first/")
    assert time.monotonic() - began < 20
    assert node.stop() == 0


def test_a_bucket_without_a_server(service, node):
    """`weir sql s3://…` and `weir table … s3://…`: the command is the engine."""
    import deltalake
    import pyarrow
    rows = pyarrow.table({"id": [1, 2, 3], "name": ["a", "b", "c"]})
    deltalake.write_deltalake(
        "s3://lake/loose/bronze/users", rows, storage_options=storage(service))
    service.s3.put_object(Bucket="lake", Key="loose/more.csv", Body=b"id,name\n4,d\n")
    _, out, _ = weir("table", "list", "s3://lake/loose", "-o", "json")
    assert {table["name"] for table in json.loads(out)["tables"]} == {"bronze.users", "public.more"}
    weir("sql", "s3://lake/loose",
         "-c", "INSERT INTO bronze.users SELECT * FROM more",
         "-c", "DELETE FROM bronze.users WHERE id = 1",
         "-c", "COPY bronze.users TO 's3://lake/loose/out.parquet'",
         "-c", "CREATE TABLE copied AS SELECT * FROM parquet.'out.parquet'")
    for place in ["bronze/users", "public/copied"]:
        table = deltalake.DeltaTable("s3://lake/loose/" + place, storage_options=storage(service))
        found = pyarrow.table(table.to_pyarrow_table()).sort_by("id").to_pylist()
        assert found == [{"id": 2, "name": "b"}, {"id": 3, "name": "c"}, {"id": 4, "name": "d"}]
    _, out, _ = weir("table", "history", "s3://lake/loose/bronze/users", "-o", "json")
    assert [entry["operation"] for entry in json.loads(out)["history"]][:2] == ["DELETE", "WRITE"]
    _, _, err = weir("sql", "s3://lake/loose", "-c", "SELECT * FROM csv.'s3://other/x.csv'", check=1)
    assert "is not inside of s3://lake/" in err
    _, _, err = weir("table", "files", "s3://lake/nothing", check=1)
    assert "there is no Delta table" in err
