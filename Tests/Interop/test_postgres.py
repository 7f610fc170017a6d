"""Scripts of Tests/Scripts/sql against the real PostgreSQL: the same rows, or the same SQLSTATE."""
import decimal
import glob
import os
import pathlib
import subprocess
import tempfile

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


@pytest.fixture(scope="module")
def postgres():
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
        # Floats differ in the last digit when sums are added in another order.
        return float(f"{number:.12g}")
    if isinstance(value, list):
        return [plain(item) for item in value]
    text = str(value)
    try:
        return float(f"{decimal.Decimal(text):.12g}")
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
