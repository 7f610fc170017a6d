"""`weir sql ./folder` and `weir table … ./folder`: tables without a server."""
import json
import os
import stat

import duckdb
import pyarrow as pa
import pyarrow.parquet
import pytest
from conftest import weir
from deltalake import DeltaTable, write_deltalake

ROWS = pa.table({"id": [1, 2, 3], "name": ["a", "b", "c"]})


@pytest.fixture
def lake(tmp_path):
    root = tmp_path / "lake"
    write_deltalake(root / "bronze" / "events", ROWS)
    write_deltalake(root / "bronze" / "events", ROWS, mode="append")
    write_deltalake(root / "users", ROWS)
    pyarrow.parquet.write_table(ROWS, root / "x.parquet")
    os.makedirs(root / "raw" / "day=1")
    pyarrow.parquet.write_table(ROWS, root / "raw" / "day=1" / "part.parquet")
    os.makedirs(root / "_hidden")
    pyarrow.parquet.write_table(ROWS, root / "_hidden" / "part.parquet")
    return str(root)


def sql(place, *statements, check=0):
    arguments = [word for statement in statements for word in ("-c", statement)]
    return weir("sql", place, "-o", "json", *arguments, check=check)


def rows(place, statement):
    return json.loads(sql(place, statement)[1])["rows"]


def test_finds_tables_and_files(lake):
    _, out, _ = weir("table", "list", lake, "-o", "json")
    found = {table["name"]: table["rows"] for table in json.loads(out)["tables"]}
    assert found == {"bronze.events": 6, "public.users": 3, "public.x": None, "public.raw": None}
    assert rows(lake, "SELECT count(*) FROM bronze.events") == [[6]]
    assert rows(lake, "SELECT sum(id) FROM raw JOIN x USING (id)") == [["6"]] or \
        rows(lake, "SELECT sum(id) FROM raw JOIN x USING (id)") == [[6]]
    assert rows(lake, "SELECT count(*) FROM delta.'bronze/events' VERSION AS OF 0") == [[3]]
    assert rows(lake, f"SELECT count(*) FROM parquet.'{lake}/x.parquet'") == [[3]]
    assert rows(lake, "SELECT count(*) FROM parquet.'../lake/x.parquet'") == [[3]]


def test_folders_of_partitions(tmp_path):
    data = pa.table({"id": list(range(100)), "day": [f"2026-01-0{1 + i % 3}" for i in range(100)],
                     "kind": [None if i % 10 == 0 else f"k/{i % 2}" for i in range(100)]})
    pyarrow.parquet.write_to_dataset(data, tmp_path / "lake" / "parts", partition_cols=["day", "kind"])
    place = str(tmp_path / "lake")
    assert rows(place, "SELECT count(*), count(kind), max(day)::text FROM parts") == [[100, 90, "2026-01-03"]]
    assert rows(place, "SELECT sum(id) FROM parts WHERE kind = 'k/1'")[0][0] in (2500, "2500")
    answer = json.loads(sql(place, "SELECT count(*) FROM parts WHERE day = date '2026-01-02'")[1])
    assert answer["rows"] == [[33]]
    assert answer["scan"]["files_skipped"] == 6
    os.makedirs(tmp_path / "lake" / "parts" / "other=1")
    pyarrow.parquet.write_table(data, tmp_path / "lake" / "parts" / "other=1" / "x.parquet")
    _, _, err = weir("sql", place, "-c", "SELECT * FROM parts", check=1)
    assert "is not partitioned as" in err


def test_one_table_and_one_file(lake):
    assert rows(lake + "/bronze/events", "SELECT count(*) FROM events") == [[6]]
    assert rows(lake + "/x.parquet", "SELECT name FROM x WHERE id = 2") == [["b"]]
    _, out, _ = weir("table", "history", lake + "/bronze/events", "-o", "json")
    assert [entry["version"] for entry in json.loads(out)["history"]] == [1, 0]
    _, out, _ = weir("table", "describe", lake + "/users", "-o", "json")
    assert [column["name"] for column in json.loads(out)["columns"]] == ["id", "name"]


