"""What Weir does to files and logs behind the rows, for every reader: deleted files, repairs,
conversions, merges by itself, the change feed of each operation."""
import collections
import os

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset
import pyarrow.parquet
import pytest
from conftest import eventually, new_server, remove
from deltalake import DeltaTable
from table_peers import READERS, Log, canonical_rows, check_statistics, local, refusal
from test_matrix import FEED, VECTORS, folder, general, run, weir_history, weir_table

KEEPS_NOTHING = ('"delta.deletedFileRetentionDuration" = \'interval 0 seconds\', '
                 '"weir.maintenance" = \'off\'')


@pytest.fixture(scope="module")
def lake():
    server = new_server().start()
    os.makedirs(os.path.join(server.data, "lake", "files"))
    yield server
    remove(server)


def all_readers_agree(server, table, version):
    path = folder(server, table)
    protocol, metadata, adds = Log(path).state(version)
    mine = canonical_rows(weir_table(server, table, version))
    for reader, read in READERS.items():
        if not refusal(reader, protocol, metadata, adds):
            assert canonical_rows(read(path, version)) == mine, f"{reader} at {version}"
    return mine[1]


def data_files(path):
    found = set()
    for folder_, names, files in os.walk(path):
        names[:] = [n for n in names if n != "_delta_log"]
        found |= {os.path.relpath(os.path.join(folder_, f), path) for f in files}
    return found


@pytest.mark.parametrize("settings", ["", VECTORS, FEED], ids=["copies", "vectors", "feed"])
def test_vacuum_leaves_the_newest_version_and_nothing_else(lake, settings):
    table = "vacuumed_" + ("copies" if not settings else settings.split(".")[1][6:9].lower())
    words = ", ".join(filter(None, [settings, KEEPS_NOTHING]))
    lake.sql(f"CREATE TABLE {table} (id bigint, name text) WITH ({words})")
    lake.sql(f"INSERT INTO {table} SELECT n, 'n' || n FROM generate_series(1, 100) AS n")
    lake.sql(f"INSERT INTO {table} SELECT n, 'n' || n FROM generate_series(101, 120) AS n")
    lake.sql(f"DELETE FROM {table} WHERE id % 10 = 0")
    lake.sql(f"UPDATE {table} SET name = 'x' WHERE id > 110")
    lake.sql(f"DELETE FROM {table} WHERE id > 100")
    path = folder(lake, table)
    before = data_files(path)
    lake.sql(f"VACUUM {table}")
    log = Log(path)
    _, _, adds = log.state(log.version)
    live = {add["path"] for add in adds} | {
        name for name in before if name.endswith(".bin") and any("deletionVector" in a for a in adds)}
    left = {name for name in data_files(path) if not name.startswith("_change_data")}
    assert left <= live and {a["path"] for a in adds} <= left
    assert len(before) > len(left)
    rows = all_readers_agree(lake, table, log.version)
    assert len(rows) == 90
    assert check_statistics(log, log.version) > 0
    assert lake.sql(f"FSCK TABLE {table}") == []
    # A version whose files are gone is an error for everybody, by the file's name for us.
    status, answer = lake.request(
        "POST", "/query", {"sql": f"SELECT * FROM {table} VERSION AS OF 4"})
    assert status >= 400 and ".parquet" in str(answer), answer
    for reader, read in READERS.items():
        protocol, metadata, adds = log.state(4)
        if not refusal(reader, protocol, metadata, adds):
            with pytest.raises(Exception):
                canonical_rows(read(path, 4))
    lake.sql(f"INSERT INTO {table} VALUES (500, 'after')")
    all_readers_agree(lake, table, log.version + 1)


