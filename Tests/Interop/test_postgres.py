"""Scripts of Tests/Scripts/sql against the real PostgreSQL: the same rows, or the same SQLSTATE."""
import contextlib
import datetime
import decimal
import glob
import os
import pathlib
import subprocess
import tempfile

import function_calls
import psycopg
import pytest
from conftest import ROOT, free_port, new_server, remove

PROGRAMS = max(glob.glob("/usr/lib/postgresql/*/bin"), default="")
SCRIPTS = sorted(pathlib.Path(ROOT, "Tests/Scripts/sql").glob("*.sql"))


def as_postgres(*arguments, **options):
    """PostgreSQL does not run as root."""
    if os.getuid() == 0:
        arguments = ("setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups",
                     *arguments)
    return subprocess.run(arguments, check=True, capture_output=True, text=True, **options)


@contextlib.contextmanager
def running_postgres():
    """A connection to a PostgreSQL server of its own."""
    with tempfile.TemporaryDirectory(prefix="weir-postgres-") as folder:
        os.chmod(folder, 0o777)
        data, port = folder + "/data", free_port()
        as_postgres(f"{PROGRAMS}/initdb", "-D", data, "-A", "trust", "-U", "weir", "-E", "UTF8",
                    "--locale", "C", "--no-sync", cwd=folder)
        as_postgres(f"{PROGRAMS}/pg_ctl", "-D", data, "-w", "-l", folder + "/log", "-o",
                    f"-p {port} -k {folder} -c fsync=off -c listen_addresses=127.0.0.1", "start",
                    cwd=folder)
        try:
            with psycopg.connect(host="127.0.0.1", port=port, user="weir", dbname="postgres",
                                 autocommit=True) as connection:
                connection.execute("SET TimeZone = 'UTC'")
                yield connection
        finally:
            as_postgres(f"{PROGRAMS}/pg_ctl", "-D", data, "-m", "immediate", "stop", cwd=folder)


@pytest.fixture(scope="module")
def postgres():
    with running_postgres() as connection:
        yield connection


@pytest.fixture(scope="module")
def server():
    one = new_server().start()
    yield one
    remove(one)


def statements(script):
    text = "\n".join(line for line in script.read_text().split("\n") if not line.startswith("--"))
    return [statement.strip() for statement in text.split(";\n") if statement.strip()]


