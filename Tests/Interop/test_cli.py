"""The command line against a real server: forms, exit codes, suggestions, signals, pipes."""
import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from conftest import WEIR, eventually, new_server, remove, weir

ENVIRONMENT = {**os.environ, "SWIFT_BACKTRACE": "enable=no", "NO_COLOR": "1"}


def on(server, *words, check=0, **more):
    """Runs a command against the server; returns (standard output, standard error)."""
    _, out, error = weir(*words, "-b", server.kafka, check=check, **more)
    return out, error


def as_json(server, *words, check=0, **more):
    return json.loads(on(server, *words, "-o", "json", check=check, **more)[0])


@pytest.fixture(scope="module")
def server():
    one = new_server().start("-X", "group.initial.rebalance.delay.ms=0")
    yield one
    remove(one)


@pytest.fixture
def topic(server, request):
    name = "cli-" + re.sub("[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:100]
    on(server, "topic", "create", name, "-p", "3")
    yield name
    on(server, "topic", "delete", name, "--yes", check=None)


def produce(server, topic, lines, *flags):
    on(server, "produce", topic, *flags, input="".join(line + "\n" for line in lines))


# The table: every command has help, completion and a manual page.

COMMANDS = json.loads(weir("help", "-o", "json")[1])["commands"]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: one["command"])
def test_every_command_has_help_and_a_manual_page(command):
    words = command["command"].split()
    _, text, _ = weir(*words, "--help")
    _, same, _ = weir("help", *words)
    assert text == same
    assert command["summary"] in text
    _, page, _ = weir("man", *words)
    for flag in command["flags"]:
        assert f"--{flag['name']}" in text
        assert "\\-\\-" + flag["name"].replace("-", "\\-") in page
        assert flag["summary"], f"{command['command']} --{flag['name']} says nothing"
    for argument in command["arguments"]:
        assert argument["name"] in text and argument["summary"]
    # Lists within the details are laid out by hand.
    plain = text.replace(command["details"], "")
    assert all(len(line) <= 100 for line in plain.splitlines()
               if not line.startswith("  weir")), "help is wider than 100 columns"
    if shutil.which("groff"):
        done = subprocess.run(["groff", "-man", "-ww", "-z", "-K", "utf8"], input=page,
                              capture_output=True, text=True)
        assert done.stderr == ""


def test_manual_pages_are_written(tmp_path):
    weir("man", "-d", str(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"weir.1"} | {
        "weir-" + one["command"].replace(" ", "-") + ".1" for one in COMMANDS}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: one["command"])
