"""The time zone of a session against PostgreSQL: the same texts, fields and moments in every zone."""
import datetime
import io
import json
import urllib.request

import psycopg
import pyarrow.ipc
import pytest
from conftest import new_server, remove, weir
from test_postgres import PROGRAMS, plain, postgres  # noqa: F401

ZONES = [
    "'Europe/Berlin'", "'America/New_York'", "'Asia/Kolkata'", "'Australia/Lord_Howe'",
    "'America/St_Johns'", "'Pacific/Apia'", "'europe/london'", "'EST5EDT'", "-7", "'5.5'", "'+5:30'",
    "'<+02>-2'", "'UTC+3'", "'CET-1CEST,M3.5.0,M10.5.0/3'", "'foo3'", "'GMT'", "'UTC'", "LOCAL", "DEFAULT",
]
MOMENTS = [
    "2024-03-31 00:59:59+00", "2024-03-31 01:00:00+00", "2024-10-27 00:30:00+00",
    "2024-10-27 01:30:00.123456+00", "2024-02-29 23:59:59.9+00", "1850-06-01 12:00:00+00",
    "1918-07-01 00:00:00+00", "2050-07-01 10:00:00+00", "infinity", "-infinity",
    "2011-12-30 12:00:00+00", "0044-03-15 12:00:00+00 BC",
]
LOCALS = [
    "2024-03-31 02:30:00", "2024-10-27 02:30:00", "2024-07-01 12:00", "1900-01-01 00:00", "2024-3-10 2:30",
    "July 4, 2024 3:04 PM", "2024-11-03 01:30:00", "2024-04-07 01:45:00", "infinity", "20240102T030405",
    "2024-01-01 12:00 America/Los_Angeles", "2024-01-01 12:00-02", "2024-01-01 12:00 CET",
]
# With m for a moment and l for what a clock showed, both texts.
CALLS = [
    "m::timestamptz::text", "m::timestamptz::timestamp::text", "m::timestamptz::date::text",
    "m::timestamptz::time::text", "to_jsonb(m::timestamptz)::text",
    "jsonb_build_object('t', m::timestamptz, 'a', ARRAY[m::timestamptz])::text",
    "ARRAY[m::timestamptz, NULL]::text", "ARRAY[m::timestamptz]::text[]::text",
    "ARRAY[m::timestamptz]::date[]::text", "row(m::timestamptz, 1)::text",
    "concat(m::timestamptz, '!')", "format('%s', m::timestamptz)",
    "array_to_string(ARRAY[m::timestamptz], ',')", "m::timestamptz || ''",
    "extract(epoch FROM m::timestamptz)", "extract(hour FROM m::timestamptz)",
    "extract(timezone FROM m::timestamptz)", "extract(timezone_hour FROM m::timestamptz)",
    "extract(timezone_minute FROM m::timestamptz)", "extract(doy FROM m::timestamptz)",
    "date_part('minute', m::timestamptz)", "date_part('year', m::timestamptz)",
    "to_char(m::timestamptz, 'YYYY-MM-DD HH24:MI:SS.US TZ tz OF TZH:TZM')",
    "date_trunc('day', m::timestamptz)::text", "date_trunc('hour', m::timestamptz)::text",
    "date_trunc('month', m::timestamptz)::text", "date_trunc('week', m::timestamptz)::text",
    "(m::timestamptz + interval '1 day')::text", "(m::timestamptz + interval '24 hours')::text",
    "(m::timestamptz - interval '1 month 1 hour')::text", "(m::timestamptz + interval '6 months')::text",
    "age(m::timestamptz, '2000-02-29 12:00+00')", "m::timestamptz AT TIME ZONE 'Asia/Tokyo'",
    "m::timestamptz AT TIME ZONE 'UTC'", "m::timestamptz = '2024-03-31 01:00:00+00'",
    "m::timestamptz > '2024-03-31 12:00'", "m::timestamptz < DATE '2024-03-31'",
    "m::timestamptz < TIMESTAMP '2024-10-27 02:30'", "date_trunc('day', m::timestamptz, 'Asia/Tokyo')::text",
    "(SELECT string_agg(x::text, ' ') FROM (SELECT m::timestamptz AS x) y)",
    "(SELECT jsonb_agg(x)::text FROM (SELECT m::timestamptz AS x) y)",
    "(SELECT max(x)::text FROM (SELECT m::timestamptz AS x) y)", "m::timestamptz::text::timestamptz = m::timestamptz",
    "m::timestamptz::timestamp::timestamptz::text", "m::timestamptz::date::timestamptz::text",
    "l::timestamptz::text", "l::timestamp::timestamptz::text", "l::date::timestamptz::text",
    "(l::timestamp AT TIME ZONE 'Asia/Tokyo')::text", "ARRAY[l]::timestamptz[]::text",
    "('{\"' || l || '\"}')::timestamptz[]::text", "ARRAY[l::timestamp]::timestamptz[]::text",
    "extract(epoch FROM l::timestamptz)",
]
# numeric has no infinity, and differences with infinite moments are refused.
ENDLESS = ("extract(", "age(")
STATEMENTS = [
    "SELECT TIMESTAMPTZ '2024-03-31 02:30'::text", "SELECT TIMESTAMPTZ '2024-07-01 12:00'::text, 'x'",
    "SELECT x::text FROM generate_series('2024-03-30 12:00'::timestamptz, '2024-04-01 12:00', '12 hours') x",
    "SELECT x::text FROM generate_series('2024-10-26'::timestamptz, '2024-10-29', '1 day') x",
    "SELECT x::text FROM generate_series(DATE '2024-10-26', DATE '2024-10-29', '1 day') x",
    "SELECT make_timestamptz(2024, 7, 1, 12, 0, 0)::text",
    "SELECT make_timestamptz(2024, 7, 1, 12, 0, 0, 'Asia/Tokyo')::text",
    "SELECT to_timestamp('2024-07-01 12:00', 'YYYY-MM-DD HH24:MI')::text",
    "SELECT to_timestamp('2024-07-01 12:00 +05', 'YYYY-MM-DD HH24:MI TZH')::text",
    "SELECT to_timestamp(1720000000)::text", "SELECT now()::date = current_date",
    "SELECT localtimestamp = now()::timestamp, localtime = now()::time",
    "SELECT date_bin('1 day', TIMESTAMPTZ '2024-07-01 12:00+00', TIMESTAMPTZ '2001-01-01')::text",
    "SELECT '2024-07-01 12:00'::timestamptz BETWEEN '2024-07-01' AND '2024-07-02'",
    "SELECT a, count(*) FROM (VALUES ('2024-07-01 22:30+00'::timestamptz), ('2024-07-01 12:00+00')) v(x), "
    "LATERAL (SELECT x::date::text AS a) d GROUP BY a ORDER BY a",
    "SELECT sum(n) OVER (ORDER BY t RANGE BETWEEN '1 day' PRECEDING AND CURRENT ROW) FROM (VALUES "
    "('2024-03-30 12:00+00'::timestamptz, 1), ('2024-03-31 11:00+00', 2), ('2024-03-31 11:30+00', 4)) v(t, n)",
    "SELECT current_setting('TimeZone')", "SHOW timezone", "SHOW TIME ZONE",
    "SELECT timezone('Europe/Berlin', TIMESTAMPTZ '2024-07-01 12:00')::text",
    "SELECT (TIMESTAMPTZ '2024-07-01', TIMESTAMPTZ '2024-07-02') OVERLAPS (DATE '2024-07-01', DATE '2024-07-03')",
    "SELECT 'yesterday'::timestamptz = current_date - 1, 'today'::timestamptz = current_date",
    "SELECT 'tomorrow'::date - current_date",
    "SELECT 'now'::timestamp = localtimestamp, 'now'::timestamptz = now(), 'today'::timestamp = current_date",
    "SELECT x::date - current_date, x::timestamp - interval '1 day' < current_date FROM (VALUES ('today'), ('tomorrow')) AS v(x)",
]


