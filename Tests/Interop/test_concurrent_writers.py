"""Weir, delta-rs and DuckDB write one table at once while Weir is killed again and again.

Each writer owns the ids that it writes, so that afterwards every acknowledged statement can be
found, once. The versions are then replayed in their order: what a version removes was there, what
it adds was not, no id comes back, and counters only grow. WEIR_CONCURRENT_SECONDS=600 makes a long
run of it.
"""
import collections
import json
import os
import pathlib
import random
import threading
import time
import urllib.error

import pytest
from conftest import eventually, new_server, remove

SECONDS = float(os.environ.get("WEIR_CONCURRENT_SECONDS", "12"))
SEED = int(os.environ.get("WEIR_CONCURRENT_SEED", "1"))
TABLE = "bronze.live"
# The rows of a streaming table come from its topic; others may write into its folder all the same.
FOLDER = "delta.'bronze/live'"


class Ledger:
    """What was asked for, by what came of it. `unknown`: the answer was lost."""

    def __init__(self):
        self.lock = threading.Lock()
        self.present, self.gone, self.unknown = set(), set(), set()
        self.merged, self.merge_unknown = collections.Counter(), collections.Counter()
        self.failures, self.done = [], collections.Counter()

    def inserted(self, key, outcome):
        with self.lock:
            self.done[key[0] + " " + outcome] += 1
            if outcome == "ok":
                self.present.add(key)
            elif outcome == "unknown":
                self.unknown.add(key)

    def deleted(self, key, outcome):
        with self.lock:
            self.done["delete " + key[0] + " " + outcome] += 1
            self.present.discard(key)
            if outcome == "ok":
                self.gone.add(key)
            elif outcome == "unknown":
                self.unknown.add(key)
            else:
                self.present.add(key)

    def merge(self, key, outcome):
        with self.lock:
            self.done["merge " + outcome] += 1
            if outcome == "ok":
                self.merged[key] += 1
            elif outcome == "unknown":
                self.merge_unknown[key] += 1


def statement(server, text):
    """ok, failed (nothing happened) or unknown."""
    try:
        status, answer = server.request("POST", "/query", {"sql": text})
    except urllib.error.URLError as failure:
        # Nobody listens: the statement was not sent.
        refused = isinstance(failure.reason, ConnectionRefusedError)
        time.sleep(0.05)
        return "failed" if refused else "unknown"
    except (OSError, ValueError):
        return "unknown"
    if status == 200:
        return "ok"
    if status >= 500:
        return "unknown"
    # The only reason for which a statement may be refused: others were always quicker.
    assert "40001" in json.dumps(answer), (status, answer)
    return "failed"


class Writers:
    def __init__(self, server, path):
        self.server, self.path, self.ledger = server, path, Ledger()
        self.stop = threading.Event()

    def loop(self, work, pause):
        """Calls `work` with rising numbers until the time is over."""
        def body():
            source, number = random.Random(SEED), 0
            try:
                while not self.stop.is_set():
                    work(number, source)
                    number += 1
                    time.sleep(pause * source.random() * 2)
            except BaseException as failure:
                self.ledger.failures.append(f"{work.__name__}: {failure!r}")
        return threading.Thread(target=body, daemon=True)

    def sql_insert(self, number, source):
        key = f"i-{number}"
        self.ledger.inserted(
            key, statement(self.server, f"INSERT INTO {FOLDER} VALUES ('{key}', {number})"))
        if number % 4 == 3:
            old = f"i-{number - 3}"
            if old in self.ledger.present:
                self.ledger.deleted(
                    old, statement(self.server, f"DELETE FROM {FOLDER} WHERE id = '{old}'"))

    def sql_merge(self, number, source):
        key = f"m-{source.randrange(3)}"
        self.ledger.merge(key, statement(
            self.server, f"MERGE INTO {TABLE} AS t USING (VALUES ('{key}')) AS s (key) "
            "ON t.id = s.key WHEN MATCHED THEN UPDATE SET n = t.n + 1 "
            "WHEN NOT MATCHED THEN INSERT (id, n) VALUES (s.key, 1)"))

    def delta_rs(self, number, source):
        import pyarrow
        from deltalake import DeltaTable, write_deltalake
        key = f"r-{number}"
        rows = pyarrow.table({"id": pyarrow.array([key]), "n": pyarrow.array([number], "int64")})
        try:
            write_deltalake(self.path, rows, mode="append")
            self.ledger.inserted(key, "ok")
        except Exception:
            self.ledger.inserted(key, "unknown")
        if number % 5 == 4:
            old = f"r-{number - 4}"
            if old in self.ledger.present:
                try:
                    DeltaTable(self.path).delete(f"id = '{old}'")
                    self.ledger.deleted(old, "ok")
                except Exception:
                    self.ledger.deleted(old, "unknown")

    def duckdb(self, number, source):
        key = f"d-{number}"
        connection = duck()
        try:
            connection.execute(f"ATTACH '{self.path}' AS live (TYPE delta)")
            connection.execute(f"INSERT INTO live VALUES ('{key}', {number})")
            self.ledger.inserted(key, "ok")
        except Exception:
            self.ledger.inserted(key, "unknown")
        finally:
            connection.close()

    def topic(self, number, source):
        from confluent_kafka import Producer
        producer = Producer({
            "bootstrap.servers": self.server.kafka, "enable.idempotence": True,
            "delivery.timeout.ms": 60_000, "linger.ms": 0})
        keys = [f"t-{number}-{index}" for index in range(20)]

        def delivered(error, message):
            key = json.loads(message.value())["id"]
            self.ledger.inserted(key, "unknown" if error else "ok")

        for key in keys:
            producer.produce(
                "live", json.dumps({"id": key, "n": number}), on_delivery=delivered)
        producer.flush(60)


