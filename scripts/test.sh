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

echo "== Swift tests" >&2
swift test --skip-build --xunit-output "$results/swift.xml" >"$results/swift.log" 2>&1 || {
    broken=1
    grep -E "✘|error:|Fatal|runtime failure" "$results/swift.log" | head -60
}

echo "== building (release)" >&2
swift build -c release --static-swift-stdlib --product weir 2>&1 |
    grep -E "error:|warning:|Compiling|Build complete" | tail -3
[ "${PIPESTATUS[0]}" -eq 0 ] || { echo "0 passed, 1 failed"; exit 1; }

# Real clients mostly wait, the simulator mostly computes: both at once.
echo "== real clients, and the simulator" >&2
pytest() { .build/venv/bin/python -m pytest -q -x --maxfail=20 -p no:cacheprovider "$@" 2>&1 | tail -60; }
pytest Tests/Interop/test_simulator.py --junitxml "$results/simulator.xml" >"$results/simulator.log" &
simulator=$!
pytest Tests/Interop --ignore Tests/Interop/test_simulator.py --junitxml "$results/interop.xml" ||
    broken=1
wait "$simulator" || broken=1
cat "$results/simulator.log"

python3 scripts/count-tests.py "$broken" "$results"/*.xml
