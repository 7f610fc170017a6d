"""The 22 queries of TPC-H over Parquet files that DuckDB writes: the answers that DuckDB knows, in bounded memory.
WEIR_TPCH_SCALE=1 asks for another size (0.01, 0.1 or 1), WEIR_TPCH_MEMORY for other MiB a process."""
import glob
import json
import os
import pathlib
import subprocess
import sys

import duckdb
import duckdb_extension_tpch
import pytest
from conftest import WEIR

SCALE = float(os.environ.get("WEIR_TPCH_SCALE", "0.01"))
MEMORY = int(os.environ.get("WEIR_TPCH_MEMORY", "128"))
# A quarter is for what the operators of a query hold, the rest for everything else: the program, what the
# allocator keeps, and the pages of the files that two threads have open.
QUERY_MEMORY = MEMORY // 4
# Starts a program from a small process, and writes its exit status and highest resident KiB: a child counts what
# the process that it was forked from had.
MEASURED = """
import os, sys
pid = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, used = os.wait4(pid, 0)
open(sys.argv[1], "w").write(f"{status} {used.ru_maxrss}")
"""


@pytest.fixture(scope="module")
def generator():
    extension = glob.glob(f"{pathlib.Path(duckdb_extension_tpch.__file__).parent}/**/*.duckdb_extension",
                          recursive=True)[0]
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    connection.execute(f"LOAD '{extension}'")
    connection.execute(f"CALL dbgen(sf={SCALE})")
    return connection


@pytest.fixture(scope="module")
def folder(generator, tmp_path_factory):
    place = tmp_path_factory.mktemp("tpch")
    for (name,) in generator.execute("SELECT table_name FROM duckdb_tables()").fetchall():
        generator.execute(f"COPY {name} TO '{place}/{name}.parquet' (FORMAT parquet)")
    return place


@pytest.fixture(scope="module")
def queries(generator):
    return dict(generator.execute("SELECT query_nr, query FROM tpch_queries()").fetchall())


@pytest.fixture(scope="module")
def answers(generator):
    rows = generator.execute(
        f"SELECT query_nr, answer FROM tpch_answers() WHERE scale_factor = {SCALE}").fetchall()
    return {number: [line.split("|") for line in text.removesuffix("\n").split("\n")[1:]]
            for number, text in rows}


def is_same(found, expected):
    """Equal texts, or numbers that differ only in what the known answers have rounded away."""
    if found == expected or (found == "" and expected == "NULL"):
        return True
    try:
        a, b = float(found), float(expected)
    except ValueError:
        return found.strip() == expected.strip()
    digits = len(expected.partition(".")[2])
    return abs(a - b) <= max(abs(a), abs(b)) * 1e-9 + (0.51 * 10 ** -digits if digits else 0)


@pytest.mark.parametrize("number", range(1, 23))
def test_the_answer_is_the_known_one(folder, queries, answers, tmp_path, number):
    run = subprocess.run(
        [sys.executable, "-S", "-E", "-c", MEASURED, str(tmp_path / "used"), WEIR, "sql", str(folder), "-o", "json",
         "-n", "100000", "-c", queries[number]], capture_output=True, text=True, timeout=600,
        env={**os.environ, "WEIR_QUERY_MEMORY": str(QUERY_MEMORY)})
    status, peak = map(int, (tmp_path / "used").read_text().split())
    assert status == 0, run.stderr
    answer = json.loads(run.stdout, parse_float=str)
    rows = [["" if value is None else str(value) for value in row] for row in answer["rows"]]
    expected = answers[number]
    assert len(rows) == len(expected) > 0
    for found, wanted in zip(rows, expected):
        assert len(found) == len(wanted)
        assert all(map(is_same, found, wanted)), f"{found}\nexpected {wanted}"
    assert peak <= MEMORY * 1024, f"{peak / 1024:.0f} MiB resident"
