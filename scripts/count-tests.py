"""Adds up JUnit reports and prints "N passed, N failed" as the last line.

usage: count-tests.py BROKEN REPORT.xml...   (BROKEN is 1 when a runner itself failed)
"""
import sys
import xml.etree.ElementTree as ElementTree

broken = int(sys.argv[1])
passed = failed = 0
for report in sys.argv[2:]:
    for case in ElementTree.parse(report).iter("testcase"):
        if case.find("skipped") is not None:
            print(f"skipped: {case.get('name')}")
        elif case.find("failure") is not None or case.find("error") is not None:
            failed += 1
            print(f"failed: {case.get('classname')} {case.get('name')}")
        else:
            passed += 1
if broken and not failed:
    failed = 1
    print("failed: a test runner ended early; see .build/test-results")
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed or not passed else 0)
