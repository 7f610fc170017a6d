"""Commits and the loading of logs inside of one process, side by side with delta-rs."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from harness import ROOT

LAKE_BENCH = os.environ.get("LAKE_BENCH", str(ROOT / ".build/release/LakeBench"))

PEER_COMMITS = """
import resource, sys, datetime
import pyarrow
from deltalake import DeltaTable, write_deltalake
path, commits, rows = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
batch = pyarrow.table({
    "id": pyarrow.array(range(rows), "int64"),
    "name": [f"a name, number {n}" for n in range(rows)],
    "at": pyarrow.array([n * 1_000_000 for n in range(rows)], pyarrow.timestamp("us", "UTC")),
    "price": [float(n) for n in range(rows)]})
def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
write_deltalake(path, batch)
table = DeltaTable(path)
marks = []
for number in range(commits):
    if number % (commits // 10) == 0:
        marks.append(cpu())
    write_deltalake(table, batch, mode="append")
marks.append(cpu())
share = commits // 10
print((marks[1] - marks[0]) / share * 1000, (marks[-1] - marks[-2]) / share * 1000)
"""

PEER_LOAD = """
import resource, sys
from deltalake import DeltaTable
best = 1e9
for _ in range(int(sys.argv[2])):
    used = resource.getrusage(resource.RUSAGE_SELF)
    before = used.ru_utime + used.ru_stime
    files = len(DeltaTable(sys.argv[1]).file_uris())
    used = resource.getrusage(resource.RUSAGE_SELF)
    best = min(best, used.ru_utime + used.ru_stime - before)
print(best, files)
"""


def lake_bench(*arguments) -> dict:
    done = subprocess.run([LAKE_BENCH, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"LakeBench {arguments}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def peer(program: str, *arguments) -> list[float]:
    done = subprocess.run([sys.executable, "-c", program, *map(str, arguments)],
                          capture_output=True, text=True, check=True)
    return [float(word) for word in done.stdout.split()]


def commits(options) -> dict:
    """Durable commits of 100 rows: many tables and one, and the same by delta-rs, which syncs
    nothing."""
    results = {}
    count = options.commits
    for name, tables, threads in (
            ("one_writer", 1, 1), ("one_table_32_writers", 1, 32), ("16_tables_32_writers", 16, 32)):
        with tempfile.TemporaryDirectory(prefix="weir-bench-") as folder:
            results[name] = lake_bench("commits", folder, tables, threads, count, 100)
            assert results[name]["failed"] == 0, results[name]
            assert results[name]["rows"] == count * 100, results[name]
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as folder:
        first, last = peer(PEER_COMMITS, folder, 1000, 100)
        results["delta_rs_1000"] = {"cpu_ms_first": round(first, 2), "cpu_ms_last": round(last, 2)}
    return results


def synthetic_log(folder: pathlib.Path, count: int):
    """The log of a table with one file a commit, as one writer after the other would leave it."""
    log = folder / "_delta_log"
    log.mkdir(parents=True)
    schema = {"type": "struct", "fields": [
        {"name": name, "type": kind, "nullable": True, "metadata": {}}
        for name, kind in (("id", "long"), ("name", "string"), ("at", "timestamp"),
                           ("price", "double"))]}
    for version in range(count):
        moment = 1_700_000_000_000 + version
        actions = [{"commitInfo": {
            "timestamp": moment, "operation": "WRITE", "isBlindAppend": True,
            "operationParameters": {"mode": "Append", "partitionBy": "[]"}, "engineInfo": "bench"}}]
        if version == 0:
            actions += [
                {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}},
                {"metaData": {
                    "id": "5fba94ed-9794-4965-ba6e-6ee3c0d22af9", "configuration": {},
                    "format": {"provider": "parquet", "options": {}}, "partitionColumns": [],
                    "schemaString": json.dumps(schema), "createdTime": moment}}]
        low, high = version * 100, version * 100 + 99
        actions.append({"add": {
            "path": f"part-00000-{version:08}-9794-4965-ba6e-6ee3c0d22af9.c000.zstd.parquet",
            "partitionValues": {}, "size": 2500 + version % 700, "modificationTime": moment,
            "dataChange": True, "stats": json.dumps({
                "numRecords": 100,
                "minValues": {"id": low, "name": f"name {low}", "at": "2026-11-19T00:00:00.000Z",
                              "price": 0.5},
                "maxValues": {"id": high, "name": f"name {high}",
                              "at": "2026-11-19T23:59:59.999Z", "price": 99.5},
                "nullCount": {"id": 0, "name": 0, "at": 0, "price": 0}},
                separators=(",", ":"))}})
        (log / f"{version:020}.json").write_text(
            "\n".join(json.dumps(a, separators=(",", ":")) for a in actions) + "\n")


def load(options) -> dict:
    """CPU seconds until the newest version of 10,000 is known, and its list of files."""
    results = {"commits": options.commits}
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as folder:
        table = pathlib.Path(folder, "t")
        synthetic_log(table, options.commits)
        results["no_checkpoint"] = {
            "weir": lake_bench("load", folder, "t", 3),
            "delta_rs_cpu_s": round(peer(PEER_LOAD, table, 3)[0], 4)}
        subprocess.run([sys.executable, "-c",
                        "import sys; from deltalake import DeltaTable; "
                        "DeltaTable(sys.argv[1]).create_checkpoint()", table], check=True)
        results["checkpoint_of_delta_rs"] = {
            "weir": lake_bench("load", folder, "t", 3),
            "delta_rs_cpu_s": round(peer(PEER_LOAD, table, 3)[0], 4)}
        shutil.rmtree(table)
    return results
