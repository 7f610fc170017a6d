"""The suite of librdkafka: each program of its test runner by itself, with a broker of its own."""
import concurrent.futures
import contextlib
import dataclasses
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading

from certificates import Certificates
from processes import (DISTRIBUTION, HERE, WEIR, Broker, free_port, prepared_copy, run_to_end,
                       virtual_environment)
from slow_wire import SlowWire

BROKER_VERSION = "4.3.0.0"
USER, PASSWORD = "admin", "suite-password"

# Four partitions are the suite's own setting; the rest lets tests be done in the time they give.
SETTINGS = {
    "num.partitions": "4", "group.min.session.timeout.ms": "1000",
    "group.consumer.min.session.timeout.ms": "1000",
    "group.consumer.min.heartbeat.interval.ms": "100", "checkpoint.interval.ms": "1000",
    "log.cleaner.backoff.ms": "500",
}
RULES = {"authorizer.class.name": "acl", "allow.everyone.if.no.acl.found": "true"}


@dataclasses.dataclass
class Program:
    """How one number of a scenario is run, and the tests that it reports."""
    number: str
    scenario: str
    tests: list[str]
    known_issue: bool
    settings: dict[str, str] = dataclasses.field(default_factory=dict)
    environment: dict[str, str] = dataclasses.field(default_factory=dict)
    client: dict[str, str] = dataclasses.field(default_factory=dict)
    listener: str = "PLAINTEXT"
    version: str = BROKER_VERSION
    quick: bool = True
    slow_wire: bool = False
    seconds: int = 900


# Some that quick mode shortens most.
FULL = ("0001 0005 0008 0011 0012 0013 0015 0030 0034 0038 0039 0042 0044 0048 0049 0051 0053 0056 "
        "0060 0077 0081 0082 0084 0094 0098").split()
# With sign-on: everything that does not take long, and what is about signing on.
SASL = ("0001 0002 0003 0005 0007 0008 0011 0012 0013 0014 0015 0018 0020 0021 0022 0026 0029 0030 "
        "0031 0034 0036 0039 0040 0044 0048 0050 0051 0052 0057 0061 0063 0064 0070 0085 0099 0103 "
        "0110 0115 0119 0135").split()
# 0186 calls itself local, but belongs to them.
SHARE = "0170 0171 0172 0173 0174 0175 0176 0177 0178 0179 0180 0181 0184 0185 0186".split()


