"""Reads tables that Weir wrote with deltalake, DuckDB and Polars, and compares the rows.

Usage: WEIR_DELTA_OUT=/tmp/tables swift test --filter DeltaAppenderTests
       python read_with_peers.py /tmp/tables   (exit code 0 = all agree)

Each folder holds a table and `expected.json`: its rows sorted by `id`, as Weir reads them.
"""

import json
import os
import sys
import uuid

import duckdb
import duckdb_extension_delta
import polars
import pyarrow as pa
from deltalake import DeltaTable

from generate import plain_value


def with_deltalake(path):
    return pa.table(DeltaTable(path).to_pyarrow_table()).to_pylist()


def with_polars(path):
    return polars.read_delta(path).to_arrow().to_pylist()


def with_duckdb(path):
    root = os.path.dirname(duckdb_extension_delta.__file__)
    file = os.path.join(root, "extensions", "v" + duckdb.__version__, "delta.duckdb_extension")
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("LOAD '%s'" % file)
    table = connection.execute("SELECT * FROM delta_scan('%s')" % path).to_arrow_table()
    return table.to_pylist()


def same(found, expected):
    if isinstance(found, dict) and isinstance(expected, list):
        found = list(found.items())
    if isinstance(found, (list, tuple)) and isinstance(expected, list):
        return len(found) == len(expected) and all(map(same, found, expected))
    if isinstance(found, dict) and isinstance(expected, dict):
        if set(found) == {"key", "value"}:
            return same(list(found.values()), expected)
        return set(found) == set(expected) and all(same(found[k], expected[k]) for k in found)
    if isinstance(found, float) and isinstance(expected, (int, float)):
        return found == expected
    return plain_value(found) == expected


def normalized(value):
    """Maps arrive as lists of pairs or of {key, value}; UUIDs are texts in the table."""
    if isinstance(value, dict):
        return {k: normalized(v) for k, v in value.items()}
    if isinstance(value, list):
        if value and all(isinstance(v, dict) and set(v) == {"key", "value"} for v in value):
            return [[normalized(v["key"]), normalized(v["value"])] for v in value]
        return [normalized(list(v) if isinstance(v, tuple) else v) for v in value]
    return value


def main(folder):
    failures = 0
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if not os.path.isdir(os.path.join(path, "_delta_log")):
            continue
        expected = json.load(open(os.path.join(path, "expected.json")))
        for read in (with_deltalake, with_duckdb, with_polars):
            try:
                rows = sorted((normalized(r) for r in read(path)), key=lambda row: row["id"])
            except Exception as error:  # a peer may fail in any way
                print("FAIL", name, read.__name__, str(error)[:500])
                failures += 1
                continue
            wrong = len(rows) != len(expected)
            for row, want in zip(rows, expected):
                for column in want:
                    if not same(row.get(column), want[column]):
                        print("FAIL", name, read.__name__, column, row.get(column), want[column])
                        wrong = True
                        break
                if wrong:
                    break
            failures += wrong
            print("FAIL" if wrong else "ok  ", name, read.__name__, len(rows), "rows")
    return failures


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1]) else 0)