def plain(value):
    """A value as both sides write it: numbers by their value, everything else as text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float, decimal.Decimal)):
        number = decimal.Decimal(str(value))
        if number.is_nan():
            return "NaN"
        # Floats differ in the last digit when sums are added in another order.
        return float(f"{number:.12g}")
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    text = str(value)
    if text == "NaN":
        return text
    try:
        number = decimal.Decimal(text)
        return text if number.is_nan() else float(f"{number:.12g}")
    except decimal.InvalidOperation:
        return text


def from_postgres(connection, statement):
    try:
        answer = connection.execute(statement)
        return [[plain(value) for value in row] for row in answer.fetchall()] if answer.description else None
    except psycopg.Error as error:
        return error.sqlstate


def from_weir(server, statement):
    status, answer = server.request("POST", "/query", {"sql": statement, "limit": 100000})
    if status != 200:
        return answer["code"]
    if not answer["columns"]:
        return None
    return [[plain(value) for value in row] for row in answer["rows"]]


@pytest.mark.skipif(not PROGRAMS, reason="PostgreSQL is not installed")
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_answers_are_those_of_postgres(postgres, server, script):
    different = []
    ran = 0
    for statement in statements(script):
        expected, found = from_postgres(postgres, statement), from_weir(server, statement)
        ran += 1
        if expected != found:
            different.append(f"{statement}\n  PostgreSQL: {expected}\n  Weir:       {found}")
    assert ran > 20
    assert not different, f"{len(different)} of {ran}:\n" + "\n".join(different)


def window_query(random):
    """A window over a table of twelve rows with ties and NULLs; the order of rows decides ties."""
    keys = random.sample(["a", "b", "c", "d"], random.randint(0, 2))
    parts = random.sample(["a", "b"], random.randint(0, 1))
    order = [f"{key} {random.choice(['', 'DESC'])} {random.choice(['', 'NULLS FIRST', 'NULLS LAST'])}"
             for key in keys]
    unit = random.choice(["ROWS", "RANGE", "GROUPS"])
    # Without a total order the rows within ROWS frames are anybody's choice.
    if unit == "ROWS":
        order.append("id")
    offsets = unit != "RANGE" or (len(keys) == 1 and keys[0] != "d")
    if unit == "GROUPS" and not order:
        unit = "RANGE"
        offsets = False
    amount = lambda: random.choice([0, 1, 1, 2, 3, 100])
    starts = ["UNBOUNDED PRECEDING", "CURRENT ROW"]
    ends = ["CURRENT ROW", "UNBOUNDED FOLLOWING"]
    if offsets:
        starts += [f"{amount()} PRECEDING", f"{amount()} FOLLOWING"]
        ends += [f"{amount()} PRECEDING", f"{amount()} FOLLOWING"]
    frame = f"{unit} BETWEEN {random.choice(starts)} AND {random.choice(ends)}"
    frame += random.choice(["", "", " EXCLUDE CURRENT ROW", " EXCLUDE GROUP", " EXCLUDE TIES"])
    function = random.choice([
        "sum(a)", "count(*)", "count(b)", "min(c)", "max(b)", "avg(a)", "sum(c)", "min(d)",
        "bool_or(a > 2)", "sum(a) FILTER (WHERE b > 1)", "count(*) FILTER (WHERE d = 'x')"])
    if unit == "ROWS":
        function = random.choice([
            function, "first_value(d)", "last_value(id)", "nth_value(id, 2)", "string_agg(d, '-')",
            "array_agg(a)"])
    window = (f"PARTITION BY {', '.join(parts)} " if parts else "") + (
        f"ORDER BY {', '.join(order)} " if order else "") + frame
    return f"SELECT id, {function} OVER ({window}) FROM w ORDER BY id"


@pytest.mark.skipif(not PROGRAMS, reason="PostgreSQL is not installed")
def test_windows_of_any_shape(postgres, server):
    random = __import__("random").Random(20261129)
    rows = ", ".join(
        "({}, {}, {}, {}, {})".format(
            i, *(random.choice(["NULL", 0, 1, 1, 2, 3, 5]) for _ in range(2)),
            random.choice(["NULL", "0.5", "1.25", "1.25", "-3"]),
            random.choice(["NULL", "'x'", "'y'", "'y'"])) for i in range(12))
    create = "CREATE TABLE w (id int, a int, b bigint, c numeric(6,2), d text)"
    for statement in [create, f"INSERT INTO w VALUES {rows}"]:
        assert from_postgres(postgres, statement) is None
        assert from_weir(server, statement) is None
    different, answered = [], 0
    for _ in range(int(os.environ.get("WEIR_WINDOW_QUERIES", "400"))):
        statement = window_query(random)
        expected, found = from_postgres(postgres, statement), from_weir(server, statement)
        answered += isinstance(expected, list)
        if expected != found:
            different.append(f"{statement}\n  PostgreSQL: {expected}\n  Weir:       {found}")
    assert answered > 200
    assert not different, f"{len(different)} differ:\n" + "\n".join(different[:20])


@pytest.mark.skipif(not PROGRAMS, reason="PostgreSQL is not installed")
def test_calls_of_every_function(postgres, server):
    different, refused, ran = [], 0, 0
    for template, statement in function_calls.statements():
        expected, found = from_postgres(postgres, statement), from_weir(server, statement)
        ran += 1
        refused += isinstance(expected, str)
        if expected != found:
            different.append(f"{statement}\n  PostgreSQL: {expected}\n  Weir:       {found}")
    # Most calls have a value, and many have an error.
    assert ran > 7000 and 500 < refused < ran / 4
    assert not different, f"{len(different)} of {ran}:\n" + "\n".join(different[:50])