@pytest.fixture(scope="module")
def server():
    one = new_server().start()
    yield one
    remove(one)


class Session:
    def __init__(self, server):
        self.server = server
        self.id = server.request("POST", "/sessions")[1]["session"]

    def run(self, sql):
        status, answer = self.server.request(
            "POST", "/query", {"sql": sql, "session": self.id, "limit": 100000})
        if status != 200:
            return answer["code"]
        return [[plain(value) for value in row] for row in answer["rows"]] if answer["columns"] else None


def in_postgres(connection, sql):
    try:
        answer = connection.execute(sql)
        return [[plain(value) for value in row] for row in answer.fetchall()] if answer.description else None
    except psycopg.Error as error:
        return error.sqlstate


@pytest.mark.skipif(not PROGRAMS, reason="PostgreSQL is not installed")
def test_answers_in_every_zone(postgres, server):  # noqa: F811
    session, different, ran = Session(server), [], 0
    try:
        for zone in ZONES:
            setting = f"SET TIME ZONE {zone}" if zone != "DEFAULT" else "SET timezone TO DEFAULT"
            postgres.execute(setting if zone not in ("LOCAL", "DEFAULT") else "SET timezone = 'UTC'")
            assert session.run(setting) is None
            statements = list(STATEMENTS)
            for call in CALLS:
                texts = MOMENTS if "m::" in call else LOCALS
                name = "m" if "m::" in call else "l"
                # One column a call, so that each text has an answer or an error of its own.
                statements += [
                    "SELECT (" + call.replace(f"{name}::", "x::").replace("|| l ||", "|| x ||")
                    .replace("[l]", "[x]") + f")::text FROM (VALUES (text '{text}')) AS v(x)"
                    for text in texts if "infinity" not in text or not call.startswith(ENDLESS)]
            for sql in statements:
                expected, found = in_postgres(postgres, sql), session.run(sql)
                ran += 1
                if expected != found:
                    different.append(f"{zone}: {sql}\n  PostgreSQL: {expected}\n  Weir:       {found}")
    finally:
        postgres.execute("SET timezone = 'UTC'")
    assert ran > 8000
    assert not different, f"{len(different)} of {ran}:\n" + "\n".join(different[:60])


