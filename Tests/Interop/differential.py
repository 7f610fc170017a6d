"""Random statements against Weir and the real PostgreSQL: make differential COUNT=100000 SEED=1.

Each statement follows from the seed and its number alone; a new schema comes every 250 of them. Every
twentieth is a change, after which the table's content is compared. Differences are printed and the exit code
is 1, unless `known_differences` has their reason."""
import argparse
import collections
import http.client
import json
import random
import sys
import time

import psycopg
from known_differences import reason
from query_generator import Generator, Schema

PER_SCHEMA, PER_CHANGE = 250, 20
# What PostgreSQL itself does not answer within its time is left out.
POSTGRES_SECONDS, WEIR_SECONDS = 3, 30
TIMED_OUT = "57014"
# Errors within PostgreSQL's planner, whose answer nobody knows.
INTERNAL = "XX000"


class Weir:
    """Statements over one kept connection. A server that ends is started again, and that is an answer."""

    def __init__(self, server):
        self.server = server
        self.connect()

    def connect(self):
        self.connection = http.client.HTTPConnection(
            "127.0.0.1", self.server.http_port, timeout=WEIR_SECONDS + 30)

    def ask(self, statement):
        try:
            return self.answer(statement)
        except (OSError, http.client.HTTPException) as failure:
            state = "still runs" if self.server.is_running() else "has ended"
            tail = self.server.tail()[-600:]
            if self.server.is_running():
                self.server.kill()
            self.server.start()
            self.connect()
            return f"no answer: {failure!r}; the server {state}: {tail}"

    def answer(self, statement):
        body = json.dumps({"sql": statement, "limit": 2000000, "timeout": WEIR_SECONDS})
        self.connection.request("POST", "/query", body, {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        content = json.loads(answer.read())
        if answer.status != 200:
            return content["code"]
        if not content["columns"]:
            return content["command"]
        return [[plain(value) for value in row] for row in content["rows"]]


class Postgres:
    def __init__(self, connection):
        self.connection = connection
        connection.prepare_threshold = None
        connection.execute(f"SET statement_timeout = '{POSTGRES_SECONDS}s'")

    def ask(self, statement):
        try:
            answer = self.connection.execute(statement)
            if not answer.description:
                return answer.statusmessage
            return [[plain(value) for value in row] for row in answer.fetchall()]
        except psycopg.Error as error:
            return error.sqlstate


def plain(value):
    """Numbers by their value: sums of floats differ in the last digits. Everything else as text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, list):
        return [plain(item) for item in value]
    try:
        # JSON's -0 is read as the whole number 0: zeros have no sign here.
        number = float(f"{float(value):.12g}") + 0.0
        return "NaN" if number != number else number
    except (ValueError, TypeError):
        return str(value)


def is_same(expected, found, is_ordered):
    if expected == found:
        return True
    return not is_ordered and isinstance(expected, list) and isinstance(found, list) and (
        sorted(expected, key=repr) == sorted(found, key=repr))


class Comparison:
    def __init__(self, postgres, weir, seed):
        self.postgres, self.weir, self.seed = postgres, weir, seed
        self.different, self.known = [], collections.Counter()
        self.counts = collections.Counter()
        self.schema, self.is_dirty = None, True

    def both(self, statement):
        return self.postgres.ask(statement), self.weir.ask(statement)

    def prepare(self, block):
        for name in self.schema.tables if self.schema else []:
            for side in (self.postgres, self.weir):
                side.ask(f"DROP TABLE IF EXISTS {name}")
        self.schema = Schema(f"{self.seed} {block}")
        for statement in self.schema.statements():
            expected, found = self.both(statement)
            assert expected == found, f"{statement}\n{expected}\n{found}"
        self.is_dirty = False

    def step(self, number):
        block = number // PER_SCHEMA
        if self.schema is None or number % PER_SCHEMA == 0 or self.is_dirty:
            self.prepare(block)
        generator = Generator(random.Random(f"statement {self.seed} {number}"), self.schema)
        if number % PER_CHANGE == PER_CHANGE - 1:
            return self.change(number, *generator.change(), generator)
        statement = generator.query()
        expected, found = self.both(statement)
        self.compare(number, statement, expected, found, generator.is_ordered)

    def change(self, number, statement, table, generator):
        expected, found = self.both(statement)
        is_same = self.compare(number, statement, expected, found, False)
        check = generator.content(table)
        if is_same and expected != TIMED_OUT:
            is_same = self.compare(number, f"{statement}; {check}", *self.both(check), False)
        # A table that grows without end is no use, and neither are two that differ.
        if not is_same or expected == TIMED_OUT or self.postgres.ask(f"SELECT count(*) > 60 FROM {table}") == [[True]]:
            self.is_dirty = True

    def compare(self, number, statement, expected, found, is_ordered):
        kind = "answered" if not isinstance(expected, str) or " " in expected or not expected[:2].isalnum() else "refused"
        if expected in (TIMED_OUT, INTERNAL):
            self.counts["left out"] += 1
            return True
        self.counts[kind] += 1
        if is_same(expected, found, is_ordered):
            return True
        why = reason(statement, expected, found)
        if why:
            self.known[why] += 1
        else:
            self.different.append(
                f"seed {self.seed} number {number}: {statement}\n  PostgreSQL: {expected}\n  Weir:       {found}")
        return False


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", type=int, default=0, help="the number of the first statement")
    options = parser.parse_args()
    from conftest import new_server, remove
    from test_postgres import running_postgres
    server = new_server().start()
    try:
        with running_postgres() as connection:
            comparison = Comparison(Postgres(connection), Weir(server), options.seed)
            began, told = time.monotonic(), 0
            end = options.start + options.count
            for number in range(options.start, end):
                comparison.step(number)
                for text in comparison.different[told:]:
                    print(text, flush=True)
                told = len(comparison.different)
                if (number + 1) % 5000 == 0 or number + 1 == end:
                    minutes = (time.monotonic() - began) / 60
                    print(f"{number + 1 - options.start} statements, {(number + 1 - options.start) / minutes:.0f} a "
                          f"minute, {told} differ, {dict(comparison.counts)}, known: {dict(comparison.known)}",
                          file=sys.stderr, flush=True)
    finally:
        remove(server)
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
