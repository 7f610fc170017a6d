"""Every operation of Weir × every reader × every version: rows, statistics, history.

A scenario is a kind of table and the statements that are run on it. Afterwards each version is read
by Weir and by every peer, its statistics are compared with the content of its files, and its
history with what deltalake shows. WEIR_MATRIX_RESULTS=FILE writes what was read as JSON.
"""
import datetime
import json
import os
import re

import polars
import pyarrow as pa
import pyarrow.parquet
import pytest
from conftest import new_server, remove
from deltalake import DeltaTable
from table_peers import (READERS, Log, canonical_rows, check_history, check_listed,
                         check_statistics, duck, refusal)

COLUMNS = ("id bigint NOT NULL, name text, part int, price numeric(10,2), big numeric(25,4), "
           "at timestamptz, day date, flag boolean, score double precision, ratio real, "
           "small smallint, raw bytea, tags text[]")

ROW = ("n, CASE WHEN n % 11 <> 0 THEN 'name ' || n || repeat(' é', (n % 30)::int) END, (n % 3)::int, "
       "(n * 1.25)::numeric(10,2), n * 1234567890123.0625, "
       "TIMESTAMPTZ '2024-01-01 00:00:00.123456+00' + n * INTERVAL '37 minutes', "
       "DATE '2023-12-30' + (n % 400)::int, n % 2 = 0, n / 8.0::double precision - 3, "
       "(n / 4.0)::real, (n % 100)::smallint, CASE WHEN n % 2 = 0 THEN '\\x00ff'::bytea END, "
       "CASE WHEN n % 5 = 0 THEN NULL WHEN n % 5 = 1 THEN ARRAY[]::text[] "
       "ELSE ARRAY['t' || n, NULL, 'u'] END")

#: (statement, the operation that the table's history must name). One or more versions each.
GENERAL = [
    (f"INSERT INTO {{t}} SELECT {ROW} FROM generate_series(1, 150) AS n", "WRITE"),
    ("INSERT INTO {t} (id, name, score, at) VALUES (1001, NULL, 'NaN', NULL), "
     "(1002, 'ü 𝄞 \U0010ffff', '-Infinity', '1969-12-31 23:59:59.999999+00'), "
     "(1003, repeat('😀', 40), '-0', '2262-04-12 00:00:00+00')", "WRITE"),
    ("DELETE FROM {t} WHERE id % 7 = 0", "DELETE"),
    ("UPDATE {t} SET name = upper(name), price = price + 1 WHERE id BETWEEN 20 AND 60", "UPDATE"),
    ("MERGE INTO {t} AS t USING (SELECT n, n % 2 AS odd FROM generate_series(140, 170) AS n) AS s "
     "ON t.id = s.n WHEN MATCHED AND s.odd = 1 THEN DELETE "
     "WHEN MATCHED THEN UPDATE SET name = 'merged' "
     "WHEN NOT MATCHED THEN INSERT (id, name, part) VALUES (s.n, 'new', 5) "
     "WHEN NOT MATCHED BY SOURCE AND t.id < 5 THEN DELETE", "MERGE"),
    ("DELETE FROM {t} WHERE part = 2", "DELETE"),
    ("OPTIMIZE {t}", "OPTIMIZE"),
    ("UPDATE {t} SET part = 9 WHERE part = 5", "UPDATE"),
    ("OPTIMIZE {t} {order}", "OPTIMIZE"),
    ("INSERT INTO {t} REPLACE WHERE part = 1 SELECT id + 2000, name, part, price, big, at, day, "
     "flag, score, ratio, small, raw, tags FROM {t} WHERE part = 1 AND id % 2 = 0", "WRITE"),
    ("INSERT OVERWRITE {t} {partition} SELECT * FROM {t} WHERE id > 30", "WRITE"),
    ("UPDATE {t} SET name = s.label FROM (VALUES (2046, 'joined'), (45, 'too')) AS s (id, label) "
     "WHERE {t}.id = s.id", "UPDATE"),
    ("DELETE FROM {t} USING (VALUES (33), (36)) AS s (id) WHERE {t}.id = s.id", "DELETE"),
    ("ALTER TABLE {t} ADD COLUMN later text", "ADD COLUMNS"),
    ("INSERT INTO {t} (id, later) VALUES (3001, 'with'), (3002, NULL)", "WRITE"),
    ("ALTER TABLE {t} ADD CONSTRAINT positive CHECK (id > 0)", "ADD CONSTRAINT"),
    ("COPY {t} (id, name) FROM 'files/{t}.csv' WITH (FORMAT csv, HEADER true)", "WRITE"),
    ("RESTORE TABLE {t} TO VERSION AS OF 4", "RESTORE"),
    ("VACUUM {t}", "VACUUM END"),
    ("DELETE FROM {t} WHERE id < 100", "DELETE"),
    ("ALTER TABLE {t} DROP CONSTRAINT IF EXISTS positive", None),
    ("COMMENT ON TABLE {t} IS 'as of now'", None),
    ("TRUNCATE {t}", "TRUNCATE"),
    ("INSERT INTO {t} BY NAME SELECT 7::bigint AS id, 'back' AS name", "WRITE"),
    ("CREATE OR REPLACE TABLE {t} {kind} AS SELECT * FROM {t}", "CREATE OR REPLACE TABLE AS SELECT"),
    ("INSERT INTO {t} (id, part) VALUES (8, 0)", "WRITE"),
]



