"""Statements that change tables, side by side with delta-rs on the same files."""
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
elif name == "merge":
    (table.merge(DeltaTable(source).to_pyarrow_table(), "t.event_id = s.event_id",
                 source_alias="s", target_alias="t")
     .when_matched_update({"price": "s.price"})
     .when_not_matched_insert({"event_id": "s.event_id", "price": "s.price"}).execute())
elif name == "zorder":
    table.optimize.z_order(["user_id", "ts"])
used = resource.getrusage(resource.RUSAGE_SELF)
print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, time.perf_counter() - began)
"""

STATEMENTS = {
    "update": "UPDATE {t} SET price = price + 1 "
              "WHERE event_type = 'login' AND user_id LIKE 'user_77%'",
    "delete": "DELETE FROM {t} WHERE user_id = 'user_123'",
    "merge": "MERGE INTO {t} AS t USING delta.'bench/source' AS s ON t.event_id = s.event_id "
             "WHEN MATCHED THEN UPDATE SET price = s.price "
             "WHEN NOT MATCHED THEN INSERT (event_id, price) VALUES (s.event_id, s.price)",
    "zorder": "OPTIMIZE {t} ZORDER BY (user_id, ts)",
}


def make_tables(folder: pathlib.Path, rows: int):
    """Five files of events by delta-rs, and a source that half matches them."""
    import duckdb
    import pyarrow
    from deltalake import write_deltalake
    connection = duckdb.connect()
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
    ids = [str(value) for value in events.column("event_id").slice(0, 25_000).to_pylist()]
    ids += [f"new-{n}" for n in range(25_000)]
    write_deltalake(str(folder / "source"), pyarrow.table(
        {"event_id": ids, "price": [1.0] * len(ids)}))
    shutil.copytree(folder / "events", folder / "peer")


def measured(server: Server, statement: str) -> dict:
    pathlib.Path(f"/proc/{server.pid}/clear_refs").write_text("5")
    cpu, began = server.cpu(), time.perf_counter()
    server.sql(statement)
    return {"cpu_s": round(server.cpu() - cpu, 2),
            "seconds": round(time.perf_counter() - began, 2),
            "peak_rss_mib": memory(server.pid)["peak_rss_mib"]}


def changes(options) -> dict:
    """UPDATE, DELETE, MERGE, Z-order of five files, and a thousand small commits."""
    rows = options.events // FILES
    results = {"rows": rows * FILES, "files": FILES}
    with Server() as server:
        folder = pathlib.Path(server.data) / "lake" / "bench"
        folder.mkdir(parents=True)
        make_tables(folder, rows)
        server.start()
        server.wait_http()
        table = "delta.'bench/events'"
        for name, text in STATEMENTS.items():
            results[name] = {"weir": measured(server, text.format(t=table))}
            done = subprocess.run(
                [sys.executable, "-c", PEER, str(folder / "peer"), str(folder / "source"), name],
                capture_output=True, text=True, check=True)
            cpu, peak, seconds = map(float, done.stdout.split())
            results[name]["delta_rs"] = {"cpu_s": round(cpu, 2), "seconds": round(seconds, 2),
                                         "peak_rss_mib": round(peak, 1)}
        server.sql("CREATE TABLE small (id bigint, name text, at timestamptz)")
        marks = []
        for number in range(1000):
            if number in (0, 100, 900):
                marks.append(server.cpu())
            server.sql(f"INSERT INTO small SELECT n, 'name ' || n, now() FROM "
                       f"generate_series({number * 100}, {number * 100 + 99}) AS n")
        marks.append(server.cpu())
        results["small_commits"] = {
            "rows_each": 100, "first_100_cpu_ms": round((marks[1] - marks[0]) * 10, 2),
            "last_100_cpu_ms": round((marks[3] - marks[2]) * 10, 2)}
        # A table that another process reads must be the same for both.
        from deltalake import DeltaTable
        mine = DeltaTable(str(folder / "events")).to_pyarrow_table()
        theirs = DeltaTable(str(folder / "peer")).to_pyarrow_table()
        assert mine.num_rows == theirs.num_rows, (mine.num_rows, theirs.num_rows)
    return results
