"""The simulator in the release build: more seeds and every storage call, which debug can't afford."""

import json
import subprocess

import pytest

from conftest import WEIR


def run(*arguments):
    done = subprocess.run(
        [WEIR, "sim", *arguments, "-o", "json"], capture_output=True, text=True, timeout=600)
    return done.returncode, json.loads(done.stdout)


def test_a_fault_at_every_storage_call_breaks_no_promise():
    code, answer = run("inject")
    assert answer["failed"] == 0, "\n".join(answer["report"])
    assert code == 0
    assert len(answer["report"]) >= 5


def test_seeds_under_crashes_and_power_loss_end_without_an_anomaly():
    code, answer = run("run", "--seed", "20000", "--count", "15")
    assert answer["failed"] == 0, "\n".join(answer["report"])
    assert code == 0


def test_a_week_of_retention_and_compaction_keeps_what_the_policies_promise():
    code, answer = run("week", "--days", "8")
    assert answer["anomalies"] == []
    assert code == 0
    topics = {topic["topic"]: topic for topic in answer["topics"]}
    # A day of the topic that keeps a day, and at most a segment of six hours more.
    events = topics["topic_app_events"]
    assert events["produced"] / 8 <= events["kept"] <= events["produced"] / 8 * 1.4
    assert events["bytes_max"] < 1.3 * events["bytes"]
    # The last value of every key, what was written since the last cleaning, the open segments.
    for name in ("topic_user_state", "topic_booking_state"):
        assert topics[name]["keys"] <= topics[name]["kept"] < 0.2 * topics[name]["produced"]
    assert answer["cleanings"] > 20


@pytest.mark.parametrize(
    "bug",
    ["acknowledge-before-sync", "ignore-sync-error", "skip-checksum", "cut-below-durable-end",
     "forget-directory-sync"])
def test_a_planted_bug_is_found(bug):
    code, answer = run("run", "--bug", bug, "--only", "log", "--count", "30")
    assert code == 1
    assert answer["failed"] > 0