def with_settings(*settings, words=""):
    """The table's clauses. Nothing is merged by itself, so that each statement is its versions."""
    return f"{words} WITH ({', '.join([*settings, MAINTENANCE])})"


MAINTENANCE = '"weir.maintenance" = \'off\''
VECTORS = '"delta.enableDeletionVectors" = true'
FEED = '"delta.enableChangeDataFeed" = true'
MAPPED = '"delta.columnMapping.mode" = \'name\''
TRACKED = '"delta.enableRowTracking" = true'
OFTEN = '"delta.checkpointInterval" = 3'

#: Kinds of tables on which the general statements run.
KINDS = {
    "plain": with_settings(),
    "partitioned": with_settings(words="PARTITIONED BY (part, day)"),
    "vectors": with_settings(VECTORS),
    "vectors_partitioned": with_settings(VECTORS, words="PARTITIONED BY (part)"),
    "feed": with_settings(FEED),
    "feed_vectors": with_settings(FEED, VECTORS),
    "commit_timestamps": with_settings('"delta.enableInCommitTimestamps" = true'),
    "mapped": with_settings(MAPPED),
    "mapped_partitioned": with_settings(MAPPED, words="PARTITIONED BY (part)"),
    "clustered": with_settings(VECTORS, words="CLUSTER BY (part, price)"),
    "row_tracking": with_settings(TRACKED, VECTORS),
    "row_tracking_copies": with_settings(TRACKED, words="PARTITIONED BY (part)"),
    "checkpoints": with_settings(OFTEN),
    "checkpoints_struct": with_settings(
        OFTEN, '"delta.checkpoint.writeStatsAsStruct" = true',
        '"delta.checkpoint.writeStatsAsJson" = false'),
    "checkpoints_v2": with_settings(OFTEN, '"delta.checkpointPolicy" = \'v2\''),
}