def test_a_converted_folder_is_changed_like_any_table(lake):
    path = folder(lake, "converted")
    pyarrow.dataset.write_dataset(
        pa.table({"id": pa.array(range(40), pa.int64()),
                  "text": [None if n % 7 == 0 else "t" * (n + 1) for n in range(40)],
                  "part": [["a b", "c/d", "é%", None][n % 4] for n in range(40)]}),
        path, format="parquet", partitioning=pyarrow.dataset.partitioning(
            pa.schema([("part", pa.string())]), flavor="hive"))
    lake.sql("CONVERT TO DELTA parquet.'public/converted' PARTITIONED BY (part text)")
    name = "delta.'public/converted'"
    for statement in (
            f"DELETE FROM {name} WHERE id % 5 = 1", f"UPDATE {name} SET text = 'u' WHERE part = 'c/d'",
            f"INSERT INTO {name} VALUES (100, 'new', 'a b'), (101, NULL, NULL)", f"OPTIMIZE {name}",
            f"DELETE FROM {name} WHERE part IS NULL", f"RESTORE TABLE {name} TO VERSION AS OF 0"):
        lake.sql(statement)
    log = Log(path)
    assert log.operation(0)["operation"] == "CONVERT" and log.version == 6
    for version in range(log.version + 1):
        place = f"files/converted-{version}.parquet"
        lake.sql(f"COPY (SELECT * FROM {name} VERSION AS OF {version}) TO '{place}'")
        mine = canonical_rows(pyarrow.parquet.read_table(os.path.join(lake.data, "lake", place)))
        for reader, read in READERS.items():
            assert canonical_rows(read(path, version)) == mine, f"{reader} at {version}"
        assert check_statistics(log, version) > 0


def test_a_repair_is_a_version_that_everybody_reads(lake):
    lake.sql("CREATE TABLE repaired (id bigint, name text) PARTITIONED BY (name)")
    for n in range(6):
        lake.sql(f"INSERT INTO repaired VALUES ({n}, 'n{n % 2}')")
    path = folder(lake, "repaired")
    _, _, adds = Log(path).state(6)
    for add in adds[:2]:
        os.remove(Log(path).file(add))
    found = lake.sql("FSCK REPAIR TABLE repaired")
    assert len(found) == 2 and all(row[2] for row in found)
    log = Log(path)
    assert log.version == 7 and log.operation(7)["operation"] == "FSCK"
    assert len(all_readers_agree(lake, "repaired", 7)) == 4
    assert DeltaTable(path).history()[0]["operation"] == "FSCK"


def test_merges_that_happen_by_themselves_change_no_version(lake):
    lake.sql("CREATE TABLE cared (id bigint, name text)")
    for n in range(45):
        lake.sql(f"INSERT INTO cared VALUES ({n}, 'n')")
    path = folder(lake, "cared")
    eventually(lambda: "OPTIMIZE" in [row[1] for row in weir_history(lake, "cared")], what="a merge")
    log = Log(path)
    ids = 0
    for version in range(log.version + 1):
        ids += log.operation(version)["operation"] == "WRITE"
        rows = canonical_rows(READERS["duckdb"](path, version))[1]
        assert rows == sorted(([n, "n"] for n in range(ids)), key=repr)
    assert len(all_readers_agree(lake, "cared", log.version)) == 45
    assert check_statistics(log, log.version) > 0


def drops_files_with_vectors(log, version):
    actions = log.commits[version]
    return not any("cdc" in a for a in actions) and any(
        a["remove"]["dataChange"] and "deletionVector" in a["remove"] for a in actions if "remove" in a)


def counted(table):
    """How often each row is there."""
    return collections.Counter(map(repr, canonical_rows(table)[1]))


def net_changes(changes):
    """Rows of a change feed that are more or fewer afterwards."""
    kinds = changes.column("_change_type")
    rows = changes.select([n for n in changes.column_names if not n.startswith("_c")])
    change = counted(rows.filter(pc.is_in(kinds, pa.array(["insert", "update_postimage"]))))
    change.subtract(counted(rows.filter(pc.is_in(kinds, pa.array(["delete", "update_preimage"])))))
    return {row: count for row, count in change.items() if count}


def row_changes(path, version):
    """The same, of the rows that another reader finds before and after."""
    before, after = (READERS["delta-rs engine"](path, v) for v in (version - 1, version))
    shared = [n for n in after.column_names if n in before.column_names]
    change = counted(after.select(shared))
    change.subtract(counted(before.select(shared)))
    return {row: count for row, count in change.items() if count}