def duck():
    import duckdb
    import duckdb_extension_delta
    connection = duckdb.connect(config={"allow_unsigned_extensions": True})
    extension = next(
        pathlib.Path(duckdb_extension_delta.__file__).parent.rglob("*.duckdb_extension"))
    connection.execute(f"LOAD '{extension}'")
    return connection


@pytest.fixture(scope="module")
def history():
    """The table after the storm, and what its writers know of it."""
    pytest.importorskip("deltalake")
    server = new_server()
    try:
        server.start()
        server.sql("CREATE SCHEMA bronze; CREATE TOPIC live (id text, n bigint) FORMAT PLAIN "
                   "ENCODE JSON WITH (partitions = 2)")
        server.sql(f"CREATE STREAMING TABLE {TABLE} WITH (commit_interval = '200 ms') AS "
                   "SELECT e.id, e.n FROM STREAM(live) AS e")
        path = os.path.join(server.data, "lake", "bronze", "live")
        eventually(lambda: os.path.isdir(os.path.join(path, "_delta_log")), what="the table")
        writers = Writers(server, path)
        threads = [
            writers.loop(writers.sql_insert, 0.05), writers.loop(writers.sql_merge, 0.1),
            writers.loop(writers.delta_rs, 0.15), writers.loop(writers.duckdb, 0.3),
            writers.loop(writers.topic, 0.3)]
        for thread in threads:
            thread.start()
        kills, deadline = random.Random(SEED), time.monotonic() + SECONDS
        killed = 0
        while time.monotonic() < deadline:
            time.sleep(1 + 2 * kills.random())
            server.kill()
            killed += 1
            server.start()
        writers.stop.set()
        for thread in threads:
            thread.join(90)
            assert not thread.is_alive(), "a writer hangs"
        produced = {key for key in writers.ledger.present if key.startswith("t-")}
        eventually(lambda: server.sql_of_tables(
            f"SELECT count(DISTINCT id) FROM {TABLE} WHERE id LIKE 't-%'")[0][0]
            >= len(produced), timeout=60, what="all records as rows")
        print(f"{killed} kills, {dict(writers.ledger.done)}")
        rows = server.sql(f"SELECT id, n FROM {TABLE}")
        yield writers.ledger, [(key, int(n)) for key, n in rows], path, server
    finally:
        remove(server)


def test_no_writer_failed(history):
    ledger = history[0]
    assert ledger.failures == []
    for kind in ("i ok", "r ok", "d ok", "t ok", "merge ok"):
        assert ledger.done[kind] > 0, f"{kind}: {dict(ledger.done)}"


def test_every_acknowledged_change_is_there_once(history):
    ledger, rows, _, _ = history
    counts = collections.Counter(key for key, _ in rows)
    doubled = [key for key, count in counts.items() if count > 1]
    assert doubled == []
    assert sorted(ledger.present - set(counts) - ledger.unknown) == [], "lost"
    assert sorted(ledger.gone & set(counts)) == [], "deleted and there"
    known = ledger.present | ledger.unknown | set(ledger.merged) | set(ledger.merge_unknown)
    assert sorted(set(counts) - known) == [], "nobody wrote this"
    for key in set(ledger.merged) | set(ledger.merge_unknown):
        least, most = ledger.merged[key], ledger.merged[key] + ledger.merge_unknown[key]
        found = dict(rows).get(key, 0)
        assert least <= found <= most, f"{key} counts {found}, {least} to {most} merges"


def commits(path):
    """The actions of each version, which must be without gaps."""
    folder = pathlib.Path(path, "_delta_log")
    names = sorted(name for name in os.listdir(folder)
                   if len(name) == 25 and name.endswith(".json") and name[:20].isdigit())
    assert [int(name[:20]) for name in names] == list(range(len(names)))
    return [[json.loads(line) for line in (folder / name).read_text().splitlines() if line]
            for name in names]