#: Statements of their own: (create, [(statement, operation)]).
SPECIAL = {
    "computed": (
        "CREATE TABLE {t} (n bigint GENERATED ALWAYS AS IDENTITY (START 10 INCREMENT 5), a int, "
        "twice bigint GENERATED ALWAYS AS (a * 2), d text DEFAULT 'none')",
        [("INSERT INTO {t} (a) VALUES (1), (2), (3)", "WRITE"),
         ("INSERT INTO {t} (a, d) VALUES (4, 'own'), (5, NULL)", "WRITE"),
         ("UPDATE {t} SET a = a + 10 WHERE a > 3", "UPDATE"),
         ("MERGE INTO {t} AS t USING (VALUES (1), (99)) AS s (a) ON t.a = s.a "
          "WHEN MATCHED THEN UPDATE SET d = 'merged' "
          "WHEN NOT MATCHED THEN INSERT (a) VALUES (s.a)", "MERGE"),
         ("ALTER TABLE {t} ALTER COLUMN d SET DEFAULT 'other'", None),
         ("INSERT INTO {t} (a) VALUES (7)", "WRITE"),
         ("OPTIMIZE {t}", "OPTIMIZE"), ("DELETE FROM {t} WHERE twice > 25", "DELETE")]),
    "columns_change": (
        "CREATE TABLE {t} (id bigint NOT NULL, a text, b int) WITH (" + MAPPED + ")",
        [("INSERT INTO {t} VALUES (1, 'x', 10), (2, 'y', 20)", "WRITE"),
         ("ALTER TABLE {t} RENAME COLUMN a TO \"a title\"", "RENAME COLUMN"),
         ("UPDATE {t} SET \"a title\" = 'z' WHERE id = 2", "UPDATE"),
         ("ALTER TABLE {t} DROP COLUMN b", "DROP COLUMNS"),
         ("ALTER TABLE {t} ADD COLUMN b text AFTER id", "ADD COLUMNS"),
         ("INSERT INTO {t} VALUES (3, 'new b', 'w')", "WRITE"),
         ("ALTER TABLE {t} ALTER COLUMN id DROP NOT NULL", None),
         ("OPTIMIZE {t}", "OPTIMIZE"), ("DELETE FROM {t} WHERE id = 1", "DELETE")]),
    "mapped_later": (
        "CREATE TABLE {t} (id bigint, a text)",
        [("INSERT INTO {t} VALUES (1, 'x'), (2, 'y')", "WRITE"),
         ("ALTER TABLE {t} SET TBLPROPERTIES (" + MAPPED + ")", "SET TBLPROPERTIES"),
         ("ALTER TABLE {t} RENAME COLUMN a TO b", "RENAME COLUMN"),
         ("INSERT INTO {t} VALUES (3, 'z')", "WRITE")]),
    "widened": (
        "CREATE TABLE {t} (id int, a smallint, b real, c date, d numeric(4,1)) "
        "WITH (\"delta.enableTypeWidening\" = true)",
        [("INSERT INTO {t} VALUES (1, 1, 1.5, '2024-01-02', 10.5)", "WRITE"),
         ("ALTER TABLE {t} ALTER COLUMN a TYPE bigint", "CHANGE COLUMN"),
         ("ALTER TABLE {t} ALTER COLUMN b TYPE double precision", "CHANGE COLUMN"),
         ("ALTER TABLE {t} ALTER COLUMN c TYPE timestamp", "CHANGE COLUMN"),
         ("ALTER TABLE {t} ALTER COLUMN d TYPE numeric(10,3)", "CHANGE COLUMN"),
         ("INSERT INTO {t} VALUES (2, 5000000000, 0.1, '2024-01-02 03:04:05', 1000.125)", "WRITE"),
         ("OPTIMIZE {t}", "OPTIMIZE"), ("UPDATE {t} SET a = a + 1", "UPDATE")]),
    "local_timestamps": (
        "CREATE TABLE {t} (id int, at timestamp)",
        [("INSERT INTO {t} VALUES (1, '2024-01-02 03:04:05.678901'), (2, NULL), "
          "(3, '1969-12-31 23:59:59.999999')", "WRITE"),
         ("UPDATE {t} SET at = at + INTERVAL '1 day' WHERE id = 1", "UPDATE"),
         ("DELETE FROM {t} WHERE at IS NULL", "DELETE")]),
    "variants": (
        "CREATE TABLE {t} (id bigint, v variant)",
        [("INSERT INTO {t} SELECT 1, parse_json('{{\"a\": [1, \"x\", null], \"b\": 2.5}}') "
          "UNION ALL SELECT 2, NULL UNION ALL SELECT 3, 7::variant", "WRITE"),
         ("UPDATE {t} SET v = parse_json('[true]') WHERE id = 3", "UPDATE"),
         ("OPTIMIZE {t}", "OPTIMIZE")]),
    "evolved": (
        "CREATE TABLE {t} PARTITIONED BY (part) AS SELECT n AS id, (n % 3)::int AS part "
        "FROM generate_series(1, 9) AS n",
        [("MERGE WITH SCHEMA EVOLUTION INTO {t} AS t USING (VALUES (1, 'one'), (99, 'new')) "
          "AS s (id, name) ON t.id = s.id WHEN MATCHED THEN UPDATE SET * "
          "WHEN NOT MATCHED THEN INSERT *", "MERGE"),
         ("INSERT OVERWRITE {t} PARTITION (part = 1) SELECT id + 50, name FROM {t} WHERE part = 1",
          "WRITE"),
         ("INSERT OVERWRITE {t} VALUES (1, 2, 'all')", "WRITE"),
         ("CREATE OR REPLACE TABLE {t} (other text, n int DEFAULT 5)", "CREATE OR REPLACE TABLE"),
         ("INSERT INTO {t} (other) VALUES ('x')", "WRITE")]),
    "documents": (
        "CREATE TABLE {t} (id uuid, doc jsonb)",
        [("INSERT INTO {t} VALUES ('6f1f0c3e-0f5d-4f9a-9f6e-0a3b5c7d9e1f', '{{\"a\": [1, 2]}}'), "
          "(NULL, NULL)", "WRITE"),
         ("DELETE FROM {t} WHERE id IS NULL", "DELETE")]),
    "compacted_log": (
        "CREATE TABLE {t} (id bigint, name text) WITH (\"delta.checkpointInterval\" = 200)",
        [("INSERT INTO {t} VALUES (" + str(n) + ", 'n')", "WRITE") for n in range(52)]
        + [("DELETE FROM {t} WHERE id = 5", "DELETE")]),
    "settings": (
        "CREATE TABLE {t} (id bigint, name text)",
        [("INSERT INTO {t} VALUES (1, 'a')", "WRITE"),
         ("ALTER TABLE {t} SET TBLPROPERTIES ('delta.appendOnly' = 'true')", "SET TBLPROPERTIES"),
         ("INSERT INTO {t} VALUES (2, 'b')", "WRITE"),
         ("ALTER TABLE {t} UNSET TBLPROPERTIES ('delta.appendOnly')", "UNSET TBLPROPERTIES"),
         ("ALTER TABLE {t} SET TBLPROPERTIES ('delta.dataSkippingNumIndexedCols' = '1')",
          "SET TBLPROPERTIES"),
         ("INSERT INTO {t} VALUES (3, 'c')", "WRITE"),
         ("ALTER TABLE {t} CLUSTER BY (id)", "CLUSTER BY"),
         ("OPTIMIZE {t} FULL", "OPTIMIZE")]),
}

