"""Every operation and table feature that a peer can write: Weir reads the same rows at every version.

A scenario writes a table with a peer; afterwards each version is read by the peer and by Weir, and
Weir's statement on the newest one is seen by the peer.
"""
import datetime
import decimal
import os

import duckdb
import polars
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet
import pytest
from conftest import new_server, remove
from deltalake import (CommitProperties, DeltaTable, Field, PostCommitHookProperties, Schema,
                       TableFeatures, Transaction, WriterProperties, convert_to_deltalake,
                       write_deltalake)
from deltalake.schema import PrimitiveType
from table_peers import Log, canonical_rows, duck, with_deltalake_engine, with_duckdb

UTC = datetime.timezone.utc


@pytest.fixture(scope="module")
def lake():
    server = new_server().start()
    os.makedirs(os.path.join(server.data, "lake", "files"))
    os.makedirs(os.path.join(server.data, "lake", "public"))
    yield server
    remove(server)


def everything(count=60):
    """All types that delta-rs writes, with NULLs, the ends of their ranges and nested ones."""
    def column(values, kind):
        return pa.array([None if n % 7 == 3 else values[n % len(values)] for n in range(count)], kind)
    return pa.table({
        "id": pa.array(range(count), pa.int64()),
        "byte": column([-128, 127, 0], pa.int8()), "short": column([-32768, 32767], pa.int16()),
        "int": column([-2**31, 2**31 - 1], pa.int32()),
        "long": column([-2**63, 2**63 - 1, 2**53 + 1], pa.int64()),
        "float": column([1.5, -0.0, float("inf")], pa.float32()),
        "double": column([0.1, float("nan"), float("-inf"), 5e-324], pa.float64()),
        "dec": column([decimal.Decimal("12345678901234567890.123456789"),
                       decimal.Decimal("-0.000000001")], pa.decimal128(38, 9)),
        "money": column([decimal.Decimal("-9999999.99")], pa.decimal128(9, 2)),
        "flag": column([True, False], pa.bool_()),
        "text": column(["", "ü 𝄞", "x" * 100, "nul\0in"], pa.string()),
        "bytes": column([b"", b"\x00\xff"], pa.binary()),
        "day": column([datetime.date(1, 1, 1), datetime.date(9999, 12, 31)], pa.date32()),
        "at": column([datetime.datetime(1969, 12, 31, 23, 59, 59, 999999, UTC),
                      datetime.datetime(2300, 1, 1, tzinfo=UTC)], pa.timestamp("us", "UTC")),
        "list": column([[], [1, None], None], pa.list_(pa.int32())),
        "map": column([[("a", 1), ("b", None)], []], pa.map_(pa.string(), pa.int64())),
        "struct": column([{"x": 1, "y": [{"z": "deep"}]}, {"x": None, "y": None}], pa.struct(
            [("x", pa.int32()), ("y", pa.list_(pa.struct([("z", pa.string())])))])),
    })


def people(first=0, count=20, part=None):
    return pa.table({
        "id": pa.array(range(first, first + count), pa.int64()),
        "name": [f"n{n}" for n in range(first, first + count)],
        "part": pa.array([n % 3 if part is None else part for n in range(first, first + count)],
                         pa.int32())})


# MARK: delta-rs

def rs_types(path):
    write_deltalake(path, everything())
    write_deltalake(path, everything(5), mode="append")


def rs_local_timestamps(path):
    at = [datetime.datetime(2024, 1, 2, 3, 4, 5, 678901), None]
    write_deltalake(path, pa.table({"id": [1, 2], "at": pa.array(at, pa.timestamp("us"))}))
    DeltaTable(path).update(updates={"at": "at + INTERVAL '1 day'"})


def rs_partitions(path):
    """Values that need escaping in folder names, and NULLs."""
    texts = ["plain", "a/b", "c:d", "50%", "ü é", "x=y", " ", None]
    moments = [datetime.datetime(2024, 1, 2, 3, 4, 5, 120000, UTC), None]
    count = 48
    table = pa.table({
        "id": pa.array(range(count), pa.int64()),
        "t": [texts[n % 8] for n in range(count)],
        "d": [None if n % 5 == 0 else datetime.date(2024, 1, 1 + n % 3) for n in range(count)],
        "f": pa.array([n % 2 == 0 for n in range(count)]),
        "n": pa.array([decimal.Decimal(n % 2) / 4 for n in range(count)], pa.decimal128(6, 2)),
        "m": pa.array([moments[n % 2] for n in range(count)], pa.timestamp("us", "UTC"))})
    write_deltalake(path, table, partition_by=["t", "d", "f", "n", "m"])
    DeltaTable(path).delete("t = 'a/b'")
    DeltaTable(path).optimize.compact()


