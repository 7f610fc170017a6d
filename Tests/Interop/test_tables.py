"""Tables that Weir and others write in turn: after each statement every peer sees the same rows."""
import datetime
import decimal
import json
import os
import random
import threading

import polars
import pyarrow as pa
import pyarrow.parquet
import pytest
from conftest import new_server, remove, weir
from deltalake import DeltaTable, write_deltalake
from table_peers import duck


@pytest.fixture(scope="module")
def lake():
    server = new_server().start()
    yield server
    remove(server)


def folder(server, table):
    return os.path.join(server.data, "lake", "public", table)


def with_deltalake(path, version=None):
    return pa.table(DeltaTable(path, version=version).to_pyarrow_table()).to_pylist()


def with_deltalake_engine(path, version=None):
    """Through its own query engine, which knows deletion vectors and column mapping."""
    from deltalake import QueryBuilder
    query = QueryBuilder().register("t", DeltaTable(path, version=version))
    return pa.table(query.execute("SELECT * FROM t")).to_pylist()


def with_polars(path, version=None):
    return polars.scan_delta(path, version=version).collect().to_arrow().to_pylist()


def with_duckdb(path, version=None):
    option = f", version={version}" if version is not None else ""
    return duck().execute(f"SELECT * FROM delta_scan('{path}'{option})").to_arrow_table().to_pylist()


def plain(value):
    if isinstance(value, decimal.Decimal):
        return str(value)
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    return value


def rows_of(found):
    return sorted((tuple(plain(v) for v in row.values()) for row in found), key=repr)


def weir_rows(server, table):
    return sorted((tuple(row) for row in server.sql(f"SELECT * FROM {table}")), key=repr)


PLAIN = ""
VECTORS = "WITH (\"delta.enableDeletionVectors\" = true)"
FEED = "WITH (\"delta.enableChangeDataFeed\" = true)"
MAPPED = "WITH (\"delta.columnMapping.mode\" = 'name', \"delta.enableDeletionVectors\" = true)"

TRACKED = "WITH (\"delta.enableRowTracking\" = true)"

#: What reads what: delta-rs through pyarrow knows no deletion vectors, Polars no column mapping.
READERS = {
    "plain": (PLAIN, [with_deltalake, with_deltalake_engine, with_polars, with_duckdb]),
    "vectors": (VECTORS, [with_deltalake_engine, with_polars, with_duckdb]),
    "parts": ("PARTITIONED BY (part) " + VECTORS,
              [with_deltalake_engine, with_polars, with_duckdb]),
    "feed": (FEED, [with_deltalake, with_deltalake_engine, with_polars, with_duckdb]),
    "mapped": (MAPPED, [with_deltalake_engine, with_duckdb]),
    "tracked": (TRACKED, [with_deltalake, with_deltalake_engine, with_polars, with_duckdb]),
    "clustered": ("CLUSTER BY (part, price) " + VECTORS,
                  [with_deltalake_engine, with_polars, with_duckdb]),
}

STATEMENTS = [
    "INSERT INTO {t} SELECT n, 'name ' || n, (n % 3)::int, (n * 1.25)::numeric(10,2), "
    "TIMESTAMPTZ '2024-01-01 00:00:00+00' + n * INTERVAL '1 hour' "
    "FROM generate_series(1, 500) AS n",
    "INSERT INTO {t} VALUES (1001, NULL, NULL, NULL, NULL), (1002, 'ü', 1, 0.01, now())",
    "DELETE FROM {t} WHERE id % 7 = 0",
    "UPDATE {t} SET name = upper(name), price = price + 1 WHERE id BETWEEN 100 AND 160",
    "MERGE INTO {t} AS t USING (SELECT n, n % 2 AS odd FROM generate_series(480, 520) AS n) AS s "
    "ON t.id = s.n WHEN MATCHED AND s.odd = 1 THEN DELETE "
    "WHEN MATCHED THEN UPDATE SET name = 'merged' "
    "WHEN NOT MATCHED THEN INSERT (id, name, part) VALUES (s.n, 'new', 5) "
    "WHEN NOT MATCHED BY SOURCE AND t.id < 5 THEN DELETE",
    "DELETE FROM {t} WHERE part = 2",
    "OPTIMIZE {t}",
    "UPDATE {t} SET part = 9 WHERE part = 5",
    "OPTIMIZE {t} ZORDER BY (id, name)",
    "DELETE FROM {t} WHERE id > 505",
    "RESTORE TABLE {t} TO VERSION AS OF 4",
    "VACUUM {t}",
    "DELETE FROM {t}",
    "INSERT INTO {t} VALUES (1, 'after', 0, 1, now())",
]


