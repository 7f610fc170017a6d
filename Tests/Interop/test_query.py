"""`POST /query`: the forms of an answer, parameters, limits, errors, and how a query is ended."""
import csv
import datetime
import decimal
import http.client
import io
import json
import pathlib
import socket
import threading
import time
import urllib.request
import uuid

import polars
import pyarrow as pa
import pytest
from conftest import eventually

ARROW = "application/vnd.apache.arrow.stream"


def post(server, body, accept="application/json"):
    """(status, headers, bytes)"""
    connection = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=60)
    data = json.dumps(body) if isinstance(body, dict) else body
    connection.request(
        "POST", "/query", data, {"Accept": accept, "Content-Type": "application/json"})
    answer = connection.getresponse()
    found = answer.status, answer.headers, answer.read()
    connection.close()
    return found


def arrow(server, sql, **more):
    status, headers, body = post(server, {"sql": sql, **more}, ARROW)
    assert status == 200, body
    assert headers["Content-Type"] == ARROW
    with pa.ipc.open_stream(io.BytesIO(body)) as reader:
        return reader.read_all()


EVERY_TYPE = """SELECT * FROM (VALUES
  (true, 1::smallint, 2::int, 3::bigint, 1.5::real, 2.5::float8, 12.34::numeric(10,2), 'héllo wörld beyond twelve',
   '\\x00ff'::bytea, DATE '2026-02-16', TIMESTAMP '2026-02-16 10:30:45.123456',
   TIMESTAMPTZ '1969-12-31 23:59:59.5+00', INTERVAL '1 mon 2 days 3.000004 s',
   '00000000-0000-0000-0000-0000000000ff'::uuid, '{"a":[1,null]}'::jsonb, ARRAY[1,2,NULL], ARRAY['x','']),
  (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (false, -1::smallint, -2::int, -3::bigint, -1.5::real, 'NaN'::float8, -0.01::numeric(10,2), '',
   ''::bytea, DATE '0001-01-01', TIMESTAMP '0001-01-01 00:00:00',
   TIMESTAMPTZ '9999-12-31 23:59:59+00', INTERVAL '-1 day',
   'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid, 'null'::jsonb, '{}'::int[], ARRAY[NULL]::text[]))
  AS t(b, i2, i4, i8, f4, f8, n, t, bin, d, ts, tz, iv, u, j, li, lt)"""


def test_every_type_in_an_arrow_stream(server):
    table = arrow(server, EVERY_TYPE)
    table.validate(full=True)
    types = {field.name: str(field.type) for field in table.schema}
    assert types["i2"] == "int16" and types["i4"] == "int32" and types["i8"] == "int64"
    assert types["f4"] == "float" and types["f8"] == "double"
    assert types["n"].startswith("decimal128(") and types["d"] == "date32[day]"
    assert types["ts"] == "timestamp[us]" and types["tz"] == "timestamp[us, tz=UTC]"
    assert types["iv"] == "month_day_nano_interval" and "uuid" in types["u"]
    assert types["li"] == "list<item: int32>" and types["lt"] == "list<item: string>"
    first, nulls, last = table.to_pylist()
    assert set(nulls.values()) == {None}
    assert first["b"] is True and (first["i2"], first["i4"], first["i8"]) == (1, 2, 3)
    assert (first["f4"], first["f8"]) == (1.5, 2.5)
    assert first["n"] == decimal.Decimal("12.34") and last["n"] == decimal.Decimal("-0.01")
    assert first["t"] == "héllo wörld beyond twelve" and last["t"] == ""
    assert first["bin"] == b"\x00\xff" and last["bin"] == b""
    assert first["d"] == datetime.date(2026, 2, 16)
    assert first["ts"] == datetime.datetime(2026, 2, 16, 10, 30, 45, 123456)
    assert first["tz"].timestamp() == -0.5
    assert first["iv"] == (1, 2, 3_000_004_000) and last["iv"] == (0, -1, 0)
    assert first["u"] == uuid.UUID(int=255) and last["u"] == uuid.UUID(int=2**128 - 1)
    assert json.loads(first["j"]) == {"a": [1, None]}
    assert first["li"] == [1, 2, None] and last["li"] == [] and last["lt"] == [None]


