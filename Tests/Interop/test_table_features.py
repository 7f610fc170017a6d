"""Features of Delta tables against the peers, beside the matrix of `test_matrix*.py`: what several
writers do to one table, checkpoints without their commits, repairs."""
import datetime
import json
import os

import pyarrow as pa
import pyarrow.parquet
import pytest
from conftest import eventually, new_server, remove
from deltalake import DeltaTable, write_deltalake
from table_peers import duck
from test_tables import (folder, plain, with_deltalake, with_deltalake_engine, with_duckdb,
                         with_polars)

EVERYBODY = [with_deltalake, with_deltalake_engine, with_polars, with_duckdb]


@pytest.fixture(scope="module")
def lake():
    server = new_server().start()
    yield server
    remove(server)


def test_identity_numbers_are_given_once(lake):
    import threading
    lake.sql("CREATE TABLE counted (n bigint GENERATED ALWAYS AS IDENTITY (START 10 INCREMENT 5), "
             "who int)")
    path = folder(lake, "counted")
    given, errors = [], []

    def insert(who):
        for _ in range(6):
            status, answer = lake.request("POST", "/query", {
                "sql": f"INSERT INTO counted (who) VALUES ({who}), ({who}) RETURNING n"})
            if status == 200:
                given.extend(row[0] for row in answer["rows"])
            elif "40001" not in str(answer):
                errors.append(answer)

    threads = [threading.Thread(target=insert, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert given and len(given) == len(set(given))
    assert sorted(given) == list(range(10, 10 + 5 * len(given), 5))
    for read in EVERYBODY:
        assert sorted(r["n"] for r in read(path)) == sorted(given), read.__name__
    with pytest.raises(Exception):
        write_deltalake(path, pa.table({"n": [1], "who": pa.array([1], pa.int32())}),
                        mode="append")


def test_variants_go_both_ways(lake):
    lake.sql("CREATE TABLE vars (id bigint, v variant)")
    path = folder(lake, "vars")
    lake.sql("""INSERT INTO vars SELECT 1, parse_json('{"a": [1, "x", null], "b": 2.5}')
             UNION ALL SELECT 2, NULL UNION ALL SELECT 3, 7::variant""")
    found = duck().execute(
        f"SELECT id, v::JSON::VARCHAR FROM delta_scan('{path}') ORDER BY id").fetchall()
    assert [(i, None if v is None else json.loads(v)) for i, v in found] == [
        (1, {"a": [1, "x", None], "b": 2.5}), (2, None), (3, 7)]
    assert sorted(r["id"] for r in with_deltalake_engine(path)) == [1, 2, 3]
    # DuckDB shreds what it writes, which delta-rs cannot read.
    connection = duck()
    connection.execute(f"ATTACH '{path}' AS d (TYPE delta)")
    connection.execute("INSERT INTO d SELECT 4, {'k': [1, 2], 'z': 'duck'}::VARIANT")
    mine = lake.sql("SELECT id, v::jsonb FROM vars ORDER BY id")
    assert mine[3] == [4, {"k": [1, 2], "z": "duck"}]
    assert lake.sql("SELECT variant_get(v, '$.k[1]', 'int') FROM vars WHERE id = 4") == [[2]]


def test_replaced_rows_of_delta_rs_are_the_same(lake):
    """The same replacement by delta-rs and by Weir leaves the same rows."""
    path = folder(lake, "replaced_rs")
    data = pa.table({"id": pa.array(range(10), pa.int64()),
                     "day": pa.array([n % 2 for n in range(10)], pa.int32())})
    write_deltalake(path, data, partition_by=["day"])
    new = pa.table({"id": pa.array([100], pa.int64()), "day": pa.array([1], pa.int32())})
    write_deltalake(path, new, mode="overwrite", predicate="day = 1")
    theirs = sorted(r["id"] for r in with_deltalake(path))
    name = "delta.'public/replaced_rs'"
    assert [r[0] for r in lake.sql(f"SELECT id FROM {name} ORDER BY id")] == theirs
    lake.sql(f"RESTORE TABLE {name} TO VERSION AS OF 0")
    lake.sql(f"INSERT INTO {name} REPLACE WHERE day = 1 VALUES (100, 1)")
    assert sorted(r["id"] for r in with_deltalake(path)) == theirs


#: Settings of checkpoints, and who reads them.
CHECKPOINTS = {
    "classic": ("", EVERYBODY),
    "struct": (', "delta.checkpoint.writeStatsAsStruct" = true', EVERYBODY),
    "struct_only": (', "delta.checkpoint.writeStatsAsStruct" = true, '
                    '"delta.checkpoint.writeStatsAsJson" = false', EVERYBODY),
    "second": (', "delta.checkpointPolicy" = \'v2\'', [with_deltalake_engine, with_duckdb]),
    "second_struct": (', "delta.checkpointPolicy" = \'v2\', '
                      '"delta.checkpoint.writeStatsAsStruct" = true',
                      [with_deltalake_engine, with_duckdb]),
}


def wait_for_checkpoint(log):
    """The node writes it behind the statement, and at last the hint that names it."""
    eventually(lambda: os.path.exists(os.path.join(log, "_last_checkpoint")), what="a checkpoint")


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_checkpoints_are_all_that_a_reader_needs(lake, name):
    settings, readers = CHECKPOINTS[name]
    table = "ck_" + name
    lake.sql(f"CREATE TABLE {table} (id bigint, name text, price numeric(8,2), at timestamptz, "
             f"day date) PARTITIONED BY (day) WITH (\"delta.checkpointInterval\" = 4 {settings})")
    for n in range(1, 5):
        lake.sql(f"INSERT INTO {table} VALUES ({n}, 'n{n}', {n}.5, "
                 f"'2024-01-0{n} 01:02:03.456789+00', '2024-01-0{n}')")
    path = folder(lake, table)
    log = os.path.join(path, "_delta_log")
    wait_for_checkpoint(log)
    for version in range(4):
        os.remove(os.path.join(log, f"{version:020}.json"))
    for read in readers:
        found = sorted(read(path), key=lambda r: r["id"])
        assert [(r["id"], r["name"], plain(r["price"])) for r in found] == [
            (n, f"n{n}", f"{n}.50") for n in range(1, 5)], read.__name__
    where = duck().execute(f"SELECT id FROM delta_scan('{path}') WHERE id = 3 AND \"at\" < "
                           "'2024-01-04'").fetchall()
    assert where == [(3,)]


def test_compacted_logs_are_read(lake):
    lake.sql("CREATE TABLE rare (id bigint, name text) WITH (\"delta.checkpointInterval\" = 200)")
    for n in range(55):
        lake.sql(f"INSERT INTO rare VALUES ({n}, 'n')")
    path = folder(lake, "rare")
    assert any(n.endswith(".compacted.json") for n in os.listdir(os.path.join(path, "_delta_log")))
    for read in EVERYBODY:
        assert sorted(r["id"] for r in read(path)) == list(range(55)), read.__name__


def test_converted_folders_are_tables_for_everybody(lake):
    path = folder(lake, "converted")
    for day in (1, 2):
        inner = os.path.join(path, f"day=2024-01-0{day}")
        os.makedirs(inner)
        pa.parquet.write_table(
            pa.table({"id": pa.array([day, day + 10], pa.int64()), "name": ["x", None]}),
            os.path.join(inner, "f.parquet"))
    lake.sql("CONVERT TO DELTA parquet.'public/converted' PARTITIONED BY (day date)")
    for read in EVERYBODY:
        found = sorted(read(path), key=lambda r: r["id"])
        assert [(r["id"], plain(r["day"])) for r in found] == [
            (1, "2024-01-01"), (2, "2024-01-02"), (11, "2024-01-01"), (12, "2024-01-02")]
    actions = pa.table(DeltaTable(path).get_add_actions(flatten=True)).to_pylist()
    assert sorted((a["min.id"], a["max.id"], a["null_count.name"]) for a in actions) == [
        (1, 11, 1), (2, 12, 1)]
    write_deltalake(path, pa.table({"id": pa.array([5], pa.int64()), "name": ["rs"],
                                    "day": [datetime.date(2024, 1, 3)]}), mode="append")
    assert lake.sql("SELECT count(*) FROM delta.'public/converted'") == [[3 + 2]]


def test_a_repaired_table_is_whole_for_everybody(lake):
    lake.sql("CREATE TABLE broken (id bigint, name text) WITH (\"delta.checkpointInterval\" = 3)")
    for n in range(5):
        lake.sql(f"INSERT INTO broken VALUES ({n}, 'n{n}')")
    path = folder(lake, "broken")
    wait_for_checkpoint(os.path.join(path, "_delta_log"))
    gone = [row[0] for row in lake.sql("DESCRIBE FILES broken")][1]
    os.remove(os.path.join(path, gone))
    with open(os.path.join(path, "_delta_log", "_last_checkpoint"), "w") as hint:
        hint.write("{")
    for read in EVERYBODY:
        with pytest.raises(Exception):
            read(path)
    found = lake.sql("FSCK REPAIR TABLE broken")
    assert len(found) == 2 and all(row[2] for row in found)
    for read in EVERYBODY:
        assert sorted(r["id"] for r in read(path)) == [0, 2, 3, 4], read.__name__
