"""Apache Spark reads the Parquet files that Weir writes, and Weir reads Spark's.

Spark is half a gigabyte and needs Java, so this runs only where WEIR_SPARK_PYTHON names a Python that
has pyspark and pyarrow: `make interop` installs one and says where it is.
"""
import json
import os
import pathlib
import subprocess

import pytest
from conftest import ROOT, WEIR

PYTHON = os.environ.get("WEIR_SPARK_PYTHON")
pytestmark = pytest.mark.skipif(
    not PYTHON, reason="WEIR_SPARK_PYTHON does not name a Python with pyspark")

# Runs in Spark's Python: reads jobs from standard input, answers with documents.
WORKER = """
import datetime, decimal, json, pathlib, sys
sys.path.insert(0, sys.argv[1])
import canonical
from pyspark.sql import SparkSession, types as T
spark = (SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
         .config("spark.sql.session.timeZone", "UTC")
         .config("spark.sql.parquet.datetimeRebaseModeInWrite", "CORRECTED")
         .config("spark.driver.memory", "1g").getOrCreate())
spark.sparkContext.setLogLevel("ERROR")
folder = pathlib.Path(sys.argv[2])

def row(n):
    if n % 11 == 3:
        return (n,) + (None,) * 13
    moment = datetime.datetime(2026, 2, 16, 10, 30, n % 60, 1000 * n, datetime.timezone.utc)
    return (n, n % 2 == 0, n - 50, n * 7, n / 4, float(n) * 1e9, f"text {n % 9}", bytes([n, 255]),
            datetime.date(1900 + n, 1, 2), moment, moment.replace(tzinfo=None),
            decimal.Decimal(n) / 100, [n, None, n + 1][:n % 4], {f"k{i}": i for i in range(n % 3)})

schema = T.StructType([
    T.StructField("id", T.LongType(), False), T.StructField("flag", T.BooleanType()),
    T.StructField("byte", T.ByteType()), T.StructField("int", T.IntegerType()),
    T.StructField("float", T.FloatType()), T.StructField("double", T.DoubleType()),
    T.StructField("text", T.StringType()), T.StructField("binary", T.BinaryType()),
    T.StructField("date", T.DateType()), T.StructField("instant", T.TimestampType()),
    T.StructField("local", T.TimestampNTZType()), T.StructField("money", T.DecimalType(30, 2)),
    T.StructField("list", T.ArrayType(T.IntegerType())),
    T.StructField("map", T.MapType(T.StringType(), T.IntegerType())),
])
frame = spark.createDataFrame([row(n) for n in range(120)], schema)
nested = frame.selectExpr("id", "named_struct('a', text, 'b', list) AS pair",
                          "array(named_struct('x', int, 'y', map)) AS items")
variant = spark.range(20).selectExpr(
    "id", "parse_json(concat('{\\"a\\": ', id, ', \\"b\\": [true, null, \\"x\\"]}')) AS v")

def write(name, data, **options):
    for key, value in options.items():
        spark.conf.set("spark.sql.parquet." + key, value)
    data.coalesce(1).write.mode("overwrite").parquet(str(folder / "spark" / name))
    for key in options:
        spark.conf.unset("spark.sql.parquet." + key)

write("snappy", frame)
write("zstd-int96", frame, **{"compression.codec": "zstd", "outputTimestampType": "INT96"})
write("legacy", frame, writeLegacyFormat="true")
write("lz4raw", frame, **{"compression.codec": "lz4_raw"})
write("lz4-hadoop", frame, **{"compression.codec": "lz4"})
write("gzip-nested", nested, **{"compression.codec": "gzip"})
write("legacy-nested", nested, writeLegacyFormat="true")
try:
    write("variant", variant)
except Exception as error:
    print("no variant:", str(error)[:200], file=sys.stderr)
print("written", flush=True)
for line in sys.stdin:
    table = spark.read.parquet(line.strip()).orderBy("id").toArrow()
    print(json.dumps(canonical.document(table)), flush=True)
"""


@pytest.fixture(scope="module")
def spark(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spark")
    (folder / "worker.py").write_text(WORKER)
    process = subprocess.Popen(
        [PYTHON, str(folder / "worker.py"), str(ROOT / "data/golden/parquet"), str(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder)
    line = process.stdout.readline()
    assert line == "written\n", line
    yield process, folder
    process.stdin.close()
    process.wait(timeout=60)


def weir(*words):
    done = subprocess.run([WEIR, "parquet", *map(str, words)], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-500:]
    return done.stdout


def ask(process, path):
    process.stdin.write(f"{path}\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())["rows"]


def same(spark_rows, our_rows):
    assert len(spark_rows) == len(our_rows)
    for theirs, ours in zip(spark_rows, sorted(our_rows, key=lambda row: row[0])):
        assert theirs == ours


@pytest.mark.parametrize(
    "name", ["snappy", "zstd-int96", "legacy", "lz4raw", "lz4-hadoop", "gzip-nested", "legacy-nested"])
def test_weir_reads_what_spark_wrote_and_spark_what_weir_wrote(spark, name):
    process, folder = spark
    source = next((folder / "spark" / name).glob("*.parquet"))
    theirs = ask(process, source)
    assert len(theirs) == 120
    same(theirs, json.loads(weir("rows", source, "--exact", "-o", "json"))["rows"])
    weir("check", source)
    for codec in ("snappy", "zstd", "gzip", "lz4raw", "uncompressed"):
        ours = folder / f"ours-{name}-{codec}.parquet"
        weir("rewrite", source, ours, "--codec", codec, "--bloom", "id", "--row-group", "50")
        same(ask(process, ours), theirs)


def test_weir_reads_the_variants_of_spark(spark):
    _, folder = spark
    files = list((folder / "spark/variant").glob("*.parquet"))
    if not files:
        pytest.skip("this Spark writes no variants")
    rows = json.loads(weir("rows", files[0], "-o", "json"))
    for row in rows:
        assert json.loads(row["v"]) == {"a": int(row["id"]), "b": [True, None, "x"]}