def test_nested_columns_of_a_file_in_an_arrow_stream(server):
    import os
    import pyarrow.parquet as pq
    rows = pa.table({
        "m": pa.array([[("a", 1), ("b", None)], None, []], pa.map_(pa.string(), pa.int64())),
        "s": pa.array([{"x": 1, "y": ["p"]}, {"x": None, "y": None}, None],
                      pa.struct([("x", pa.int32()), ("y", pa.list_(pa.string()))])),
        "l": pa.array([[[1], []], None, [None]], pa.list_(pa.list_(pa.int32()))),
        "d": pa.array(["u", "v", "u"]).dictionary_encode()})
    os.makedirs(os.path.join(server.data, "lake/public/nested"), exist_ok=True)
    pq.write_table(rows, os.path.join(server.data, "lake/public/nested/a.parquet"))
    table = arrow(server, "SELECT * FROM parquet.'public/nested/a.parquet'")
    table.validate(full=True)
    assert table.to_pylist() == rows.to_pylist()
    # A slice of lists refers to a part of their items.
    table = arrow(server, "SELECT * FROM parquet.'public/nested/a.parquet' LIMIT 2 OFFSET 1")
    table.validate(full=True)
    assert table.to_pylist() == rows.to_pylist()[1:]


def test_polars_reads_an_arrow_stream(server):
    status, _, body = post(server, {"sql": """
        SELECT i, i::text AS t, i::numeric(9,2) / 4 AS n, ARRAY[i, NULL] AS l,
               TIMESTAMPTZ '2026-01-01 00:00+00' + i * INTERVAL '1 s' AS z
        FROM generate_series(1, 5000) AS g(i)""", "limit": "all"}, ARROW)
    assert status == 200
    frame = polars.read_ipc_stream(io.BytesIO(body))
    assert frame.shape == (5000, 5)
    assert frame["i"].sum() == 5000 * 5001 // 2
    assert frame["t"][4999] == "5000" and frame["l"][0].to_list() == [1, None]


def test_an_empty_result_has_its_columns_in_every_form(server):
    sql = "SELECT 1 AS a, 'x' AS b WHERE false"
    assert arrow(server, sql).schema.names == ["a", "b"]
    assert post(server, {"sql": sql}, "text/csv")[2] == b"a,b\n"
    assert post(server, {"sql": sql}, "application/x-ndjson")[2] == b""
    status, _, body = post(server, {"sql": sql})
    answer = json.loads(body)
    assert [c["name"] for c in answer["columns"]] == ["a", "b"] and answer["rows"] == []
    # A statement without rows has no columns either.
    assert arrow(server, "SET application_name = 'x'").num_columns == 0
    assert post(server, {"sql": "SET application_name = 'x'"}, "text/csv")[2] == b""


def test_csv_and_ndjson(server):
    sql = "SELECT 1 AS a, 'x,\"y\"' AS b, NULL::text AS c, '' AS d, true AS e"
    _, headers, body = post(server, {"sql": sql}, "text/csv")
    assert headers["Content-Type"].startswith("text/csv")
    assert list(csv.reader(io.StringIO(body.decode()))) == [
        ["a", "b", "c", "d", "e"], ["1", 'x,"y"', "", "", "true"]]
    assert body.endswith(b',,"",true\n'), body
    _, headers, body = post(server, {"sql": sql}, "application/x-ndjson")
    assert headers["Content-Type"] == "application/x-ndjson"
    assert json.loads(body) == {"a": 1, "b": 'x,"y"', "c": None, "d": "", "e": True}


