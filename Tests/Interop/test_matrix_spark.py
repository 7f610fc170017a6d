"""Spark reads every Parquet file that the operations of Weir leave, and Weir makes tables of Spark's.

Needs WEIR_SPARK_PYTHON, see test_parquet_spark.py; `make interop` sets it.
"""
import json
import os
import subprocess

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest
from conftest import new_server, remove
from table_peers import Log, canonical_rows, with_duckdb
from test_matrix import KINDS, SPECIAL, folder, general, run

PYTHON = os.environ.get("WEIR_SPARK_PYTHON")
pytestmark = pytest.mark.skipif(
    not PYTHON, reason="WEIR_SPARK_PYTHON does not name a Python with pyspark")

# Runs in Spark's Python: a line of JSON names files to read (or rows to write) and where to put the
# answer, as Arrow's file.
WORKER = """
import json, sys
import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
spark = (SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
         .config("spark.sql.session.timeZone", "UTC")
         .config("spark.sql.sources.partitionColumnTypeInference.enabled", "false")
         .config("spark.driver.memory", "1g").getOrCreate())
spark.sparkContext.setLogLevel("ERROR")
for line in sys.stdin:
    job = json.loads(line)
    try:
        if "write" in job:
            parts = job.get("partitions", [])
            frame = spark.sql(job["write"])
            frame.repartition(3).write.partitionBy(*parts).parquet(job["folder"])
            found = spark.read.parquet(job["folder"])
        else:
            # Arrow knows no variants: they leave as JSON.
            found = spark.read.parquet(*job["files"])
            for field in found.schema.fields:
                if field.dataType.typeName() == "variant":
                    found = found.withColumn(field.name, F.to_json(field.name))
            found = found.withColumn("file name", F.col("_metadata.file_name"))
        table = found.toArrow()
        with pa.OSFile(job["answer"], "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        print("ok", flush=True)
    except Exception as error:
        print("failed " + str(error).replace("\\\\n", " ")[:500], flush=True)
"""


class Spark:
    def __init__(self, place):
        self.place, self.count = place, 0
        (place / "worker.py").write_text(WORKER)
        self.log = open(place / "spark.log", "wb")
        self.process = subprocess.Popen(
            [PYTHON, str(place / "worker.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self.log, text=True, cwd=place)

    def ask(self, **job):
        self.count += 1
        answer = str(self.place / f"answer-{self.count}.arrow")
        self.process.stdin.write(json.dumps({**job, "answer": answer}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line == "ok\n", line
        return pa.ipc.open_file(answer).read_all()


@pytest.fixture(scope="module")
def spark(tmp_path_factory):
    one = Spark(tmp_path_factory.mktemp("spark"))
    yield one
    one.process.stdin.close()
    one.process.wait(timeout=60)


@pytest.fixture(scope="module")
def lake():
    server = new_server().start()
    os.makedirs(os.path.join(server.data, "lake", "files"))
    yield server
    remove(server)


@pytest.mark.parametrize("kind", [*KINDS, *SPECIAL])
def test_spark_reads_the_files_of_every_operation(lake, spark, kind):
    if kind in KINDS:
        table, create, statements = general(lake, kind)
    else:
        table = "s_" + kind
        create, statements = SPECIAL[kind]
        statements = [(s.format(t=table), o) for s, o in statements]
    run(lake, table, create, statements, reads=False)
    log = Log(folder(lake, table))
    files, schemas = {}, {}
    for actions in log.commits.values():
        for action in actions:
            for key in ("add", "cdc"):
                if key in action:
                    file = log.file(action[key])
                    files[os.path.basename(file)] = file
    for name, file in files.items():
        schemas.setdefault(pyarrow.parquet.read_schema(file), []).append(name)
    read = 0
    for names in schemas.values():
        found = spark.ask(files=[files[name] for name in names])
        for name in names:
            theirs = found.filter(pa.compute.equal(found.column("file name"), name))
            mine = pyarrow.parquet.read_table(files[name], partitioning=None)
            assert json_of(canonical_rows(theirs.drop_columns(["file name"]))) == json_of(
                canonical_rows(mine)), name
            read += 1
    assert read == len(files) > 0


def json_of(rows):
    """Variants, of which one side has JSON of another spelling, in one form."""
    def one(value):
        if isinstance(value, str) and value[:1] in "[{":
            try:
                return json.loads(value)
            except ValueError:
                return value
        return value
    names, found = rows
    return names, sorted(([one(value) for value in row] for row in found), key=repr)


def test_folders_of_spark_become_tables(lake, spark):
    path = folder(lake, "sparked")
    found = spark.ask(
        write="SELECT id, concat('n', id) AS name, id / 4 AS quarter, "
        "make_date(2024, 1, cast(id % 3 + 1 AS int)) AS day, "
        "element_at(array('a/b', 'c:d', '50%', 'ü é', 'x=y', NULL), cast(id % 6 + 1 AS int)) AS text, "
        "array(id, NULL) AS list, named_struct('x', id, 'y', cast(id AS decimal(20, 3))) AS pair "
        "FROM range(120)", folder=path, partitions=["day", "text"])
    assert found.num_rows == 120
    lake.sql("CONVERT TO DELTA parquet.'public/sparked' PARTITIONED BY (day date, text text)")
    lake.sql("COPY (SELECT * FROM delta.'public/sparked') TO 'files/sparked.parquet'")
    mine = pyarrow.parquet.read_table(os.path.join(lake.data, "lake/files/sparked.parquet"))
    assert canonical_rows(mine) == canonical_rows(found)
    assert canonical_rows(with_duckdb(path, 0)) == canonical_rows(mine)
