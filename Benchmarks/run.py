#!/usr/bin/env python3
"""Benchmarks of the release binary: `make bench`, or `make bench NAME=produce`.

Each writes a dated JSON and Markdown file into Benchmarks/results. WEIR names another binary.
"""
import argparse
import json
import os
import random
import resource
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid

import harness
import lake
import parquet
from changes import changes
from cluster import cluster
from harness import Server, free_port, load, memory, raw_figures, save, settle, spread
from interference import interference
from sql import sql
from travel import travel


def start(options) -> dict:
    """Milliseconds from exec to the first ApiVersions answer: empty, and with data."""
    cold, warm, replay = [], [], []
    for _ in range(options.runs):
        with Server() as server:
            cold.append(server.start())
            server.stop()
    with Server() as server:
        server.start()
        fill(server, "filled", options.megabytes // 4, partitions=6)
        server.stop()
        for _ in range(options.runs):
            warm.append(server.start())
            server.stop()
        for _ in range(options.runs):
            server.start()
            fill(server, "filled", 32, partitions=6)
            server.process.kill()
            server.process.wait()
            replay.append(server.start())
            server.stop()
    return {"empty_ms": spread(cold), "after_clean_stop_ms": spread(warm),
            "after_kill_with_32_mb_to_replay_ms": spread(replay),
            "data_mb": options.megabytes // 4}


def idle(options) -> dict:
    """Memory and CPU of a server that has nothing to do."""
    figures, cpu = [], []
    for _ in range(3):
        with Server() as server:
            server.start()
            time.sleep(5)
            figures.append(memory(server.pid))
            before = server.cpu()
            time.sleep(5)
            cpu.append((server.cpu() - before) / 5 * 100)
            server.stop()
    return {key: spread([figure[key] for figure in figures]) for key in figures[0]} \
        | {"cpu_percent": spread(cpu)}


# Produce and consume

def record_file(folder: str, megabytes: int, size: int = 1024) -> str:
    """Records of `size` bytes, one a line, of letters that do not compress to nothing."""
    path = os.path.join(folder, "records")
    source = random.Random(1)
    block = b"".join(
        bytes(source.choices(b"abcdefghijklmnopqrstuvwxyz0123456789", k=size - 1)) + b"\n"
        for _ in range(1024))
    with open(path, "wb") as file:
        for _ in range(megabytes * 1_000_000 // len(block) + 1):
            file.write(block)
    return path


def create_topic(server: Server, name: str, partitions: int) -> None:
    from confluent_kafka.admin import AdminClient, NewTopic
    admin = AdminClient({"bootstrap.servers": server.kafka, "log_level": 0})
    failure = admin.create_topics([NewTopic(name, partitions, 1)])[name].exception(30)
    if failure is not None and "TOPIC_ALREADY_EXISTS" not in str(failure):
        raise RuntimeError(str(failure))


KCAT_PRODUCE = ["-X", "acks=all", "-X", "linger.ms=5", "-X", "batch.size=1000000",
                "-X", "batch.num.messages=100000", "-X", "queue.buffering.max.messages=200000",
                "-X", "queue.buffering.max.kbytes=262144", "-X", "message.timeout.ms=120000"]


def child_cpu() -> float:
    """CPU seconds of all processes that this one started and that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def kcat_produce(server: Server, topic: str, path: str, *extra: str) -> float:
    began = time.perf_counter()
    subprocess.run(["kcat", "-P", "-q", "-b", server.kafka, "-t", topic, *KCAT_PRODUCE, *extra,
                    "-l", path], check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def fill(server: Server, topic: str, megabytes: int, partitions: int) -> None:
    create_topic(server, topic, partitions)
    with tempfile.TemporaryDirectory() as folder:
        kcat_produce(server, topic, record_file(folder, megabytes))


def python_produce(server: Server, topic: str, megabytes: int) -> float:
    from confluent_kafka import Producer
    producer = Producer({
        "bootstrap.servers": server.kafka, "acks": "all", "linger.ms": 5, "batch.size": 1000000,
        "batch.num.messages": 100000, "queue.buffering.max.messages": 200000,
        "queue.buffering.max.kbytes": 262144})
    payload = random.Random(2).randbytes(1024)
    produce, count = producer.produce, megabytes * 1_000_000 // 1024
    began = time.perf_counter()
    for index in range(count):
        while True:
            try:
                produce(topic, payload)
                break
            except BufferError:
                producer.poll(0.01)
        if index % 4096 == 0:
            producer.poll(0)
    if producer.flush(120) != 0:
        raise RuntimeError("not everything was produced")
    return time.perf_counter() - began


def kcat_consume(server: Server, topic: str) -> tuple[float, int]:
    began = time.perf_counter()
    process = subprocess.Popen(
        ["kcat", "-C", "-q", "-e", "-o", "beginning", "-b", server.kafka, "-t", topic,
         "-X", "fetch.message.max.bytes=4194304", "-X", "queued.max.messages.kbytes=262144",
         "-X", "check.crcs=false", "-X", "enable.partition.eof=true", "-f", "%s\n"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    count = 0
    while block := process.stdout.read1(1 << 20):
        count += len(block)
    process.wait()
    return time.perf_counter() - began, count


def python_consume(server: Server, topic: str, wanted: int) -> float:
    from confluent_kafka import Consumer, TopicPartition, OFFSET_BEGINNING
    consumer = Consumer({
        "bootstrap.servers": server.kafka, "group.id": str(uuid.uuid4()),
        "enable.auto.commit": False, "fetch.message.max.bytes": 4194304,
        "queued.max.messages.kbytes": 262144})
    partitions = consumer.list_topics(topic, 10).topics[topic].partitions
    began = time.perf_counter()
    consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])
    count = 0
    while count < wanted:
        records = consumer.consume(min(5000, wanted - count), 10)
        if not records:
            raise RuntimeError(f"only {count} of {wanted} records came")
        count += len(records)
    elapsed = time.perf_counter() - began
    consumer.close()
    return elapsed


def produce(options) -> dict:
    """MB/s and CPU of records of 1 KiB with acks=all, and of reading them back."""
    megabytes, runs = options.megabytes, {"kcat": [], "confluent": []}
    costs, reads, read_costs = [], {"kcat": [], "confluent": []}, []
    with Server() as server:
        path = record_file(server.folder, megabytes)
        size = os.path.getsize(path) / 1e6
        raw = raw_figures(server.folder)
        server.start()
        for number in range(options.long_runs):
            topic = f"bench-{number}"
            create_topic(server, topic, 6)
            before = server.cpu()
            seconds = kcat_produce(server, topic, path)
            costs.append((server.cpu() - before) / size * 1000)
            runs["kcat"].append(size / seconds)
            before = server.cpu()
            seconds, count = kcat_consume(server, topic)
            if count / 1e6 < size * 0.999:
                raise RuntimeError(f"{count} of {size * 1e6} bytes came back")
            read_costs.append((server.cpu() - before) / size * 1000)
            reads["kcat"].append(size / seconds)
            reads["confluent"].append(
                size / python_consume(server, topic, int(size * 1e6 / 1024)))
            create_topic(server, topic + "-p", 6)
            runs["confluent"].append(
                megabytes / python_produce(server, topic + "-p", megabytes))
        peak = memory(server.pid)
        server.stop()
    best = max(statistics.median(values) for values in runs.values())
    best_read = max(statistics.median(values) for values in reads.values())
    return {
        "records": "1 KiB, acks=all, 6 partitions, one librdkafka client, no compression",
        "megabytes": round(size),
        "produce_mb_s": {client: spread(values) for client, values in runs.items()},
        "broker_cpu_s_per_produced_gb": spread(costs),
        "consume_mb_s": {client: spread(values) for client, values in reads.items()},
        "broker_cpu_s_per_consumed_gb": spread(read_costs),
        "memory": peak, "raw": raw,
        "ratio_produce_to_write": round(best / raw["write_fdatasync_mb_s"], 3),
        "ratio_produce_to_loopback": round(best / raw["loopback_mb_s"], 3),
        "ratio_produce_to_memcpy": round(best / raw["memcpy_mb_s"], 3),
        "ratio_consume_to_loopback": round(best_read / raw["loopback_mb_s"], 3)}


CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


def codecs(options) -> dict:
    """librdkafka's producer with each codec, 100 B and 1 KiB: who is busy, the client or the broker."""
    results = {"records": "acks=all, 6 partitions, one kcat", "megabytes": options.megabytes // 4}
    with Server() as server:
        server.start()
        for size in (100, 1024):
            path = record_file(server.folder, options.megabytes // 4, size)
            total = os.path.getsize(path)
            for codec in CODECS:
                topic = f"bench-{codec}-{size}"
                create_topic(server, topic, 6)
                broker, client = server.cpu(), child_cpu()
                seconds = kcat_produce(server, topic, path, "-z", codec)
                broker, client = server.cpu() - broker, child_cpu() - client
                results[f"{codec}_{size}"] = {
                    "records_s": round(total / size / seconds),
                    "mb_s": round(total / 1e6 / seconds, 1),
                    "client_cores": round(client / seconds, 2),
                    "broker_cores": round(broker / seconds, 2),
                    "broker_cpu_s_per_gb": round(broker / total * 1e9, 2)}
        server.stop()
    return results


BROKER_RUNS = {
    "produce 1 MB batches": ["produce", "--warm-up", "1"],
    "one-record requests": ["produce", "-n", "1", "-r", "100", "-f", "256", "--warm-up", "2"],
    "acks": ["acks"], "fetch": ["fetch"], "latency at 1,000 records/s": ["latency"],
    "5,000 connections": ["connections"], "10,000 partitions": ["partitions"],
    "journal": ["journal"], "compaction": ["compaction"],
}


def broker(options) -> dict:
    """`weir bench`, each against a new server; what the machine does raw is part of each run."""
    results = {}
    for name, words in BROKER_RUNS.items():
        with Server() as server:
            server.start()
            harness.warm_memory(server.folder)
            command = [harness.WEIR, "bench", *words, "-o", "json", "--directory", server.folder]
            if words[0] not in ("journal", "compaction"):
                command += ["-b", server.kafka]
            answer = subprocess.run(command, capture_output=True, text=True)
            if answer.returncode:
                raise RuntimeError(f"{words}: {answer.stdout}{answer.stderr}")
            results[name] = json.loads(answer.stdout)
            server.stop()
    return results


# Tables

DECLARATIONS = """
CREATE SCHEMA IF NOT EXISTS bronze;
CREATE SCHEMA IF NOT EXISTS gold;
CREATE TOPIC IF NOT EXISTS app_events (
    event_id text, event_type text, user_id text, session_id text, app_type text,
    "timestamp" timestamptz, properties jsonb)
  FORMAT PLAIN ENCODE JSON WITH (partitions = 6);
"""

TABLE = """
CREATE STREAMING TABLE bronze.app_events (
    CONSTRAINT has_id EXPECT (event_id IS NOT NULL AND event_timestamp IS NOT NULL),
    CONSTRAINT known_app EXPECT (app_type IN ('mobile', 'web', 'booking')))
  PARTITIONED BY (event_date) WITH (commit_interval = '1 s')
  AS SELECT e.event_id, e.event_type, e.user_id, e.session_id, e.app_type,
       e."timestamp" AS event_timestamp, e.properties,
       (e."timestamp" AT TIME ZONE 'UTC')::date AS event_date,
       now() AS load_timestamp, e._partition, e._offset
     FROM STREAM(app_events) AS e
"""

GOLD = """
CREATE MATERIALIZED VIEW gold.event_metrics
  REFRESH POLICY FULL WITH (refresh_interval = '10 s') AS
  SELECT event_date, extract(hour FROM event_timestamp)::integer AS event_hour, event_type,
         app_type, count(*) AS total_events, count(DISTINCT user_id) AS unique_users
    FROM bronze.app_events GROUP BY 1, 2, 3, 4
"""


def event_file(folder: str, count: int) -> str:
    """App events as compact JSON of about 250 bytes, one a line, over one day."""
    source, path = random.Random(3), os.path.join(folder, "events")
    kinds = ["app_open", "page_view", "click", "search", "booking_view", "payment_completed"]
    with open(path, "w") as file:
        for index in range(count):
            moment = index * 86_400_000 // count
            seconds, millis = divmod(moment, 1000)
            file.write(json.dumps({
                "event_id": str(uuid.UUID(int=source.getrandbits(128))),
                "event_type": kinds[source.getrandbits(16) % 6],
                "user_id": f"user_{source.getrandbits(16) % 5000}",
                "session_id": f"session_{source.getrandbits(32):08x}",
                "app_type": ("mobile", "web", "booking")[source.getrandbits(8) % 3],
                "timestamp": f"2026-11-19T{seconds // 3600:02}:{seconds // 60 % 60:02}:"
                             f"{seconds % 60:02}.{millis:03}Z",
                "properties": {"page": "/search", "price": source.getrandbits(10)},
            }, separators=(",", ":")) + "\n")
    return path


def rows_of(server: Server, table: str) -> int:
    status, answer = server.request("GET", f"/tables/{table}")
    if status != 200:
        raise RuntimeError(f"{table}: {answer}")
    return answer["rows"] or 0


def load_events(server: Server, path: str) -> None:
    server.sql(DECLARATIONS)
    kcat_produce(server, "app_events", path, "-X", "compression.codec=lz4")


def fill_table(server: Server, events: int) -> dict:
    """From the statement to the last row: seconds, and what it cost."""
    before, began = server.cpu(), time.perf_counter()
    server.sql(TABLE)
    deadline = began + 600
    while (rows := rows_of(server, "bronze.app_events")) < events:
        if time.perf_counter() > deadline:
            raise RuntimeError(f"{rows} of {events} rows after 600 s:\n{server.tail()}")
        time.sleep(0.05)
    seconds, cost = time.perf_counter() - began, server.cpu() - before
    counted = int(server.sql("SELECT count(event_id) FROM bronze.app_events")[0][0])
    if counted != events:
        raise RuntimeError(f"{counted} rows for {events} events")
    return {"seconds": seconds, "cpu_seconds": cost}


def stream(options) -> dict:
    """JSON in a topic to rows of a Delta table."""
    runs, peak = [], {}
    with tempfile.TemporaryDirectory() as folder:
        path = event_file(folder, options.events)
        size = os.path.getsize(path)
        for _ in range(options.long_runs):
            with Server() as server:
                server.start()
                server.wait_http()
                load_events(server, path)
                runs.append(fill_table(server, options.events))
                peak = memory(server.pid)
                lake = subprocess.run(["du", "-sb", os.path.join(server.data, "lake")],
                                      capture_output=True, text=True).stdout.split()
                server.stop()
    return {
        "events": options.events, "bytes_per_event": round(size / options.events),
        "rows_s": spread([options.events / run["seconds"] for run in runs]),
        "rows_s_per_core": spread([options.events / run["cpu_seconds"] for run in runs]),
        "json_mb_s_per_core": spread([size / 1e6 / run["cpu_seconds"] for run in runs]),
        "cpu_seconds": spread([run["cpu_seconds"] for run in runs]), "memory": peak,
        "table_mb": round(int(lake[0]) / 1e6, 1) if lake else None}


QUERIES = {
    "gold_all_rows": "SELECT * FROM gold.event_metrics ORDER BY total_events DESC LIMIT 10",
    "gold_filter": "SELECT event_hour, sum(total_events) FROM gold.event_metrics "
                   "WHERE app_type = 'web' GROUP BY 1 ORDER BY 1",
    "count": "SELECT count(*) FROM bronze.app_events",
    "count_where": "SELECT count(*) FROM bronze.app_events WHERE event_type = 'click'",
    "group_by": "SELECT event_type, count(*), max(event_timestamp) FROM bronze.app_events "
                "GROUP BY 1 ORDER BY 2 DESC",
    "group_by_user": "SELECT user_id, count(*) FROM bronze.app_events GROUP BY 1 "
                     "ORDER BY 2 DESC, 1 LIMIT 10",
    "json_field": "SELECT properties->>'page', count(*) FROM bronze.app_events GROUP BY 1",
    "select_one": "SELECT 1",
}


def query(options) -> dict:
    """Latency over one kept HTTP connection; p50 and p99 in ms."""
    results = {"events": options.events}
    with tempfile.TemporaryDirectory() as folder, Server() as server:
        server.start()
        server.wait_http()
        load_events(server, event_file(folder, options.events))
        fill_table(server, options.events)
        server.sql(GOLD)
        server.sql("REFRESH MATERIALIZED VIEW gold.event_metrics")
        results["gold_rows"] = server.sql("SELECT count(*) FROM gold.event_metrics")[0][0]
        time.sleep(2)
        for name, text in QUERIES.items():
            times, budget = [], time.monotonic() + 10
            cpu = server.cpu()
            while len(times) < 300 and (time.monotonic() < budget or len(times) < 5):
                began = time.perf_counter()
                server.sql(text)
                times.append((time.perf_counter() - began) * 1000)
            times.sort()
            results[name] = {
                "p50_ms": round(statistics.median(times), 2),
                "p99_ms": round(times[min(len(times) - 1, int(len(times) * 0.99))], 2),
                "cpu_ms": round((server.cpu() - cpu) / len(times) * 1000, 2),
                "runs": len(times)}
        results["memory"] = memory(server.pid)
        server.stop()
    return results


def demo(options) -> dict:
    """The whole platform in one process."""
    folder = tempfile.mkdtemp(prefix="weir-bench-")
    try:
        process = subprocess.Popen(
            [harness.WEIR, "demo", "--seconds", str(options.seconds), "-o", "json", "--data",
             os.path.join(folder, "data"), "--kafka", f"127.0.0.1:{free_port()}",
             "--http", f"127.0.0.1:{free_port()}"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        peak = {}
        while process.poll() is None:
            try:
                peak = memory(process.pid)
            except (OSError, KeyError):
                break
            time.sleep(0.5)
        answer = json.loads(process.stdout.read())
        process.wait()
        size = subprocess.run(["du", "-sb", folder], capture_output=True, text=True).stdout
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    events = sum(source["events"] for source in answer["sources"])
    return {"seconds": options.seconds, "exit_code": process.returncode, "ok": answer["ok"],
            "events": events, "latency_ms": answer["latency_ms"], "memory": peak,
            "cpu_seconds": round(answer["cpu_seconds"], 2),
            "cpu_percent_of_a_core": round(
                answer["cpu_seconds"] / max(1, answer["seconds"]) * 100, 1),
            "data_mb": round(int(size.split()[0]) / 1e6, 1)}


BENCHMARKS = {"start": start, "idle": idle, "produce": produce, "codecs": codecs,
              "broker": broker, "stream": stream, "query": query, "changes": changes, "sql": sql,
              "travel": travel, "interference": interference,
              "parquet-decode": parquet.decode, "parquet-lookup": parquet.lookup,
              "parquet-write": parquet.write, "commits": lake.commits,
              "load": lake.load, "demo": demo, "cluster": cluster}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help="which: " + ", ".join(BENCHMARKS) + "; all when none is given")
    parser.add_argument("--runs", type=int, default=5, help="repetitions of short measurements")
    parser.add_argument("--long-runs", type=int, default=3, help="repetitions of long ones")
    parser.add_argument("--megabytes", type=int, default=512, help="size of produce")
    parser.add_argument("--events", type=int, default=1_000_000, help="size of stream and query")
    parser.add_argument("--parquet-rows", type=int, default=10_000_000,
                        help="size of parquet-decode and parquet-lookup")
    parser.add_argument("--commits", type=int, default=10_000, help="number of commits and load")
    parser.add_argument("--threads", type=int, default=1, help="threads of each query of sql")
    parser.add_argument("--seconds", type=int, default=60, help="length of the demo")
    parser.add_argument("--rounds", type=int, default=20, help="kills and stops of cluster, each")
    parser.add_argument("--parts", help="of cluster: producing,pauses,many")
    parser.add_argument("--hold", type=int, default=0,
                        help="seconds that cluster stays idle with its partitions, to look at it")
    parser.add_argument("--patience", type=float, default=60,
                        help="seconds to wait for a quiet machine before each")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark is called {unknown[0]}; there are {', '.join(BENCHMARKS)}")
    if not os.access(harness.WEIR, os.X_OK):
        print(f"{harness.WEIR} is missing: make release", file=sys.stderr)
        return 1
    for name in options.names or BENCHMARKS:
        settle(options.patience)
        before = load()
        command = shlex.join(["Benchmarks/run.py", name, *(
            word for word in sys.argv[1:] if word not in BENCHMARKS)])
        print(f"{name}: {BENCHMARKS[name].__doc__} (load {before})", flush=True)
        save(name, command, BENCHMARKS[name](options), before)
    return 0


if __name__ == "__main__":
    sys.exit(main())
