#!/bin/bash
# Writes the SQL of the travel platform into the binary: the demo works wherever the binary stands.
set -euo pipefail
cd "$(dirname "$0")/.."
target=Sources/Server/Connectors/Travel/TravelScripts.generated.swift
{
    echo "// Made by scripts/embed-travel.sh from data/travel/*.sql. Do not edit."
    echo
    echo "/// The declarations of the travel platform, in the order in which they must run."
    echo "package let travelScripts: [(name: String, sql: String)] = ["
    for file in data/travel/*.sql; do
        echo "    ("
        echo "        \"$(basename "$file")\","
        echo '        #"""'
        sed 's/^\(.\)/        \1/' "$file"
        echo '        """#'
        echo "    ),"
    done
    echo "]"
} > "$target"
