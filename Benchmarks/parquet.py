"""Parquet side by side with DuckDB, PyArrow and Polars: CPU time to decode single columns, to find
single rows and to write, and the size of what is written. One thread each, CPU seconds of the
reading alone, the smallest of several runs."""
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile

from harness import WEIR

os.environ.setdefault("POLARS_MAX_THREADS", "1")

# Made of the rows of a travel platform: ids, names, a price, few kinds, many pages.
GENERATE = """
    SELECT
        uuid()::VARCHAR AS event_id,
        'user_' || floor(exp(random() * ln(1e6)))::BIGINT AS user_id,
        'sess_' || floor(random() * 2e6)::BIGINT AS session_id,
        TIMESTAMP '2026-02-16 00:00:00' + to_milliseconds((i * 60 + floor(random() * 40000))::BIGINT)
            AS timestamp,
        CASE WHEN random() < 0.4 THEN NULL ELSE round(random() * 2000, 2) END AS price,
        (['page_view', 'search', 'click', 'book', 'pay', 'cancel', 'login', 'logout'])
            [1 + floor(random() * 8)::INT] AS event_type,
        '/page/' || floor(random() * random() * 40)::INT AS page,
        (i // 60000 % 24)::INT AS event_hour
    FROM range({rows}) AS numbers(i)
"""
COLUMNS = ["event_id", "user_id", "session_id", "timestamp", "price", "event_type", "page",
           "event_hour"]
TEXTS = {"event_id", "user_id", "session_id", "event_type", "page"}


def source_file(rows: int) -> pathlib.Path:
    """The rows as PyArrow writes them, kept between runs."""
    import duckdb
    import pyarrow.parquet as pq

    folder = pathlib.Path(os.environ.get("WEIR_BENCH_DATA", tempfile.gettempdir()))
    path = folder / f"weir-parquet-{rows}.parquet"
    if not path.exists():
        connection = duckdb.connect()
        connection.execute("SELECT setseed(0.5)")
        reader = connection.execute(GENERATE.format(rows=rows)).to_arrow_reader(250_000)
        partial = path.with_suffix(".partial")
        with pq.ParquetWriter(partial, reader.schema) as writer:
            for batch in reader:
                writer.write_batch(batch, row_group_size=250_000)
        partial.rename(path)
    return path


# Each peer runs in a process of its own, which prints the CPU seconds of the best of its runs.
PEER = """
import json, os, resource, sys
def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
{setup}
times = []
for _ in range({runs}):
    before = cpu()
    {body}
    times.append(cpu() - before)
print(json.dumps(min(times)))
"""


def peer(setup: str, body: str, runs: int) -> float:
    code = PEER.format(setup=setup, body=body, runs=runs)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          env={**os.environ, "POLARS_MAX_THREADS": "1"})
    return round(json.loads(done.stdout.splitlines()[-1]), 4)


def weir(*words: str, runs: int) -> float:
    times = []
    for _ in range(runs):
        done = subprocess.run([WEIR, "parquet", *words, "-o", "json"], capture_output=True,
                              text=True, check=True)
        times.append(json.loads(done.stdout)["cpu_seconds"])
    return round(min(times), 4)


def decode(options) -> dict:
    """CPU seconds to decode one column each of ten million rows, side by side with its peers."""
    path = source_file(options.parquet_rows)
    runs = options.long_runs
    result = {"rows": options.parquet_rows}
    for column in COLUMNS:
        # A scan must look at the values, and at as little else as possible.
        # DuckDB answers max() of a number from the footer.
        duck = f"max(strlen({column}))" if column in TEXTS else \
            "bit_xor(epoch_us(timestamp))" if column == "timestamp" else f"sum({column})"
        polars = f"pl.col('{column}').str.len_bytes().max()" if column in TEXTS \
            else f"pl.col('{column}').max()" if column == "timestamp" else f"pl.col('{column}').sum()"
        result[column] = {
            "weir": weir("check", str(path), "--fast", "--columns", column, runs=runs),
            "duckdb": peer(
                f"import duckdb; c = duckdb.connect(); c.execute('SET threads = 1')",
                f"c.execute(\"SELECT {duck} FROM '{path}'\").fetchall()", runs),
            "pyarrow": peer(
                "import pyarrow.parquet as pq; import pyarrow as pa; pa.set_cpu_count(1)",
                f"[None for _ in pq.ParquetFile('{path}').iter_batches("
                f"batch_size=131072, columns=['{column}'], use_threads=False)]", runs),
            "polars": peer(
                "import polars as pl",
                f"pl.scan_parquet('{path}').select({polars}).collect()", runs),
        }
    totals = {name: round(sum(result[column][name] for column in COLUMNS), 3)
              for name in ("weir", "duckdb", "pyarrow", "polars")}
    return result | {"all": totals}


