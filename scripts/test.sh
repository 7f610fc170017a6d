#!/bin/bash
# Runs every test: the Swift suites and the real clients, on one build with optimization.
# Prints what failed, and ends with "N passed, N failed". scripts/setup.sh build comes first.
set -uo pipefail
cd "$(dirname "$0")/.."
results=.build/test-results
rm -rf "$results" && mkdir -p "$results"
broken=0

# Nothing but the real clients needs what this brings, and fetching it is mostly waiting.
scripts/setup.sh test >"$results/setup.log" 2>&1 &
setup=$!

# One build for everything: the suites run five times as fast as without optimization, which is more than
# a second build would cost.
echo "== building" >&2
swift test -c release --disable-testable-imports --filter NoneYet >"$results/build.log" 2>&1 || {
    grep -E "error:|warning:" "$results/build.log" | sort -u
    echo "0 passed, 1 failed"
    exit 1
}

# Real clients mostly wait, the Swift suites compute: side by side they take little longer than one of them.
# The suites are started as a program of their own, because SwiftPM would look for changes first.
echo "== Swift tests, real clients, and the simulator" >&2
nice -n 10 .build/release/weirPackageTests.xctest --testing-library swift-testing \
    --xunit-output "$results/swift.xml" >"$results/swift.log" 2>&1 &
suites=$!

wait "$setup" || {
    kill "$suites"
    tail -30 "$results/setup.log"
    echo "0 passed, 1 failed"
    exit 1
}

# Some modules at a time, each with servers of its own.
.build/venv/bin/python -m pytest -q -p no:cacheprovider --maxfail=20 -n 4 --dist loadfile \
    Tests/Interop --junitxml "$results/interop.xml" 2>&1 | tail -60
[ "${PIPESTATUS[0]}" -eq 0 ] || broken=1

wait "$suites" || {
    broken=1
    grep -E "✘|error:|Fatal|runtime failure" "$results/swift.log" | head -60
}

python3 scripts/count-tests.py "$broken" "$results"/*.xml