def test_the_best_liked_form_is_chosen(server):
    def form(accept):
        return post(server, {"sql": "SELECT 1"}, accept)[1]["Content-Type"].split(";")[0]
    assert form("*/*") == "application/json"
    assert form("text/html, text/csv;q=0.5, application/json;q=0.4") == "text/csv"
    assert form("application/json;q=0.1," + ARROW) == ARROW
    status, _, body = post(server, {"sql": "SELECT 1"}, "image/png")
    assert status == 406 and "arrow.stream" in json.loads(body)["hint"]
    status, answer = server.request("POST", "/query?format=csv", {"sql": "SELECT 1 AS a"})
    assert (status, answer) == (200, "a\n1\n")


def test_a_cut_answer_says_so(server):
    many = "SELECT * FROM generate_series(1, 2500)"
    status, _, body = post(server, {"sql": many})
    answer = json.loads(body)
    assert (len(answer["rows"]), answer["row_count"], answer["truncated"]) == (1000, 1000, True)
    for limit, count, cut in [(2499, 2499, True), (2500, 2500, False), (0, 0, True), ("all", 2500, False)]:
        status, headers, body = post(server, {"sql": many, "limit": limit}, "application/x-ndjson")
        assert len(body.splitlines()) == count
        assert headers["X-Weir-Truncated"] == ("true" if cut else "false"), limit
    status, _, body = post(server, {"sql": many, "limit": -1})
    assert status == 400 and "limit" in json.loads(body)["title"]


def test_a_large_answer_comes_in_pieces_and_takes_no_memory(own_server):
    server = own_server
    wide = "SELECT i, repeat('x', 100) || i AS t FROM generate_series(1, 1500000) AS g(i)"
    server.sql("SELECT 1")
    before = server.resident_bytes()
    connection = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=120)
    connection.request("POST", "/query", json.dumps({"sql": wide, "limit": "all"}), {"Accept": ARROW})
    answer = connection.getresponse()
    assert answer.headers["Transfer-Encoding"] == "chunked"
    rows, high = 0, before
    with pa.ipc.open_stream(answer) as reader:
        for number, batch in enumerate(reader):
            rows += batch.num_rows
            if number % 100 == 0:
                high = max(high, server.resident_bytes())
    assert rows == 1_500_000
    # 170 MB in all.
    assert high - before < 60 << 20, (before, high)


def test_parameters_have_the_types_of_their_json(server):
    def one(sql, *params):
        status, _, body = post(server, {"sql": sql, "params": list(params)})
        assert status == 200, body
        answer = json.loads(body)
        return answer["rows"][0] if answer["rows"] else None, [c["type"] for c in answer["columns"]]
    row, types = one("SELECT $1, $2, $3, $4, $5, $6", 5, -2.50, True, None, "it's", {"a": 1})
    assert row == [5, -2.5, True, None, "it's", {"a": 1}]
    assert types[0] == "integer" and types[1].startswith("numeric") and types[2] == "boolean"
    assert types[4] == "text" and types[5] == "jsonb"
    # A text takes the type of where it stands, as a literal does.
    assert one("SELECT DATE '2026-01-02' - $1", "2026-01-01")[0] == [1]
    assert one("SELECT i FROM generate_series(1, 9) AS g(i) WHERE i = ANY ($1) ORDER BY i DESC", [3, 7])[0] == [7]
    assert one("SELECT 'b' = ANY ($1), 1.5 = ANY ($2)", ["a", 'b', None, 'q"\\'], [1, 1.5])[0] == [True, True]
    assert one("SELECT $1->1->>'a'", [1, {"a": "x"}])[0] == ["x"]
    assert one("SELECT $2 || $1", "a", "b")[0] == ["ba"]
    assert one("SELECT $1", "'; DROP TABLE x; --")[0] == ["'; DROP TABLE x; --"]
    status, answer = server.request("POST", "/query", {"sql": "SELECT $2", "params": [1]})
    assert status == 400 and answer["code"] == "42P02" and answer["position"] == 7
    status, answer = server.request(
        "POST", "/query", {"sql": "CREATE VIEW v AS SELECT $1 AS a", "params": [1]})
    assert status == 400 and answer["code"] == "42P02"