class LibRDKafka:
    modes = {"default": "every program that needs a broker, in quick mode",
             "consumer": "the same with groups of the newer protocol",
             "sasl": "a selection over SASL_SSL with SCRAM-SHA-512",
             "full": "a selection without quick mode",
             "share": "share groups, without quick mode"}

    def __init__(self, source: pathlib.Path, work: pathlib.Path, mode: str):
        self.source, self.work, self.mode = source, work, mode
        self.copy = work / "source"
        self.tests = self.copy / "tests"
        self.lock = threading.Lock()

    def prepare(self) -> None:
        """Copies and builds the suite, with the two changes that one broker without Java needs."""
        prepared_copy(self.source, self.copy)
        self.python = virtual_environment(self.work / "venv", HERE / "librdkafka/requirements.txt")
        # One broker refuses topics with three replicas, as Apache Kafka does.
        replace(self.tests / "test.c",
                r"(rd_kafka_NewTopic_new\(topicname, partition_cnt, )replication_factor", r"\g<1>1")
        # `make java` has nothing to do: the stand-in of kafka-run-class.sh needs no class files.
        (self.tests / "java/Makefile").write_text("all:\n")
        # Once only: make would link the runner again each time, maybe under a run of another mode.
        built = self.copy / ".built"
        if not built.exists():
            self.build()
            built.touch()
        self.certificates = Certificates(self.work / "certificates")
        self.programs = self.listed()

    def build(self) -> None:
        log = self.work / "build.log"
        words = ["nice", "sh", "-c", "{ test -f Makefile.config || ./configure; } && "
                 "make -j2 libs && make -j2 -C tests build"]
        if run_to_end(words, 3600, log, cwd=self.copy) != 0:
            sys.exit(f"librdkafka does not build, see {log}")

    def listed(self) -> list[Program]:
        """The programs of the mode, from the table in test.c."""
        text = (self.tests / "test.c").read_text()
        table = text.split("struct test tests[] = {")[1].split("{NULL}")[0]
        programs: dict[tuple[str, str], Program] = {}
        for entry in re.split(r"\b_TEST\(", table)[1:]:
            name, flags = re.match(r"(\w+),\s*([\w| ]+)", entry).groups()
            number = name[:4]
            if self.mode == "share":
                if number not in SHARE or name.endswith("_local"):
                    continue
            elif "LOCAL" in flags or "MANUAL" in flags or number in SHARE:
                continue
            elif number not in {"sasl": SASL, "full": FULL}.get(self.mode, [number]):
                continue
            found = re.search(r'\.scenario = "([\w,]+)"', entry)
            scenario = found[1].split(",")[0] if found else "default"
            known = "TEST_F_KNOWN_ISSUE" in re.split(r"[| ]+", flags)
            program = programs.setdefault((number, scenario), Program(number, scenario, [], known))
            program.tests.append(name)
        for program in programs.values():
            self.fit(program)
        return list(programs.values())

    def fit(self, program: Program) -> None:
        """What a program needs beyond the common settings."""
        if program.number in ("0081", "0109", "0115", "0119"):
            program.settings |= RULES
        if program.number == "0081":
            program.settings["group.initial.rebalance.delay.ms"] = "0"
        if program.scenario == "noautocreate":
            program.settings["auto.create.topics.enable"] = "false"
        if program.number == "0097":
            program.listener, program.slow_wire = "SSL", True
            program.client |= self.certificates.client_settings()
            program.environment |= self.certificates.environment()
        if program.number in ("0135", "0142"):
            program.listener = "SASL_PLAINTEXT"
        if program.number == "0142":
            # Every part waits for one interval.
            program.settings["connections.max.reauth.ms"] = "10000"
        # Quick mode shortens most programs, but of those with parts it leaves parts out, or all.
        # 0082 it leaves out as a whole.
        if self.has_parts(program.number) or program.number == "0082":
            program.quick, program.seconds = False, 1800
        if self.mode == "consumer":
            program.environment["TEST_CONSUMER_GROUP_PROTOCOL"] = "consumer"
            # A client that leaves and joins again at once joins wrongly without a network.
            program.slow_wire |= program.number == "0045"
        if self.mode == "sasl":
            program.listener = "SASL_SSL"
        if self.mode in ("full", "share"):
            program.quick, program.seconds = False, 1800
        if self.mode == "share":
            program.settings["group.share.min.record.lock.duration.ms"] = "1000"
            program.version = "4.2.0.0"
        if program.listener.startswith("SASL"):
            program.client |= {"security.protocol": program.listener,
                               "sasl.mechanism": "SCRAM-SHA-512", "sasl.username": USER,
                               "sasl.password": PASSWORD}
        if program.listener == "SASL_SSL":
            program.client["ssl.ca.location"] = self.certificates.path("ca.pem")
        if "SSL" in program.listener:
            program.settings |= self.certificates.broker_settings(program.listener)

    def has_parts(self, number: str) -> bool:
        return any("SUB_TEST(" in file.read_text() for file in self.tests.glob(f"{number}-*.c*"))

    def names(self) -> list[str]:
        return [name for program in self.programs for name in program.tests]

    def select(self, parts: list[str]) -> list[str]:
        return [name for name in self.names() if any(part in name for part in parts)]

    def run(self, names: list[str], attempt: int, jobs: int) -> dict[str, dict]:
        wanted = [program for program in self.programs if set(program.tests) & set(names)]
        # The long ones first, so that none is left alone at the end.
        wanted.sort(key=lambda program: program.quick)
        found: dict[str, dict] = {}
        pool = concurrent.futures.ThreadPoolExecutor(jobs)
        try:
            for results in pool.map(lambda program: self.outcome(program, attempt), wanted):
                found |= results
        finally:
            # Also when we are told to stop: then nothing new may begin.
            pool.shutdown(wait=False, cancel_futures=True)
        return {name: one for name, one in found.items() if name in names}

    def outcome(self, program: Program, attempt: int) -> dict[str, dict]:
        try:
            results = self.run_one(program, attempt)
        except (OSError, RuntimeError) as failure:
            # A broker that does not start fails its program, not the run.
            results = {name: {"name": name, "outcome": "failed", "seconds": 0.0,
                              "reason": str(failure)} for name in program.tests}
        with self.lock:
            for name, one in results.items():
                print(f"{one['outcome']:8} {one['seconds']:7.1f} s  {name}", file=sys.stderr,
                      flush=True)
        return results

    def run_one(self, program: Program, attempt: int) -> dict[str, dict]:
        label = f"{self.mode}-{program.number}-{program.scenario}-{attempt}"
        folder = self.work / "runs" / label
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        with contextlib.ExitStack() as stack:
            port, settings = free_port(), {**SETTINGS, **program.settings}
            address = f"127.0.0.1:{port}"
            if program.slow_wire:
                wire = stack.enter_context(SlowWire(free_port(), port))
                address = f"127.0.0.1:{wire.port}"
                settings["advertised.listeners"] = f"{program.listener}://{address}"
            broker = stack.enter_context(Broker({program.listener: port}, settings,
                                                {USER: PASSWORD}))
            # The multiplier is that of the suite's own cluster.
            client = {"metadata.broker.list": address, "test.timeout.multiplier": "2",
                      **program.client}
            write_properties(folder / "test.conf", client)
            environment = {
                **os.environ, "WEIR": WEIR, "TESTS": program.number,
                # Not by the flag -V: the runner frees what that gives it, and crashes at the end.
                "TEST_KAFKA_VERSION": program.version,
                "LD_LIBRARY_PATH": f"{self.copy}/src:{self.copy}/src-cpp",
                "RDKAFKA_TEST_CONF": str(folder / "test.conf"),
                "TEST_REPORT": str(folder / "report.json"), "KAFKA_PATH": str(DISTRIBUTION),
                "BROKERS": address, "SUITE_PYTHON": str(self.python),
                **program.environment}
            if program.listener.startswith("SASL"):
                # For the tools of `distribution/bin`, which get no settings of a client.
                write_properties(folder / "weir.conf", {
                    name: value.lower() if name == "security.protocol" else value
                    for name, value in program.client.items()})
                environment["WEIR_CLIENT_CONFIG"] = str(folder / "weir.conf")
            words = ["./test-runner", "-p1", "-s", program.scenario]
            words += [] if self.mode == "share" else ["-L"]
            words += ["-Q"] if program.quick else []
            words += ["-k"] if program.known_issue else []
            code = run_to_end(words, program.seconds, folder / "log", cwd=self.tests,
                              env=environment)
            alive = broker.process.poll() is None
            shutil.copyfile(broker.log, folder / "broker.log")
        results = outcomes(program, folder, code)
        if not alive:
            for one in results.values():
                one |= {"outcome": "failed", "reason": f"the broker ended, see {folder}/broker.log"}
        return results


