"""The travel workload: 15 queries over app events, clicks and users as Parquet files, side by side with DuckDB,
Polars and DataFusion; CPU seconds, the least of several runs, with one thread and with two; peak memory; cold
start. WEIR_TRAVEL_EVENTS is the number of events, 10,000,000 by default, and of clicks; users are a tenth.

The data: 30 days of events in files of a tenth each, 4 row groups a file, nearly in order of time; users with
log-uniform popularity (the first one has a twentieth of all events); one event in a hundred is a copy of its
predecessor, one in a hundred comes up to two days late."""
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile

from harness import WEIR
from pictures import bars

EVENTS = int(os.environ.get("WEIR_TRAVEL_EVENTS", "10000000"))
PEERS = ["duckdb", "polars", "datafusion"]
# MiB of Weir's queries, so that nothing waits on the disk: the peers have no limit. With the 256 of the standard
# setting the answers are the same.
QUERY_MEMORY = os.environ.get("WEIR_QUERY_MEMORY", "4096")

# Everything follows from the number of a row: n/1000003 of it mixed by DuckDB's hash.
GENERATE = """
import pathlib, sys
import duckdb
folder, events = pathlib.Path(sys.argv[1]), int(sys.argv[2])
for name in ("app_events", "clicks"):
    (folder / name).mkdir(exist_ok=True)
users, sessions, files = events // 10, events // 5, 10
db = duckdb.connect()
db.execute("SET threads = 2; SET preserve_insertion_order = true")
db.execute("CREATE MACRO draw(n, salt) AS (hash(n * 64 + salt) % 1000000007) / 1000000007.0")
db.execute("CREATE MACRO pick(list, n, salt) AS list[1 + floor(draw(n, salt) * len(list))::int]")
db.execute("CREATE MACRO spelled(n, salt) AS md5((n * 64 + salt)::varchar)")
db.execute("CREATE MACRO uuid_of(n, salt) AS concat_ws('-', spelled(n, salt)[1:8], spelled(n, salt)[9:12],"
           " spelled(n, salt)[13:16], spelled(n, salt)[17:20], spelled(n, salt)[21:32])")
db.execute(f"CREATE MACRO user_of(n, salt) AS 'user_' || floor(exp(draw(n, salt) * ln({users})))::int")
kinds = "['page_view', 'search', 'click', 'view_detail', 'add_to_cart', 'book', 'pay', 'cancel', 'review', 'login']"
pages = "['/', '/search', '/hotel/detail', '/flight/detail', '/cart', '/pay', '/account', '/help', '/offers', '/map']"
cities = "['Ha Noi', 'Hue', 'Da Nang', 'Paris', 'Rome', 'Tokyo', 'Berlin', 'Lima', 'Oslo', 'Seoul', 'Cairo', 'Delhi']"
moment = f"timestamp '2026-01-01' + to_microseconds((n * 1.0 * 30 * 86400000000 / {events})::bigint // 1000 * 1000)"
late = "to_microseconds((CASE WHEN draw(n, 9) < 0.01 THEN draw(n, 10) * 172800000 ELSE draw(n, 11) * 60000 END)::bigint * 1000)"
for part in range(files):
    first, last = events * part // files, events * (part + 1) // files
    rows = f"range({first}, {last}) AS r(n)"
    group = max(2048, (last - first) // 4)
    db.execute(f'''COPY (
        SELECT uuid_of(CASE WHEN draw(n, 1) < 0.01 AND n > 0 THEN n - 1 ELSE n END, 2) AS event_id,
            pick({kinds}, n, 3) AS event_type, user_of(n, 4) AS user_id,
            'session_' || floor(draw(n, 5) * {sessions})::int AS session_id,
            pick(['mobile', 'web', 'booking'], n, 6) AS app_type, {moment} - {late} AS event_timestamp,
            ({moment} - {late})::date AS event_date, extract(hour FROM {moment} - {late})::int AS event_hour,
            pick({pages}, n, 7) AS page, pick({cities}, n, 8) AS destination,
            floor(draw(n, 12) * 100000) / 100 AS price
        FROM {rows}) TO '{folder}/app_events/{part}.parquet' (FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE {group})''')
    db.execute(f'''COPY (
        SELECT uuid_of(n, 20) AS click_id, user_of(n, 21) AS user_id,
            'session_' || floor(draw(n, 22) * {sessions})::int AS session_id,
            'https://travel.example' || pick({pages}, n, 23) || '?c=' || floor(draw(n, 24) * 40)::int AS page_url,
            'button_' || floor(draw(n, 25) * 200)::int AS element_id, floor(draw(n, 26) * 1920)::int AS x,
            floor(draw(n, 27) * 8000)::int AS y, {moment} - {late} AS click_timestamp,
            pick(['mobile', 'tablet', 'desktop'], n, 28) AS device_type
        FROM {rows}) TO '{folder}/clicks/{part}.parquet' (FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE {group})''')
db.execute(f'''COPY (
    SELECT 'user_' || n AS user_id, pick(['VN', 'FR', 'IT', 'JP', 'DE', 'PE', 'NO', 'KR', 'EG', 'IN'], n, 40) AS country,
        pick(['new', 'regular', 'gold', 'platinum'], n, 41) AS segment, 1940 + floor(draw(n, 42) * 70)::int AS birth_year
    FROM range(1, {users} + 1) AS r(n)) TO '{folder}/users.parquet' (FORMAT parquet, COMPRESSION snappy)''')
(folder / "complete").touch()
"""