@pytest.mark.parametrize("kind", ["feed", "feed_vectors"])
def test_the_change_feed_of_every_operation_is_that_of_delta_rs(lake, kind):
    table, create, statements = general(lake, kind)
    run(lake, table, create, statements, reads=False)
    path = folder(lake, table)
    log = Log(path)
    compared = set()
    for version in range(1, log.version + 1):
        place = f"files/{table}-changes-{version}.parquet"
        status, answer = lake.request("POST", "/query", {
            "sql": f"COPY (SELECT * FROM table_changes('{table}', {version}, {version})) TO '{place}'"})
        assert status == 200, (log.operation(version)["operation"], answer)
        mine = pyarrow.parquet.read_table(os.path.join(lake.data, "lake", place))
        theirs = pa.table(DeltaTable(path).load_cdf(
            starting_version=version, ending_version=version))
        names = [n for n in mine.column_names if n != "_commit_timestamp"]
        assert set(names) <= set(theirs.column_names) | {"later"}, version
        names = [n for n in names if n in theirs.column_names]
        operation = log.operation(version)["operation"]
        if mine.num_rows:
            compared.add(operation)
        if drops_files_with_vectors(log, version):
            # delta-rs 1.6.6 counts rows again that were deleted before: the rows are asked instead.
            assert canonical_rows(mine.select(names)) != canonical_rows(theirs.select(names))
            assert net_changes(mine) == row_changes(path, version), version
            continue
        assert canonical_rows(mine.select(names)) == canonical_rows(theirs.select(names)), (
            version, operation)
    assert compared >= {"WRITE", "DELETE", "UPDATE", "MERGE"}, compared


def numbers_by_the_log(path, log, version):
    """id → number of its row, from the log and the files alone (PROTOCOL.md, "Row IDs")."""
    _, metadata, adds = log.state(version)
    column = metadata["configuration"]["delta.rowTracking.materializedRowIdColumnName"]
    kept = {}
    if any("deletionVector" in add for add in adds):
        vectors = pa.table(DeltaTable(path, version=version).deletion_vectors()).to_pylist()
        kept = {local(v["filepath"]): v["selection_vector"] for v in vectors}
    found = {}
    for add in adds:
        file = log.file(add)
        rows = pyarrow.parquet.read_table(file, partitioning=None)
        mask = kept.get(os.path.realpath(file), [])
        ids = rows.column("id").to_pylist()
        stored = rows.column(column).to_pylist() if column in rows.column_names else []
        for place, key in enumerate(ids):
            if place < len(mask) and not mask[place]:
                continue
            number = stored[place] if stored and stored[place] is not None else None
            found.setdefault(key, []).append(
                add["baseRowId"] + place if number is None else number)
    return found


@pytest.mark.parametrize("kind", ["row_tracking", "row_tracking_copies"])
def test_row_numbers_are_those_of_the_log_and_stay(lake, kind):
    table, create, statements = general(lake, kind)
    run(lake, table, create, statements, reads=False)
    path = folder(lake, table)
    log = Log(path)
    before, stayed = {}, 0
    for version in range(log.version + 1):
        mine = {}
        for key, number in lake.sql(
                f"SELECT id, _metadata.row_id FROM {table} VERSION AS OF {version}"):
            mine.setdefault(key, []).append(int(number))
        theirs = numbers_by_the_log(path, log, version)
        assert {k: sorted(v) for k, v in mine.items()} == {
            k: sorted(v) for k, v in theirs.items()}, version
        numbers = [number for found in mine.values() for number in found]
        assert len(numbers) == len(set(numbers)), f"version {version} has a number twice"
        operation = log.operation(version)["operation"]
        if operation in ("UPDATE", "DELETE", "MERGE", "OPTIMIZE"):
            for key, found in mine.items():
                if key in before:
                    assert found == before[key], (version, operation, key)
                    stayed += 1
        before = mine
    assert stayed > 300