@pytest.mark.parametrize("name", READERS)
def test_every_peer_sees_every_statement(lake, name):
    settings, readers = READERS[name]
    table = "t_" + name
    lake.sql(f"CREATE TABLE {table} (id bigint NOT NULL, name text, part int, "
             f"price numeric(10,2), at timestamptz) {settings}")
    path = folder(lake, table)
    counts = []
    for statement in STATEMENTS:
        if name == "clustered":
            statement = statement.replace("ZORDER BY (id, name)", "FULL")
        lake.sql(statement.format(t=table))
        mine = lake.sql(f"SELECT id, name, part, price FROM {table} ORDER BY id")
        expected = [(i, n, p, None if q is None else str(decimal.Decimal(q).quantize(
            decimal.Decimal("0.01")))) for i, n, p, q in mine]
        counts.append(len(expected))
        for read in readers:
            found = sorted(
                ((row["id"], row["name"], row["part"], plain(row["price"]))
                 for row in read(path)), key=lambda row: row[0])
            assert found == expected, f"{read.__name__} after {statement}"
    assert counts[0] == 500 and counts[-1] == 1 and counts[-2] == 0
    # Old versions, too, checkpoints or not.
    for version in range(1, 8):
        expected = lake.sql(f"SELECT count(*), sum(id) FROM {table} VERSION AS OF {version}")
        for read in readers:
            found = read(path, version)
            assert [[len(found), sum(row["id"] for row in found)]] == [
                [int(v or 0) for v in expected[0]]], f"{read.__name__} of version {version}"


def test_the_change_feed_is_that_of_delta_rs(lake):
    lake.sql("CREATE TABLE cdf (id bigint, name text) " + FEED)
    lake.sql("INSERT INTO cdf VALUES (1, 'a'), (2, 'b'), (3, 'c')")
    lake.sql("UPDATE cdf SET name = 'x' WHERE id < 3")
    lake.sql("DELETE FROM cdf WHERE id = 3")
    lake.sql("MERGE INTO cdf USING (VALUES (1), (9)) AS s (n) ON cdf.id = s.n "
             "WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (s.n, 'n')")
    path = folder(lake, "cdf")
    feed = pa.table(DeltaTable(path).load_cdf(starting_version=1)).to_pylist()
    theirs = sorted((r["_commit_version"], r["_change_type"], r["id"], r["name"]) for r in feed)
    ours = sorted(tuple(row) for row in lake.sql(
        "SELECT _commit_version, _change_type, id, name FROM table_changes('cdf', 1)"))
    assert ours == theirs
    assert len(ours) == 3 + 4 + 1 + 2


