"""The suites of kafka-python and aiokafka: pytest with a stand-in for the broker that they start."""
import json
import os
import pathlib
import shutil
import sys

from processes import (DISTRIBUTION, HERE, WEIR, prepared_copy, run_to_end, virtual_environment)

# What the suites are told: they leave out tests by it.
BROKER_VERSION = "4.3.0"


class PytestSuite:
    """Runs all tests in one pytest, as their authors do; those that fail once more, each alone."""

    modes = {"default": ""}

    def __init__(self, source: pathlib.Path, work: pathlib.Path, mode: str):
        self.work = work
        self.copy = work / "source"
        self.source = source

    def names(self) -> list[str]:
        return self.tests

    def select(self, parts: list[str]) -> list[str]:
        return [*self.tests, "-k", " or ".join(parts)]

    def run(self, names: list[str], attempt: int, jobs: int) -> dict[str, dict]:
        report, log = self.work / "report.jsonl", self.work / "pytest.log"
        if not attempt:
            log.unlink(missing_ok=True)
        report.unlink(missing_ok=True)
        environment = {**os.environ, "WEIR": WEIR, "SUITE_REPORT": str(report),
                       "PYTHONPATH": f"{HERE}:{self.python_path}", "PYTHONDONTWRITEBYTECODE": "1",
                       **self.environment}
        code = run_to_end([str(self.python), "-m", "pytest", "-q", "-p", "suite_report",
                           "-p", "no:cacheprovider", *self.flags, *names],
                          self.seconds, log, cwd=self.copy, env=environment)
        found = {}
        if report.exists():
            found = {test["name"]: test for test in map(json.loads, open(report))}
        # 1: some failed. Anything above means that pytest itself did not get through.
        if code not in (0, 1) or not found:
            print(f"pytest ended with {code}, see {log}", file=sys.stderr)
            for name in names if attempt else []:
                found.setdefault(name, {"name": name, "outcome": "failed", "seconds": 0,
                                        "reason": f"pytest ended with {code}"})
            if not attempt:
                found["(pytest)"] = {"name": "(pytest)", "outcome": "failed", "seconds": 0,
                                     "reason": f"ended with {code} before all tests were done"}
        return found


class KafkaPython(PytestSuite):
    tests = ["test/integration"]
    seconds = 3600
    flags: list[str] = []
    python_path = "."
    environment = {"KAFKA_ROOT": str(DISTRIBUTION), "KAFKA_VERSION": BROKER_VERSION}

    def prepare(self) -> None:
        need("keytool", "openssl")
        prepared_copy(self.source, self.copy)
        self.python = virtual_environment(self.work / "venv",
                                          HERE / "kafka-python/requirements.txt")


class AIOKafka(PytestSuite):
    tests = ["tests"]
    seconds = 5400
    flags = ["--docker-image", f"aiolibs/kafka:2.13_{BROKER_VERSION}", "--no-pull"]
    python_path = str(HERE / "aiokafka")
    environment: dict[str, str] = {}

    def prepare(self) -> None:
        # The last two are for Kerberos, which the suite sets up before every test.
        need("keytool", "openssl", "ktutil", "kinit")
        prepared_copy(self.source, self.copy)
        self.python = virtual_environment(self.work / "venv", HERE / "aiokafka/requirements.txt")
        # Its modules in C belong into the copy, from where the tests import them.
        log = self.work / "build.log"
        if run_to_end([str(self.python), "setup.py", "-q", "build_ext", "--inplace"], 1800, log,
                      cwd=self.copy) != 0:
            sys.exit(f"aiokafka does not build, see {log}")


def need(*programs: str) -> None:
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        sys.exit(f"missing on this machine: {', '.join(missing)} "
                 "(Debian: default-jre-headless, openssl, krb5-user)")