def outcomes(program: Program, folder: pathlib.Path, code: int | None) -> dict[str, dict]:
    """What the runner's report says of the tests; without one it was killed, or has crashed."""
    text = re.sub(r"\x1b\[[\d;]*m", "", (folder / "log").read_text(errors="replace"))
    try:
        report = json.loads((folder / "report.json").read_text())["tests"]
    except (OSError, ValueError):
        report = {}
    results = {}
    for name in program.tests:
        one = report.get(name, {"state": "RUNNING", "duration": 0.0})
        # What the table says is lost when the runner aborts, as it does with threads left over.
        line = (re.search(rf'^### Test "{name}\b[^\n]*###\n(.+)$', text, re.MULTILINE)
                or re.search(rf"^\| +{name} +\|[^|]*\|[^|]*\|(.*)$", text, re.MULTILINE))
        reason = line[1].strip() if line else ""
        outcome = {"PASSED": "passed", "SKIPPED": "skipped"}.get(one["state"], "failed")
        if outcome == "failed" and not reason:
            reason = f"ended with {code}, see {folder}/log"
        results[name] = {"name": name, "outcome": outcome, "seconds": one["duration"],
                         "reason": reason[:300]}
    return results


def write_properties(path: pathlib.Path, values: dict[str, str]) -> None:
    path.write_text("".join(f"{name}={value}\n" for name, value in values.items()))


def replace(file: pathlib.Path, pattern: str, by: str) -> None:
    """One change of the copy; nothing when it is there already."""
    text, count = re.subn(pattern, by, file.read_text())
    if count:
        file.write_text(text)
    elif not re.search(re.sub(r"replication_factor$", "1", pattern), text):
        sys.exit(f"{file}: {pattern} is not there; the suite has changed")