def test_tables_of_delta_rs_are_read_and_changed(lake):
    path = folder(lake, "foreign_rs")
    data = pa.table({
        "id": pa.array(range(1000), pa.int64()),
        "name": [f"n{n}" for n in range(1000)],
        "day": pa.array([datetime.date(2024, 1, 1 + n % 5) for n in range(1000)]),
        "tags": [[str(n), None] if n % 2 else None for n in range(1000)],
        "inner": [{"x": n, "y": str(n)} for n in range(1000)],
    })
    write_deltalake(path, data, partition_by=["day"],
                    configuration={"delta.enableChangeDataFeed": "true"})
    table = DeltaTable(path)
    table.delete("id % 10 = 3")
    table.update(updates={"name": "'changed'"}, predicate="id < 20")
    table.create_checkpoint()
    name = "delta.'public/foreign_rs'"
    assert lake.sql(f"SELECT count(*), sum(id) FROM {name}") == [[900, "449700"]] or \
        lake.sql(f"SELECT count(*), sum(id) FROM {name}") == [[900, 449700]]
    lake.sql(f"DELETE FROM {name} WHERE id % 10 = 4")
    lake.sql(f"UPDATE {name} SET name = 'weir' WHERE day = DATE '2024-01-02'")
    lake.sql(f"MERGE INTO {name} AS t USING (SELECT * FROM {name} WHERE id < 50) AS s "
             "ON t.id = s.id WHEN MATCHED THEN UPDATE SET *")
    table.update_incremental()
    found = pa.table(table.to_pyarrow_table()).to_pylist()
    assert len(found) == 800
    assert {r["name"] for r in found if r["day"].day == 2} == {"weir"}
    assert all(r["inner"] == {"x": r["id"], "y": str(r["id"])} for r in found)
    assert all(r["tags"] == ([str(r["id"]), None] if r["id"] % 2 else None) for r in found)
    # And back again.
    table.merge(data.slice(0, 5), "s.id = t.id", source_alias="s", target_alias="t") \
        .when_matched_update_all().execute()
    table.optimize.compact()
    assert lake.sql(f"SELECT count(*) FROM {name} WHERE name = 'n1'") == [[1]]
    assert lake.sql(f"SELECT count(*) FROM {name}") == [[800]]
    kinds = {row[0] for row in lake.sql(
        "SELECT DISTINCT _change_type FROM table_changes('delta.public/foreign_rs', 0, 2)")}
    assert kinds == {"insert", "delete", "update_preimage", "update_postimage"}


def test_tables_of_duckdb_and_polars_are_read(lake):
    path = folder(lake, "foreign_duck")
    write_deltalake(path, pa.table({"id": pa.array([], pa.int64()), "x": pa.array([], pa.string())}))
    connection = duck()
    connection.execute(f"ATTACH '{path}' AS d (TYPE delta)")
    connection.execute("INSERT INTO d SELECT n, 'x' || n FROM range(100) AS r(n)")
    polars.DataFrame({"id": [1000], "x": ["p"]}).write_delta(path, mode="append")
    name = "delta.'public/foreign_duck'"
    assert lake.sql(f"SELECT count(*), max(id) FROM {name}") == [[101, 1000]]
    lake.sql(f"DELETE FROM {name} WHERE id < 50")
    assert len(with_duckdb(path)) == 51 and len(with_polars(path)) == 51


def test_parquet_folders_are_read(lake):
    path = folder(lake, "loose")
    os.makedirs(path)
    for n in range(3):
        pyarrow.parquet.write_table(
            pa.table({"n": [n, n + 10], "t": ["a", None]}), os.path.join(path, f"{n}.parquet"))
    assert lake.sql("SELECT count(*), sum(n), count(t) FROM parquet.'public/loose'") in (
        [[6, "36", 3]], [[6, 36, 3]])
    assert lake.sql("SELECT n FROM parquet.'public/loose/1.parquet' ORDER BY n") == [[1], [11]]


def test_conditions_of_delta_rs_are_kept(lake):
    path = folder(lake, "strict")
    write_deltalake(path, pa.table({"id": pa.array([1, 2], pa.int64())}))
    DeltaTable(path).alter.add_constraint({"positive": "id > 0"})
    status, answer = lake.request(
        "POST", "/query", {"sql": "INSERT INTO delta.'public/strict' VALUES (-1)"})
    assert status >= 400 and "positive" in str(answer), answer
    lake.sql("INSERT INTO delta.'public/strict' VALUES (3)")
    assert len(with_deltalake(path)) == 3


