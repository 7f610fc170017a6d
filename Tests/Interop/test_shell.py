"""`weir sql` at a terminal: a pseudo-terminal types, and reads what a person would see."""
import os
import pty
import re
import select
import signal
import subprocess
import time

import pytest
from conftest import WEIR, eventually

UP, TAB, CTRL_C, CTRL_D, ALT_ENTER = "\x1b[A", "\t", "\x03", "\x04", "\x1b\r"
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|[\x00\x07]")


class Terminal:
    def __init__(self, tmp_path, *arguments, **environment):
        self.master, slave = pty.openpty()
        subprocess.run(["stty", "rows", "40", "cols", "100"], stdin=slave, check=True)
        self.process = subprocess.Popen(
            [WEIR, "sql", *arguments], stdin=slave, stdout=slave, stderr=slave,
            start_new_session=True, close_fds=True,
            # Makes the terminal the process's own, so that Ctrl-C is a signal.
            preexec_fn=lambda: __import__("fcntl").ioctl(0, __import__("termios").TIOCSCTTY, 0),
            env={**os.environ, "TERM": "xterm", "NO_COLOR": "1", "LC_ALL": "C.UTF-8",
                 "WEIR_HISTORY": str(tmp_path / "history"), "SWIFT_BACKTRACE": "enable=no",
                 **environment})
        os.close(slave)
        self.seen = ""
        self.mark = 0

    def pump(self, seconds=0.05):
        while select.select([self.master], [], [], seconds)[0]:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                return False
            if not data:
                return False
            self.seen += ESCAPES.sub("", data.decode(errors="replace"))
            seconds = 0.02
        return True

    def expect(self, text, timeout=20):
        """What has appeared since the last call, up to and with `text`."""
        deadline = time.monotonic() + timeout
        while True:
            found = self.seen.find(text, self.mark)
            if found >= 0:
                start, self.mark = self.mark, found + len(text)
                return self.seen[start:self.mark]
            alive = self.pump()
            if time.monotonic() > deadline or (not alive and self.seen.find(text, self.mark) < 0):
                pytest.fail(f"{text!r} did not appear; seen:\n{self.seen[self.mark:]}")

    def type(self, text):
        os.write(self.master, text.encode())

    def run(self, text, prompt="weir=> "):
        """Types a line and gives what appears before the next prompt."""
        self.type(text + "\r")
        # The echo ends with the line.
        self.expect("\n")
        return self.expect(prompt)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)


@pytest.fixture
def open_shell(tmp_path):
    opened = []

    def make(*arguments, **environment):
        terminal = Terminal(tmp_path, *arguments, **environment)
        opened.append(terminal)
        terminal.expect("weir=> ")
        return terminal
    yield make
    for terminal in opened:
        terminal.close()


@pytest.fixture
def shell(server, open_shell):
    return open_shell("--http-server", f"127.0.0.1:{server.http_port}")


@pytest.fixture(scope="module", autouse=True)
def tables(server):
    server.sql("CREATE SCHEMA gold")
    server.sql("CREATE TABLE gold.event_metrics (metric_hour timestamp, event_type text, total_events bigint)")
    server.sql("""INSERT INTO gold.event_metrics
        SELECT TIMESTAMP '2026-02-16 00:00' + i * INTERVAL '1 hour', 'type ' || i % 3, i * i % 17
        FROM generate_series(0, 23) AS g(i)""")


def test_statements_take_several_lines_and_come_back(shell):
    shell.type("SELECT 1 + 1\r")
    shell.expect("weir-> ")
    shell.type("-- a remark\r")
    shell.expect("weir-> ")
    out = shell.run("  AS two;")
    assert re.search(r"two\s+─+\s+2\s+\(1 row\)", out), out
    # The whole statement comes back, with its lines.
    shell.type(UP)
    shell.pump(0.3)
    assert "(1 row)" in shell.run("")
    assert "'> " in shell.run("SELECT 'no end", prompt="'> ")
    shell.type(CTRL_C)
    shell.expect("weir=> ")
    shell.type("SELECT 41" + ALT_ENTER + "+ 1 AS n;")
    assert "42" in shell.run("")