RESULTS = {}


@pytest.fixture(scope="module")
def lake():
    server = new_server().start()
    os.makedirs(os.path.join(server.data, "lake", "files"))
    yield server
    remove(server)
    place = os.environ.get("WEIR_MATRIX_RESULTS")
    if place:
        with open(place, "w") as file:
            json.dump(RESULTS, file, indent=1)


def folder(server, table):
    return os.path.join(server.data, "lake", "public", table)


def weir_table(server, table, version):
    """The rows as Weir's own Parquet files carry them: with every digit and type."""
    place = f"files/{table}-{version}.parquet"
    server.sql(f"COPY (SELECT * FROM {table} VERSION AS OF {version}) TO '{place}'")
    return pyarrow.parquet.read_table(os.path.join(server.data, "lake", place))


def known_wrong(reader, metadata, mine):
    """What a peer is known to answer in the place of the right rows, and why; or None."""
    columns = metadata["partitionColumns"]
    if reader == "duckdb" and columns and "delta.columnMapping.mode" in metadata["configuration"]:
        names, rows = mine
        lost = {names.index(name) for name in columns}
        rows = [[None if n in lost else value for n, value in enumerate(row)] for row in rows]
        if rows != mine[1]:
            return ("DuckDB 1.5.5 has NULL for partition columns under column mapping",
                    (names, sorted(rows, key=repr)))
    return None


def weir_history(server, table):
    return [(row[0], row[2], row[4]) for row in server.sql(f"DESCRIBE HISTORY {table}")]


def run(server, table, create, statements, reads=True):
    """Runs the statements; returns the rows that the table had after each statement, by version."""
    path = folder(server, table)
    server.sql(create.format(t=table))
    seen = {}
    for statement, operation in statements:
        before = Log(path).version
        server.sql(statement)
        log = Log(path)
        assert log.version >= before
        for version in range(before + 1, log.version + 1):
            name = log.operation(version)["operation"]
            if version == log.version and operation:
                assert name == operation, statement
        if operation and operation not in ("OPTIMIZE", "VACUUM END"):
            assert log.version > before, statement
        if reads:
            seen[log.version] = canonical_rows(weir_table(server, table, log.version))
    return seen


def kind_of(name):
    return "general" if name in KINDS else "special"


#: Conditions that most files are ruled out by, on bounds that were cut or rounded.
CONDITIONS = [
    "id >= 100 AND id < 130", "\"at\" < TIMESTAMPTZ '2024-01-02 12:00:00.0001+00'",
    "\"at\" >= TIMESTAMPTZ '2024-01-04 00:00:00.123456+00'", "price > 100.00 AND price <= 120.00",
    "name >= 'name 25 é é é é é é é é é é é é é'", "name IS NULL", "score < -2.5", "big > 20000000000000.5",
]


