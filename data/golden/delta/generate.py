"""Writes the golden Delta tables of this folder with delta-rs.

Usage: python generate.py   (needs deltalake, pyarrow; versions in README.md)

Each table gets an `expected.json`: its version, and its rows sorted by column `id`, as JSON.
File names hold random UUIDs, so that a second run gives other bytes with the same rows.
"""

import datetime as dt
import decimal
import json
import os
import shutil

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

HERE = os.path.dirname(os.path.abspath(__file__))
UTC = dt.timezone.utc


def fresh(name):
    path = os.path.join(HERE, name)
    shutil.rmtree(path, ignore_errors=True)
    return path


def plain_value(value):
    if isinstance(value, dt.datetime):
        zone = "Z" if value.tzinfo else ""
        return value.replace(tzinfo=None).isoformat(timespec="microseconds") + zone
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {key: plain_value(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain_value(list(item) if isinstance(item, tuple) else item) for item in value]
    return value


def describe(path):
    table = DeltaTable(path)
    rows = pa.table(table.to_pyarrow_table()).to_pylist()
    rows.sort(key=lambda row: row["id"])
    with open(os.path.join(path, "expected.json"), "w") as out:
        json.dump(
            {
                "version": table.version(),
                "rows": [{k: plain_value(v) for k, v in row.items()} for row in rows],
            },
            out,
            indent=1,
        )


def types():
    path = fresh("types")
    schema = pa.schema(
        [
            pa.field("id", pa.int64(), nullable=False),
            ("b", pa.bool_()),
            ("i8", pa.int8()),
            ("i16", pa.int16()),
            ("i32", pa.int32()),
            ("f32", pa.float32()),
            ("f64", pa.float64()),
            ("small", pa.decimal128(9, 2)),
            ("middle", pa.decimal128(18, 4)),
            ("large", pa.decimal128(38, 10)),
            ("s", pa.string()),
            ("bytes", pa.binary()),
            ("day", pa.date32()),
            ("ts", pa.timestamp("us", tz="UTC")),
            ("local", pa.timestamp("us")),
        ]
    )

    def row(n):
        return {
            "id": n,
            "b": n % 2 == 0,
            "i8": n - 100,
            "i16": n * 300,
            "i32": n * 70000,
            "f32": n / 4,
            "f64": n / 3,
            "small": decimal.Decimal(n) / 4,
            "middle": decimal.Decimal(n * 1234567) / 10000,
            "large": decimal.Decimal(n) * decimal.Decimal("12345678901234567890.0123456789"),
            "s": "text %d é ✓" % n,
            "bytes": bytes([n, 255, 0]),
            "day": dt.date(1969, 12, 30) + dt.timedelta(days=n),
            "ts": dt.datetime(2024, 5, 6, 7, 8, 9, 123456 + n, tzinfo=UTC),
            "local": dt.datetime(1960, 1, 2, 3, 4, 5, n),
        }

    nothing = {name: None for name in schema.names}
    first = [row(1), row(2), dict(nothing, id=3)]
    write_deltalake(path, pa.Table.from_pylist(first, schema=schema), name="types", description="all types")
    write_deltalake(path, pa.Table.from_pylist([row(4)], schema=schema), mode="append")
    describe(path)


def partitioned():
    path = fresh("partitioned")
    schema = pa.schema(
        [("id", pa.int64()), ("day", pa.date32()), ("name", pa.string()), ("at", pa.timestamp("us", tz="UTC")), ("v", pa.float64())]
    )
    rows = [
        (1, dt.date(2024, 1, 1), "plain", dt.datetime(2024, 1, 1, 10, 0, 0, 5, tzinfo=UTC), 1.5),
        (2, dt.date(2024, 1, 2), "a/b: c=d %20 é", dt.datetime(2024, 1, 1, 10, tzinfo=UTC), None),
        (3, None, None, None, 3.5),
        (4, dt.date(2024, 1, 1), "plain", dt.datetime(2024, 1, 1, 10, 0, 0, 5, tzinfo=UTC), 4.5),
    ]
    data = pa.Table.from_pylist([dict(zip(schema.names, row)) for row in rows], schema=schema)
    write_deltalake(path, data, partition_by=["day", "name", "at"])
    describe(path)


def nested():
    path = fresh("nested")
    point = pa.struct([("x", pa.int32()), ("label", pa.string())])
    schema = pa.schema(
        [
            ("id", pa.int64()),
            ("point", point),
            ("tags", pa.list_(pa.string())),
            ("points", pa.list_(point)),
            ("counts", pa.map_(pa.string(), pa.int64())),
        ]
    )
    rows = [
        {"id": 1, "point": {"x": 1, "label": "a"}, "tags": ["r", None, "s"], "points": [{"x": 5, "label": None}], "counts": [("k", 1), ("l", None)]},
        {"id": 2, "point": None, "tags": [], "points": [], "counts": []},
        {"id": 3, "point": {"x": None, "label": None}, "tags": None, "points": None, "counts": None},
    ]
    write_deltalake(path, pa.Table.from_pylist(rows, schema=schema))
    describe(path)


def checkpointed():
    """Twelve commits, a delete, a checkpoint; the commits below the checkpoint are gone."""
    path = fresh("checkpointed")
    schema = pa.schema([("id", pa.int64()), ("part", pa.string()), ("v", pa.string())])

    def batch(n):
        return pa.Table.from_pylist([{"id": n, "part": "p%d" % (n % 2), "v": "row %d" % n}], schema=schema)

    write_deltalake(path, batch(0), partition_by=["part"], configuration={"delta.checkpointInterval": "1000"})
    for n in range(1, 8):
        properties = CommitProperties(app_transactions=[Transaction("stream-%d" % (n % 2), n)])
        write_deltalake(path, batch(n), mode="append", commit_properties=properties)
    DeltaTable(path).delete("id = 3")
    DeltaTable(path).create_checkpoint()
    for version in range(8):
        os.remove(os.path.join(path, "_delta_log", "%020d.json" % version))
    write_deltalake(path, batch(8), mode="append")
    write_deltalake(path, batch(9), mode="append")
    describe(path)


if __name__ == "__main__":
    types()
    partitioned()
    nested()
    checkpointed()