def test_a_statement_that_has_begun_takes_commands(shell):
    shell.run("SELECT 1 AS kept;")
    # A remark alone begins nothing.
    shell.run("-- a remark;")
    shell.run("/* another */ ;")
    assert "weir-> " in shell.run("SELECT 2", prompt="weir-> ")
    assert "SELECT 2" in shell.run("\\p", prompt="weir-> ")
    assert "not shown" in shell.run("\\timing", prompt="weir-> ")
    assert "\\r throws it away" in shell.run("quit", prompt="weir-> ")
    assert "Thrown away" in shell.run("\\r")
    assert "No statement has begun" in shell.run("\\r")
    assert "SELECT 1 AS kept" in shell.run("\\p")
    # In a quote every line is text, and a way out is told.
    shell.run("SELECT E'it\\'s", prompt="'> ")
    out = shell.run("\\q", prompt="'> ")
    assert "' is not closed" in out and "Ctrl-C" in out
    assert "(1 row)" in shell.run("';")
    shell.run("SELECT 3", prompt="weir-> ")
    shell.type("\\q\r")
    assert shell.process.wait(10) == 0


def test_errors_show_the_place_and_a_name_that_is_near(shell):
    out = shell.run("SELECT event_typ, count(*) FROM gold.event_metrics GROUP BY 1;")
    assert 'error[42703]: column "event_typ" does not exist' in out
    lines = out.replace("\r", "").split("\n")
    row = next(i for i, line in enumerate(lines) if "^" in line)
    assert lines[row].index("^") == lines[row - 1].index("event_typ")
    assert "event_type" in lines[row]
    assert 'did you mean "gold.event_metrics"?' in shell.run("SELECT * FROM gold.event_metric;")
    assert "did you mean \\timing?" in shell.run("\\timin")
    assert "did you mean" not in shell.run("\\c")
    out = shell.run("SELECT 1 FROM gold.event_metrics WHERE event_type = \"search\";")
    assert "a text stands in single quotes: 'search'" in out
    assert 'did you mean "count"?' in shell.run("SELECT cont(*) FROM gold.event_metrics;")
    out = shell.run("SELECT * FROM gold.event_metrics wher total_events > 1;")
    assert 'did you mean "WHERE" by "wher"?' in out
    assert "did you mean \"SELECT\"?" in shell.run("SELCT 1;")


def test_ctrl_c_ends_the_query_and_keeps_the_session(shell, server):
    shell.run("SET statement_timeout = '1 h';")
    shell.type("SELECT count(*) FROM generate_series(1, 100000000) a, generate_series(1, 100000) b;\r")
    shell.expect("running for")
    shell.expect("Ctrl-C cancels")
    began = time.monotonic()
    shell.type(CTRL_C)
    out = shell.expect("weir=> ")
    assert "error[57014]: canceling statement due to user request" in out
    assert time.monotonic() - began < 2
    assert "1h" in shell.run("SHOW statement_timeout;")
    shell.type("SELECT 'thrown away" + CTRL_C)
    shell.expect("weir=> ")
    assert "(1 row)" in shell.run("SELECT 1;")


def test_long_results_are_cut_in_the_middle(shell):
    out = shell.run("SELECT * FROM generate_series(1, 500) AS g(i);")
    assert "… 460 rows not shown …" in out and "(500 rows)" in out
    shown = [int(line) for line in out.replace("\r", "").split("\n") if line.strip().isdigit()]
    assert shown == [*range(1, 21), *range(481, 501)]
    out = shell.run("SELECT * FROM generate_series(1, 5000) AS g(i);")
    assert "(1,000 rows, there are more)" in out and "\\limit" in out
    shell.run("\\limit all")
    assert "(5,000 rows)" in shell.run("SELECT * FROM generate_series(1, 5000) AS g(i);")
    # Of many rows that are too wide, the texts are cut; few are written as lists.
    for rows in (500, 3):
        out = shell.run(f"SELECT i, repeat('wide ', 20) a, repeat('wide ', 20) b FROM generate_series(1, {rows}) g(i);")
        lines = out.replace("\r", "").split("\n")[:-1]
        assert max(map(len, lines)) <= 100 if rows > 40 else "─[ 3 ]" in out
        assert ("wide…" in out) == (rows > 40)
    out = shell.run("SELECT * FROM generate_series(1, 100000000) AS g(i);")
    assert "(1,000,000 rows, there are more)" in out and "\\copy" in out and "\\limit" not in out


