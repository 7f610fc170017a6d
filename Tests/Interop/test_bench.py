"""`weir bench` against a real server: every figure is there, and the numbers fit each other."""
import json

import pytest

from conftest import weir

SHORT = ["--seconds", "0.5", "--warm-up", "0.1", "--no-raw"]


def bench(server, *words, raw=False, check=0):
    short = [word for word in SHORT if not raw or word != "--no-raw"]
    _, out, _ = weir("bench", *words, *short, "-b", server.kafka, "-o", "json", check=check)
    return json.loads(out)


def test_produce_counts_what_the_log_has(server):
    report = bench(server, "produce", "--megabytes", "50", "--keep")
    assert report["benchmark"] == "produce"
    assert report["options"]["broker_pid"] == server.process.pid
    results = report["results"]
    assert results["records_per_s"] > 0
    assert results["p50_ms"] <= results["p99_ms"] <= results["max_ms"]
    assert abs(results["mb_per_s"] - results["value_mb_per_s"]) < results["mb_per_s"] * 0.1
    assert report["broker"]["cpu_s_per_gb"] > 0
    _, out, _ = weir("topic", "list", "-b", server.kafka, "-o", "json")
    kept = [topic for topic in json.loads(out)["topics"] if topic["name"].startswith("weir-bench-")]
    assert len(kept) == 1
    assert kept[0]["records"] >= results["records_per_s"] * results["seconds"] * 0.99
    assert kept[0]["records"] % report["options"]["batch_records"] == 0
    weir("topic", "delete", kept[0]["name"], "--yes", "-b", server.kafka)


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_produce_with_each_codec(server, codec):
    report = bench(server, "produce", "-z", codec, "--batch-bytes", "100000", "-m", "20")
    assert report["results"]["mb_per_s"] < report["results"]["value_mb_per_s"]


@pytest.mark.parametrize("acks", ["0", "1"])
def test_produce_with_fewer_acknowledgements(server, acks):
    report = bench(server, "produce", "-a", acks, "-n", "10", "-m", "20")
    assert report["options"]["idempotent"] is False
    assert report["results"]["records_per_s"] > 0


def test_the_ladder_of_acknowledgements(server):
    report = bench(server, "acks", "-f", "1", "-f", "64")
    assert report["in_flight_64"]["acks_per_s"] > report["in_flight_1"]["acks_per_s"]


def test_fetch_reads_what_was_filled_in(server):
    plain = bench(server, "fetch", "-m", "30", "--connections", "2")
    assert plain["results"]["records_per_s"] > 0
    read = bench(server, "fetch", "-m", "30", "--read-records", "-z", "lz4")
    assert read["results"]["records_per_s"] > 0


def test_latency_keeps_its_rate(server):
    report = bench(server, "latency", "--rate", "500")
    assert 350 < report["results"]["records_per_s"] < 650
    assert 0 < report["results"]["ack_p50_ms"] <= report["results"]["p50_ms"] * 1.5


def test_connections_and_partitions(server):
    _, out, _ = weir("bench", "connections", "-n", "200", "-s", "0.5", "--no-raw",
                     "-b", server.kafka, "-o", "json")
    report = json.loads(out)
    assert report["results"]["opened_per_s"] > 0
    report = bench(server, "partitions", "-n", "60", "--per-topic", "25")
    assert report["results"]["created_per_s"] > 0
    assert report["ratios"]["many_to_one"] > 0
    _, out, _ = weir("topic", "list", "-b", server.kafka, "-o", "json")
    assert not [one for one in json.loads(out)["topics"] if one["name"].startswith("weir-bench-")]


def test_the_machine_itself_and_ratios(server):
    report = bench(server, "produce", "-m", "20", raw=True)
    assert report["raw"]["memcpy_gb_per_s"] > 0.1
    assert report["raw"]["sync_p50_ms"] > 0
    found = report["ratios"]["mb_per_s_to_loopback"]
    expected = report["results"]["mb_per_s"] / report["raw"]["loopback_mb_per_s"]
    assert abs(found - expected) < expected * 0.01
    _, out, _ = weir("bench", "raw", "-o", "csv")
    assert out.splitlines()[0] == "SECTION,FIGURE,VALUE,UNIT"


def test_a_topic_that_is_missing_and_a_server_that_is_not_there(server):
    code, out, _ = weir("bench", "fetch", *SHORT, "-t", "nowhere", "-b", server.kafka,
                        "-o", "json", check=1)
    assert json.loads(out)["error"]["code"] == "topic.unknown"
    weir("bench", "produce", *SHORT, "-b", "127.0.0.1:1", check=3)
    weir("bench", "produce", *SHORT, "--pid", "999999999", "-b", server.kafka, check=1)
    weir("bench", "produce", "--seconds", "never", "-b", server.kafka, check=2)
