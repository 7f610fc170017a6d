#!/bin/bash
# Runs every test: the Swift suites (debug), then the real clients against the release binary.
# Prints what failed, and ends with "N passed, N failed". scripts/setup.sh build comes first.
set -uo pipefail
cd "$(dirname "$0")/.."
results=.build/test-results
rm -rf "$results" && mkdir -p "$results"
broken=0

# Nothing but the real clients needs what this brings, and fetching it is mostly waiting.
scripts/setup.sh test >"$results/setup.log" 2>&1 &
setup=$!

echo "== building (debug)" >&2
swift build --build-tests 2>&1 | grep -E "error:|warning:|Build complete" | sort -u
[ "${PIPESTATUS[0]}" -eq 0 ] || { echo "0 passed, 1 failed"; exit 1; }

# The release build is a chain of modules, each on one core, and takes longer; the Swift suites fill the
# other core and give way to it. They are started as a program of their own because SwiftPM lets one command
# at a time into its folder.
echo "== Swift tests, and building (release)" >&2
nice -n 10 .build/debug/weirPackageTests.xctest --testing-library swift-testing \
    --xunit-output "$results/swift.xml" >"$results/swift.log" 2>&1 &
suites=$!
swift build -c release --static-swift-stdlib --product weir >"$results/release.log" 2>&1 || {
    kill "$suites"
    grep -E "error:|warning:" "$results/release.log" | sort -u
    echo "0 passed, 1 failed"
    exit 1
}
wait "$suites" || {
    broken=1
    grep -E "✘|error:|Fatal|runtime failure" "$results/swift.log" | head -60
}

wait "$setup" || {
    tail -30 "$results/setup.log"
    echo "0 passed, 1 failed"
    exit 1
}

# Real clients mostly wait: some modules at a time, each with servers of its own.
echo "== real clients, and the simulator" >&2
.build/venv/bin/python -m pytest -q -p no:cacheprovider --maxfail=20 -n 4 --dist loadfile \
    Tests/Interop --junitxml "$results/interop.xml" 2>&1 | tail -60
[ "${PIPESTATUS[0]}" -eq 0 ] || broken=1

python3 scripts/count-tests.py "$broken" "$results"/*.xml