def test_versions_follow_each_other(history):
    live, batches = set(), {}
    for version, actions in enumerate(commits(history[2])):
        removed = [a["remove"]["path"] for a in actions if "remove" in a]
        added = [a["add"]["path"] for a in actions if "add" in a]
        assert set(removed) <= live, f"version {version} removes what is not there"
        live -= set(removed)
        assert not live & set(added), f"version {version} adds what is there"
        live |= set(added)
        for action in actions:
            if "txn" in action:
                app, batch = action["txn"]["appId"], action["txn"]["version"]
                assert batch > batches.get(app, -1), f"version {version}: {app} {batch}"
                batches[app] = batch


def test_no_id_comes_back_and_counters_grow(history):
    """The rows of every version, in their order."""
    path = history[2]
    versions = len(commits(path))
    # A long run has too many versions to read all of them.
    step = max(1, versions // 150)
    seen, before, counters = set(), set(), {}
    connection = duck()
    for version in [*range(0, versions, step), versions - 1]:
        rows = connection.execute(
            f"SELECT id, n FROM delta_scan('{path}', version => {version})").fetchall()
        ids = [key for key, _ in rows]
        assert len(ids) == len(set(ids)), f"version {version} has an id twice"
        back = (set(ids) - before) & seen
        assert not back, f"version {version} brings back {sorted(back)[:5]}"
        seen |= set(ids)
        before = set(ids)
        for key, n in rows:
            if key.startswith("m-"):
                assert n >= counters.get(key, 0), f"{key} goes back in version {version}"
                counters[key] = n


def test_another_engine_reads_the_same_rows(history):
    from deltalake import DeltaTable
    _, rows, path, server = history
    theirs = DeltaTable(path).to_pyarrow_table().to_pylist()
    assert sorted((row["id"], row["n"]) for row in theirs) == sorted(rows)
    assert server.sql(f"FSCK TABLE {TABLE}") == []


def test_merges_by_themselves_give_way_to_strangers():
    """delta-rs deletes from and compacts the very files that maintenance is about to merge.

    The rows are many, so that a merge takes longer than the strangers take between two commits."""
    from deltalake import DeltaTable
    server = new_server().start()
    stop = threading.Event()
    deleted, unknown, outcomes, failures = set(), set(), collections.Counter(), []
    inserted = [0]

    def strangers(path):
        source, number = random.Random(SEED), None
        while not stop.is_set():
            try:
                if source.random() < 0.02:
                    DeltaTable(path).optimize.compact()
                    outcomes["optimize"] += 1
                else:
                    number = source.randrange(max(1, inserted[0]))
                    unknown.add(number)
                    found = DeltaTable(path).delete(f"id = {number}")
                    unknown.discard(number)
                    if found["num_deleted_rows"]:
                        deleted.add(number)
                    outcomes["delete"] += 1
            except Exception as error:
                if not any(word in str(error).lower() for word in ("conflict", "concurrent", "version")):
                    failures.append(repr(error))
                outcomes["conflict"] += 1
                unknown.discard(number)  # it says that nothing happened

    try:
        server.sql("CREATE TABLE forced (id bigint, name text)")
        path = os.path.join(server.data, "lake", "public", "forced")
        thread = threading.Thread(target=strangers, args=(path,))
        thread.start()
        care = [0, 0]

        def insert_until(reached, rows):
            deadline = time.monotonic() + 120
            while time.monotonic() < deadline and not reached():
                first = inserted[0]
                server.sql("INSERT INTO forced SELECT n, n || repeat('text', 40) "
                           f"FROM generate_series({first}, {first + rows - 1}) AS n")
                inserted[0] += rows
                found = server.sql("SELECT merges, dropped FROM weir.maintenance "
                                   "WHERE table_name = 'forced'")
                care[:] = found[0] if found else care
                time.sleep(0.05)

        insert_until(lambda: care[1] >= 1, 8_000)
        stop.set()
        thread.join(60)
        # What was dropped is tried again when nobody is in the way.
        before = care[0]
        insert_until(lambda: care[0] > before, 100)
        print(f"{inserted[0]} rows, {care} merges and drops, {dict(outcomes)}")
        assert failures == []
        assert care[0] > before, "nothing was merged afterwards"
        assert care[1] >= 1, "no merge met a stranger"
        ids = [row[0] for row in server.sql("SELECT id FROM forced ORDER BY id", limit="all")]
        wanted = set(range(inserted[0])) - deleted
        assert set(ids) - unknown == wanted - unknown and len(ids) == len(set(ids))
        theirs = DeltaTable(path).to_pyarrow_table(columns=["id"]).column("id").to_pylist()
        assert sorted(theirs) == ids
        assert server.sql("FSCK TABLE forced") == []
        test_versions_follow_each_other((None, None, path, None))
    finally:
        stop.set()
        remove(server)