def test_hostile_requests_are_refused_at_once(own_server):
    server = own_server
    server.sql("SELECT 1")
    before = server.resident_bytes()
    started = time.monotonic()
    status, _, body = post(server, b'{"sql":"SELECT 1","params":[' + b"1," * 999_990 + b"1]}")
    assert status == 400 and json.loads(body)["code"] == "54000", body[:300]
    status, _, body = post(server, b'{"sql":"SELECT 1","params":[' + b"1," * 7_000_000 + b"1]}")
    assert status == 400 and "too many values" in body.decode()
    status, _, body = post(server, b'{"sql":"SELECT $1","params":[' + b"[" * 5000 + b"]" * 5000 + b"]}")
    assert status == 400 and "nesting" in body.decode()
    status, _, body = post(server, b'{"sql":"' + b"x" * (17 << 20) + b'"}')
    assert status == 413
    for wrong in [b"[]", b"{}", b"", b"\xff", b'{"sql":1}', b'{"sql":"SELECT 1","limmit":3}',
                  b'{"sql":"SELECT 1","timeout":"x"}', b'{"sql":"SELECT 1","id":"a b"}',
                  b'{"sql":"SELECT 1","session":"nope"}', b'{"sql":""}']:
        status, _, body = post(server, wrong)
        assert 400 <= status < 500, (wrong, status, body)
        assert json.loads(body)["title"]
    _, _, body = post(server, b'{"sql":"SELECT 1","limmit":3}')
    assert json.loads(body)["hint"] == 'did you mean "limit"?'
    # A list of 200,000 is one parameter.
    status, _, body = post(server, {"sql": "SELECT 199999 = ANY ($1)", "params": [list(range(200_000))]})
    assert status == 200 and json.loads(body)["rows"] == [[True]], body[:300]
    assert time.monotonic() - started < 60
    assert server.resident_bytes() - before < 400 << 20


def test_errors_have_a_state_and_a_place(server):
    status, answer = server.request("POST", "/query", {"sql": "SELECT 1,\n  täble.x FROM nowhere"})
    assert status == 404 and answer["sqlstate"] == "42P01"
    status, answer = server.request("POST", "/query", {"sql": "SELECT 'ä' AS a,\n 'ü', nope FROM (SELECT 1 AS nape) AS t"})
    assert status == 400 and answer["sqlstate"] == answer["code"] == "42703"
    assert (answer["line"], answer["column"]) == (2, 7)
    assert "nape" in json.dumps(answer)
    # Text instead of JSON is SQL, too.
    request = urllib.request.Request(
        server.http + "/query", data=b"SELECT 41 + 1 AS n", headers={"Content-Type": "application/sql"})
    assert json.load(urllib.request.urlopen(request))["rows"] == [[42]]


def test_an_error_in_the_middle_cuts_the_answer(server):
    sql = "SELECT 1 / (900000 - i), repeat('x', 50) FROM generate_series(1, 1000000) AS g(i)"
    connection = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=60)
    connection.request("POST", "/query", json.dumps({"sql": sql, "limit": "all"}), {"Accept": "text/csv"})
    answer = connection.getresponse()
    assert answer.status == 200
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        answer.read()
    failed = server.sql("SELECT error, state FROM weir.queries WHERE text LIKE '%900000 - i%' AND state <> 'running'")
    assert failed == [["22012", "failed"]], failed


