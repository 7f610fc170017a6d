"""Real nodes under a seeded nemesis for some seconds (`make faults` has the time), and the checker itself: each
promise that it knows is broken once on paper, and it has to say so."""
import json
import os
import pathlib
import subprocess
import sys

import pytest

from conftest import ROOT, WEIR

FAULTS = ROOT / "Tests/Faults"
sys.path.insert(0, str(FAULTS))
import ledger as books  # noqa: E402


def test_real_nodes_keep_their_promises_under_a_nemesis(tmp_path):
    done = subprocess.run(
        [sys.executable, str(FAULTS / "run.py"), "--minutes", "0.15", "--seed", "10", "--gap", "1", "--rate", "100",
         "-o", "json"], capture_output=True, text=True, timeout=300,
        env={**os.environ, "WEIR": WEIR, "TMPDIR": str(tmp_path)})
    report = json.loads(done.stdout)
    assert report["stories"] == [] and done.returncode == 0
    assert report["acknowledged"] > 200 and report["transactions"]["committed"] > 0
    assert report["reads"]["group"] > 0 and report["reads"]["committed-a"] > 0
    assert len(report["faults"]) >= 3, report["faults"]
    assert report["batches_alike_on_all_replicas"] > 0
    assert not list(tmp_path.iterdir()), "nothing is kept of a run without anomalies"


class Report:
    """A delivery report."""

    def __init__(self, offset: int):
        self.at = offset

    def offset(self) -> int:
        return self.at


@pytest.fixture
def book():
    return books.Ledger()


def filled(book: books.Ledger, count: int = 4, **kind):
    """A writer whose records were acknowledged at 0, 1, 2 … of one partition, and the log that has them."""
    writer = book.writer("w", "t", **{"idempotent": True, **kind})
    if writer.is_transactional:
        book.begin(writer)
    for offset in range(count):
        book.answer(writer, book.send(writer, 0), None, Report(offset))
    return writer, {("t", 0): {number: writer.index << 40 | number for number in range(count)}}


def test_a_log_that_keeps_everything_is_in_order(book):
    writer, log = filled(book)
    book.send(writer, 0)
    book.check_log(log)
    book.check_committed(log)
    assert book.kinds == {}


@pytest.mark.parametrize("kind, change", [
    ("lost record", lambda records: records.pop(2)),
    ("at another offset", lambda records: records.update({4: records.pop(2)})),
    ("record twice", lambda records: records.update({4: records[2]})),
    ("out of order", lambda records: records.update({1: records[2], 2: records[1]})),
])
def test_what_is_wrong_with_a_log_is_found(book, kind, change):
    _, log = filled(book)
    change(log["t", 0])
    book.check_log(log)
    assert kind in book.kinds


def test_records_without_idempotence_may_be_there_twice_and_not_lost(book):
    _, log = filled(book, idempotent=False)
    log["t", 0][4] = log["t", 0][2]
    book.check_log(log)
    assert book.kinds == {}
    log["t", 0].pop(1)
    book.check_log(log)
    assert book.kinds == {"lost record": 1}
    assert "acknowledged at" in book.anomalies[0]["story"] and "at its offset is nothing" in book.anomalies[0]["story"]


def test_what_a_producer_sends_again_as_new_records_is_no_fault_of_a_broker(book):
    writer, log = filled(book)
    late = book.send(writer, 0)
    log["t", 0][4] = log["t", 0][5] = writer.index << 40 | late
    book.answer(writer, book.send(writer, 0), "timed out", None)
    book.answer(writer, late, None, Report(5))
    book.check_log(log)
    assert book.kinds == {}
    log["t", 0][6] = log["t", 0][2]
    book.check_log(log)
    assert book.kinds == {"record twice": 1}


def test_records_are_moved_once_each(book):
    _, log = filled(book)
    mover = book.writer("m", "u", idempotent=True, transactional=True)
    book.begin(mover)
    for source in (0, 1, 1, 3):
        book.send(mover, 0, source)
    log["u", 0] = {number: mover.index << 40 | number for number in range(4)}
    book.check_moved("t", "u", log)
    assert book.kinds == {"moved twice": 1, "not moved": 1}


@pytest.mark.parametrize("state, shown, kind", [
    (books.COMMITTED, 4, None), (books.COMMITTED, 3, "committed and not whole"), (books.COMMITTED, 0, "committed and not whole"),
    (books.ABORTED, 0, None), (books.ABORTED, 1, "aborted and shown"), (books.OPEN, 4, "aborted and shown"),
    (books.ENDING, 0, None), (books.ENDING, 4, None), (books.ENDING, 2, "torn transaction"),
])
def test_transactions_are_whole_or_not_at_all(book, state, shown, kind):
    writer, log = filled(book, transactional=True)
    book.end(writer, state)
    book.check_committed({("t", 0): {n: packed for n, packed in log["t", 0].items() if n < shown}})
    assert list(book.kinds) == ([kind] if kind else [])


def test_readers_are_shown_one_value_at_an_offset_and_nothing_open(book):
    writer, log = filled(book, transactional=True)
    book.read("r", ("t", 0), 0, writer.value(0), committed=False)
    assert book.kinds == {}
    book.read("r", ("t", 0), 0, writer.value(1), committed=False)
    assert book.kinds == {"offset changed its value": 1}
    book.read("r", ("t", 0), 2, writer.value(2), committed=True)
    assert book.kinds["read of what is not committed"] == 1
    book.read("r", ("t", 0), 3, writer.value(3)[:-1] + b"y", committed=False)
    assert book.kinds["foreign value"] == 1
    book.read("r", ("t", 0), 9, writer.value(3), committed=False)
    book.check_log(log)
    assert book.kinds["shown and gone"] == 1


def test_a_group_reads_everything_and_its_offsets_stay(book):
    writer, _ = filled(book)
    for number in range(3):
        book.group_read.add(book.read("group", ("t", 0), number, writer.value(number), committed=False))
    book.commit(("t", 0), 3)
    book.check_group(["t"], {("t", 0): 2})
    assert book.kinds == {"group missed a record": 1, "committed offset went back": 1}


def test_a_reader_that_skips_a_record_is_found(book):
    _, log = filled(book)
    book.check_reader("r", {("t", 0): {0, 1, 3}}, log)
    assert book.kinds == {"reader skipped a record": 1}
