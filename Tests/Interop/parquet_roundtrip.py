"""Parquet files across engines: ours read by pyarrow, Polars and DuckDB, theirs read by us.

    python Tests/Interop/parquet_roundtrip.py [corpus folder …]

Builds nothing: run `swift build --build-tests` before. With corpus folders, every *.parquet file
there is read by us and by pyarrow and the rows are compared.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import duckdb
import polars
import pyarrow as pa
import pyarrow.parquet as pq

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "data/golden/parquet"))
import canonical  # noqa: E402


def swift_test(name, variable, folder):
    environment = dict(os.environ, **{variable: str(folder)})
    command = ["swift", "test", "--skip-build", "--filter", name]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stdout[-4000:] + done.stderr[-4000:])


def difference(wanted, found):
    """The first difference of two documents, or None."""
    if wanted["columns"] != found["columns"]:
        pairs = zip(wanted["columns"], found["columns"])
        return next((f"{a} / {b}" for a, b in pairs if a != b), "number of columns")
    if len(wanted["rows"]) != len(found["rows"]):
        return f"{len(wanted['rows'])} rows / {len(found['rows'])} rows"
    for number, (a, b) in enumerate(zip(wanted["rows"], found["rows"])):
        for column, x, y in zip(wanted["columns"], a, b):
            if x != y:
                return f"row {number} column {column['name']}: {x!r} / {y!r}"
    return None


def ours_read_by_others(folder):
    failures = 0
    for path in sorted(folder.glob("*.parquet")):
        wanted = json.loads(path.with_suffix(".json").read_text())
        table = pq.read_table(path, page_checksum_verification=True)
        found = canonical.document(table)
        message = difference(wanted, found)
        metadata = pq.ParquetFile(path).metadata
        assert metadata.created_by.startswith("weir version "), metadata.created_by
        failures += report(path, "pyarrow", message)
        failures += report(path, "pyarrow statistics", check_statistics(path, table))
        failures += report(path, "polars", check_polars(path, wanted))
        failures += report(path, "duckdb", check_duckdb(path, wanted))
    return failures


def check_statistics(path, table):
    """Bounds and NULL counts of flat columns against the rows."""
    import pyarrow.compute as pc

    file = pq.ParquetFile(path)
    row = 0
    for group in range(file.metadata.num_row_groups):
        part = file.metadata.row_group(group)
        rows = table.slice(row, part.num_rows)
        row += part.num_rows
        for number in range(part.num_columns):
            chunk = part.column(number)
            name = chunk.path_in_schema
            if name not in table.column_names:
                continue
            column = rows[name]
            if chunk.statistics is None or not chunk.statistics.has_null_count:
                return f"{name}: no statistics"
            if chunk.statistics.null_count != column.null_count:
                return f"{name}: {chunk.statistics.null_count} NULLs, {column.null_count} counted"
            if not chunk.statistics.has_min_max or name in ("uuid", "json"):
                continue
            low, high = chunk.statistics.min, chunk.statistics.max
            bounds = pc.min_max(column)
            least, most = bounds["min"].as_py(), bounds["max"].as_py()
            if not (low <= least and most <= high):
                return f"{name}: {low}…{high} for {least}…{most}"
    return None


def check_polars(path, wanted):
    """Polars has its own types for some columns, so those are compared that it keeps."""
    frame = polars.read_parquet(path)
    if frame.height != len(wanted["rows"]):
        return f"{frame.height} rows"
    for number, column in enumerate(wanted["columns"]):
        if column["type"] not in ("bigint", "integer", "text", "boolean", "double precision", "date"):
            continue
        values = canonical.document(frame.select(polars.nth(number)).to_arrow())["rows"]
        expected = [[row[number]] for row in wanted["rows"]]
        if values != expected:
            return f"column {column['name']} differs"
    return None


def check_duckdb(path, wanted):
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET arrow_lossless_conversion = true")
    table = connection.execute(f"SELECT * FROM '{path}'").to_arrow_table()
    if table.num_rows != len(wanted["rows"]):
        return f"{table.num_rows} rows"
    found = canonical.document(table)
    for number, column in enumerate(wanted["columns"]):
        if column["type"] in ("jsonb", "map"):
            continue
        values = [row[number] for row in found["rows"]]
        expected = [row[number] for row in wanted["rows"]]
        if values != expected:
            pair = next((a, b) for a, b in zip(expected, values) if a != b)
            return f"column {column['name']}: {pair}"
    # A filter that row group statistics and the page index can serve.
    if "int64" in table.column_names:
        query = f"SELECT count(*) FROM '{path}' WHERE int64 = 7"
        found = connection.execute(query).fetchone()[0]
        number = [c["name"] for c in wanted["columns"]].index("int64")
        if found != sum(row[number] == 7 for row in wanted["rows"]):
            return f"a filter found {found} rows"
    return None


def report(path, reader, message):
    print(f"{'FAIL' if message else 'ok  '} {path.name} {reader} {message or ''}")
    return 1 if message else 0


def theirs_read_by_us(folder):
    swift_test("what we read in the files of others", "WEIR_PARQUET_CORPUS", folder)
    failures = 0
    for path in sorted(folder.glob("*.parquet")):
        ours = json.loads(path.with_suffix(".weir.json").read_text())
        path.with_suffix(".weir.json").unlink()
        try:
            theirs = canonical.document(pq.read_table(path))
        except Exception as error:  # noqa: BLE001
            print(f"both {path.name} pyarrow: {str(error)[:80]} | ours: {str(ours.get('error', 'read'))[:100]}")
            continue
        for column in theirs["columns"]:
            if column["name"] in int96_columns(path):
                column["type"] = "timestamp with time zone"
        message = ours.get("error") or difference(theirs, ours)
        failures += report(path, "ours", message)
    return failures


def int96_columns(path):
    """Columns that pyarrow takes for local times and we for instants, as Spark does."""
    schema = pq.ParquetFile(path).schema
    columns = [schema.column(index) for index in range(len(schema))]
    return {column.name for column in columns if column.physical_type == "INT96"}


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        swift_test("files for other readers", "WEIR_PARQUET_OUT", folder)
        failures = ours_read_by_others(folder)
    for corpus in sys.argv[1:]:
        failures += theirs_read_by_us(pathlib.Path(corpus))
    sys.exit(1 if failures else 0)


main()
