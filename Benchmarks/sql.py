"""The 22 queries of TPC-H over Parquet files, side by side with DuckDB: CPU seconds and elapsed seconds of a
whole `weir sql`, and of DuckDB in a process that is warm, the least of several runs; peak memory. Both work with
`--threads` threads, 1 by default. Also a picture beside the figures. WEIR_TPCH_SCALE is the size, 1 by default."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

from harness import WEIR
from pictures import bars

SCALE = os.environ.get("WEIR_TPCH_SCALE", "1")

# Writes the files and the queries once; DuckDB generates them.
GENERATE = """
import glob, json, pathlib, sys
import duckdb, duckdb_extension_tpch
folder, scale = pathlib.Path(sys.argv[1]), sys.argv[2]
extension = glob.glob(f"{pathlib.Path(duckdb_extension_tpch.__file__).parent}/**/*.duckdb_extension",
                      recursive=True)[0]
connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
connection.execute(f"LOAD '{extension}'")
connection.execute(f"CALL dbgen(sf={scale})")
for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall():
    connection.execute(f"COPY {name} TO '{folder}/{name}.parquet' (FORMAT parquet)")
queries = dict(connection.execute("SELECT query_nr, query FROM tpch_queries()").fetchall())
(folder / "queries.json").write_text(json.dumps(queries))
"""

DUCKDB = """
import glob, json, pathlib, resource, sys, time
import duckdb
folder, runs, threads = pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
connection = duckdb.connect()
connection.execute(f"SET threads = {threads}")
for file in folder.glob("*.parquet"):
    connection.execute(f"CREATE VIEW {file.stem} AS SELECT * FROM '{file}'")
def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
best, elapsed = {}, {}
for number, query in json.loads((folder / "queries.json").read_text()).items():
    for _ in range(runs):
        before, began = cpu(), time.perf_counter()
        connection.execute(query).fetchall()
        elapsed[number] = min(elapsed.get(number, 1e9), time.perf_counter() - began)
        best[number] = min(best.get(number, 1e9), cpu() - before)
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if "VmHWM" in line)
print(json.dumps({"cpu": best, "elapsed": elapsed, "peak": peak / 1024}))
"""


def files() -> pathlib.Path:
    """The folder of the files, kept between runs."""
    place = pathlib.Path(os.environ.get("WEIR_BENCH_DATA", tempfile.gettempdir()))
    folder = place / f"weir-tpch-{SCALE}"
    if not (folder / "queries.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-c", GENERATE, str(folder), SCALE], check=True)
    return folder


def run_weir(folder: pathlib.Path, query: str, threads: int) -> tuple[float, float, float]:
    """CPU seconds, elapsed seconds and peak MiB of one query in a process of its own."""
    began = time.perf_counter()
    process = subprocess.Popen([WEIR, "sql", str(folder), "-q", "-o", "csv", "-n", "100000", "-c", query],
                               stdout=subprocess.DEVNULL,
                               env={**os.environ, "WEIR_QUERY_THREADS": str(threads)})
    _, status, used = os.wait4(process.pid, 0)
    if status != 0:
        raise RuntimeError(f"weir sql failed: {query[:200]}")
    return used.ru_utime + used.ru_stime, time.perf_counter() - began, used.ru_maxrss / 1024


def sql(options) -> dict:
    """CPU and elapsed seconds of the queries of TPC-H, side by side with DuckDB."""
    folder, threads = files(), options.threads
    queries = json.loads((folder / "queries.json").read_text())
    peer = json.loads(subprocess.run(
        [sys.executable, "-c", DUCKDB, str(folder), str(options.long_runs), str(threads)], check=True,
        capture_output=True, text=True).stdout)
    figures = {}
    for number, query in queries.items():
        runs = [run_weir(folder, query, threads) for _ in range(options.long_runs)]
        figures[f"q{number}"] = {
            "weir_cpu_s": round(min(cpu for cpu, _, _ in runs), 3),
            "duckdb_cpu_s": round(peer["cpu"][number], 3),
            "weir_elapsed_s": round(min(elapsed for _, elapsed, _ in runs), 3),
            "duckdb_elapsed_s": round(peer["elapsed"][number], 3),
            "weir_peak_rss_mib": round(max(peak for _, _, peak in runs), 1)}
    total = {name: {kind: round(sum(figure[f"{name}_{kind}_s"] for figure in figures.values()), 2)
                    for kind in ("cpu", "elapsed")}
             for name in ("weir", "duckdb")}
    # With one thread the processor's time is the steadier figure; with more the question is how long it takes.
    kind = "cpu" if threads == 1 else "elapsed"
    bars("sql" if threads == 1 else f"sql-{threads}-threads",
         f"TPC-H {SCALE}: " + ("CPU seconds, one thread" if threads == 1 else f"seconds, {threads} threads"),
         {name: {engine: figure[f"{engine}_{kind}_s"] for engine in total} for name, figure in figures.items()},
         {engine: sums[kind] for engine, sums in total.items()})
    return {"scale": SCALE, "runs": options.long_runs, "threads": threads,
            "weir_cpu_s": total["weir"]["cpu"], "duckdb_cpu_s": total["duckdb"]["cpu"],
            "ratio": round(total["weir"]["cpu"] / total["duckdb"]["cpu"], 2),
            "weir_elapsed_s": total["weir"]["elapsed"], "duckdb_elapsed_s": total["duckdb"]["elapsed"],
            "elapsed_ratio": round(total["weir"]["elapsed"] / total["duckdb"]["elapsed"], 2),
            "weir_peak_rss_mib": max(figure["weir_peak_rss_mib"] for figure in figures.values()),
            "duckdb_peak_rss_mib": round(peer["peak"], 1), **figures}
