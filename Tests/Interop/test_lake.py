"""Foreign readers see the same rows as `weir sql` in every table that a platform writes."""
import datetime
import decimal
import json
import math
import os
import pathlib
import subprocess

import pytest
from conftest import ROOT, eventually, new_server, remove, weir


@pytest.fixture(scope="module")
def platform():
    """The travel platform's tables, with events of the demo's sources."""
    server = new_server().start()
    for script in sorted((ROOT / "data/travel").glob("*.sql")):
        status, answer = server.request("POST", "/query", {"sql": script.read_text()})
        assert status == 200, answer
    events = [
        {"event_type": kind, "user_id": f"user_{n % 17}", "session_id": f"s{n % 40}",
         "app_type": "mobile" if n % 3 else "web",
         "properties": {"page": "home", "destination": "Ha Noi", "price": f"{n}.50"}}
        for n in range(600) for kind in ["page_view"]]
    for start in range(0, len(events), 200):
        status, answer = server.request(
            "POST", "/events/batch", {"events": events[start:start + 200]})
        assert status == 200, answer
    from confluent_kafka import Producer
    producer = Producer({"bootstrap.servers": server.kafka})
    stamp = "2026-02-16T10:30:45.%03dZ"
    for n in range(300):
        producer.produce("topic_clickstream", json.dumps({
            "click_id": f"c{n}", "user_id": f"user_{n % 9}", "session_id": f"s{n % 30}",
            "page_url": "https://travel-booking.com/home", "element_id": None,
            "x_coordinate": n, "y_coordinate": 2 * n, "timestamp": stamp % n,
            "device_type": "tablet"}))
        producer.produce("topic_app_logs", json.dumps({
            "log_id": f"l{n}", "service": "search", "level": "ERROR" if n % 50 == 0 else "INFO",
            "message": "ünïcode – message", "duration_ms": n / 7, "timestamp": stamp % n}))
        producer.produce("topic_cdc_changes", json.dumps({
            "change_id": f"d{n}", "table_name": "public.bookings", "operation": "INSERT",
            "primary_key": {"id": f"b{n % 50}"}, "before_values": None,
            "after_values": {"status": "confirmed", "price": "12.30", "user_id": "u"},
            "timestamp": stamp % n, "source_database": "PostgreSQL", "debezium_metadata": {}}))
        producer.produce("topic_external_data", json.dumps({
            "external_data_id": f"x{n}", "source": "weather_api", "source_type": "api",
            "timestamp": stamp % n, "data": {"city": "Hue", "temperature": 31.5}}))
    assert producer.flush(30) == 0
    expected = {"bronze.app_events": 600, "bronze.clickstream": 300, "bronze.app_logs": 300,
                "bronze.cdc_changes": 300, "bronze.external_data": 300}
    for table, count in expected.items():
        eventually(lambda: server.sql_of_tables(f"SELECT count(*) FROM {table}")[0][0] == count,
                   what=f"{count} rows in {table}")
    eventually(lambda: server.sql("SELECT sum(total_events) FROM gold.event_metrics")[0][0]
               in (600, "600"), what="gold.event_metrics is fresh")
    # A stopped platform does not move while it is compared.
    yield server
    remove(server)


def tables(server):
    status, answer = server.request("GET", "/tables")
    assert status == 200
    found = [t for t in answer["tables"] if t["version"] is not None]
    assert len(found) >= 10
    return found


def normal(value):
    """One form for a value, whichever reader it came from."""
    if value is None:
        return None
    if isinstance(value, bool):
        return value
    if isinstance(value, decimal.Decimal):
        return str(value.normalize())
    if isinstance(value, float):
        return round(value, 9) if math.isfinite(value) else str(value)
    if isinstance(value, datetime.datetime):
        if value.tzinfo is None:
            value = value.replace(tzinfo=datetime.timezone.utc)
        return value.astimezone(datetime.timezone.utc).isoformat()
    if isinstance(value, datetime.date):
        return value.isoformat()
    return value


def from_weir(value, kind):
    if value is None:
        return None
    if kind.startswith("numeric"):
        return normal(decimal.Decimal(str(value)))
    if kind == "timestamp with time zone":
        text = str(value).replace(" ", "T")
        if text.endswith("+00"):
            text += ":00"
        text = text.replace("Z", "+00:00")
        return normal(datetime.datetime.fromisoformat(text))
    if kind == "date":
        return str(value)
    if kind == "jsonb":
        return json.dumps(value, sort_keys=True)
    if kind == "double precision":
        return normal(float(value))
    return normal(value)


def weir_rows(server, table):
    status, answer = server.request(
        "POST", "/query", {"sql": f"SELECT * FROM {table} VERSION AS OF {version_of(server, table)}",
                           "limit": 100000})
    assert status == 200, answer
    kinds = [column["type"] for column in answer["columns"]]
    rows = [tuple(from_weir(v, k) for v, k in zip(row, kinds)) for row in answer["rows"]]
    return [c["name"] for c in answer["columns"]], kinds, sorted(rows, key=repr)