# In the dialect that all of them read; Polars has the same as lazy frames.
QUERIES = {
    "t01": "SELECT date_trunc('hour', event_timestamp) AS h, event_type, app_type, count(*) AS n, "
           "count(DISTINCT user_id) AS u FROM app_events GROUP BY 1, 2, 3",
    "t02": "SELECT count(*) FROM (SELECT event_id, row_number() OVER (PARTITION BY event_id "
           "ORDER BY event_timestamp) AS r FROM app_events) x WHERE r = 1",
    "t03": "SELECT count(DISTINCT event_id) FROM app_events",
    "t04": "SELECT count(*), sum(CASE WHEN before IS NULL OR click_timestamp > before + INTERVAL '30 minutes' "
           "THEN 1 ELSE 0 END) FROM (SELECT click_timestamp, lag(click_timestamp) OVER (PARTITION BY user_id "
           "ORDER BY click_timestamp) AS before FROM clicks) x",
    "t05": "SELECT page_url, count(*) AS n, count(DISTINCT session_id) AS s FROM clicks GROUP BY 1 "
           "ORDER BY n DESC, page_url LIMIT 20",
    "t06": "SELECT country, segment, count(*) AS n, sum(price) AS p FROM app_events e "
           "JOIN users u ON e.user_id = u.user_id GROUP BY 1, 2",
    "t07": f"SELECT count(*), min(event_timestamp), sum(price) FROM app_events WHERE user_id = 'user_{EVENTS // 20}'",
    "t08": "SELECT event_type, percentile_cont(0.5) WITHIN GROUP (ORDER BY price) AS a, "
           "percentile_cont(0.95) WITHIN GROUP (ORDER BY price) AS b, "
           "percentile_cont(0.99) WITHIN GROUP (ORDER BY price) AS c FROM app_events GROUP BY 1",
    "t09": "SELECT event_date, count(DISTINCT user_id) AS u FROM app_events GROUP BY 1",
    "t10": "SELECT count(*), sum(price) FROM app_events WHERE event_timestamp >= TIMESTAMP '2026-01-15 00:00:00' "
           "AND event_timestamp < TIMESTAMP '2026-01-16 00:00:00'",
    "t11": "SELECT count(*) FROM app_events WHERE page LIKE '%detail%'",
    "t12": "SELECT count(*), sum(s), sum(s * d), sum(s * d * b) FROM (SELECT session_id, "
           "max(CASE WHEN event_type = 'search' THEN 1 ELSE 0 END) AS s, "
           "max(CASE WHEN event_type = 'view_detail' THEN 1 ELSE 0 END) AS d, "
           "max(CASE WHEN event_type = 'book' THEN 1 ELSE 0 END) AS b FROM app_events GROUP BY session_id) x",
    "t13": "SELECT * FROM app_events ORDER BY price DESC, event_id, event_timestamp LIMIT 100",
    "t14": "SELECT user_id, count(*) AS n, sum(price) AS p, min(event_timestamp) AS a, max(event_timestamp) AS z "
           "FROM app_events GROUP BY 1 ORDER BY n DESC, user_id LIMIT 100",
    "t15": "SELECT count(*) FROM app_events",
}
# Results that nobody orders.
UNORDERED = {"t01", "t06", "t08", "t09"}

