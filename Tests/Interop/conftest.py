"""Real clients against the release binary. One server a test module, on ports of its own."""
import itertools
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
WEIR = os.environ.get("WEIR", str(ROOT / ".build/release/weir"))


# Below the ports that the kernel gives to clients, and a range for each of the test processes that
# run side by side: a port stays free between this look and the server's start.
_ports = itertools.count(10_000 + 4_000 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]))


def free_port() -> int:
    for port in _ports:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class Server:
    """One `weir serve` process over one data directory; may be killed and started again."""

    def __init__(self, data: str):
        self.data = data
        self.kafka_port = free_port()
        self.http_port = free_port()
        self.process = None

    @property
    def kafka(self) -> str:
        return f"127.0.0.1:{self.kafka_port}"

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    def start(self, *extra: str, wait: float = 20) -> "Server":
        self.launch(*extra)
        return self.ready(wait)

    def launch(self, *extra: str):
        """Starts the process without waiting for it."""
        self.log = open(os.path.join(self.data, "..", "server.log"), "ab")
        self.process = subprocess.Popen(
            [WEIR, "serve", "--data", self.data, "--kafka", self.kafka,
             "--http", f"127.0.0.1:{self.http_port}", *extra],
            stdout=self.log, stderr=self.log, env={**os.environ, "SWIFT_BACKTRACE": "enable=no"})

    def ready(self, wait: float = 20) -> "Server":
        deadline = time.monotonic() + wait
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"weir ended with {self.process.returncode}:\n{self.tail()}")
            try:
                with urllib.request.urlopen(self.http + "/readyz", timeout=1) as answer:
                    if answer.status == 200:
                        return self
            except (urllib.error.URLError, OSError):
                time.sleep(0.01)
        raise RuntimeError(f"weir is not ready after {wait} s:\n{self.tail()}")

    def tail(self) -> str:
        with open(os.path.join(self.data, "..", "server.log"), "rb") as log:
            return log.read()[-3000:].decode(errors="replace")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def resident_bytes(self) -> int:
        with open(f"/proc/{self.process.pid}/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def request(self, method: str, path: str, body=None, headers=None):
        """(status, parsed JSON or text)"""
        data = body
        if isinstance(body, (dict, list)):
            data = json.dumps(body).encode()
        request = urllib.request.Request(
            self.http + path, data=data, method=method,
            headers={"Content-Type": "application/json", **(headers or {})})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                status, text = answer.status, answer.read().decode()
        except urllib.error.HTTPError as failure:
            status, text = failure.code, failure.read().decode()
        try:
            return status, json.loads(text)
        except ValueError:
            return status, text

    def sql_of_tables(self, text: str):
        """The same without the tails of streaming tables: what other readers can see."""
        status, answer = self.request("POST", "/sessions")
        assert status in (200, 201), answer
        session = answer["session"]
        try:
            self.sql("SET tail_reads = off", session=session)
            return self.sql(text, session=session)
        finally:
            self.request("DELETE", f"/sessions/{session}")

    def sql(self, text: str, **members):
        """The rows of a query as lists; fails the test on an error."""
        status, answer = self.request("POST", "/query", {"sql": text, "limit": 1000000, **members})
        assert status == 200, answer
        rows = answer.get("rows", [])
        if rows and isinstance(rows[0], dict):
            names = [column["name"] for column in answer["columns"]]
            return [[row[name] for name in names] for row in rows]
        return rows


def weir(*arguments: str, check: int | None = 0, input: str | None = None, timeout: float = 120):
    """Runs the command line; returns (exit code, stdout, stderr)."""
    done = subprocess.run(
        [WEIR, *arguments], input=input, capture_output=True, text=True, timeout=timeout,
        env={**os.environ, "SWIFT_BACKTRACE": "enable=no", "NO_COLOR": "1"})
    if check is not None:
        assert done.returncode == check, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.returncode, done.stdout, done.stderr


def new_server() -> Server:
    folder = tempfile.mkdtemp(prefix="weir-test-")
    data = os.path.join(folder, "data")
    os.mkdir(data)
    return Server(data)


def remove(server: Server):
    if server.is_running():
        server.kill()
    shutil.rmtree(os.path.dirname(server.data), ignore_errors=True)


@pytest.fixture(scope="module")
def server():
    one = new_server().start()
    yield one
    remove(one)


@pytest.fixture
def own_server():
    """A server that the test may kill."""
    one = new_server().start()
    yield one
    remove(one)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A test that fails says how its servers are, and what they last wrote."""
    report = yield
    if report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            if isinstance(value, Server) and value.process is not None:
                code = value.process.poll()
                state = "is running" if code is None else f"ended with {code}"
                report.sections.append((f"{name} {state}", value.tail()))
    return report


def eventually(condition, timeout: float = 30, what: str = "condition"):
    """Waits for `condition()` to be true; the last value is in the message."""
    deadline = time.monotonic() + timeout
    value = None
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    pytest.fail(f"{what} did not come true within {timeout} s; last value {value!r}")


if not os.path.exists(WEIR):
    sys.exit(f"{WEIR} does not exist: run `make release` first")