def rs_overwrites(path):
    write_deltalake(path, people(), partition_by=["part"])
    write_deltalake(path, people(100, 5, 1), mode="overwrite", predicate="part = 1")
    write_deltalake(path, people(200, 5), mode="overwrite")
    wider = people(300, 5).append_column("more", pa.array(["m"] * 5))
    write_deltalake(path, wider, mode="append", schema_mode="merge")
    write_deltalake(path, people(400, 3), mode="append", schema_mode="merge")
    other = pa.table({"key": ["a", "b"], "part": pa.array([1, 2], pa.int32())})
    write_deltalake(path, other, mode="overwrite", schema_mode="overwrite")


def rs_row_changes(path):
    write_deltalake(path, people(), configuration={"delta.enableChangeDataFeed": "true"})
    table = DeltaTable(path)
    table.delete("id % 5 = 2")
    table.update(updates={"name": "upper(name)"}, predicate="part = 1")
    (table.merge(people(15, 10), "s.id = t.id", source_alias="s", target_alias="t")
     .when_matched_delete("s.id = 16").when_matched_update_all()
     .when_not_matched_insert_all()
     .when_not_matched_by_source_update({"name": "'left'"}, "t.id < 3")
     .when_not_matched_by_source_delete("t.id = 4").execute())
    table.delete()
    write_deltalake(path, people(50, 3), mode="append")
    table = DeltaTable(path)
    table.restore(2)


def rs_maintenance(path):
    for n in range(6):
        write_deltalake(path, people(n * 10, 10), mode="append" if n else "error")
    table = DeltaTable(path)
    table.optimize.compact()
    write_deltalake(path, people(60, 10), mode="append")
    table = DeltaTable(path)
    table.optimize.z_order(["name", "id"])
    table.create_checkpoint()
    table.vacuum(dry_run=False)
    write_deltalake(path, people(70, 10), mode="append")


def rs_schema(path):
    write_deltalake(path, people())
    table = DeltaTable(path)
    table.alter.add_constraint({"positive": "id >= 0"})
    table.alter.add_columns([Field("extra", PrimitiveType("double")),
                             Field("when", PrimitiveType("timestamp"))])
    table.alter.set_column_metadata("name", {"comment": "what it is called"})
    table.alter.set_table_properties({"delta.dataSkippingNumIndexedCols": "2"})
    table.alter.set_table_name("people")
    table.alter.set_table_description("all of them")
    write_deltalake(path, people(20, 5), mode="append", schema_mode="merge")
    DeltaTable(path).alter.drop_constraint("positive")
    write_deltalake(path, people(30, 5), mode="append", schema_mode="merge")


def rs_nullability(path):
    schema = Schema([Field("id", PrimitiveType("long"), nullable=False),
                     Field("name", PrimitiveType("string"))])
    DeltaTable.create(path, schema, configuration={"delta.appendOnly": "true"})
    rows = pa.table([pa.array([1, 2], pa.int64()), pa.array(["a", None])],
                    pa.schema([pa.field("id", pa.int64(), False), ("name", pa.string())]))
    write_deltalake(path, rows, mode="append")
    DeltaTable(path).alter.drop_column_not_null("id")
    write_deltalake(path, pa.table({"id": pa.array([None], pa.int64()), "name": ["b"]}),
                    mode="append")


def rs_generated(path):
    schema = Schema([
        Field("id", PrimitiveType("long")),
        Field("twice", PrimitiveType("long"), metadata={"delta.generationExpression": "id * 2"})])
    DeltaTable.create(path, schema)
    write_deltalake(path, pa.table({"id": pa.array([1, 2], pa.int64())}), mode="append",
                    schema_mode="merge")


def rs_transactions(path):
    write_deltalake(path, people())
    write_deltalake(path, people(20, 5), mode="append", commit_properties=CommitProperties(
        custom_metadata={"who": "a stranger"}, app_transactions=[Transaction("app", 7, None)]))


def rs_writers(path):
    """What its writer can do with a Parquet file."""
    first = True
    for compression in ("UNCOMPRESSED", "SNAPPY", "GZIP", "ZSTD", "LZ4_RAW", "BROTLI"):
        write_deltalake(
            path, everything(), mode="error" if first else "append",
            writer_properties=WriterProperties(
                compression=compression, data_page_row_count_limit=16, write_batch_size=8,
                max_row_group_size=32, statistics_truncate_length=4))
        first = False