# Minutes of work for each kind of operator.
SLOW = {
    "join": "SELECT count(*) FROM generate_series(1, 10000000) a, generate_series(1, 1000000) b",
    "aggregate": "SELECT i % 7, count(DISTINCT i * 31) FROM generate_series(1, 2000000000) AS g(i) GROUP BY 1",
    "recursion": "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r",
    "distinct": "SELECT count(*) FROM (SELECT DISTINCT i % 1000 FROM generate_series(1, 4000000000) AS g(i)) t",
    "window": "SELECT sum(s) FROM (SELECT sum(i) OVER (ORDER BY i ROWS BETWEEN 100000 PRECEDING AND CURRENT ROW) AS s FROM generate_series(1, 4000000) AS g(i)) t",
    "filter": "SELECT i FROM generate_series(1, 100000000000) AS g(i) WHERE i < 0",
    # One sort of four million rows in memory, and values that grow from row to row.
    "long-sort": "SELECT count(*) FROM (SELECT i::bigint * 7919 % 4000037 AS x, i::text || 'a long text' AS t FROM "
                 "generate_series(1, 2000000) i ORDER BY 2, 1 OFFSET 1) s",
    "growing-window": "SELECT count(x) FROM (SELECT array_agg(i) OVER (ORDER BY i) AS x FROM "
                      "generate_series(1, 200000) i) s",
}


def running(server, name):
    return any(q[0] == name for q in
               server.sql("SELECT id FROM weir.queries WHERE state = 'running'"))


@pytest.mark.parametrize("kind", SLOW)
@pytest.mark.parametrize("way", ["DELETE", "SQL", "function", "disconnect"])
def test_a_query_of_minutes_ends_when_it_is_cancelled(server, kind, way):
    name = f"{kind}-{way}"
    answers = []
    connection = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=60)
    connection.request("POST", "/query", json.dumps({"sql": SLOW[kind], "id": name}))
    if way != "disconnect":
        def wait():
            answer = connection.getresponse()
            answers.append((time.monotonic(), answer.status, json.loads(answer.read())))
        thread = threading.Thread(target=wait)
        thread.start()
    eventually(lambda: running(server, name), what="the query runs")
    time.sleep(0.3)
    began = time.monotonic()
    if way == "DELETE":
        status, answer = server.request("DELETE", f"/queries/{name}")
        assert (status, answer) == (200, {"cancelled": name})
    elif way == "SQL":
        server.sql(f"CANCEL QUERY '{name}'")
    elif way == "function":
        assert server.sql(f"SELECT weir.cancel('{name}')") == [[True]]
    else:
        connection.close()
        eventually(lambda: not running(server, name), what="the query is gone")
        assert time.monotonic() - began < 10
        state = server.sql(f"SELECT state, error_message FROM weir.queries WHERE id = '{name}'")
        assert state == [["cancelled", "canceling statement because its client has gone"]]
        return
    thread.join()
    ended, status, answer = answers[0]
    assert status == 408 and answer["code"] == "57014"
    assert answer["title"] == "canceling statement due to user request"
    # 100 ms on a machine of its own; the tests share theirs, and the query would take minutes.
    assert ended - began < 10, ended - began
    assert server.sql(f"SELECT state, error FROM weir.queries WHERE id = '{name}'") == [["cancelled", "57014"]]


