#!/bin/bash
# Installs the Debian packages that are missing. Usage: scripts/setup.sh build|test|spark
# Says what it installs; does nothing when everything is there.
set -euo pipefail
cd "$(dirname "$0")/.."
purpose=${1:?build, test or spark}

command -v swift >/dev/null || {
    echo "error: no Swift toolchain found; Weir needs Swift 6.2 or later (https://swift.org/install)" >&2
    exit 1
}

missing=()
while read -r kind name; do
    case "$kind" in build) ;; test) [ "$purpose" != build ] || continue ;;
    spark) [ "$purpose" = spark ] || continue ;; *) continue ;; esac
    dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q "ok installed" || missing+=("$name")
done < scripts/packages.txt

if [ ${#missing[@]} -gt 0 ]; then
    echo "installing Debian packages: ${missing[*]}" >&2
    sudo=()
    [ "$(id -u)" = 0 ] || sudo=(sudo)
    "${sudo[@]}" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends \
        "${missing[@]}" >/dev/null
fi

# Makes the virtual environment $1 of the packages that $2 lists, if it is not there yet.
environment() {
    if ! cmp -s "$2" "$1/.installed" 2>/dev/null; then
        echo "installing Python packages into $1 ($2)" >&2
        rm -rf "$1"
        mkdir -p .build
        python3 -m venv "$1"
        "$1/bin/pip" install -q --disable-pip-version-check -r "$2"
        cp "$2" "$1/.installed"
    fi
}

case "$purpose" in
test) environment .build/venv scripts/requirements.txt ;;
# Half a gigabyte, and Java: only for make interop.
spark) environment .build/spark scripts/requirements-spark.txt ;;
esac
