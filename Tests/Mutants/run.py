"""Scores the simulator by planted bugs: each must be found within ten minutes of processor time.

    make mutants                    all of them
    make mutants NAME=journal       those with this in their name

The bugs are a list of replacements in `mutants.py`. They are applied to a copy of the sources, all at
once, each behind a test of one number, so that one build serves them all; the product knows nothing
of them. A bug counts as killed when a simulation ends with an anomaly, traps, or does not end.
"""
import argparse
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from mutants import MUTANTS  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
COPY = ROOT / ".build/mutants"
ACTIVE = """// Which planted bug is active: a copy of the sources for `make mutants` only.
import Glibc

package let activeMutant: Int = getenv("WEIR_MUTANT").flatMap { Int(String(cString: $0)) } ?? 0
"""

# From cheap to dear. Each is (arguments, seconds of wall time it may take).
STAGES = [
    (["sim", "inject"], 120),
    (["sim", "run", "--seed", "0", "--count", "150"], 300),
    (["sim", "week", "--days", "7"], 180),
    (["sim", "run", "--seed", "150", "--count", "1500"], 1500),
]
# Of bugs in the metadata quorum, whose names begin with "quorum".
QUORUM_STAGES = [
    (["sim", "run", "--only", "quorum", "--seed", "0", "--count", "300"], 180),
    (["sim", "run", "--only", "quorum", "--seed", "300", "--count", "5000"], 600),
]
# Of bugs in replication, whose names begin with "replication".
REPLICATION_STAGES = [
    (["sim", "run", "--only", "replication", "--seed", "0", "--count", "100"], 180),
    (["sim", "run", "--only", "replication", "--seed", "100", "--count", "1400"], 600),
]
# Of bugs in whole nodes, whose names begin with "cluster".
CLUSTER_STAGES = [
    (["sim", "run", "--only", "cluster", "--seed", "0", "--count", "40"], 240),
    (["sim", "run", "--only", "cluster", "--seed", "40", "--count", "400"], 600),
]


def stages(name: str) -> list[tuple[list[str], int]]:
    if name.startswith("replication"):
        return REPLICATION_STAGES
    if name.startswith("cluster"):
        return CLUSTER_STAGES
    return QUORUM_STAGES if name.startswith("quorum") else STAGES


def apply() -> None:
    """Writes the copy; unchanged files keep their time, so that the build stays incremental."""
    fresh = {}
    for path in sorted((ROOT / "Sources").rglob("*")):
        if path.is_file():
            fresh[path.relative_to(ROOT)] = path.read_bytes()
    fresh[pathlib.Path("Package.swift")] = (ROOT / "Package.swift").read_bytes()
    fresh[pathlib.Path("Sources/Wire/Base/ActiveMutant.swift")] = ACTIVE.encode()
    for number, mutant in enumerate(MUTANTS, 1):
        name, file, find, replace = mutant
        path = pathlib.Path("Sources") / file
        text = fresh[path].decode()
        if text.count(find) != 1:
            sys.exit(f"{name}: its text stands {text.count(find)} times in {file}: {find!r}")
        fresh[path] = text.replace(find, replace.replace("MUTANT", f"activeMutant == {number}")
                                   ).encode()
    for path in list((COPY / "Sources").rglob("*")) if COPY.exists() else []:
        if path.is_file() and path.relative_to(COPY) not in fresh:
            path.unlink()
    for path, content in fresh.items():
        target = COPY / path
        if target.exists() and target.read_bytes() == content:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    for folder in {pathlib.Path("Tests") / entry.name for entry in (ROOT / "Tests").iterdir()}:
        # The manifest names the test targets, so their folders must be there.
        (COPY / folder).mkdir(parents=True, exist_ok=True)
        if not any((COPY / folder).iterdir()):
            (COPY / folder / "Empty.swift").write_text("")


def build() -> pathlib.Path:
    command = ["swift", "build", "-c", "release", "--product", "weir", "--package-path", str(COPY)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit("\n".join(line for line in done.stdout.splitlines() if "error" in line)
                 + done.stderr[-2000:])
    return COPY / ".build/release/weir"


def seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def hunt(binary: pathlib.Path, number: int, stages: list) -> tuple[str | None, float]:
    """What found the bug (None: it survived), and the processor time until then."""
    environment = {**os.environ, "WEIR_MUTANT": str(number), "SWIFT_BACKTRACE": "enable=no"}
    before = seconds()
    for arguments, limit in stages:
        try:
            done = subprocess.run(
                [str(binary), *arguments, "-o", "json"], env=environment, capture_output=True,
                text=True, timeout=limit)
        except subprocess.TimeoutExpired:
            return f"{' '.join(arguments[:2])} does not end", seconds() - before
        if done.returncode == 0:
            continue
        if done.returncode < 0:
            return f"{' '.join(arguments[:2])} traps", seconds() - before
        answer = json.loads(done.stdout)
        lines = answer.get("report") or answer.get("anomalies") or [""]
        lines = [line for line in lines if "storage calls" not in line] or lines
        return f"{' '.join(arguments[:2])}: {lines[0].splitlines()[0][:90]}", seconds() - before
    return None, seconds() - before


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", default="", help="only mutants with this in their name")
    options = parser.parse_args()
    apply()
    print("building the copy with all planted bugs", file=sys.stderr)
    binary = build()
    survivors = 0
    chosen = [(n, m) for n, m in enumerate(MUTANTS, 1) if options.name in m[0]]
    for group in (STAGES, QUORUM_STAGES, REPLICATION_STAGES, CLUSTER_STAGES):
        if not any(stages(mutant[0]) is group for _, mutant in chosen):
            continue
        found, spent = hunt(binary, 0, group)
        if found:
            print(f"without a bug: {found}")
            return 1
        print(f"without a bug: nothing found in {spent:.0f} s")
    for number, mutant in chosen:
        found, spent = hunt(binary, number, stages(mutant[0]))
        survivors += found is None
        print(f"{mutant[0]:<44} {spent:7.1f} s  {found or 'SURVIVED'}", flush=True)
    print(f"{len(chosen) - survivors} of {len(chosen)} planted bugs found")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