PEER = """
import json, pathlib, resource, sys, time
engine, folder, threads, runs = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
queries = json.loads(sys.stdin.read())
tables = {"app_events": "app_events/*.parquet", "clicks": "clicks/*.parquet", "users": "users.parquet"}
def duckdb():
    import duckdb
    db = duckdb.connect()
    db.execute(f"SET threads = {threads}; SET TimeZone = 'UTC'")
    for name, files in tables.items():
        db.execute(f"CREATE VIEW {name} AS SELECT * FROM '{folder}/{files}'")
    return lambda name: db.execute(queries[name]).fetchall()
def datafusion():
    import datafusion
    context = datafusion.SessionContext(datafusion.SessionConfig().with_target_partitions(threads))
    for name, files in tables.items():
        context.register_parquet(name, str(folder / files.removesuffix("/*.parquet")))
    def run(name):
        batches = context.sql(queries[name]).collect()
        return [tuple(row.values()) for batch in batches for row in batch.to_pylist()]
    return run
def polars():
    import polars as pl
    e, c, u = (pl.scan_parquet(folder / files) for files in tables.values())
    col, n = pl.col, pl.len().alias("n")
    gap = (col("click_timestamp") - col("click_timestamp").shift(1).over("user_id", order_by="click_timestamp"))
    has = lambda kind: (col("event_type") == kind).any().cast(pl.Int64)
    quantile = lambda q: col("price").quantile(q, "linear").alias(str(q))
    day = pl.datetime(2026, 1, 15, time_unit="us")
    frames = {
        "t01": e.group_by(col("event_timestamp").dt.truncate("1h"), "event_type", "app_type").agg(n, col("user_id").n_unique()),
        "t02": e.select("event_id", "event_timestamp").sort("event_timestamp").unique("event_id", keep="first").select(pl.len()),
        "t03": e.select(col("event_id").n_unique()),
        "t04": c.select(gap.alias("gap")).select(pl.len(), (col("gap").is_null() | (col("gap") > pl.duration(minutes=30))).sum()),
        "t05": c.group_by("page_url").agg(n, col("session_id").n_unique()).sort(["n", "page_url"], descending=[True, False]).head(20),
        "t06": e.join(u, on="user_id").group_by("country", "segment").agg(n, col("price").sum()),
        "t07": e.filter(col("user_id") == queries["t07"].rsplit("'", 2)[1]).select(pl.len(), col("event_timestamp").min(), col("price").sum()),
        "t08": e.group_by("event_type").agg(quantile(0.5), quantile(0.95), quantile(0.99)),
        "t09": e.group_by("event_date").agg(col("user_id").n_unique()),
        "t10": e.filter((col("event_timestamp") >= day) & (col("event_timestamp") < day + pl.duration(days=1))).select(pl.len(), col("price").sum()),
        "t11": e.filter(col("page").str.contains("detail", literal=True)).select(pl.len()),
        "t12": e.group_by("session_id").agg(has("search").alias("s"), has("view_detail").alias("d"), has("book").alias("b")).select(
            pl.len(), col("s").sum(), (col("s") * col("d")).sum().alias("x"), (col("s") * col("d") * col("b")).sum().alias("y")),
        "t13": e.sort(["price", "event_id", "event_timestamp"], descending=[True, False, False]).head(100),
        "t14": e.group_by("user_id").agg(n, col("price").sum(), col("event_timestamp").min().alias("a"), col("event_timestamp").max().alias("z")).sort(
            ["n", "user_id"], descending=[True, False]).head(100),
        "t15": e.select(pl.len()),
    }
    return lambda name: frames[name].collect().rows()
run = {"duckdb": duckdb, "polars": polars, "datafusion": datafusion}[engine]()
def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
best, answers, failed = {}, {}, {}
for name in queries:
    for _ in range(runs):
        before = cpu()
        try:
            rows = run(name)
        except BaseException as failure:
            failed[name] = f"{type(failure).__name__}: {str(failure)[:200]}"
            break
        best[name] = min(best.get(name, 1e9), cpu() - before)
        answers[name] = [[str(v) if not isinstance(v, (int, float)) else v for v in row] for row in rows]
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if "VmHWM" in line)
print(json.dumps({"cpu": best, "answers": answers, "failed": failed, "peak": peak / 1024}))
"""