def test_every_command_is_completed(command):
    script = weir("completion", "bash")[1]
    words = command["command"].split()

    def offers(*line):
        quoted = " ".join(f"'{word}'" for word in ("weir", *line))
        done = subprocess.run(
            ["bash", "--norc"], capture_output=True, text=True, check=True,
            input=f"weir() {{ :; }}\n{script}\nCOMP_WORDS=({quoted}); COMP_CWORD={len(line)}\n"
                  "_weir; printf '%s\\n' \"${COMPREPLY[@]}\"\n")
        return done.stdout.split()
    for depth, word in enumerate(words):
        assert word in offers(*words[:depth], word[:-1])
    flags = offers(*words, "--")
    assert set(flags) >= {"--" + flag["name"] for flag in command["flags"]} | {"--output"}
    for flag in command["flags"]:
        if flag["choices"]:
            assert set(offers(*words, "--" + flag["name"], "")) == set(flag["choices"])


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_have_no_mistakes(shell):
    script = weir("completion", shell)[1]
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    done = subprocess.run([shell, "-n"], input=script, capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == ""


# Misspelt

@pytest.mark.parametrize("words, code, exit_code, suggestion", [
    (["topic", "lst"], "usage.unknownCommand", 2, "topic list"),
    (["topik", "list"], "usage.unknownCommand", 2, "topic"),
    (["topic", "list", "--inernal"], "usage.unknownFlag", 2, "--internal"),
    (["consume", "x", "-o", "jsn"], "usage.value", 2, "json"),
    (["completion", "bsh"], "usage.value", 2, "bash"),
    (["config", "list", "topc", "x"], "usage.value", 2, "topic"),
])
def test_misspelt_words_get_a_suggestion(words, code, exit_code, suggestion):
    _, _, text = weir(*words, check=exit_code)
    assert f"error[{code}]" in text and f'did you mean "{suggestion}"?' in text
    if "-o" not in words:
        _, out, _ = weir(*words, "-o", "json", check=exit_code)
        assert json.loads(out)["error"]["code"] == code


@pytest.mark.parametrize("words", [
    ["topic", "describe", "{}"], ["topic", "delete", "{}", "--yes"], ["consume", "{}", "--exit"],
    ["tail", "{}", "--exit"], ["topic", "alter", "{}", "-p", "9"],
    ["topic", "trim", "{}", "--before", "end", "--yes"], ["config", "list", "topic", "{}"],
    ["config", "set", "topic", "{}", "retention.ms=1"],
    ["group", "seek", "g", "--topic", "{}", "--to", "end"],
], ids=lambda words: " ".join(words[:2]))
def test_a_misspelt_topic_gets_a_suggestion(server, topic, words):
    wrong = topic[:-1] + "X"
    out, error = on(server, *[word.format(wrong) for word in words], check=1)
    assert "error[topic.unknown]" in error and f'did you mean "{topic}"?' in error
    assert out == ""


def test_misspelt_settings_and_groups_get_a_suggestion(server, topic):
    _, error = on(server, "config", "get", "topic", topic, "retention.mss", check=1)
    assert 'did you mean "retention.ms"?' in error
    _, error = on(server, "config", "set", "topic", topic, "retention.mss=1", check=1)
    assert "retention.ms" in error and "nothing was changed" in error
    produce(server, topic, ["a"])
    on(server, "consume", topic, "-g", "audits", "--exit")
    for words in (["describe"], ["lag"], ["delete", "--yes"], ["seek", "--to", "end"]):
        _, error = on(server, "group", words[0], "auditz", *words[1:], check=1)
        assert "error[group.unknown]" in error and 'did you mean "audits"?' in error


def test_a_server_that_is_not_there():
    for words in (["topic", "list"], ["produce", "x"], ["consume", "x"], ["group", "list"],
                  ["config", "list", "topic", "x"], ["tail", "x"]):
        code, out, error = weir(*words, "-b", "127.0.0.1:1", check=3)
        assert out == "" and "network.unreachable" in error and "weir serve" in error


def test_deletions_need_yes_without_a_terminal(server, topic):
    for words in (["topic", "delete", topic], ["group", "delete", "g"]):
        _, error = on(server, *words, check=2)
        assert "--yes" in error
    produce(server, topic, ["a"])
    _, error = on(server, "topic", "trim", topic, "--before", "end", check=2)
    assert "--yes" in error
    assert as_json(server, "topic", "delete", topic, "--dry-run")["topics"][0]["error"] is None
    on(server, "topic", "describe", topic)


# Topics and settings

def test_one_failed_item_does_not_stop_the_others(server, topic):
    report = as_json(server, "topic", "create", "cli-new", topic, "bad/name", check=1)
    assert [one["error"] for one in report["topics"]] == [None, "topic.exists", "topic.name"]
    report = as_json(server, "topic", "delete", "cli-new", "cli-none", "--yes", check=1)
    assert [one["error"] for one in report["topics"]] == [None, "topic.unknown"]


def test_a_topic_grows_and_its_settings_change(server, topic):
    on(server, "topic", "alter", topic, "-p", "5", "-c", "retention.ms=7200000")
    described = as_json(server, "topic", "describe", topic)
    assert len(described["partitions"]) == 5
    assert {"retention.ms": "7200000"} == {
        one["name"]: one["value"] for one in described["settings"] if not one["default"]}
    on(server, "topic", "alter", topic, "-p", "4", check=1)
    on(server, "topic", "alter", topic, "-p", "6", "-c", "retention.ms=never", check=1)
    assert len(as_json(server, "topic", "describe", topic)["partitions"]) == 5
    on(server, "topic", "alter", topic, "-p", "7", "-u", "retention.ms", "--dry-run")
    on(server, "topic", "alter", topic, check=2)
    described = as_json(server, "topic", "describe", topic)
    assert len(described["partitions"]) == 5
    on(server, "topic", "alter", topic, "-u", "retention.ms")
    assert not [one for one in as_json(server, "topic", "describe", topic)["settings"]
                if one["name"] == "retention.ms" and not one["default"]]


def test_trim_deletes_the_oldest(server, topic):
    produce(server, topic, [str(number) for number in range(100)], "-p", "1")
    dry = as_json(server, "topic", "trim", topic, "--before", "-30", "--dry-run")
    assert dry["deleted"] == 70 and dry["dry_run"] is True
    done = as_json(server, "topic", "trim", topic, "--before", "-30", "--yes")
    assert done["deleted"] == 70
    assert done["partitions"][1] == {
        "partition": 1, "begin_offset": 0, "new_begin_offset": 70, "end_offset": 100,
        "deleted": 70}
    out, _ = on(server, "consume", topic, "--exit")
    assert out.split() == [str(number) for number in range(70, 100)]
    assert as_json(server, "topic", "trim", topic, "--before", "+10", "-p", "1", "--yes")[
        "deleted"] == 10
    on(server, "topic", "trim", topic, "--before", "end", "-p", "9", "--yes", check=1)


def test_settings_are_listed_read_set_and_explained(server, topic):
    out, _ = on(server, "config", "set", "topic", topic, "retention.ms=3600000", "-o", "json")
    assert json.loads(out) == {
        "settings": [{"setting": "retention.ms", "error": None, "message": None}]}
    assert on(server, "config", "get", "topic", topic, "retention.ms")[0] == "3600000\n"
    changed = as_json(server, "config", "list", "topic", topic, "--changed")["settings"]
    assert [(one["name"], one["value"], one["source"]) for one in changed] == [
        ("retention.ms", "3600000", "topic")]
    explained = as_json(server, "config", "explain", "topic", topic, "retention.ms")
    assert explained["explanation"] and explained["synonyms"][0]["source"] == "topic"
    on(server, "config", "set", "topic", topic, "cleanup.policy+=compact", "--dry-run")
    on(server, "config", "set", "topic", topic, "cleanup.policy+=compact")
    policy = on(server, "config", "get", "topic", topic, "cleanup.policy")[0].strip()
    assert sorted(policy.split(",")) == ["compact", "delete"]
    on(server, "config", "set", "topic", topic, "-u", "retention.ms", "cleanup.policy-=compact")
    assert as_json(server, "config", "list", "topic", topic)["settings"]
    assert "7 days" not in on(server, "config", "explain", "topic", topic, "segment.bytes")[0]
    on(server, "config", "set", "topic", topic, check=2)
    on(server, "config", "set", "topic", topic, "retention.ms=1", "-u", "retention.ms", check=2)


def test_settings_of_brokers(server):
    listed = as_json(server, "topic", "list")
    assert "topics" in listed
    entries = as_json(server, "config", "list", "broker", "1")["settings"]
    assert len(entries) > 5 and all(one["name"] for one in entries)
    _, error = on(server, "config", "list", "broker", "77", check=1)
    assert "77" in error
    on(server, "config", "list", "broker", "one", check=2)


# Records

RECORDS = [json.dumps({"key": f"k{number}", "value": f"v{number} é\t\"x\""})
           for number in range(20)]


@pytest.mark.parametrize("form", ["json", "ndjson", "csv", "tsv", "text"])
def test_records_in_every_form(server, topic, form):
    produce(server, topic, RECORDS, "--json", "-p", "0", "-H", "h=1")
    out, _ = on(server, "consume", topic, "--exit", "-o", form)
    value = 'v3 é\t"x"'
    if form == "json":
        records = json.loads(out)["records"]
        assert records[3]["value"] == value and records[3]["headers"] == [
            {"key": "h", "value": "1"}]
    elif form == "ndjson":
        records = [json.loads(line) for line in out.splitlines()]
        assert records[3]["key"] == "k3" and records[3]["offset"] == 3
    elif form == "csv":
        records = list(csv.DictReader(io.StringIO(out)))
        assert records[3]["value"] == value and records[3]["offset"] == "3"
        assert json.loads(records[3]["headers"]) == [{"key": "h", "value": "1"}]
    elif form == "tsv":
        records = [line.split("\t") for line in out.splitlines()]
        assert records[3][:3] == [topic, "0", "3"] and records[3][4] == "k3"
    else:
        records = out.splitlines()
        assert records[3] == value
    assert len(records) == 20


def test_bytes_that_are_no_text_survive(server, topic):
    produce(server, topic, [json.dumps({"key": None, "value_base64": "/wD+"})], "--json")
    record = as_json(server, "consume", topic, "--exit")["records"][0]
    assert record["value_base64"] == "/wD+" and record["key"] is None
    assert "base64:/wD+" in on(server, "consume", topic, "--exit", "-o", "csv")[0]


def test_consume_piped_into_produce_loses_nothing(server, topic):
    produce(server, topic, RECORDS, "--json", "-H", "a=b")
    out, _ = on(server, "consume", topic, "--exit", "-o", "ndjson")
    on(server, "topic", "create", topic + "-copy", "-p", "3")
    on(server, "produce", topic + "-copy", "--json", "--keep-partitions", input=out)
    copied, _ = on(server, "consume", topic + "-copy", "--exit", "-o", "ndjson")
    on(server, "topic", "delete", topic + "-copy", "--yes")

    def plain(text):
        return sorted([one["partition"], one["offset"], one["key"], one["value"],
                       one["timestamp"], one["headers"]]
                      for one in map(json.loads, text.splitlines()))
    assert plain(copied) == plain(out)


@pytest.mark.parametrize("place, first", [
    ("start", 0), ("0", 0), ("+7", 7), ("-5", 95), ("40", 40), ("@1000050", 50), ("s@1000050", 50),
])
def test_places_to_begin_at(server, topic, place, first):
    produce(server, topic, [json.dumps({"value": str(number), "timestamp": 1000000 + number})
                            for number in range(100)], "--json", "-p", "2")
    out, _ = on(server, "consume", topic, "--exit", "--from", place)
    assert out.split() == [str(number) for number in range(first, 100)]


def test_tail_shows_the_last_lines_and_follows(server, topic):
    produce(server, topic, [str(number) for number in range(50)], "-p", "0")
    out, _ = on(server, "tail", topic, "-n", "3", "--exit")
    assert [line.split()[1:] for line in out.splitlines()] == [
        ["0/47", "-", "47"], ["0/48", "-", "48"], ["0/49", "-", "49"]]
    assert len(on(server, "tail", topic, "-n", "2", "--exit", "-o", "ndjson")[0].splitlines()) == 2
    follower = subprocess.Popen(
        [WEIR, "tail", topic, "-n", "1", "-b", server.kafka], stdout=subprocess.PIPE, text=True,
        env=ENVIRONMENT)
    try:
        assert follower.stdout.readline().endswith("49\n")
        produce(server, topic, ["new"])
        assert follower.stdout.readline().endswith(" new\n")
        follower.send_signal(signal.SIGINT)
        assert follower.wait(10) == 130
    finally:
        follower.kill()


def test_ctrl_c_ends_consume_with_130_and_commits(server, topic):
    produce(server, topic, ["a", "b", "c"])
    reader = subprocess.Popen(
        [WEIR, "consume", topic, "-g", "interrupted", "-b", server.kafka, "-o", "ndjson"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    try:
        lines = [json.loads(reader.stdout.readline()) for _ in range(3)]
        assert sorted(line["value"] for line in lines) == ["a", "b", "c"]
        reader.send_signal(signal.SIGINT)
        out, _ = reader.communicate(timeout=10)
        assert reader.returncode == 130 and out == ""
    finally:
        reader.kill()
    described = as_json(server, "group", "describe", "interrupted")
    assert described["lag"] == 0 and described["members"] == []


def test_ctrl_c_leaves_one_whole_json_object(server, topic):
    produce(server, topic, ["a", "b"])
    reader = subprocess.Popen(
        [WEIR, "consume", topic, "--from", "start", "--count", "1000", "-b", server.kafka,
         "-o", "json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=ENVIRONMENT)
    try:
        time.sleep(1.5)
        reader.send_signal(signal.SIGINT)
        out, _ = reader.communicate(timeout=10)
        assert reader.returncode == 130 and len(json.loads(out)["records"]) == 2
    finally:
        reader.kill()


def test_a_reader_that_has_seen_enough_is_no_error(server, topic):
    produce(server, topic, ["x" * 200] * 20_000, "-p", "0")
    for command in (f"consume {topic} --exit", f"consume {topic} -g enough",
                    f"tail {topic} -n 20000", "topic list", "help"):
        server_flag = "" if command == "help" else f"-b {server.kafka}"
        done = subprocess.run(
            ["bash", "-c", f"{WEIR} {command} {server_flag} | head -n 1; exit ${{PIPESTATUS[0]}}"],
            capture_output=True, text=True, timeout=60, env=ENVIRONMENT)
        assert done.returncode == 0, command
        assert len(done.stdout.splitlines()) == 1 and "error" not in done.stderr, command
    # What nobody read is not committed.
    report = as_json(server, "group", "describe", "enough", check=None)
    assert not [one for one in report.get("partitions", []) if one["committed"] == 20_000]
    assert report.get("members", []) == []


def test_a_full_disk_is_an_error(server, topic):
    produce(server, topic, ["a"])
    for command in (["topic", "list"], ["consume", topic, "--exit"]):
        with open("/dev/full", "w") as full:
            done = subprocess.run([WEIR, *command, "-b", server.kafka], stdout=full,
                                  stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, timeout=60)
        assert done.returncode == 1 and "error[output.failed]" in done.stderr


# Groups

def read_all(server, topic, group):
    return on(server, "consume", topic, "-g", group, "--exit")[0].split()


def test_lag_in_records_and_in_time(server, topic):
    old = int(time.time() * 1000) - 60_000
    produce(server, topic, ["0", "1"], "-p", "0")
    assert len(read_all(server, topic, "lagging")) == 2
    produce(server, topic, [json.dumps({"value": "x", "timestamp": old + number})
                            for number in range(5)], "--json", "-p", "0")
    report = as_json(server, "group", "lag", "lagging")
    assert report["lag"] == 5
    behind = [one for one in report["partitions"] if one["lag"]]
    assert len(behind) == 1 and 59 < behind[0]["behind_seconds"] < 90
    out, _ = on(server, "group", "lag", "lagging")
    assert "BEHIND" in out and "total lag 5" in out and "1 m" in out
    on(server, "group", "lag", "lagging", "--max", "5")
    on(server, "group", "lag", "lagging", "--max", "4", check=4)
    listed = as_json(server, "group", "list")["groups"]
    assert [one["lag"] for one in listed if one["group"] == "lagging"] == [5]
    rows, _ = on(server, "group", "describe", "lagging", "-o", "tsv")
    assert [row.split("\t")[4] for row in rows.splitlines() if row.split("\t")[1] == "0"] == ["5"]


def test_seek_moves_a_group_and_shows_it_first(server, topic):
    for partition in ("0", "1"):
        produce(server, topic, [json.dumps({"value": f"{partition}-{number}",
                                            "timestamp": 5_000_000 + number})
                                for number in range(100)], "--json", "-p", partition)
    assert len(read_all(server, topic, "seeker")) == 200

    def committed():
        report = as_json(server, "group", "describe", "seeker")
        return {one["partition"]: one["committed"] for one in report["partitions"]}
    before = committed()
    dry = as_json(server, "group", "seek", "seeker", "--to", "@5000040", "--dry-run")
    assert dry["dry_run"] is True and dry["error"] is None
    assert {one["partition"]: one["new"] for one in dry["partitions"]
            if one["partition"] < 2} == {0: 40, 1: 40}
    assert committed() == before
    on(server, "group", "seek", "seeker", "--to", "@5000040", "-p", "0")
    assert committed()[0] == 40 and committed()[1] == 100
    on(server, "group", "seek", "seeker", "--by", "-25", "--topic", topic, "-p", "0", "-p", "1")
    assert committed()[0] == 15 and committed()[1] == 75
    assert len(read_all(server, topic, "seeker")) == 110
    out, _ = on(server, "group", "seek", "seeker", "--by", "-1000000", "--dry-run")
    assert "COMMITTED" in out and "-100" in out
    on(server, "group", "seek", "seeker", "--to", "-10", "-p", "0")
    on(server, "group", "seek", "other", "--copy-from", "seeker")
    copied = as_json(server, "group", "describe", "other")
    assert {one["partition"]: one["committed"] for one in copied["partitions"]} == committed()
    on(server, "group", "seek", "seeker", "--to", "1", "--by", "1", check=2)
    on(server, "group", "seek", "seeker", check=2)
    on(server, "group", "seek", "seeker", "--to", "sometime", check=2)
    on(server, "group", "seek", "nobody", "--to", "end", check=1)
    on(server, "group", "seek", "nobody", "--copy-from", "noone", check=1)


def test_a_group_with_members_is_left_alone(server, topic):
    produce(server, topic, ["a"])
    member = subprocess.Popen(
        [WEIR, "consume", topic, "-g", "alive", "-b", server.kafka], stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, env=ENVIRONMENT)
    try:
        assert member.stdout.readline() == "a\n"
        eventually(lambda: as_json(server, "group", "describe", "alive")["partitions"],
                   what="a committed offset")
        for words in (["seek", "alive", "--to", "start"], ["delete", "alive", "--yes"]):
            _, error = on(server, "group", *words, check=1)
            assert "error[group.active]" in error and topic in error
        out, _ = on(server, "group", "describe", "alive", "--members")
        assert "weir" in out and f"{topic}-0" in out
    finally:
        member.send_signal(signal.SIGINT)
        member.wait(10)
    on(server, "group", "delete", "alive", "--dry-run")
    report = as_json(server, "group", "delete", "alive", "nobody", "--yes", check=1)
    assert [one["error"] for one in report["groups"]] == [None, "group.unknown"]


@pytest.mark.parametrize("form", ["json", "ndjson", "csv", "tsv", "md", "text"])
@pytest.mark.parametrize("words", [
    ["topic", "list"], ["topic", "describe", "{}"], ["group", "list"], ["group", "describe", "{}"],
    ["group", "lag", "{}"], ["config", "list", "topic", "{}"],
    ["config", "get", "topic", "{}", "retention.ms"], ["group", "seek", "{}", "--to", "end"],
    ["topic", "trim", "{}", "--before", "end", "--yes"],
], ids=lambda words: " ".join(words[:2]))
def test_lists_in_every_form(server, topic, form, words):
    produce(server, topic, ["a"])
    read_all(server, topic, topic)
    out, _ = on(server, *[word.format(topic) for word in words], "-o", form)
    assert out
    if form == "json":
        assert isinstance(json.loads(out), dict)
    elif form == "ndjson":
        assert all(isinstance(json.loads(line), dict) for line in out.splitlines())
    elif form == "csv":
        rows = list(csv.reader(io.StringIO(out)))
        assert len({len(row) for row in rows}) == 1 and len(rows) > 1
    elif form == "tsv":
        rows = [line.split("\t") for line in out.splitlines()]
        assert len({len(row) for row in rows}) == 1
        assert all(field for row in rows for field in row)


def test_the_environment_and_settings_choose_the_server(server):
    done = subprocess.run([WEIR, "topic", "list", "-o", "json"], capture_output=True, text=True,
                          env={**ENVIRONMENT, "WEIR_SERVER": server.kafka})
    assert done.returncode == 0 and "topics" in json.loads(done.stdout)
    done = subprocess.run([WEIR, "topic", "list"], capture_output=True, text=True,
                          env={**ENVIRONMENT, "WEIR_SERVER": server.kafka, "WEIR_OUTPUT": "json"})
    assert "topics" in json.loads(done.stdout)