def test_writers_at_the_same_time_lose_nothing(lake):
    """delta-rs appends while Weir appends, deletes, updates and optimizes the same table."""
    lake.sql("CREATE TABLE busy (id bigint, who text) " + PLAIN)
    path = folder(lake, "busy")
    appended, errors = [], []

    def append_with_delta_rs(worker):
        for n in range(12):
            rows = [worker * 100_000 + n * 10 + k for k in range(10)]
            for _ in range(200):
                try:
                    write_deltalake(path, pa.table(
                        {"id": pa.array(rows, pa.int64()), "who": [f"rs{worker}"] * 10}),
                        mode="append")
                    appended.extend(rows)
                    break
                except Exception as error:  # it gives up sooner than we do
                    if not any(word in str(error).lower()
                               for word in ("conflict", "version", "concurrent",
                                            "failed to commit transaction: 15")):
                        errors.append(str(error))
                        return
            else:
                errors.append("delta-rs never won")

    def append_with_weir(worker):
        for n in range(12):
            rows = [worker * 100_000 + n * 10 + k for k in range(10)]
            values = ", ".join(f"({row}, 'weir')" for row in rows)
            try:
                lake.sql(f"INSERT INTO busy VALUES {values}")
                appended.extend(rows)
            except AssertionError as error:
                errors.append(str(error))

    updates = []

    def change():
        for n in range(8):
            statement = random.choice([
                "OPTIMIZE busy", f"UPDATE busy SET who = 'seen {n}' WHERE id % 10 = {n}",
                f"DELETE FROM busy WHERE id < 0 AND id > {-n}"])
            status, answer = lake.request("POST", "/query", {"sql": statement})
            updates.append(status)
            # A statement may lose ten times in a row; then nothing of it has happened.
            if status != 200 and "40001" not in str(answer) and "committed version" not in str(answer):
                errors.append(str(answer))

    threads = [threading.Thread(target=append_with_delta_rs, args=(w,)) for w in (1, 2)]
    threads += [threading.Thread(target=append_with_weir, args=(w,)) for w in (3, 4)]
    threads += [threading.Thread(target=change)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    expected = sorted(appended)
    assert len(expected) == 480
    assert sorted(r["id"] for r in with_deltalake(path)) == expected
    assert [row[0] for row in lake.sql("SELECT id FROM busy ORDER BY id")] == expected
    versions = [int(name[:20]) for name in os.listdir(os.path.join(path, "_delta_log"))
                if name.endswith(".json") and not name.startswith("_")]
    assert sorted(versions) == list(range(len(versions)))


def test_killed_while_rows_change():
    """kill -9 in the middle of statements: what was answered is there, the table is whole."""
    server = new_server().start()
    try:
        server.sql("CREATE TABLE k (id bigint, amount bigint) "
                   "WITH (\"delta.enableDeletionVectors\" = true)")
        server.sql("CREATE TABLE c (id bigint, amount bigint) "
                   "WITH (\"delta.enableChangeDataFeed\" = true)")
        answered = {"k": set(), "c": set()}
        tried = {"k": set(), "c": set()}
        number = [0]
        for _ in range(6):
            stop = threading.Event()

            def work(table):
                while not stop.is_set():
                    number[0] += 2
                    n = number[0]
                    tried[table].update((n, n + 1))
                    for sql in (
                            f"INSERT INTO {table} VALUES ({n}, 100), ({n + 1}, 100)",
                            # Moves amounts about; their sum stays.
                            f"UPDATE {table} SET amount = amount + CASE WHEN id % 2 = 0 "
                            f"THEN 7 ELSE -7 END WHERE id >= {n - 8}",
                            f"OPTIMIZE {table}"):
                        try:
                            status, _ = server.request("POST", "/query", {"sql": sql})
                        except OSError:
                            return
                        if status == 200 and sql.startswith("INSERT"):
                            answered[table].update((n, n + 1))

            threads = [threading.Thread(target=work, args=(t,)) for t in ("k", "c")]
            for thread in threads:
                thread.start()
            stop.wait(random.uniform(0.2, 1.2))
            server.kill()
            stop.set()
            for thread in threads:
                thread.join()
            server.start()
            for table in ("k", "c"):
                assert server.sql(f"FSCK TABLE {table}") == []
                rows = server.sql(f"SELECT id, amount FROM {table}")
                ids = [row[0] for row in rows]
                assert len(ids) == len(set(ids))
                assert answered[table] <= set(ids) <= tried[table]
                assert sum(row[1] for row in rows) == 100 * len(rows)
                theirs = with_deltalake_engine(folder(server, table))
                assert sorted((r["id"], r["amount"]) for r in theirs) == sorted(map(tuple, rows))
        assert answered["k"] and answered["c"]
    finally:
        remove(server)


def test_tables_are_looked_after_from_the_shell(lake):
    at = ["--http-server", f"127.0.0.1:{lake.http_port}"]
    lake.sql("CREATE TABLE shell (id bigint, name text)")
    for n in range(4):
        lake.sql(f"INSERT INTO shell VALUES ({n}, 'n{n}')")
    out = weir("table", "files", "shell", "-o", "ndjson", *at)[1]
    assert len(out.splitlines()) == 4
    assert "public.shell" in weir("table", "optimize", "shell", "--order-by", "name", *at)[1]
    assert len(weir("table", "files", "shell", "-o", "ndjson", *at)[1].splitlines()) == 1
    weir("table", "vacuum", "public/shell", "--dry-run", *at)
    code, _, err = weir("table", "vacuum", "shell", "--retain", "0", *at, check=None)
    assert code != 0 and "must be forced" in err
    weir("table", "restore", "shell", "--to-version", "2", *at)
    assert lake.sql("SELECT count(*) FROM shell") == [[2]]
    code, _, err = weir("table", "restore", "shell", *at, check=None)
    assert code != 0 and "--to-version" in err
    assert weir("table", "fsck", "shell", *at)[0] == 0
    os.remove(next(os.path.join(folder(lake, "shell"), f) for f in os.listdir(
        folder(lake, "shell")) if f in {row[0] for row in lake.sql("DESCRIBE FILES shell")}))
    code, out, _ = weir("table", "fsck", "shell", *at, check=None)
    assert code == 1 and "is missing" in out


def test_row_numbers_are_those_that_others_expect(lake):
    lake.sql("CREATE TABLE numbered (id bigint) WITH (\"delta.enableRowTracking\" = true, "
             "\"delta.enableDeletionVectors\" = true, \"delta.enableInCommitTimestamps\" = true)")
    lake.sql("INSERT INTO numbered SELECT n FROM generate_series(1, 10) AS n")
    path = folder(lake, "numbered")
    connection = duck()
    connection.execute(f"ATTACH '{path}' AS d (TYPE delta)")
    connection.execute("INSERT INTO d SELECT n FROM range(100, 105) AS r(n)")
    lake.sql("INSERT INTO numbered VALUES (1000)")
    lake.sql("DELETE FROM numbered WHERE id = 3")
    for read in (with_deltalake_engine, with_polars, with_duckdb):
        assert len(read(path)) == 15, read.__name__
    bases = []
    for name in sorted(os.listdir(os.path.join(path, "_delta_log"))):
        if name.endswith(".json") and name[0] != "_":
            with open(os.path.join(path, "_delta_log", name)) as commit:
                for line in commit:
                    add = json.loads(line).get("add")
                    if add:
                        bases.append((add["baseRowId"], add["defaultRowCommitVersion"]))
    assert bases == [(0, 1), (10, 2), (15, 3), (0, 1)]
    lake.sql("UPDATE numbered SET id = 0 WHERE id = 1")
    lake.sql("OPTIMIZE numbered ZORDER BY (id)")
    marks = dict(lake.sql("SELECT id, _metadata.row_id FROM numbered"))
    # Rows 10 and up are DuckDB's, the last one came after them; row 0 has been changed.
    assert marks == {0: 0, **{n: n - 1 for n in range(2, 11) if n != 3},
                     **{n: n - 90 for n in range(100, 105)}, 1000: 15}
    for read in (with_deltalake_engine, with_polars, with_duckdb):
        assert sorted(row["id"] for row in read(path)) == sorted(marks), read.__name__
    # The columns that carry the marks are where the format's own implementation looks for them.
    newest = pa.table(DeltaTable(path).get_add_actions(flatten=True)).to_pylist()
    configuration = DeltaTable(path).metadata().configuration
    (data,) = [pyarrow.parquet.read_table(os.path.join(path, row["path"])) for row in newest]
    numbers = data.column(configuration["delta.rowTracking.materializedRowIdColumnName"])
    versions = data.column(configuration["delta.rowTracking.materializedRowCommitVersionColumnName"])
    found = {row: (number, version) for row, number, version in zip(
        data.column("id").to_pylist(), numbers.to_pylist(), versions.to_pylist())}
    assert found[0] == (0, 5) and found[2] == (1, 1) and found[104] == (14, 2)


@pytest.mark.parametrize("name", ["plain", "vectors", "parts", "mapped"])
def test_a_clone_is_read_by_others(lake, name):
    """By DuckDB and delta-rs's own engine; Polars and pyarrow know no files outside of the folder."""
    settings, _ = READERS[name]
    lake.sql(f"CREATE TABLE source_{name} (id bigint, name text, part int) {settings}")
    for first in (1, 101):
        lake.sql(f"INSERT INTO source_{name} SELECT n, 'name ' || n, (n % 3)::int "
                 f"FROM generate_series({first}, {first + 99}) AS n")
    lake.sql(f"DELETE FROM source_{name} WHERE id < 100 AND id % 10 = 3")
    lake.sql(f"CREATE TABLE clone_{name} SHALLOW CLONE source_{name}")
    path = folder(lake, f"clone_{name}")

    def all_see(count):
        expected = weir_rows(lake, f"clone_{name}")
        assert len(expected) == count
        for read in (with_deltalake_engine, with_duckdb):
            assert rows_of(read(path)) == expected, read.__name__
    all_see(190)
    lake.sql(f"DELETE FROM clone_{name} WHERE id > 100 AND id % 10 = 4")
    lake.sql(f"INSERT INTO clone_{name} VALUES (1000, 'own', 1)")
    all_see(181)
    assert f"/source_{name}/" in str(lake.sql(f"DESCRIBE FILES clone_{name}"))
    assert len(weir_rows(lake, f"source_{name}")) == 190
    lake.sql(f"VACUUM clone_{name}")
    assert lake.sql(f"FSCK TABLE clone_{name}") == lake.sql(f"FSCK TABLE source_{name}") == []


def test_rows_that_do_not_fit_wait_on_the_disk():
    """With 1 MiB of memory for the rows of MERGE and OPTIMIZE."""
    server = new_server().start("--lake-memory", "1")
    try:
        server.sql("CREATE TABLE big (id bigint, name text)")
        server.sql("INSERT INTO big SELECT n, 'a name of some length ' || n "
                   "FROM generate_series(1, 100000) AS n")
        server.sql("CREATE TABLE source AS SELECT n * 2 AS id, 'another name of this row' AS name "
                   "FROM generate_series(1, 60000) AS n")
        server.sql("MERGE INTO big AS t USING source AS s ON t.id = s.id "
                   "WHEN MATCHED THEN UPDATE SET name = s.name WHEN NOT MATCHED THEN INSERT *")
        server.sql("OPTIMIZE big ZORDER BY (name, id)")
        expected = [(n, "another name of this row" if n % 2 == 0 else f"a name of some length {n}")
                    for n in range(1, 120001) if n <= 100000 or n % 2 == 0]
        for read in (with_deltalake, with_polars, with_duckdb):
            found = sorted((row["id"], row["name"]) for row in read(folder(server, "big")))
            assert found == expected, read.__name__
        assert os.listdir(os.path.join(server.data, "spill")) == []
    finally:
        remove(server)