def files() -> pathlib.Path:
    """The folder of the files, kept between runs."""
    place = pathlib.Path(os.environ.get("WEIR_BENCH_DATA", tempfile.gettempdir()))
    folder = place / f"weir-travel-{EVENTS}"
    if not (folder / "complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-c", GENERATE, str(folder), str(EVENTS)], check=True)
    return folder


def run_peer(engine: str, folder: pathlib.Path, threads: int, runs: int) -> dict:
    """CPU seconds and answers of each query in one warm process, on as many cores as it has threads."""
    run = subprocess.run(
        ["taskset", "-c", ",".join(map(str, range(threads))), sys.executable, "-c", PEER, engine, str(folder),
         str(threads), str(runs)], input=json.dumps(QUERIES), capture_output=True, text=True,
        env={**os.environ, "POLARS_MAX_THREADS": str(threads)})
    if run.returncode != 0:
        raise RuntimeError(f"{engine}: {run.stderr[-2000:]}")
    return json.loads(run.stdout.splitlines()[-1])


# Starts a program from a small process and writes its exit status, CPU seconds and highest resident KiB: a child
# counts what the process that it was forked from had.
MEASURED = """
import os, sys
pid = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, used = os.wait4(pid, 0)
open(sys.argv[1], "w").write(f"{status} {used.ru_utime + used.ru_stime} {used.ru_maxrss}")
"""


def run_weir(folder: pathlib.Path, query: str, threads: int) -> tuple[float, float, str]:
    """CPU seconds, peak MiB and the answer of one query in a process of its own."""
    with tempfile.TemporaryDirectory() as place:
        run = subprocess.run(
            ["taskset", "-c", ",".join(map(str, range(threads))), sys.executable, "-S", "-E", "-c", MEASURED,
             f"{place}/used", WEIR, "sql", str(folder), "-q", "-o", "json", "-n", "1000000", "-c", query],
            capture_output=True, text=True, env={**os.environ, "WEIR_QUERY_MEMORY": QUERY_MEMORY})
        status, cpu, peak = pathlib.Path(f"{place}/used").read_text().split()
        if int(status) != 0:
            raise RuntimeError(f"weir sql failed: {query[:200]}: {run.stdout[-300:]}{run.stderr[-300:]}")
        return float(cpu), int(peak) / 1024, run.stdout