def test_writes_what_others_read(lake):
    sql(lake, "CREATE TABLE good.users AS SELECT id, name FROM users WHERE id > 1", check=1)
    sql(lake, "CREATE SCHEMA good",
        "CREATE TABLE good.users AS SELECT id, name FROM users WHERE id > 1",
        "INSERT INTO good.users VALUES (9, 'z')",
        "DELETE FROM good.users WHERE id = 2",
        "UPDATE bronze.events SET name = 'x' WHERE id = 1")
    assert pa.table(DeltaTable(lake + "/good/users").to_pyarrow_table()).sort_by("id").to_pylist() == [
        {"id": 3, "name": "c"}, {"id": 9, "name": "z"}]
    changed = pa.table(DeltaTable(lake + "/bronze/events").to_pyarrow_table())
    assert sorted(changed["name"].to_pylist()) == ["b", "b", "c", "c", "x", "x"]
    weir("table", "optimize", lake + "/bronze/events")
    assert len(DeltaTable(lake + "/bronze/events").file_uris()) == 1
    weir("table", "fsck", lake + "/bronze/events")
    # The next process finds what this one made.
    assert rows(lake, "SELECT count(*) FROM good.users") == [[2]]


def test_views_of_folders(lake):
    _, out, _ = sql(
        lake, "CREATE VIEW small AS SELECT id FROM parquet.'x.parquet' WHERE id < 3",
        "CREATE VIEW pairs AS SELECT e.id FROM delta.'bronze/events' e JOIN small USING (id)",
        "CREATE MATERIALIZED VIEW kept REFRESH POLICY FULL AS SELECT * FROM delta.'bronze/events'",
        "SELECT (SELECT count(*) FROM pairs), (SELECT count(*) FROM kept)")
    assert json.loads(out.splitlines()[-1])["rows"] == [[4, 6]]


def test_errors_help(lake):
    _, _, err = weir("sql", lake + "/none", "-c", "SELECT 1", check=1)
    assert "No such file or directory" in err
    _, _, err = weir("sql", lake, "-c", "SELECT * FROM event", check=1)
    assert 'did you mean "bronze.events"?' in err
    _, _, err = weir("sql", lake, "-c", "CREATE TOPIC t (a int)", check=1)
    assert "topics need a server" in err
    _, _, err = weir("table", "files", lake, check=1)
    assert "is not one table" in err and "bronze.events" in err
    _, _, err = weir("sql", lake, "-c", "SELECT * FROM delta.'s3://other/x'", check=1)
    assert "is not inside of /" in err
    _, _, err = weir("sql", "/", "-c", "SELECT 1", check=1)
    assert "root" in err


def test_files_that_may_only_be_read(lake):
    for folder, _, names in os.walk(lake):
        for name in names:
            os.chmod(os.path.join(folder, name), stat.S_IRUSR)
    if os.access(lake + "/x.parquet", os.W_OK):
        pytest.skip("this user may write everything")
    assert rows(lake, "SELECT count(*) FROM bronze.events") == [[6]]


def test_damage_is_named(lake):
    log = lake + "/users/_delta_log/00000000000000000000.json"
    with open(log, "w") as file:
        file.write("{broken")
    _, out, _ = weir("table", "list", lake, "-o", "json")
    status = {table["name"]: table["status"] for table in json.loads(out)["tables"]}
    assert status["public.users"] == "failing" and status["bronze.events"] == "ok"
    _, _, err = weir("sql", lake, "-c", "SELECT * FROM users", check=1)
    assert "00000000000000000000.json" in err