def version_of(server, table):
    return PINNED.setdefault(table, server.request("GET", f"/tables/{table}")[1]["version"])


PINNED = {}


def compare(server, table, names, records):
    columns, kinds, rows = weir_rows(server, table)
    assert sorted(names) == sorted(columns)
    theirs = []
    for record in records:
        row = []
        for name, kind in zip(columns, kinds):
            value = record[name]
            if kind == "jsonb" and value is not None:
                value = json.dumps(json.loads(value), sort_keys=True)
                row.append(value)
            else:
                row.append(normal(value))
        theirs.append(tuple(row))
    assert sorted(theirs, key=repr) == rows, table


def folder(server, table):
    return os.path.join(server.data, "lake", table["path"]) if False else \
        str(next(p for p in [pathlib.Path(server.data) / table["path"],
                             pathlib.Path(server.data) / "lake" / table["path"]] if p.exists()))


def each(server):
    for report in tables(server):
        detail = server.request("GET", f"/tables/{report['name']}")[1]
        yield report["name"], folder(server, detail)


def test_deltalake_reads_every_table(platform):
    from deltalake import DeltaTable
    for table, path in each(platform):
        frame = DeltaTable(path, version=version_of(platform, table)).to_pyarrow_table() \
            if hasattr(DeltaTable, "to_pyarrow_table") else None
        compare(platform, table, frame.column_names, frame.to_pylist())


def test_duckdb_reads_every_table(platform):
    import duckdb
    import duckdb_extension_delta
    connection = duckdb.connect(config={"allow_unsigned_extensions": True})
    extension = next(pathlib.Path(duckdb_extension_delta.__file__).parent.rglob("*.duckdb_extension"))
    connection.execute(f"LOAD '{extension}'")
    connection.execute("SET TimeZone='UTC'")
    for table, path in each(platform):
        result = connection.execute(
            f"SELECT * FROM delta_scan('{path}', version => {version_of(platform, table)})")
        names = [column[0] for column in result.description]
        compare(platform, table, names, [dict(zip(names, row)) for row in result.fetchall()])


def test_polars_reads_every_table(platform):
    import polars
    for table, path in each(platform):
        frame = polars.read_delta(path, version=version_of(platform, table))
        compare(platform, table, frame.columns, frame.to_dicts())


def test_pyarrow_reads_the_files_as_plain_parquet(platform):
    import pyarrow.parquet
    from deltalake import DeltaTable
    for table, path in each(platform):
        files = DeltaTable(path, version=version_of(platform, table)).file_uris()
        count = sum(pyarrow.parquet.read_table(f, partitioning=None).num_rows for f in files)
        assert count == len(weir_rows(platform, table)[2]), table
        for file in files:
            metadata = pyarrow.parquet.read_metadata(file)
            assert metadata.created_by.startswith("weir version ")


def test_the_command_line_gives_the_same_answer(platform):
    address = platform.http.removeprefix("http://")
    _, out, _ = weir("sql", "--http-server", address, "-o", "json", "-c",
                     "SELECT count(*) AS n, count(DISTINCT user_id) AS u FROM bronze.app_events")
    answer = json.loads(out)
    assert answer["rows"] in ([[600, 17]], [{"n": 600, "u": 17}])
    code, out, err = weir("sql", "--http-server", address, "-c",
                          "SELECT event_typ FROM gold.event_metrics", check=1)
    assert "42703" in err and "event_type" in err


def test_the_command_line_says_when_there_are_more_rows(platform):
    address = platform.http.removeprefix("http://")
    many = "SELECT i FROM generate_series(1, 2000) AS g(i)"
    for form in ("text", "csv", "tsv", "md", "ndjson"):
        _, out, err = weir("sql", "--http-server", address, "-o", form, "-c", many)
        assert "more than these 1,000 rows" in err and "--limit all" in err and "more than" not in out
    _, out, err = weir("sql", "--http-server", address, "-o", "csv", "-c", many, "--limit", "all")
    assert out.split() == ["i", *map(str, range(1, 2001))] and not err
    _, out, err = weir("sql", "--http-server", address, "-o", "csv", "-c", many, "--limit", "2000")
    assert len(out.split()) == 2001 and not err
    _, _, err = weir("sql", "--http-server", address, "-c", many, "--limit", "some", check=2)
    assert "whole number" in err


def test_scripts_end_with_remarks_and_know_no_commands_of_the_shell(platform):
    address = platform.http.removeprefix("http://")
    _, out, err = weir("sql", "--http-server", address, input="SELECT E'it\\'s; x' AS a;\n-- the end\n/* ; */")
    assert "it's; x" in out and "(1 row)" in out and not err
    _, _, err = weir("sql", "--http-server", address, "-c", "\\dt", check=1)
    assert "42601" in err and "SHOW TABLES" in err


def test_time_travel_reads_an_old_version(platform):
    history = platform.request("GET", "/tables/bronze.app_events/history")[1]["history"]
    assert history[-1]["version"] == 0
    assert platform.sql("SELECT count(*) FROM bronze.app_events VERSION AS OF 0") == [[0]]