def test_the_commands_of_the_shell(shell, tmp_path):
    assert "gold.event_metrics" in shell.run("\\d")
    out = shell.run("\\d gold.event_metrics")
    assert "metric_hour" in out and "total_events" in out
    assert "error_message" in shell.run("\\d weir.queries")
    assert "did you mean" in shell.run("\\d gold.event_metric")
    assert "gold.event_metrics" in shell.run("\\dt gold")
    for pattern in ("gold.*", "gold.event*", "*metric?", "*"):
        assert "gold.event_metrics" in shell.run(f"\\dt {pattern}")
    shell.run("CREATE SCHEMA bare;")
    assert "no tables" in shell.run("\\dt bare")
    assert "no table is like" in shell.run("\\dt gold.events*")
    assert "(1 row)" not in shell.run("CREATE TOPIC clicks (a int);") and "clicks" in shell.run("\\d")
    assert re.search(r"gold\s+weir", shell.run("\\l"))
    assert "date_trunc" in shell.run("\\df trunc")
    assert "CREATE TABLE" in shell.run("\\history gold.event_metrics")
    assert "\\watch" in shell.run("\\?")
    assert "not shown" in shell.run("\\timing")
    assert "Time:" not in shell.run("SELECT 1;")
    assert "─[ 1 ]" in shell.run("SELECT 1 AS a, 2 AS b \\x")
    script = tmp_path / "script.sql"
    script.write_text("SELECT 'first';\nSELECT nothing;\nSELECT 'third';")
    out = shell.run(f"\\i {script}")
    assert "first" in out and "42703" in out and "1 statement behind it" in out
    assert not re.search(r"^ third", out, re.M)
    shell.type("SELECT count(*) AS ticks FROM weir.queries \\watch 0.2\r")
    shell.expect("every 0.2 s")
    shell.expect("every 0.2 s")
    shell.expect("every 0.2 s")
    shell.type(CTRL_C)
    shell.expect("weir=> ")
    shell.type("\\q\r")
    assert shell.process.wait(10) == 0


def test_results_are_drawn(shell):
    out = shell.run("SELECT metric_hour, total_events FROM gold.event_metrics ORDER BY 1 \\plot")
    assert "┤" in out and "╭" in out and "2026-02-16T00:00:00" in out
    out = shell.run("SELECT event_type, sum(total_events) FROM gold.event_metrics GROUP BY 1 ORDER BY 1 \\plot")
    assert "type 0" in out and "█" in out
    assert " – " in shell.run("SELECT total_events FROM gold.event_metrics \\plot hist")
    assert "no drawing" in shell.run("SELECT 1 \\plot pie")
    assert "column of numbers" in shell.run("SELECT 'a' \\plot")


def test_tab_completes_by_the_catalog(shell):
    shell.type("SELECT * FROM gold.ev" + TAB)
    shell.pump(0.5)
    shell.type("WHERE total" + TAB)
    shell.pump(0.5)
    assert "(1 row)" in shell.run("= 16 AND metric_hour < '2026-02-16 08:00' LIMIT 1;")
    shell.type("SELECT m." + TAB + CTRL_C)
    shell.expect("weir=> ")
    shell.type("SHOW statement_t" + TAB)
    shell.pump(0.5)
    assert "statement_timeout" in shell.run(";")
    shell.type("\\hist" + TAB)
    shell.pump(0.5)
    shell.type("gold.e" + TAB)
    shell.pump(0.5)
    assert "CREATE TABLE" in shell.run("")


def test_the_editor_changes_the_last_statement(open_shell, server, tmp_path):
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsed -i s/first/second/ \"$1\"\n")
    editor.chmod(0o755)
    shell = open_shell("--http-server", f"127.0.0.1:{server.http_port}", EDITOR=str(editor), VISUAL="")
    shell.run("SELECT 'the first' AS t;")
    out = shell.run("\\e")
    assert "the second" in out and "(1 row)" in out


