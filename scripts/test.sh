#!/bin/bash
# Runs every test: the Swift suites (debug), then the real clients against the release binary.
# Prints what failed, and ends with "N passed, N failed". scripts/setup.sh test comes first.
set -uo pipefail
cd "$(dirname "$0")/.."
results=.build/test-results
rm -rf "$results" && mkdir -p "$results"
broken=0

echo "== building (debug)" >&2
swift build --build-tests 2>&1 | grep -E "error:|warning:|Build complete" | sort -u
[ "${PIPESTATUS[0]}" -eq 0 ] || { echo "0 passed, 1 failed"; exit 1; }

# The release build has long stretches that use one core; the Swift suites fill the other one. They are
# started as a program of their own because SwiftPM lets one command at a time into its folder.
echo "== Swift tests, and building (release)" >&2
nice -n 5 swift build -c release --static-swift-stdlib --product weir >"$results/release.log" 2>&1 &
release=$!
.build/debug/weirPackageTests.xctest --testing-library swift-testing \
    --xunit-output "$results/swift.xml" >"$results/swift.log" 2>&1 || {
    broken=1
    grep -E "✘|error:|Fatal|runtime failure" "$results/swift.log" | head -60
}
wait "$release" || {
    grep -E "error:|warning:" "$results/release.log" | sort -u
    echo "0 passed, 1 failed"
    exit 1
}

# Real clients mostly wait: some modules at a time, each with servers of its own.
echo "== real clients, and the simulator" >&2
.build/venv/bin/python -m pytest -q -p no:cacheprovider --maxfail=20 -n 3 --dist loadfile \
    Tests/Interop --junitxml "$results/interop.xml" 2>&1 | tail -60
[ "${PIPESTATUS[0]}" -eq 0 ] || broken=1

python3 scripts/count-tests.py "$broken" "$results"/*.xml
