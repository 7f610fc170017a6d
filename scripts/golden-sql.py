#!/usr/bin/env python3
"""Rewrites the expected results of Tests/Scripts/*.test with what PostgreSQL answers.

Needs psql and a server that speaks UTF-8 with collation C (PGHOST, PGPORT, PGUSER as usual):

    initdb -D /tmp/golden --locale=C.UTF-8 -A trust
    PGHOST=/tmp PGUSER=postgres scripts/golden-sql.py [file ...]

A script is a list of blocks divided by blank lines. Lines that begin with # are comments.

    query            the rows in this order, columns divided by |
    query rowsort    the rows in any order
    query error      the SQLSTATE and the message
    query weir       not PostgreSQL's: left alone by this program, reason in a comment
    SELECT ...
    ----
    expected lines; NULL is NULL, an empty line is (empty)

Review the difference before committing it: it is what Weir promises.
"""
import glob
import os
import subprocess
import sys

ENVIRONMENT = dict(
    os.environ,
    PGTZ="UTC",
    PGOPTIONS="-c datestyle=ISO -c intervalstyle=postgres -c extra_float_digits=1",
    PGCLIENTENCODING="UTF8",
)


def ask(sql):
    """The lines of the answer, and whether it is an error."""
    done = subprocess.run(
        ["psql", "-X", "-q", "-A", "-t", "-P", "null=NULL", "-v", "VERBOSITY=verbose", "-c", sql],
        env=ENVIRONMENT, capture_output=True, text=True)
    for line in done.stderr.splitlines():
        if line.startswith("ERROR:"):
            code, message = line[len("ERROR:"):].strip().split(": ", 1)
            return [f"{code} {message}"], True
    if done.returncode != 0:
        sys.exit(f"psql: {done.stderr}")
    return [line or "(empty)" for line in done.stdout.split("\n")[:-1]], False


def rewrite(path):
    with open(path, encoding="utf-8") as file:
        blocks = file.read().rstrip("\n").split("\n\n")
    output, changed = [], 0
    for block in blocks:
        lines = block.split("\n")
        start = next((i for i, line in enumerate(lines) if line.startswith("query")), None)
        if start is None or lines[start] == "query weir":
            output.append(block)
            continue
        end = lines.index("----") if "----" in lines else len(lines)
        answer, is_error = ask("\n".join(lines[start + 1:end]))
        head = lines[start]
        if is_error != (head == "query error"):
            print(f"{path}: {'error' if is_error else 'no error'}: {lines[start + 1:end]}: {answer}")
            head = "query error" if is_error else "query"
        if head == "query rowsort":
            answer.sort()
        fresh = "\n".join(lines[:start] + [head] + lines[start + 1:end] + ["----"] + answer)
        changed += fresh != block
        output.append(fresh)
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n\n".join(output) + "\n")
    print(f"{path}: {len(output)} blocks, {changed} changed")


if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    default = sorted(glob.glob(os.path.join(here, "..", "Tests", "Scripts", "*.test")))
    for name in sys.argv[1:] or default:
        rewrite(name)