def rs_checkpoints(path):
    configuration = {"delta.checkpointInterval": "2", "delta.logRetentionDuration": "interval 1 day"}
    hooks = PostCommitHookProperties(create_checkpoint=True)
    for n in range(7):
        write_deltalake(path, people(n * 10, 3), mode="append" if n else "error",
                        configuration=None if n else configuration,
                        post_commithook_properties=hooks)
    DeltaTable(path).compact_logs(1, 4)


def rs_struct_statistics(path):
    write_deltalake(path, everything(), configuration={
        "delta.checkpoint.writeStatsAsStruct": "true", "delta.checkpoint.writeStatsAsJson": "false",
        "delta.checkpointInterval": "1"})
    write_deltalake(path, everything(5), mode="append")
    DeltaTable(path).create_checkpoint()


def rs_repaired(path):
    for n in range(3):
        write_deltalake(path, people(n * 10, 3), mode="append" if n else "error")
    os.remove(DeltaTable(path).file_uris()[0].removeprefix("file://"))
    DeltaTable(path).repair(dry_run=False)


def rs_converted(path):
    """A folder of PyArrow's, made a table by delta-rs."""
    pyarrow.dataset.write_dataset(
        people(), path, format="parquet",
        partitioning=pyarrow.dataset.partitioning(pa.schema([("part", pa.int32())]), flavor="hive"))
    convert_to_deltalake(path, partition_by=Schema([Field("part", PrimitiveType("integer"))]),
                         partition_strategy="hive")
    write_deltalake(path, people(20, 5), mode="append")


def rs_feature(feature):
    def write(path):
        write_deltalake(path, people())
        DeltaTable(path).alter.add_feature(feature, allow_protocol_versions_increase=True)
        try:
            write_deltalake(path, people(20, 5), mode="append")
        except Exception as error:  # it may not write what it may declare
            assert "feature" in str(error).lower(), error
    write.__name__ = f"rs_feature_{feature}"
    return write


DELTA_RS = [
    rs_types, rs_local_timestamps, rs_partitions, rs_overwrites, rs_row_changes, rs_maintenance,
    rs_schema, rs_nullability, rs_generated, rs_transactions, rs_writers, rs_checkpoints,
    rs_struct_statistics, rs_repaired, rs_converted]

FEATURES = ["AppendOnly", "ChangeDataFeed", "CheckConstraints", "ColumnMapping", "DeletionVectors",
            "DomainMetadata", "GeneratedColumns", "IdentityColumns", "Invariants", "RowTracking",
            "IcebergCompatV1", "TimestampWithoutTimezone", "V2Checkpoint", "VariantType", "VariantTypePreview"]


# MARK: Polars

def polars_writes(path):
    frame = polars.from_arrow(people())
    frame.write_delta(path)
    polars.from_arrow(people(20, 5)).write_delta(path, mode="append")
    polars.from_arrow(people(30, 5)).write_delta(path, mode="ignore")
    polars.from_arrow(people(40, 5)).write_delta(path, mode="overwrite")
    (polars.from_arrow(people(42, 6)).with_columns(name=polars.lit("merged"))
     .write_delta(path, mode="merge", delta_merge_options={
         "predicate": "s.id = t.id", "source_alias": "s", "target_alias": "t"})
     .when_matched_update_all().when_not_matched_insert_all().execute())


def polars_types(path):
    polars.from_arrow(everything().drop_columns(["map"])).write_delta(
        path, delta_write_options={"partition_by": ["flag"]})


def folder(server, name):
    return os.path.join(server.data, "lake", "public", name)


def weir_table(server, name, version):
    place = f"files/{name}-{version}.parquet"
    server.sql(f"COPY (SELECT * FROM delta.'public/{name}' VERSION AS OF {version}) TO '{place}'")
    return pyarrow.parquet.read_table(os.path.join(server.data, "lake", place))


def same_at_every_version(server, name, first=0, theirs=with_deltalake_engine):
    path = folder(server, name)
    last = DeltaTable(path).version()
    for version in range(first, last + 1):
        assert canonical_rows(weir_table(server, name, version)) == canonical_rows(
            theirs(path, version)), f"version {version} of {last}"
    history = server.sql(f"DESCRIBE HISTORY delta.'public/{name}'")
    assert [(row[0], row[2]) for row in history] == [
        (entry["version"], entry["operation"]) for entry in DeltaTable(path).history()]
    assert [row for row in server.sql(f"FSCK TABLE delta.'public/{name}'")] == []
    return last