def test_a_reader_that_leaves_ends_its_query(server):
    with socket.create_connection(("127.0.0.1", server.http_port)) as client:
        body = json.dumps({"sql": "SELECT * FROM generate_series(1, 100000000000)", "limit": "all",
                           "id": "left-alone"})
        client.sendall(f"POST /query HTTP/1.1\r\nHost: x\r\nAccept: text/csv\r\n"
                       f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
        assert client.recv(100).startswith(b"HTTP/1.1 200")
        # Who reads nothing stops it, but keeps it.
        def rests():
            look = "SELECT rows, state FROM weir.queries WHERE id = 'left-alone'"
            before = server.sql(look)
            time.sleep(0.5)
            return server.sql(look) == before and before[0][1] == "running"
        eventually(rests, what="the query rests")
    eventually(lambda: not running(server, "left-alone"), what="the query has ended")


def test_time_limits(server):
    began = time.monotonic()
    status, answer = server.request("POST", "/query", {"sql": SLOW["filter"], "timeout": 0.3})
    assert (status, answer["code"]) == (408, "57014")
    assert answer["title"] == "canceling statement due to statement timeout"
    assert 0.25 < time.monotonic() - began < 2
    status, answer = server.request("POST", "/sessions", {})
    assert status == 201
    session = answer["session"]
    def run(sql):
        return server.request("POST", "/query", {"sql": sql, "session": session})
    assert run("SET statement_timeout = '250 ms'")[0] == 200
    assert run("SHOW statement_timeout")[1]["rows"] == [["250ms"]]
    status, answer = run(SLOW["recursion"])
    assert (status, answer["title"]) == (408, "canceling statement due to statement timeout")
    assert "statement_timeout" in answer["hint"]
    assert run("SELECT 1")[0] == 200
    assert run("RESET statement_timeout")[0] == 200
    assert run("SHOW statement_timeout")[1]["rows"] == [["0"]]
    status, answer = run("SET statement_timeout = 'soon'")
    assert (status, answer["code"]) == (400, "22023")
    # Settings are those of the session.
    assert server.sql("SHOW statement_timeout") == [["0"]]
    server.request("DELETE", f"/sessions/{session}")
    status, answer = run("SELECT 1")
    assert (status, answer["code"]) == (404, "session.unknown")


def test_prepared_statements_belong_to_a_session(server):
    session = server.request("POST", "/sessions", {})[1]["session"]
    def run(sql):
        return server.request("POST", "/query", {"sql": sql, "session": session})
    assert run("PREPARE q (int, text) AS SELECT $1 + 1 AS n, upper($2) AS t")[1]["command"] == "PREPARE"
    assert run("EXECUTE q (41, 'abc')")[1]["rows"] == [[42, "ABC"]]
    assert run("EXECUTE q (1 + 1, NULL)")[1]["rows"] == [[3, None]]
    assert run("EXECUTE q ('7', 'x')")[1]["rows"] == [[8, "X"]]
    status, answer = run("EXECUTE q (1)")
    assert status == 400 and "wrong number of parameters" in answer["title"]
    status, answer = run("PREPARE q AS SELECT 1")
    assert answer["code"] == "42P05"
    run("CREATE TABLE prepared_rows (a int, at timestamp)")
    assert run("PREPARE i AS INSERT INTO prepared_rows VALUES ($1, $2)")[0] == 200
    for n in range(3):
        assert run(f"EXECUTE i ({n}, '2026-01-0{n + 1} 00:00')")[0] == 200
    assert run("SELECT sum(a), max(at) FROM prepared_rows")[1]["rows"] == [[3, "2026-01-03T00:00:00"]]
    status, answer = run("EXECUTE ii (1)")
    assert answer["code"] == "26000" and 'did you mean "i"?' in answer["hint"]
    assert run("DEALLOCATE q")[0] == 200
    assert run("EXECUTE q (1, 'a')")[1]["code"] == "26000"
    assert run("DISCARD ALL")[0] == 200
    assert run("EXECUTE i (1, NULL)")[1]["code"] == "26000"
    status, answer = server.request("POST", "/query", {"sql": "PREPARE q AS SELECT 1"})
    assert status == 501 and "POST /sessions" in answer["hint"]


def test_the_table_of_queries(server):
    server.sql("SELECT 12345 AS needle")
    server.request("POST", "/query", {"sql": "SELECT nothing_like_it"})
    columns = server.sql("DESCRIBE weir.queries")
    assert [c[0] for c in columns] == [
        "id", "text", "username", "state", "started", "seconds", "rows", "files_read",
        "bytes_read", "memory_bytes", "error", "error_message"]
    rows = server.sql("SELECT state, rows, error FROM weir.queries WHERE text = 'SELECT 12345 AS needle'")
    assert rows == [["finished", 1, None]]
    rows = server.sql("SELECT state, error FROM weir.queries WHERE text = 'SELECT nothing_like_it'")
    assert rows == [["failed", "42703"]]
    # The query that asks is one of them.
    assert len(server.sql("SELECT id FROM weir.queries WHERE state = 'running'")) == 1
    status, answer = server.request("DELETE", "/queries/none")
    assert status == 404 and answer["code"] == "query.unknown"
    status, answer = server.request("POST", "/query", {"sql": "CANCEL QUERY 'none'"})
    assert status == 404 and answer["position"] == 13


def nodes(node):
    yield node
    for inner in node.get("inputs", []):
        yield from nodes(inner)


def explain(server, sql):
    answer = json.loads(server.sql(sql)[0][0]) if isinstance(server.sql(sql)[0][0], str) else server.sql(sql)[0][0]
    assert len(answer) == 1
    return answer[0]


def test_explain_analyze_says_what_each_operator_did(server):
    server.sql("CREATE TABLE measured (day date, n int, t text) PARTITIONED BY (day)")
    for day in (1, 2, 3):
        server.sql(f"INSERT INTO measured SELECT DATE '2026-01-0{day}', i, 'text ' || i FROM generate_series(1, 5000) AS g(i)")
    query = "SELECT n % 10, count(*) FROM measured WHERE day >= DATE '2026-01-02' AND n > 4000 GROUP BY 1 ORDER BY 2"
    found = explain(server, "EXPLAIN (ANALYZE, FORMAT JSON) " + query)
    assert found["time_ms"] > 0 and found["memory_bytes"] > 0
    every = {n["operator"]: n for n in nodes(found["plan"])}
    scan = every["Scan"]
    assert (scan["files_read"], scan["files_skipped"], scan["rows"]) == (2, 1, 2000)
    assert scan["row_groups_read"] == 2 and scan["row_groups_skipped"] == 0 and scan["bytes_read"] > 0
    assert every["Aggregate"]["rows"] == 10 and every["Aggregate"]["memory_bytes"] > 0
    assert sum(n["self_time_ms"] for n in nodes(found["plan"])) <= found["time_ms"] + 0.1
    lines = [row[0] for row in server.sql("EXPLAIN ANALYZE " + query)]
    assert lines[0].split() == ["rows", "batches", "time", "memory"]
    # The operators stand as EXPLAIN shows them, all behind their figures.
    plan = [row[0] for row in server.sql("EXPLAIN " + query)]
    width = lines[0].index("memory") + len("memory  ")
    for line, shown in zip(lines[1:], plan):
        assert line[width:].startswith(shown), (line, shown)
    assert any("2 files read, 1 skipped" in line for line in lines), lines
    # Without times two runs are the same.
    again = "EXPLAIN (ANALYZE, TIMING off) " + query
    assert server.sql(again) == server.sql(again)
    assert "time_ms" not in explain(server, "EXPLAIN (ANALYZE, TIMING off, FORMAT json) " + query)
    plain = explain(server, "EXPLAIN (FORMAT JSON) " + query)
    assert [n["operator"] for n in nodes(plain["plan"])] == [n["operator"] for n in nodes(found["plan"])]


def test_explain_analyze_of_a_recursion_that_reads_shared_rows(server):
    query = """WITH RECURSIVE base AS (SELECT i FROM generate_series(1, 4) AS g(i)),
        walk(n) AS (SELECT i FROM base WHERE i = 1 UNION ALL
                    SELECT w.n + 1 FROM walk w JOIN base b ON b.i = w.n + 1)
        SELECT count(*), (SELECT max(i) FROM base) FROM walk"""
    assert server.sql(query) == [[4, 4]]
    found = explain(server, "EXPLAIN (ANALYZE, FORMAT JSON) " + query)
    every = list(nodes(found["plan"]))
    lines = [row[0] for row in server.sql("EXPLAIN (ANALYZE, TIMING off) " + query)]
    plan = [row[0] for row in server.sql("EXPLAIN " + query)]
    # The same nodes in the same order, each with its own figures.
    width = lines[0].index("memory") + len("memory  ")
    assert [line[width:] for line in lines[1:-1]] == plan
    assert [line.replace("-> ", "").strip() for line in plan] == [n["detail"].strip() for n in every]
    assert [int(line.split()[0]) for line in lines[1:-1]] == [n["rows"] for n in every]
    recursion = next(n for n in every if n["operator"] == "Recursion")
    assert recursion["rows"] == 4
    working = next(n for n in every if n["detail"] == "Rows that came last")
    assert working["rows"] == 4
    # The step's join ran in each of four rounds.
    join = next(n for n in nodes(recursion["inputs"][1]) if n["operator"] == "Join")
    assert join["rows"] == 3


def test_options_of_explain(server):
    for sql, code, hint in [
            ("EXPLAIN (ANALYSE) SELECT 1", "42601", "ANALYZE"),
            ("EXPLAIN (FORMAT YAML) SELECT 1", "22023", "TEXT, JSON"),
            ("EXPLAIN (ANALYZE maybe) SELECT 1", "42601", None)]:
        status, answer = server.request("POST", "/query", {"sql": sql})
        assert status == 400 and answer["code"] == code, answer
        assert hint is None or hint in answer["hint"], answer
    assert server.sql("EXPLAIN (ANALYZE off, VERBOSE, COSTS off) SELECT 1") == server.sql("EXPLAIN SELECT 1")


def test_rows_that_come_with_a_copy(server):
    server.sql("CREATE TABLE from_request (id int, v text)")
    def copy(sql, data=None):
        body = {"sql": sql} if data is None else {"sql": sql, "data": data}
        return server.request("POST", "/query", body)
    status, answer = copy("COPY from_request FROM STDIN WITH (FORMAT csv)", '1,a\n2,"b ""c"""\n3,\n')
    assert status == 200 and answer["command"] == "COPY 3", answer
    status, answer = copy("COPY from_request (v, id) FROM STDIN WITH (FORMAT json)", '{"id": 4, "v": "ü"}\n')
    assert status == 200 and answer["command"] == "COPY 1", answer
    assert server.sql("SELECT * FROM from_request ORDER BY id") == [[1, "a"], [2, 'b "c"'], [3, None], [4, "ü"]]
    for sql, data, code in [
        ("COPY from_request FROM STDIN WITH (FORMAT csv)", None, "08P01"),
        ("COPY from_request FROM STDIN WITH (FORMAT csv)", "x,1\n", "22P02"),
        ("COPY from_request FROM STDIN WITH (FORMAT csv)", 1, "http.body"),
        ("COPY (SELECT 1) TO STDOUT", None, "0A000"),
        ("COPY from_request FROM PROGRAM 'rm'", None, "0A000"),
    ]:
        status, answer = copy(sql, data)
        assert answer["code"] == code and (answer.get("hint") or code in ("22P02", "http.body")), answer
    assert server.sql("SELECT count(*) FROM from_request") == [[4]]
    # Nothing is left of them.
    assert not list(pathlib.Path(server.data, "lake").rglob("_uploads/*/*"))


def test_uuids_of_tables_are_joined_and_ordered(server):
    """Files hold them as texts, which the conditions that joins and orders hand to scans have to know."""
    server.sql("CREATE TABLE uuid_left (g int, c uuid)")
    server.sql("CREATE TABLE uuid_right (f uuid)")
    server.sql("INSERT INTO uuid_left SELECT n, (CASE WHEN n % 2 = 0 THEN 'a' ELSE '0' END || "
               "lpad(n::text, 7, '0') || '-0000-4000-8000-222222222222')::uuid FROM generate_series(1, 6000) AS g(n)")
    server.sql("INSERT INTO uuid_right SELECT c FROM uuid_left WHERE g % 1000 = 0 OR g = 7")
    joined = "SELECT count(*) AS n FROM uuid_left l JOIN uuid_right r ON r.f = l.c"
    assert server.sql(joined) == [[7]]
    assert server.sql("SELECT g FROM uuid_left WHERE c IN (SELECT f FROM uuid_right) ORDER BY g LIMIT 2") == [[7], [1000]]
    assert server.sql("SELECT g FROM uuid_left ORDER BY c DESC LIMIT 2") == [[6000], [5998]]
    assert server.sql("SELECT g FROM uuid_left ORDER BY c LIMIT 2") == [[1], [3]]
