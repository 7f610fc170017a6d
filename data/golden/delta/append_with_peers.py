"""Lets deltalake and DuckDB append to tables that Weir wrote, for Weir to read.

Usage: WEIR_DELTA_OUT=/tmp/tables swift test --filter DeltaAppenderTests
       python append_with_peers.py /tmp/tables
       WEIR_DELTA_IN=/tmp/tables swift test --filter GoldenTableTests

Appends every row of a table once more with deltalake, deletes the rows with `id` 1, takes a
checkpoint, and rewrites `expected.json`.
"""

import json
import os
import sys

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake


def main(folder):
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        table = DeltaTable(path)
        rows = pa.table(table.to_pyarrow_table())
        write_deltalake(path, rows, mode="append")
        table = DeltaTable(path)
        table.delete("id = 1")
        table.create_checkpoint()
        expected = json.load(open(os.path.join(path, "expected.json")))
        doubled = [row for row in expected for _ in range(2) if row["id"] != 1]
        json.dump(doubled, open(os.path.join(path, "expected.json"), "w"))
        print(name, table.version(), len(doubled), "rows")


if __name__ == "__main__":
    main(sys.argv[1])
