#!/bin/bash
# Fuzzes one decoder for some seconds, starting from its committed corpus.
# usage: scripts/fuzz.sh TARGET SECONDS      (targets: the folders of Fuzz/)
set -euo pipefail
cd "$(dirname "$0")/.."
target=${1:?target: $(ls Fuzz | tr '\n' ' ')}
seconds=${2:-60}
export WEIR_FUZZ=1 SWIFT_BACKTRACE=enable=no
swift build -c release --product "$target" --sanitize=fuzzer --scratch-path .build-fuzz
mkdir -p ".build-fuzz/found/$target"
words=()
[ -f "Fuzz/$target/words.dict" ] && words=("-dict=Fuzz/$target/words.dict")
exec ".build-fuzz/release/$target" -max_total_time="$seconds" -rss_limit_mb=1024 \
    -malloc_limit_mb=256 -timeout=10 -artifact_prefix=".build-fuzz/$target-" \
    "${words[@]}" ".build-fuzz/found/$target" "Fuzz/$target/corpus"
