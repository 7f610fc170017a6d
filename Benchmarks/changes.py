"""Statements that change or rewrite tables, side by side with delta-rs, and queries with conditions,
side by side with DuckDB, on the same files. Each run has a fresh copy and a fresh process: CPU seconds
of the best run, peak resident memory of the worst."""
import pathlib
import shutil
import subprocess
import sys
import time

from harness import Server, memory

FILES = 5

PEER = """
import resource, sys, time
from deltalake import DeltaTable
path, source, name = sys.argv[1:4]
table = DeltaTable(path)
began = time.perf_counter()
if name == "update":
    table.update(updates={"price": "price + 1"},
                 predicate="event_type = 'login' AND user_id LIKE 'user_77%'")
elif name == "delete":
    table.delete("user_id = 'user_123'")
elif name in ("merge", "merge_large"):
    (table.merge(DeltaTable(source).to_pyarrow_table(), "t.event_id = s.event_id",
                 source_alias="s", target_alias="t")
     .when_matched_update({"price": "s.price"})
     .when_not_matched_insert({"event_id": "s.event_id", "price": "s.price"}).execute())
elif name == "zorder":
    table.optimize.z_order(["user_id", "ts"])
elif name == "optimize":
    table.optimize.compact()
used = resource.getrusage(resource.RUSAGE_SELF)
# Not ru_maxrss: that begins with the parent's.
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if "VmHWM" in line)
print(used.ru_utime + used.ru_stime, peak / 1024, time.perf_counter() - began)
"""

DUCKDB = """
import os, resource, sys, time
import duckdb, duckdb_extension_delta
root = os.path.dirname(duckdb_extension_delta.__file__)
connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
connection.execute(f"LOAD '{root}/extensions/v{duckdb.__version__}/delta.duckdb_extension'")
connection.execute("SET threads = 1")
times = []
for _ in range(4):
    used = resource.getrusage(resource.RUSAGE_SELF)
    before = used.ru_utime + used.ru_stime
    connection.execute(sys.argv[2].format(t=f"delta_scan('{sys.argv[1]}')")).fetchall()
    used = resource.getrusage(resource.RUSAGE_SELF)
    times.append(used.ru_utime + used.ru_stime - before)
print(min(times))
"""

MERGE = ("MERGE INTO {t} AS t USING delta.'bench/%s' AS s ON t.event_id = s.event_id "
         "WHEN MATCHED THEN UPDATE SET price = s.price "
         "WHEN NOT MATCHED THEN INSERT (event_id, price) VALUES (s.event_id, s.price)")
VECTORS = "ALTER TABLE {t} SET TBLPROPERTIES (\"delta.enableDeletionVectors\" = true)"

STATEMENTS = {
    "update": "UPDATE {t} SET price = price + 1 "
              "WHERE event_type = 'login' AND user_id LIKE 'user_77%'",
    "delete": "DELETE FROM {t} WHERE user_id = 'user_123'",
    "merge": MERGE % "source",
    "merge_large": MERGE % "large",
    "zorder": "OPTIMIZE {t} ZORDER BY (user_id, ts)",
    "optimize": "OPTIMIZE {t}",
}

# What delta-rs cannot do: statements before, which are not measured, and the statement.
OWN = {
    "update_vectors": ([VECTORS], STATEMENTS["update"]),
    "delete_vectors": ([VECTORS], STATEMENTS["delete"]),
    "delete_vectors_ordered": ([VECTORS, "OPTIMIZE {t} ZORDER BY (user_id)"],
                               STATEMENTS["delete"]),
    "merge_vectors": ([VECTORS], STATEMENTS["merge"]),
    "cluster": (["ALTER TABLE {t} CLUSTER BY (user_id, ts)"], "OPTIMIZE {t}"),
}

QUERIES = {
    "user": "SELECT count(*), sum(price) FROM {t} WHERE user_id = 'user_123'",
    "user_rows": "SELECT * FROM {t} WHERE user_id = 'user_123'",
    "type": "SELECT count(*), sum(price) FROM {t} WHERE event_type = 'login'",
    "hour": "SELECT count(*), sum(price) FROM {t} "
            "WHERE ts >= TIMESTAMPTZ '2024-01-09 00:00:00Z' "
            "AND ts < TIMESTAMPTZ '2024-01-09 01:00:00Z'",
    "id": "SELECT count(*), sum(price) FROM {t} WHERE event_id = 'none'",
}