@pytest.mark.skipif(not PROGRAMS, reason="PostgreSQL is not installed")
def test_names_of_zones(postgres, server):  # noqa: F811
    session = Session(server)
    try:
        for value in ["'Europe/Berlin'", "'europe/berlin'", "'cet'", "'PST'", "''", "'nix'", "'-08:00'", "-7",
                      "7.5", "'utc'", "'gmt'", "INTERVAL '-08:00' HOUR TO MINUTE", "INTERVAL '5:30'",
                      "INTERVAL '1 month'", "INTERVAL '1 day'", "'foo3'", "'Mars/Olympus'", "200",
                      "'../../etc/passwd'"]:
            expected = in_postgres(postgres, f"SET TIME ZONE {value}")
            assert session.run(f"SET TIME ZONE {value}") == expected, value
            assert session.run("SHOW timezone") == in_postgres(postgres, "SHOW timezone"), value
        for reset in ["RESET timezone", "SET timezone TO DEFAULT", "RESET ALL", "DISCARD ALL"]:
            assert session.run("SET timezone = 'Asia/Tokyo'") is None
            assert session.run(reset) is None
            assert session.run("SHOW timezone") == [["UTC"]], reset
    finally:
        postgres.execute("SET timezone = 'UTC'")


def raw(server, form, sql, session):
    request = urllib.request.Request(
        f"{server.http}/query?format={form}", json.dumps({"sql": sql, "session": session}).encode(),
        {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()


def test_forms_of_answers(server):
    session = Session(server)
    session.run("SET timezone = 'Asia/Kolkata'")
    sql = "SELECT TIMESTAMPTZ '2024-07-01 12:00' AS t, ARRAY[TIMESTAMPTZ '2024-07-01 12:00+00'] AS a"
    for form, expected in [
        ("json", b'["2024-07-01T12:00:00+05:30",["2024-07-01T17:30:00+05:30"]]'),
        ("ndjson", b'{"t":"2024-07-01T12:00:00+05:30","a":["2024-07-01T17:30:00+05:30"]}'),
        ("csv", b't,a\n2024-07-01 12:00:00+05:30,"{""2024-07-01 17:30:00+05:30""}"\n'),
    ]:
        body = raw(server, form, sql, session.id)
        assert expected in body, body
    body = raw(server, "arrow", sql, session.id)
    value = pyarrow.ipc.open_stream(io.BytesIO(body)).read_all().column("t")[0].as_py()
    assert value == datetime.datetime(2024, 7, 1, 6, 30, tzinfo=datetime.timezone.utc)


def test_a_script_of_the_command_line_is_one_session(server, tmp_path):
    script = "SET timezone = 'Asia/Tokyo'; SELECT TIMESTAMPTZ '2024-01-01 00:00+00'::text AS t"
    for place in [("--http-server", server.http.removeprefix("http://")), (str(tmp_path),)]:
        _, out, _ = weir("sql", *place, "-o", "csv", "-c", script)
        assert "2024-01-01 09:00:00+09" in out, out


def test_what_a_session_sets_is_its_own(server):
    one, other = Session(server), Session(server)
    one.run("SET timezone = 'Asia/Tokyo'")
    assert other.run("SELECT TIMESTAMPTZ '2024-01-01 00:00+00'::text") == [["2024-01-01 00:00:00+00"]]
    one.run("PREPARE p AS SELECT TIMESTAMPTZ '2024-01-01 00:00+00'::text, $1::timestamptz::text")
    assert one.run("EXECUTE p ('2024-01-01')") == [["2024-01-01 09:00:00+09", "2024-01-01 00:00:00+09"]]
    one.run("SET timezone = 'UTC'")
    assert one.run("EXECUTE p ('2024-01-01')") == [["2024-01-01 00:00:00+00", "2024-01-01 00:00:00+00"]]
    # A request without a session is one of its own.
    status, answer = server.request("POST", "/query", {
        "sql": "SET timezone = 'Asia/Tokyo'; SELECT TIMESTAMPTZ '2024-01-01 00:00+00'::text"})
    assert status == 200 and answer["rows"] == [["2024-01-01 09:00:00+09"]], answer
    assert "this request only" in answer["notices"][0]
    status, answer = server.request("POST", "/query", {"sql": "SHOW timezone"})
    assert answer["rows"] == [["UTC"]]


def test_tables_in_a_zone(server):
    session = Session(server)
    session.run("SET timezone = 'America/New_York'")
    for sql in ["CREATE TABLE z (id int, t timestamptz, day date GENERATED ALWAYS AS (CAST(t AS date)))",
                "ALTER TABLE z ADD CONSTRAINT c CHECK (CAST(t AS date) > DATE '2024-01-01')",
                "INSERT INTO z (id, t) VALUES (1, '2024-07-01 22:00'), (2, '2024-07-01 10:00'), (3, TIMESTAMP '2024-01-15 23:00')",
                "UPDATE z SET t = t + interval '1 day' WHERE t = '2024-07-01 10:00'"]:
        assert session.run(sql) is None, sql
    # What a table says of its rows is said in UTC, whoever writes them.
    assert session.run("SELECT id, t::text, day::text FROM z ORDER BY id") == [
        [1.0, "2024-07-01 22:00:00-04", "2024-07-02"], [2.0, "2024-07-02 10:00:00-04", "2024-07-02"],
        [3.0, "2024-01-15 23:00:00-05", "2024-01-16"]]
    assert session.run("SELECT id FROM z WHERE t >= '2024-07-01' AND t < '2024-07-02'") == [[1.0]]
    assert session.run("SELECT count(*) FROM z WHERE t::date = '2024-07-01'") == [[1.0]]
    assert session.run("DELETE FROM z WHERE t < '2024-02-01' RETURNING id, t::text") == [
        [3.0, "2024-01-15 23:00:00-05"]]
    session.run("CREATE VIEW zv AS SELECT t::date AS d FROM z WHERE id = 1")
    assert session.run("SELECT d::text FROM zv") == [["2024-07-01"]]
    session.run("CREATE MATERIALIZED VIEW zm REFRESH POLICY FULL AS SELECT t::date AS d FROM z WHERE id = 1")
    session.run("REFRESH MATERIALIZED VIEW zm")
    assert session.run("SELECT d::text FROM zm") == [["2024-07-02"]]