def test_what_is_gone_is_repaired(lake):
    place = lake + "/bronze/events"
    os.remove(DeltaTable(place).file_uris()[0])
    _, out, _ = weir("table", "fsck", place, "-o", "json", check=1)
    assert len(json.loads(out)["rows"]) == 1
    _, _, err = weir("table", "fsck", place, "--dry-run", check=2)
    assert "--repair" in err
    weir("table", "fsck", place, "--repair", "--dry-run", check=1)
    assert DeltaTable(place).version() == 1
    weir("table", "fsck", place, "--repair")
    assert DeltaTable(place).version() == 2
    assert rows(place, "SELECT count(*) FROM events") == [[3]]
    _, _, err = weir("table", "fsck", place)
    assert "the table is whole" in err


@pytest.mark.parametrize("direction", ["", "DESC", "NULLS FIRST", "DESC NULLS LAST"])
def test_the_first_rows_of_files(tmp_path, direction):
    """Rows that come behind as many as are wanted are not read; NULL has its place at either end."""
    db = duckdb.connect()
    # Columns with and without a dictionary, in the order of the rows and against it.
    db.execute(f"""COPY (SELECT i, CASE WHEN i % 1013 = 0 THEN NULL ELSE (i * 7919) % 100003 END AS spread,
        CASE WHEN i % 1009 = 0 THEN NULL ELSE 'name ' || (i % 12) END AS coded,
        CASE WHEN i % 997 = 0 THEN NULL ELSE 200000 - i END AS falling
        FROM range(200000) r(i)) TO '{tmp_path}/t.parquet' (ROW_GROUP_SIZE 50000)""")
    for key in ["spread", "coded", "falling"]:
        for shape in ["t", "t JOIN (SELECT i AS j FROM t WHERE i % 3 = 0) b ON t.i = b.j",
                      "(SELECT j, u.* FROM (SELECT i AS j FROM t WHERE i % 7 = 0) b LEFT JOIN t u ON u.i = b.j * 5) x"]:
            # The peer has NULL last in either direction unless it is told.
            nulls = "" if "NULLS" in direction else "NULLS FIRST" if direction else "NULLS LAST"
            words = f"SELECT i, {key} FROM {shape} ORDER BY {key} {direction} {nulls}, i LIMIT 300"
            theirs = db.execute(f"WITH t AS (SELECT * FROM '{tmp_path}/t.parquet') {words}").fetchall()
            ours = rows(tmp_path, words.replace(f" {nulls},", ","))
            assert [tuple(row) for row in ours] == theirs, (key, shape)


def test_moments_that_never_come_are_partitions(tmp_path):
    (tmp_path / "lake").mkdir()
    place = str(tmp_path / "lake")
    for statement in (
            "CREATE TABLE p (t timestamp, z timestamptz, d date, i int) PARTITIONED BY (t, z, d)",
            "INSERT INTO p VALUES ('-infinity', '-infinity', '-infinity', 1), ('infinity', 'infinity', 'infinity', 2)"):
        weir("sql", place, "-c", statement)
    _, out, _ = weir("sql", place, "-o", "csv", "-c", "SELECT i, t, z, d FROM p ORDER BY i")
    assert out.split() == ["i,t,z,d", "1,-infinity,-infinity,-infinity", "2,infinity,infinity,infinity"]
    for condition in ("t < '2000-01-01'", "z = '-infinity'", "d < 'infinity'"):
        _, out, _ = weir("sql", place, "-o", "csv", "-c", f"SELECT i FROM p WHERE {condition}")
        assert out.split() == ["i", "1"], condition
    weir("sql", place, "-c", "DELETE FROM p WHERE t = '-infinity'")
    _, out, _ = weir("sql", place, "-o", "csv", "-c", "SELECT i FROM p")
    assert out.split() == ["i", "2"]
    _, _, err = weir("sql", place, "-c", "SELECT * FROM p FOR SYSTEM_TIME AS OF timestamptz '-infinity'", check=1)
    assert "the table did not exist" in err
