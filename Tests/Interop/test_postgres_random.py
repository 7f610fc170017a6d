"""Random queries against the real PostgreSQL: WEIR_RANDOM_QUERIES of them from WEIR_RANDOM_SEED on, a new
schema every 500."""
import os
import random

import pytest
from query_generator import Generator, TABLES, schema
from test_postgres import PROGRAMS, from_postgres, from_weir, postgres, server  # noqa: F401

COUNT = int(os.environ.get("WEIR_RANDOM_QUERIES", "1500"))
SEED = int(os.environ.get("WEIR_RANDOM_SEED", "1"))


@pytest.mark.skipif(not PROGRAMS, reason="PostgreSQL is not installed")
def test_random_queries_answer_as_postgres_does(postgres, server):  # noqa: F811
    different, answered = [], 0
    postgres.execute("SET statement_timeout = '5s'")
    for number in range(COUNT):
        drawn = random.Random(SEED * 1_000_000 + number)
        if number % 500 == 0:
            if number:
                for name in TABLES:
                    assert from_postgres(postgres, f"DROP TABLE {name}") is None
                    assert from_weir(server, f"DROP TABLE {name}") is None
            for statement in schema(drawn):
                assert from_postgres(postgres, statement) is None
                assert from_weir(server, statement) is None
        statement = Generator(drawn).query()
        expected = from_postgres(postgres, statement)
        if expected == "57014":
            continue
        found = from_weir(server, statement)
        answered += isinstance(expected, list)
        if expected != found:
            different.append(f"{number}: {statement}\n  PostgreSQL: {expected}\n  Weir:       {found}")
    assert answered > COUNT * 0.9
    assert not different, f"{len(different)} of {COUNT} differ:\n" + "\n".join(different[:10])