def check_skipping(server, table, path, version, protocol, metadata, adds, rows):
    """Readers that skip files by the statistics find as many rows as Weir does."""
    # The columns are these from the first version on.
    mine = [server.sql(f"SELECT count(*) FROM {table} VERSION AS OF {version} WHERE {c}")[0][0]
            for c in CONDITIONS]
    words = ", ".join(f"count(*) FILTER (WHERE {c})" for c in CONDITIONS)
    assert server.sql(f"SELECT {words} FROM {table} VERSION AS OF {version}") == [mine]
    if not known_wrong("duckdb", metadata, rows) and version % 3 == 1:
        connection = duck()
        theirs = [connection.execute(
            f"SELECT count(*) FROM delta_scan('{path}', version={version}) WHERE {c}"
        ).fetchone()[0] for c in CONDITIONS]
        assert theirs == mine, f"duckdb at version {version}"
    if not refusal("delta-rs engine", protocol, metadata, adds) and version % 3 == 2:
        from deltalake import QueryBuilder
        query = QueryBuilder().register("t", DeltaTable(path, version=version))
        theirs = [pa.table(query.execute(
            "SELECT count(*) AS n FROM t WHERE " + c.replace("TIMESTAMPTZ", "TIMESTAMP")
        )).to_pylist()[0]["n"] for c in CONDITIONS]
        assert theirs == mine, f"delta-rs at version {version}"
    if not refusal("polars", protocol, metadata, adds) and version % 3 == 0:
        scan = polars.scan_delta(path, version=version)
        moment = datetime.datetime(2024, 1, 2, 12, 0, 0, 100, datetime.timezone.utc)
        assert scan.filter(polars.col("at") < moment).collect().height == mine[1]
        assert scan.filter(polars.col("id").is_between(100, 129)).collect().height == mine[0]


def check(server, table, seen, name):
    """Every version, every reader."""
    path = folder(server, table)
    log = Log(path)
    bounds = 0
    for version in range(log.version + 1):
        mine = canonical_rows(weir_table(server, table, version))
        assert seen.get(version, mine) == mine, f"Weir at version {version}"
        protocol, metadata, adds = log.state(version)
        bounds += check_statistics(log, version)
        for reader, read in READERS.items():
            counts = RESULTS.setdefault(name, {}).setdefault(reader, {"read": 0, "refused": {}})
            refused = refusal(reader, protocol, metadata, adds)
            if refused:
                feature, pattern = refused
                with pytest.raises(Exception, match=pattern):
                    read(path, version)
                counts["refused"][feature] = counts["refused"].get(feature, 0) + 1
                continue
            theirs = canonical_rows(read(path, version))
            wrong = known_wrong(reader, metadata, mine)
            if wrong:
                reason, expected = wrong
                assert theirs == expected, f"{reader} at version {version}: {reason}"
                counts.setdefault("wrong", {}).setdefault(reason, 0)
                counts["wrong"][reason] += 1
                continue
            assert theirs == mine, f"{reader} at version {version}"
            counts["read"] += 1
            if reader == "deltalake":
                check_listed(path, log, version)
        if kind_of(name) == "general":
            check_skipping(server, table, path, version, protocol, metadata, adds, mine)
    assert bounds > 0
    check_history(path, weir_history(server, table))
    assert server.sql(f"FSCK TABLE {table}") == []


def general(server, kind):
    """(table, its creation, the general statements) of a kind of table."""
    settings, table = KINDS[kind], "g_" + kind
    with open(os.path.join(server.data, "lake", "files", table + ".csv"), "w") as file:
        file.write("id,name\n4001,copied\n4002,\n")
    columns = re.search(r"PARTITIONED BY (\(.*?\))", settings)
    words = {
        "t": table, "kind": settings,
        "order": "FULL" if "CLUSTER" in settings else "ZORDER BY (id, name)",
        "partition": "PARTITION " + columns[1] if columns else ""}
    return (table, f"CREATE TABLE {{t}} ({COLUMNS}) {settings}",
            [(s.format(**words), o) for s, o in GENERAL])


@pytest.mark.parametrize("kind", KINDS)
def test_general_operations(lake, kind):
    table, create, statements = general(lake, kind)
    seen = run(lake, table, create, statements)
    check(lake, table, seen, kind)


@pytest.mark.parametrize("kind", SPECIAL)
def test_special_operations(lake, kind):
    create, statements = SPECIAL[kind]
    table = "s_" + kind
    seen = run(lake, table, create, [(s.format(t=table), o) for s, o in statements])
    check(lake, table, seen, kind)
