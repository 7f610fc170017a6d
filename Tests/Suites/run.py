"""Runs the published test suite of a Kafka client against `weir serve`.

    make suites SUITE=librdkafka SOURCE=/path/to/librdkafka
    make suites SUITE=librdkafka SOURCE=… MODE=consumer      another way to run it
    make suites SUITE=kafka-python SOURCE=… NAME=test_sasl   only tests with this in their name

The sources are copied to `.build/suites/SUITE` and built there. What fails, and is not on the allow
list, is run again by itself, up to three times: if it passes then, it counts as passed and is listed
as `timing`. The table goes to standard output, everything to `.build/suites/SUITE/results-MODE.json`.
Ends with 1 when a test fails that the allow list (`allow_list.py`) does not name.
The binary is the one that the variable WEIR names, or the release build.
"""
import argparse
import collections
import datetime
import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from allow_list import ALLOWED  # noqa: E402
from librdkafka_suite import LibRDKafka  # noqa: E402
from processes import ROOT, WEIR, adopt_orphans, end_all, revision  # noqa: E402
from pytest_suites import AIOKafka, KafkaPython  # noqa: E402

SUITES = {"librdkafka": LibRDKafka, "kafka-python": KafkaPython, "aiokafka": AIOKafka}
AGAIN = 3
SHOWN = {"passed": "pass", "timing": "timing", "failed": "FAIL", "skipped": "not run"}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", choices=SUITES)
    parser.add_argument("source", type=pathlib.Path, help="a checkout of the suite's repository")
    parser.add_argument("--mode", default="default", help="librdkafka: default, consumer, sasl, "
                        "full, share")
    parser.add_argument("--name", default="", help="only tests with one of these in their name, "
                        "separated by commas")
    parser.add_argument("--jobs", type=int, default=2, help="librdkafka: programs at a time")
    given = parser.parse_args()
    if given.mode not in SUITES[given.suite].modes:
        parser.error(f"{given.suite} has no mode {given.mode}")
    if not given.source.is_dir():
        parser.error(f"{given.source} is not a folder")
    if not os.access(WEIR, os.X_OK):
        parser.error(f"{WEIR} does not exist: run `make release` first, or name it by WEIR")
    return given


def allowed(given, test: str) -> str | None:
    """Why a test may fail; there are reasons for all modes of a suite, and for one."""
    name = test.rpartition("::")[2]
    return ALLOWED[given.suite].get(name) or ALLOWED.get(
        f"{given.suite} {given.mode}", {}).get(name)


def run(given, suite, wanted: list[str]) -> dict[str, dict]:
    """Results by name of the test; `runs` says how often it was run."""
    results = suite.run(wanted, 0, given.jobs)
    for one in results.values():
        one["runs"] = 1
    for attempt in range(1, AGAIN + 1):
        failed = [test for test, one in results.items() if one["outcome"] == "failed"
                  and not test.startswith("(") and not allowed(given, test)]
        if not failed:
            break
        print(f"again, each by itself: {' '.join(failed)}", file=sys.stderr)
        for test in failed:
            one = suite.run([test], attempt, 1).get(test)
            results[test]["runs"] += 1
            if one and one["outcome"] == "passed":
                results[test] |= {"outcome": "timing", "seconds": one["seconds"]}
            elif one and one["outcome"] == "failed":
                results[test]["reason"] = one["reason"]
    return results


def report(given, results: dict[str, dict], started) -> int:
    unexpected = 0
    for name in sorted(results):
        one = results[name]
        excuse = allowed(given, name) if one["outcome"] == "failed" else None
        if excuse:
            one["allowed"] = excuse
        unexpected += one["outcome"] == "failed" and not excuse
        # Of a thousand that pass only their number is of interest.
        if one["outcome"] != "passed" or given.suite == "librdkafka":
            reason = excuse or one["reason"]
            first = reason.strip().splitlines()[0] if reason.strip() else ""
            if one["outcome"] == "skipped" and given.suite == "aiokafka" and "empty" in first:
                continue
            print(f"{SHOWN[one['outcome']]:8} {one['seconds']:8.1f} s  {name}"
                  + (f"  {first[:150]}" if first else ""))
    count = collections.Counter(one["outcome"] for one in results.values())
    passed = count["passed"] + count["timing"]
    summary = {"suite": given.suite, "mode": given.mode, "version": revision(given.source),
               "weir": weir_version(), "started": started, "tests": len(results),
               "pass": passed, "timing": count["timing"], "fail": count["failed"],
               "not run": count["skipped"], "unexpected": unexpected}
    file = ROOT / f".build/suites/{given.suite}/results-{given.mode}.json"
    if given.name:
        file = file.with_name(f"results-{given.mode}-some.json")
    file.write_text(json.dumps({**summary, "results": results}, indent=1) + "\n")
    print(f"\n{given.suite} {summary['version']} ({given.mode}): {len(results)} tests, "
          f"{passed} passed ({count['timing']} of them not at once), {count['failed']} failed "
          f"({unexpected} unexpected), {count['skipped']} not run; {file}")
    return 1 if unexpected else 0


def weir_version() -> str:
    done = subprocess.run([WEIR, "version"], capture_output=True, text=True)
    return " ".join(done.stdout.split())


def main() -> int:
    given = arguments()
    started = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    work = ROOT / ".build/suites" / given.suite
    work.mkdir(parents=True, exist_ok=True)
    adopt_orphans()
    try:
        suite = SUITES[given.suite](given.source.resolve(), work.resolve(), given.mode)
        suite.prepare()
        wanted = suite.names()
        if given.name:
            wanted = suite.select(given.name.split(","))
        results = run(given, suite, wanted)
    finally:
        end_all()
    return report(given, results, started)


if __name__ == "__main__":
    sys.exit(main())
