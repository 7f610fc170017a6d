#!/bin/bash
# Installs the Debian packages that are missing. Usage: scripts/setup.sh build|test
# Says what it installs; does nothing when everything is there.
set -euo pipefail
cd "$(dirname "$0")/.."
purpose=${1:?build or test}

command -v swift >/dev/null || {
    echo "error: no Swift toolchain found; Weir needs Swift 6.2 or later (https://swift.org/install)" >&2
    exit 1
}

missing=()
while read -r kind name; do
    case "$kind" in build) ;; test) [ "$purpose" = test ] || continue ;; *) continue ;; esac
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

if [ "$purpose" = test ]; then
    venv=.build/venv
    stamp=$venv/.installed
    if ! cmp -s scripts/requirements.txt "$stamp" 2>/dev/null; then
        echo "installing Python clients into $venv (scripts/requirements.txt)" >&2
        rm -rf "$venv"
        mkdir -p .build
        python3 -m venv "$venv"
        "$venv/bin/pip" install -q --disable-pip-version-check -r scripts/requirements.txt
        cp scripts/requirements.txt "$stamp"
    fi
fi
