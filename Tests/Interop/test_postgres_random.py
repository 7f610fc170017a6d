"""A short piece of `make differential`: WEIR_RANDOM_QUERIES statements from WEIR_RANDOM_SEED on."""
import os

import pytest
from differential import Comparison, Postgres, Weir
from test_postgres import PROGRAMS, postgres, server  # noqa: F401

COUNT = int(os.environ.get("WEIR_RANDOM_QUERIES", "2000"))
SEED = int(os.environ.get("WEIR_RANDOM_SEED", "1"))


@pytest.mark.skipif(not PROGRAMS, reason="PostgreSQL is not installed")
def test_random_statements_answer_as_postgres_does(postgres, server):  # noqa: F811
    comparison = Comparison(Postgres(postgres), Weir(server), SEED)
    for number in range(COUNT):
        comparison.step(number)
    assert comparison.counts["answered"] > COUNT * 0.9
    different = comparison.different
    assert not different, f"{len(different)} of {COUNT} differ:\n" + "\n".join(different[:10])
