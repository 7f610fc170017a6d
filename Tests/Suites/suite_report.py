"""A pytest plugin: one line of JSON for each test, to the file that SUITE_REPORT names."""
import json
import os

WORST = {"passed": 0, "skipped": 1, "failed": 2}
tests: dict[str, dict] = {}


def pytest_runtest_logreport(report):
    """Called for set-up, test and clean-up; the worst of the three counts."""
    one = tests.setdefault(report.nodeid, {"name": report.nodeid, "outcome": "passed",
                                           "seconds": 0.0, "reason": ""})
    one["seconds"] = round(one["seconds"] + report.duration, 2)
    if WORST[report.outcome] > WORST[one["outcome"]]:
        one["outcome"] = report.outcome
        one["reason"] = reason(report)
    if report.when == "teardown":
        with open(os.environ["SUITE_REPORT"], "a") as file:
            file.write(json.dumps(one) + "\n")


def reason(report) -> str:
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    return (crash.message if crash else str(report.longrepr))[:300]