def lookup(options) -> dict:
    """CPU seconds to find one of ten million events by its id, by bloom filter, bounds and pages."""
    source = source_file(options.parquet_rows)
    folder = tempfile.mkdtemp(prefix="weir-bench-")
    try:
        path = os.path.join(folder, "filtered.parquet")
        subprocess.run([WEIR, "parquet", "rewrite", str(source), path, "--bloom", "event_id"],
                       check=True, capture_output=True)
        import duckdb
        wanted = duckdb.sql(
            f"SELECT event_id FROM '{path}' LIMIT 1 OFFSET 7654321 % {options.parquet_rows}"
        ).fetchone()[0]
        return {
            "weir": weir("scan", path, "--where", f"event_id={wanted}", runs=options.long_runs),
            "duckdb": peer(
                "import duckdb; c = duckdb.connect(); c.execute('SET threads = 1')",
                f"c.execute(\"SELECT * FROM '{path}' WHERE event_id = '{wanted}'\").fetchall()",
                options.long_runs),
            "polars": peer(
                "import polars as pl",
                f"pl.scan_parquet('{path}').filter(pl.col('event_id') == '{wanted}').collect()",
                options.long_runs),
        }
    finally:
        shutil.rmtree(folder)


def write(options) -> dict:
    """CPU seconds to write a million rows, and the size of the file, side by side with its peers."""
    source = source_file(options.parquet_rows)
    folder = tempfile.mkdtemp(prefix="weir-bench-")
    result = {}
    try:
        # One file that all read back into memory first, so that only writing is measured.
        million = os.path.join(folder, "million.parquet")
        import duckdb
        duckdb.sql(f"COPY (SELECT * FROM '{source}' LIMIT 1000000) TO '{million}' (FORMAT parquet)")
        for codec in ("snappy", "zstd"):
            out = {name: os.path.join(folder, f"{name}-{codec}.parquet")
                   for name in ("weir", "duckdb", "pyarrow", "polars")}
            figures = {
                "weir": weir("rewrite", million, out["weir"], "--codec", codec,
                             runs=options.long_runs),
                "duckdb": peer(
                    "import duckdb; c = duckdb.connect(); c.execute('SET threads = 1'); "
                    f"c.execute(\"CREATE TABLE t AS SELECT * FROM '{million}'\")",
                    f"c.execute(\"COPY t TO '{out['duckdb']}' (FORMAT parquet, "
                    f"COMPRESSION {codec})\")", options.long_runs),
                "pyarrow": peer(
                    "import pyarrow.parquet as pq; import pyarrow as pa; pa.set_cpu_count(1); "
                    f"t = pq.read_table('{million}')",
                    f"pq.write_table(t, '{out['pyarrow']}', compression='{codec}')",
                    options.long_runs),
                "polars": peer(
                    f"import polars as pl; t = pl.read_parquet('{million}')",
                    f"t.write_parquet('{out['polars']}', compression='{codec}')",
                    options.long_runs),
            }
            result[codec] = {name: {"cpu_seconds": figures[name],
                                    "mb": round(os.path.getsize(out[name]) / 1e6, 2)}
                             for name in figures}
        return result
    finally:
        shutil.rmtree(folder)