@pytest.mark.parametrize("write", DELTA_RS, ids=lambda w: w.__name__)
def test_delta_rs(lake, write):
    name = write.__name__
    write(folder(lake, name))
    # A repaired table has lost a file of its older versions.
    first = DeltaTable(folder(lake, name)).version() if write is rs_repaired else 0
    assert same_at_every_version(lake, name, first) >= 1 or write in (rs_types,)


@pytest.mark.parametrize("feature", FEATURES)
def test_features_that_delta_rs_declares(lake, feature):
    write = rs_feature(getattr(TableFeatures, feature))
    name = f"rs_feature_{feature.lower()}"
    write(folder(lake, name))
    same_at_every_version(lake, name)


def test_features_that_nobody_reads_are_refused_by_name(lake):
    path = folder(lake, "rs_nanos")
    write_deltalake(path, people())
    DeltaTable(path).alter.add_feature(
        [TableFeatures.TimestampWithoutTimezone, TableFeatures.TimestampNanos],
        allow_protocol_versions_increase=True)
    status, answer = lake.request(
        "POST", "/query", {"sql": "SELECT * FROM delta.'public/rs_nanos'"})
    assert status >= 400 and "timestampNanos" in str(answer), answer


@pytest.mark.parametrize("write", [polars_writes, polars_types], ids=lambda w: w.__name__)
def test_polars(lake, write):
    write(folder(lake, write.__name__))
    same_at_every_version(lake, write.__name__)


#: Tables of Weir to which DuckDB, which only appends, appends.
DUCKDB = {
    "plain": "", "parts": "PARTITIONED BY (part)",
    "vectors": 'WITH ("delta.enableDeletionVectors" = true)',
    "feed": 'WITH ("delta.enableChangeDataFeed" = true)',
    "moments": 'WITH ("delta.enableInCommitTimestamps" = true)',
    "mapped": 'WITH ("delta.columnMapping.mode" = \'name\')',
    "clustered": "CLUSTER BY (id)",
    "second_checkpoints": 'WITH ("delta.checkpointPolicy" = \'v2\', "delta.checkpointInterval" = 2)',
    "tracked": 'WITH ("delta.enableRowTracking" = true)',
}


@pytest.mark.parametrize("kind", DUCKDB)
def test_duckdb(lake, kind):
    name = "duck_" + kind
    lake.sql(f"CREATE TABLE {name} (id bigint, name text, part int) {DUCKDB[kind]}")
    lake.sql(f"INSERT INTO {name} SELECT n, 'n' || n, (n % 3)::int FROM generate_series(1, 9) AS n")
    connection = duck()
    connection.execute(f"ATTACH '{folder(lake, name)}' AS d (TYPE delta)")
    rows = "SELECT n, 'd' || n, n % 2 FROM range(100, 120) AS r(n)"
    if kind == "parts":
        # DuckDB 1.5.5 fails when rows belong to several partitions, and its connection with it.
        with pytest.raises(duckdb.InternalException, match="expects a single row"):
            connection.execute(f"INSERT INTO d {rows}")
        connection = duck()
        connection.execute(f"ATTACH '{folder(lake, name)}' AS d (TYPE delta)")
        rows += " WHERE n % 2 = 1"
    connection.execute(f"INSERT INTO d {rows}")
    connection.execute("INSERT INTO d VALUES (NULL, NULL, NULL)")
    lake.sql(f"DELETE FROM {name} WHERE id < 3" if kind != "tracked" else
             f"INSERT INTO {name} VALUES (1000, 'last', 0)")
    last = same_at_every_version(lake, name, theirs=with_duckdb)
    log = Log(folder(lake, name))
    assert last == 4 and "delta-kernel" in str(log.operation(2)).lower() or \
        "duckdb" in str(log.operation(2)).lower()


def test_duckdb_writes_all_types(lake):
    """DuckDB's own types into a table of delta-rs; it cannot cast Arrow's maps and structures."""
    path = folder(lake, "duck_types")
    data = everything().drop_columns(["map", "struct"])
    write_deltalake(path, data.slice(0, 0))
    connection = duck()
    connection.register("data", data)
    connection.execute(f"ATTACH '{path}' AS d (TYPE delta)")
    connection.execute("INSERT INTO d SELECT * FROM data")
    same_at_every_version(lake, "duck_types", theirs=with_duckdb)
    assert canonical_rows(weir_table(lake, "duck_types", 1)) == canonical_rows(data)