def make_tables(folder: pathlib.Path, rows: int):
    """Five files of events by delta-rs, sources that half match them, and many small files."""
    import duckdb
    import pyarrow
    from deltalake import write_deltalake
    connection = duckdb.connect()
    ids = []
    for number in range(FILES):
        events = connection.execute(f"""
            SELECT uuid()::varchar AS event_id,
                'user_' || (hash(i * 7 + {number}) % 100000) AS user_id,
                ['page_view', 'click', 'search', 'booking', 'login'][1 + (hash(i) % 5)::int]
                    AS event_type,
                's' || (hash(i * 3 + {number}) % 500000) AS session_id,
                TIMESTAMPTZ '2024-01-01' + INTERVAL (i + {number * rows}) second AS ts,
                round(random() * 1000, 2) AS price
            FROM range({rows}) AS r(i)""").to_arrow_table()
        write_deltalake(str(folder / "events"), events, mode="append")
        ids.append(events.column("event_id"))
    for name, known, fresh in (("source", ids[-1].slice(0, 25_000), 25_000),
                               ("large", pyarrow.concat_arrays(ids[-2].chunks), rows)):
        texts = [str(value) for value in known.to_pylist()] + [f"new-{n}" for n in range(fresh)]
        write_deltalake(str(folder / name), pyarrow.table(
            {"event_id": texts, "price": [1.0] * len(texts)}))
    for part in range(100):
        write_deltalake(str(folder / "small"), events.slice(part * rows // 100, rows // 100),
                        mode="append")


def measured(server: Server, statement: str) -> dict:
    pathlib.Path(f"/proc/{server.pid}/clear_refs").write_text("5")
    cpu, began = server.cpu(), time.perf_counter()
    server.sql(statement)
    return {"cpu_s": round(server.cpu() - cpu, 2),
            "seconds": round(time.perf_counter() - began, 2),
            "peak_rss_mib": memory(server.pid)["peak_rss_mib"]}


def best(runs: list) -> dict:
    return {"cpu_s": min(run["cpu_s"] for run in runs),
            "seconds": min(run["seconds"] for run in runs),
            "peak_rss_mib": max(run["peak_rss_mib"] for run in runs)}


def fresh(server: Server, tables: pathlib.Path) -> pathlib.Path:
    folder = pathlib.Path(server.data) / "lake" / "bench"
    folder.parent.mkdir(parents=True)
    shutil.copytree(tables, folder)
    return folder


def run_weir(tables: pathlib.Path, before: list, statement: str, table: str, check=None) -> dict:
    with Server() as server:
        folder = fresh(server, tables)
        server.start()
        server.wait_http()
        name = f"delta.'bench/{table}'"
        for text in before:
            server.sql(text.format(t=name))
        figures = measured(server, statement.format(t=name))
        if check:
            check(folder / table, server, name)
        return figures


def run_peer(tables: pathlib.Path, scratch: pathlib.Path, name: str, table: str) -> dict:
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(tables / table, scratch)
    source = tables / ("large" if name == "merge_large" else "source")
    done = subprocess.run([sys.executable, "-c", PEER, str(scratch), str(source), name],
                          capture_output=True, text=True, check=True)
    cpu, peak, seconds = map(float, done.stdout.split())
    return {"cpu_s": round(cpu, 2), "seconds": round(seconds, 2), "peak_rss_mib": round(peak, 1)}


def rows_of(path: pathlib.Path) -> int:
    from deltalake import DeltaTable
    return DeltaTable(str(path)).to_pyarrow_dataset().count_rows()


def queries(tables: pathlib.Path, runs: int) -> dict:
    results = {}
    with Server() as server:
        folder = fresh(server, tables)
        server.start()
        server.wait_http()
        for name, text in QUERIES.items():
            own = min(measured(server, text.format(t="delta.'bench/events'"))["cpu_s"]
                      for _ in range(runs + 1))
            peer = subprocess.run(
                [sys.executable, "-c", DUCKDB, str(folder / "events"), text],
                capture_output=True, text=True, check=True)
            results[name] = {"weir_cpu_s": own,
                             "duckdb_cpu_s": round(float(peer.stdout.split()[-1]), 3)}
        results["peak_rss_mib"] = memory(server.pid)["peak_rss_mib"]
    return results


def small_commits() -> dict:
    """A thousand commits of a hundred rows each."""
    with Server() as server:
        server.start()
        server.wait_http()
        server.sql("CREATE TABLE small (id bigint, name text, at timestamptz)")
        marks = []
        for number in range(1000):
            if number in (0, 100, 900):
                marks.append(server.cpu())
            server.sql(f"INSERT INTO small SELECT n, 'name ' || n, now() FROM "
                       f"generate_series({number * 100}, {number * 100 + 99}) AS n")
        marks.append(server.cpu())
        return {"rows_each": 100, "first_100_cpu_ms": round((marks[1] - marks[0]) * 10, 2),
                "last_100_cpu_ms": round((marks[3] - marks[2]) * 10, 2)}


def changes(options) -> dict:
    """UPDATE, DELETE, MERGE, OPTIMIZE, Z-order of five files, queries, a thousand small commits."""
    rows = options.events // FILES
    results = {"rows": rows * FILES, "files": FILES, "runs": options.long_runs}
    with Server() as place:
        tables = pathlib.Path(place.folder) / "tables"
        tables.mkdir()
        make_tables(tables, rows)
        scratch = pathlib.Path(place.folder) / "peer"
        for name, text in STATEMENTS.items():
            table = "small" if name == "optimize" else "events"
            counted = []

            def check(path, server, sql_name, name=name, scratch=scratch, counted=counted):
                # A table that another process reads must be the same for both.
                counted.append(rows_of(path))

            own = [run_weir(tables, [], text, table, check) for _ in range(options.long_runs)]
            peer = [run_peer(tables, scratch, name, table) for _ in range(options.long_runs)]
            assert set(counted) == {rows_of(scratch)}, (name, counted, rows_of(scratch))
            results[name] = {"weir": best(own), "delta_rs": best(peer)}
            print(name, results[name], file=sys.stderr, flush=True)
        for name, (before, text) in OWN.items():
            own = [run_weir(tables, before, text, "events") for _ in range(options.long_runs)]
            results[name] = {"weir": best(own)}
            print(name, results[name], file=sys.stderr, flush=True)
        results["queries"] = queries(tables, options.long_runs)
    results["small_commits"] = small_commits()
    return results
