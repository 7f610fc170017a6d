"""Bloom filters, page indexes and variants that Weir writes, seen by DuckDB and PyArrow, and theirs
seen by `weir parquet check`, which compares a file with what it says about itself."""
import json
import subprocess

import duckdb
import pyarrow.parquet as pq
import pytest
from conftest import WEIR


def weir(*words):
    done = subprocess.run([WEIR, "parquet", *map(str, words)], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-500:]
    return done.stdout


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """DuckDB's rows, as DuckDB and as we write them."""
    folder = tmp_path_factory.mktemp("peers")
    theirs, ours = folder / "theirs.parquet", folder / "ours.parquet"
    duckdb.sql(f"""
        COPY (SELECT (i * 7919 % 5000)::BIGINT AS n, (i % 300)::INTEGER AS k, 'user_' || i % 2000 AS name,
                     uuid() AS id, (i * 1.5)::DOUBLE AS x
              FROM range(20000) AS r(i)) TO '{theirs}' (FORMAT parquet)""")
    weir("rewrite", theirs, ours, "--bloom", "n,k,name,id,x", "--row-group", "6000")
    return theirs, ours


def test_what_the_writers_say_about_their_files_holds(files):
    for path in files:
        answer = json.loads(weir("check", path, "-o", "json"))
        assert answer["rows"] == 20000 and answer["findings"] == []


@pytest.mark.parametrize("column, there, missing", [
    ("n", "7", "5001"), ("k", "299", "300"), ("name", "'user_1999'", "'user_2000'"),
    ("x", "1.5::DOUBLE", "1.25::DOUBLE")])
def test_duckdb_finds_values_in_our_bloom_filters(files, column, there, missing):
    def excluded(value):
        query = f"SELECT bloom_filter_excludes FROM parquet_bloom_probe('{files[1]}', '{column}', {value})"
        return [row[0] for row in duckdb.sql(query).fetchall()]
    assert not all(excluded(there))
    assert any(excluded(missing))


def test_a_lookup_reads_little_of_our_file_and_finds_what_duckdb_finds(files):
    wanted = duckdb.sql(f"SELECT id FROM '{files[1]}' WHERE n = 4321").fetchall()
    answer = json.loads(weir("scan", files[1], "--where", "n=4321", "-o", "json"))
    assert answer["rows"] == len(wanted) > 0
    missing = json.loads(weir("scan", files[1], "--where", "n=5001", "-o", "json"))
    assert missing["rows"] == 0 and missing["bytes_read"] < files[1].stat().st_size / 5


def test_pyarrow_reads_our_file_with_checksums(files):
    table = pq.read_table(files[1], page_checksum_verification=True)
    assert table.equals(pq.read_table(files[0]).cast(table.schema))
    chunk = pq.ParquetFile(files[1]).metadata.row_group(0).column(0)
    assert chunk.has_offset_index and chunk.has_column_index


def test_duckdb_reads_our_variants(tmp_path):
    theirs, ours = tmp_path / "theirs.parquet", tmp_path / "ours.parquet"
    duckdb.sql(f"""
        COPY (SELECT i AS id, CASE WHEN i % 3 = 0 THEN i::VARIANT WHEN i % 3 = 1 THEN NULL
              ELSE {{'a': i, 'b': ['x', 'y']}}::VARIANT END AS v FROM range(30) AS r(i))
        TO '{theirs}' (FORMAT parquet)""")
    weir("rewrite", theirs, ours)
    rows = [duckdb.sql(f"SELECT * FROM '{path}' ORDER BY id").fetchall() for path in (theirs, ours)]
    assert rows[0] == rows[1]