def is_same(name: str, ours: list, theirs: list) -> bool:
    def plain(value):
        if value is None or isinstance(value, (int, float)):
            return value
        text = str(value).replace("T", " ")
        try:
            return float(text)
        except ValueError:
            text = text.removesuffix("+00").removesuffix("+00:00")
            return text.rstrip("0").rstrip(".") if "." in text else text

    def fits(a, b):
        if isinstance(a, (int, float)) and isinstance(b, (int, float)):
            return math.isclose(a, b, rel_tol=1e-9)
        return a == b
    ours, theirs = ([[plain(v) for v in row] for row in rows] for rows in (ours, theirs))
    if name in UNORDERED:
        key = lambda row: [str(v) for v in row if isinstance(v, str)]
        ours, theirs = sorted(ours, key=key), sorted(theirs, key=key)
    return len(ours) == len(theirs) and all(
        len(a) == len(b) and all(map(fits, a, b)) for a, b in zip(ours, theirs))


def travel(options) -> dict:
    """CPU seconds of the travel workload, side by side with DuckDB, Polars and DataFusion."""
    folder, runs, result = files(), options.long_runs, {}
    names = list(QUERIES)
    figures = {name: {} for name in names}
    answers, totals, peaks = {}, {}, {}
    for threads in (1, 2):
        total = 0.0
        for name in names:
            # A query runs on one thread so far: the second core gives it nothing.
            taken = [run_weir(folder, QUERIES[name], threads) for _ in range(runs if threads == 1 else 1)]
            figures[name][f"weir_{threads}_cpu_s"] = round(min(cpu for cpu, _, _ in taken), 3)
            figures[name]["weir_peak_rss_mib"] = max(
                figures[name].get("weir_peak_rss_mib", 0), round(max(peak for _, peak, _ in taken), 1))
            answers[name] = json.loads(taken[0][2])["rows"]
            total += min(cpu for cpu, _, _ in taken)
            print(f"weir {name} {threads}: {figures[name]}", file=sys.stderr, flush=True)
        totals[f"weir_{threads}_cpu_s"] = round(total, 2)
    for engine in PEERS:
        for threads in (1, 2):
            peer = run_peer(engine, folder, threads, runs)
            for name in names:
                if name in peer["failed"]:
                    figures[name][f"{engine}_{threads}_cpu_s"] = peer["failed"][name]
                    continue
                figures[name][f"{engine}_{threads}_cpu_s"] = round(peer["cpu"][name], 3)
                if not is_same(name, answers[name], peer["answers"][name]):
                    figures[name][f"{engine}_differs"] = (
                        f"{len(answers[name])} rows {answers[name][:1]} / {len(peer['answers'][name])} rows "
                        f"{peer['answers'][name][:1]}")[:300]
            totals[f"{engine}_{threads}_cpu_s"] = round(sum(peer["cpu"].values()), 2)
            peaks[f"{engine}_{threads}_peak_rss_mib"] = round(peer["peak"], 1)
            print(f"{engine} {threads}: {totals[f'{engine}_{threads}_cpu_s']}", file=sys.stderr, flush=True)
    cold = [run_weir(folder, QUERIES["t15"], 2) for _ in range(max(5, runs))]
    result = {"events": EVENTS, "runs": runs, "weir_query_memory_mib": int(QUERY_MEMORY), **totals, **peaks,
              "weir_peak_rss_mib": max(figure["weir_peak_rss_mib"] for figure in figures.values()),
              "cold_count_cpu_ms": round(min(cpu for cpu, _, _ in cold) * 1000, 1),
              "cold_count_rss_mib": round(max(peak for _, peak, _ in cold), 1), **figures}
    bars("travel", f"Travel workload, {EVENTS:,} events: CPU seconds, one thread",
         {name: {engine: figures[name][f"{engine}_1_cpu_s"] for engine in ["weir", *PEERS]} for name in names},
         {engine: totals[f"{engine}_1_cpu_s"] for engine in ["weir", *PEERS]})
    return result
