"""`weir demo --nodes 3`: a cluster whose nodes are killed on stage, and what it says of the records."""
import fcntl
import json
import os
import pathlib
import pty
import signal
import struct
import subprocess
import termios

import pytest
from confluent_kafka import Producer

from conftest import WEIR, eventually, weir


def processes(folder: pathlib.Path) -> list[int]:
    """The nodes with data below `folder`."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"serve" in words and any(os.fsencode(folder) in word for word in words):
            found.append(int(entry.name))
    return found


class Demo:
    """A demo that is read line by line."""

    def __init__(self, folder: pathlib.Path, *arguments: str):
        self.folder = folder
        self.process = subprocess.Popen(
            [WEIR, "demo", "--nodes", "3", "--rate", "0.5", "-o", "ndjson", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "TMPDIR": str(folder), "SWIFT_BACKTRACE": "enable=no"})

    def until(self, condition) -> dict:
        for line in self.process.stdout:
            report = json.loads(line)
            if condition(report):
                return report
        pytest.fail(f"ended with {self.process.wait()}: {self.process.stderr.read()}")

    def end(self) -> tuple[int, dict]:
        """Exit code and last line."""
        out, _ = self.process.communicate(timeout=180)
        return self.process.returncode, json.loads(out.strip().splitlines()[-1])

    def nothing_is_left(self, folder_too: bool = True):
        assert eventually(lambda: not processes(self.folder), 10, "no node is left")
        if folder_too:
            assert list(self.folder.iterdir()) == []


@pytest.fixture
def demo(tmp_path):
    started = []

    def start(*arguments: str) -> Demo:
        started.append(Demo(tmp_path, *arguments))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def is_event(act: str):
    return lambda report: report["type"] == "event" and report["act"] == act


def is_running(report) -> bool:
    return report["type"] == "status" and report["read"] > 500


def test_records_survive_what_is_done_to_the_nodes(demo):
    one = demo("--seconds", "28")
    states = set()

    def is_summary(report):
        states.update(node["state"] for node in report.get("nodes", []))
        return report["type"] == "summary"

    summary = one.until(is_summary)
    assert one.process.wait(60) == 0, summary
    assert summary["ok"] and summary["problems"] == []
    acts = [event["act"] for event in summary["events"]]
    assert acts[:2] == ["kill", "stop"], acts
    # A leader that is killed is noticed by producers, one that is asked to stop much less.
    assert 0 < summary["events"][0]["pause_ms"] < 30_000
    assert {"up", "killed", "stopped"} <= states
    assert summary["sent"] == summary["acknowledged"] == summary["read"] > 5000
    for figures in (summary, summary["read_along"]):
        assert [figures[name] for name in ("lost", "twice", "out_of_order", "elsewhere")] == [0] * 4
    one.nothing_is_left()


def test_a_demo_that_is_asked_to_end_brings_everybody_back_first(demo):
    one = demo()
    one.until(is_event("kill"))
    one.process.send_signal(signal.SIGTERM)
    code, summary = one.end()
    assert code == 0, summary
    assert summary["type"] == "summary" and summary["ok"]
    assert summary["acknowledged"] == summary["read"] > 0
    one.nothing_is_left()


def test_records_that_are_gone_or_there_again_are_counted(demo):
    one = demo()
    kafka = one.until(is_running)["nodes"][0]["kafka"]
    # Some seconds pass from here to the next event.
    one.until(is_event("start"))
    one.until(lambda report: report["type"] == "status" and all(
        node["in_sync"] == 3 for node in report["nodes"]))
    weir("topic", "trim", "numbers", "-p", "0", "--before", "20", "--yes", "-b", kafka)
    producer = Producer({"bootstrap.servers": kafka, "log_level": 0})
    producer.produce("numbers", b"7", partition=1)
    assert producer.flush(20) == 0
    one.until(lambda report: report["type"] == "status" and report["twice"] == 1)
    one.process.send_signal(signal.SIGINT)
    code, summary = one.end()
    assert code == 1 and not summary["ok"]
    assert (summary["lost"], summary["twice"], summary["out_of_order"]) == (20, 1, 0)
    # Who had read along had seen them while they were there; their records stay to be looked at.
    assert summary["read_along"]["lost"] == 0
    one.nothing_is_left(folder_too=False)
    assert len(list(one.folder.glob("weir-demo-*/node1"))) == 1


def test_nodes_end_with_a_demo_that_is_killed(demo):
    one = demo()
    one.until(is_running)
    assert len(processes(one.folder)) == 3
    one.process.kill()
    one.process.wait()
    one.nothing_is_left(folder_too=False)


def test_a_node_that_ends_by_itself_ends_the_demo(demo):
    one = demo()
    first = eventually(lambda: sorted(processes(one.folder)), what="a node")[0]
    os.kill(first, signal.SIGKILL)
    code, report = one.end()
    assert code == 1
    assert report["error"]["code"] == "demo.node" and "ended by signal 9" in report["error"]["message"]
    one.nothing_is_left()


def test_the_table_at_a_terminal_fits_it(tmp_path):
    terminal, other_end = pty.openpty()
    fcntl.ioctl(other_end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 50, 0, 0))
    process = subprocess.Popen(
        [WEIR, "demo", "--nodes", "3", "--rate", "0.5", "--seconds", "4"], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=other_end, text=True,
        env={**os.environ, "TMPDIR": str(tmp_path), "SWIFT_BACKTRACE": "enable=no"})
    os.close(other_end)
    drawn = b""
    try:
        while piece := os.read(terminal, 65536):
            drawn += piece
    except OSError:
        pass
    os.close(terminal)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out
    # The greeting and events may be long; what is drawn again may not.
    tables = drawn.decode().split("\x1b[J")[1:]
    assert len(tables) >= 5
    heads = [table.splitlines() for table in tables if "NODE" in table]
    assert heads and all(len(line) <= 50 for lines in heads for line in lines[-8:])
    assert any("killed" in line for lines in heads for line in lines)
    assert b"\x1b[7A\x1b[J" in drawn
    assert "lost 0, twice 0, out of order 0" in out


@pytest.mark.parametrize("count", ["0", "2", "4", "7", "three"])
def test_other_numbers_of_nodes_are_refused(count):
    code, out, err = weir("demo", "--nodes", count, check=None)
    assert code == 2 and out == ""
    assert "--nodes" in err and "1, 3 or 5" in err


def test_flags_of_one_node_are_refused_for_several(tmp_path):
    for flag, value in (("--data", str(tmp_path)), ("--kafka", "127.0.0.1:19092"),
                        ("--http", "127.0.0.1:18888")):
        code, _, err = weir("demo", "--nodes", "3", "--seconds", "1", flag, value, check=None)
        assert code == 2 and flag in err, err