def test_copy_reads_and_writes_files_of_this_machine(shell, tmp_path):
    source, target = tmp_path / "in put's.csv", tmp_path / "out.csv"
    source.write_text("a,b\n1,one\n2,two\n")
    shell.run("CREATE TABLE copied (a int, b text);")
    name = str(source).replace("'", "''")
    assert "COPY 2" in shell.run(f"\\copy copied FROM '{name}'")
    assert "COPY 2" in shell.run(f"\\copy (SELECT b, a FROM copied ORDER BY a DESC) TO '{target}'")
    assert target.read_text() == "b,a\ntwo,2\none,1\n"
    assert "No such file" in shell.run("\\copy copied FROM '/nowhere/x.csv'")
    assert "format" in shell.run(f"\\copy copied TO '{tmp_path}/x.bin'")
    # Neither is anything sent for a table that is not there, nor computed for a file that can't be.
    assert 'relation "copie" does not exist' in shell.run(f"\\copy copie FROM '{name}'")
    assert 'column "c" does not exist' in shell.run(f"\\copy copied (a, c) FROM '{name}'")
    out = shell.run("\\copy (SELECT count(*) FROM generate_series(1, 100000000) a, generate_series(1, 100000) b)"
                    " TO '/nowhere/x.csv'")
    assert "No such file" in out
    assert "not what is typed" in shell.run("\\copy copied FROM STDIN")
    assert not [file for file in tmp_path.iterdir() if file.name.endswith(".tmp")]


def test_a_server_that_goes_is_told_and_comes_back(own_server, open_shell):
    shell = open_shell("--http-server", f"127.0.0.1:{own_server.http_port}")
    shell.run("SET statement_timeout = '1 h';")
    shell.type("SELECT count(*) FROM generate_series(1, 100000000) a, generate_series(1, 100000) b;\r")
    shell.expect("running for")
    own_server.kill()
    out = shell.expect("weir=> ")
    assert "error[network.closed]" in out and "look before you run it again" in out
    shell.type("SELECT 6 * 7 AS answer;\r")
    shell.expect("trying again")
    own_server.start()
    out = shell.expect("weir=> ")
    assert "connected again" in out and "settings and prepared statements" in out
    assert "42" in out
    # What was to be a part of a transaction is not done alone.
    shell.run("CREATE TABLE kept (a int);")
    shell.run("BEGIN;")
    shell.run("INSERT INTO kept VALUES (1);")
    shell.run("SAVEPOINT s;")
    shell.run("ROLLBACK TO s;")
    own_server.kill()
    own_server.start()
    out = shell.run("INSERT INTO kept VALUES (2);")
    assert "error[08006]: the transaction is gone" in out and "this statement was not run" in out
    shell.run("INSERT INTO kept VALUES (3);")
    assert re.search(r"count\s+─+\s+1\s", shell.run("SELECT count(*) FROM kept;"))
    shell.run("BEGIN;")
    shell.run("COMMIT;")
    own_server.kill()
    own_server.start()
    assert "(1 row)" in shell.run("SELECT 1;")
    # Nobody waits for a server that does not come.
    own_server.stop()
    shell.type("SELECT 1;\r")
    shell.expect("trying again")
    shell.type(CTRL_C)
    assert "error[network.unreachable]" in shell.expect("weir=> ")
    shell.type(CTRL_D)
    assert shell.process.wait(10) == 0


def test_a_folder_needs_no_server(open_shell, tmp_path):
    os.mkdir(tmp_path / "lake")
    shell = open_shell(str(tmp_path / "lake"))
    assert "(1 row)" in shell.run("SELECT 1;")
    shell.run("PREPARE p AS SELECT $1::int + 1 AS n;")
    assert "43" in shell.run("EXECUTE p (42);")
    shell.type("SELECT count(*) FROM generate_series(1, 100000000) a, generate_series(1, 100000) b;\r")
    shell.expect("running for")
    shell.type(CTRL_C)
    assert "57014" in shell.expect("weir=> ")
