"""Transactions of a session: one state of the tables and its own changes, one version at COMMIT."""
import os
import pathlib
import random
import threading

import deltalake
import psycopg
import pyarrow
import pytest
from conftest import new_server, remove, weir
from test_postgres import PROGRAMS, plain, postgres  # noqa: F401


@pytest.fixture(scope="module")
def server():
    one = new_server().start()
    yield one
    remove(one)


class Session:
    def __init__(self, server):
        self.server = server
        self.id = server.request("POST", "/sessions")[1]["session"]

    def ask(self, sql):
        return self.server.request("POST", "/query", {"sql": sql, "session": self.id, "limit": 100000})

    def run(self, sql):
        status, answer = self.ask(sql)
        if status != 200:
            return answer["code"]
        return [[plain(value) for value in row] for row in answer["rows"]] if answer["columns"] else None

    def end(self):
        self.server.request("DELETE", f"/sessions/{self.id}")


def versions(server, table):
    return server.sql(f"DESCRIBE HISTORY {table}")


def files(server, table):
    folder = pathlib.Path(server.data, "lake")
    return sorted(str(path) for path in folder.rglob("*.parquet") if f"/{table}/" in str(path))


def test_statements_see_their_own_changes_and_others_do_not(server):
    one, other = Session(server), Session(server)
    one.run("CREATE TABLE a (id int, v text)")
    one.run("INSERT INTO a VALUES (1, 'x'), (2, 'y')")
    before = len(versions(server, "a"))
    assert one.run("BEGIN") is None
    assert one.run("INSERT INTO a VALUES (3, 'z')") is None
    assert one.run("UPDATE a SET v = v || '!' WHERE id >= 2") is None
    assert one.run("DELETE FROM a WHERE id = 1") is None
    assert one.run("MERGE INTO a USING (SELECT 4 AS id) s ON a.id = s.id WHEN NOT MATCHED THEN INSERT VALUES (s.id, 'm')") is None
    assert one.run("SELECT * FROM a ORDER BY id") == [[2.0, "y!"], [3.0, "z!"], [4.0, "m"]]
    assert one.run("SELECT count(*) FROM a x JOIN a y USING (id)") == [[3.0]]
    assert other.run("SELECT * FROM a ORDER BY id") == [[1.0, "x"], [2.0, "y"]]
    assert len(versions(server, "a")) == before
    assert one.run("COMMIT") is None
    assert other.run("SELECT * FROM a ORDER BY id") == [[2.0, "y!"], [3.0, "z!"], [4.0, "m"]]
    assert len(versions(server, "a")) == before + 1
    server.sql("FSCK TABLE a")
    path = next(pathlib.Path(server.data, "lake").rglob("a/_delta_log")).parent
    rows = deltalake.DeltaTable(path).to_pyarrow_table().to_pylist()
    assert sorted((row["id"], row["v"]) for row in rows) == [(2, "y!"), (3, "z!"), (4, "m")]


def test_a_rolled_back_transaction_leaves_nothing(server):
    one = Session(server)
    one.run("CREATE TABLE b (id int)")
    one.run("INSERT INTO b VALUES (1)")
    kept = files(server, "b")
    for end in ["ROLLBACK", "ABORT", "session"]:
        assert one.run("BEGIN") is None
        one.run("INSERT INTO b VALUES (2), (3)")
        one.run("DELETE FROM b WHERE id = 1")
        assert len(files(server, "b")) > len(kept)
        if end == "session":
            one.end()
            one = Session(server)
        else:
            assert one.run(end) is None
        assert one.run("SELECT * FROM b") == [[1.0]]
        assert files(server, "b") == kept
    # A request of its own ends with what it began.
    status, answer = server.request("POST", "/query", {"sql": "BEGIN; INSERT INTO b VALUES (9)"})
    assert status == 200 and "is rolled back" in answer["notices"][-1]
    status, answer = server.request("POST", "/query", {"sql": "BEGIN; INSERT INTO b VALUES (9); SELECT 1/0"})
    assert answer["code"] == "22012"
    assert one.run("SELECT * FROM b") == [[1.0]] and files(server, "b") == kept
    status, answer = server.request("POST", "/query", {"sql": "BEGIN; INSERT INTO b VALUES (9); COMMIT"})
    assert status == 200 and one.run("SELECT * FROM b ORDER BY 1") == [[1.0], [9.0]]


def test_other_tables_stay_as_they_were(server):
    one, other = Session(server), Session(server)
    for table in ["c", "d"]:
        one.run(f"CREATE TABLE {table} (id int)")
        one.run(f"INSERT INTO {table} VALUES (1)")
    one.run("BEGIN")
    one.run("SELECT * FROM c")
    other.run("INSERT INTO c VALUES (2)")
    other.run("INSERT INTO d VALUES (2)")
    # Also a table that the transaction reads only now.
    assert one.run("SELECT count(*) FROM c") == [[1.0]]
    assert one.run("SELECT count(*) FROM d") == [[1.0]]
    moment = one.run("SELECT now()")
    assert one.run("SELECT now()") == moment
    one.run("COMMIT")
    assert one.run("SELECT count(*) FROM d") == [[2.0]] and one.run("SELECT now()") != moment


def test_what_contradicts_fails_with_40001_and_what_does_not_goes_on(server):
    one, other = Session(server), Session(server)
    one.run("CREATE TABLE e (id int, v int)")
    one.run("INSERT INTO e VALUES (1, 1), (2, 2)")
    one.run("BEGIN")
    one.run("UPDATE e SET v = 10 WHERE id = 1")
    other.run("UPDATE e SET v = 20 WHERE id = 1")
    kept = files(server, "e")
    status, answer = one.ask("COMMIT")
    assert answer["code"] == "40001" and "rolled back" in str(answer), answer
    assert one.run("SELECT v FROM e ORDER BY id") == [[20.0], [2.0]]
    assert len(files(server, "e")) < len(kept)
    assert one.run("INSERT INTO e VALUES (3, 3)") is None
    # Rows that are only added contradict nothing.
    one.run("BEGIN")
    one.run("INSERT INTO e VALUES (4, 4)")
    one.run("INSERT INTO e VALUES (5, 5)")
    other.run("INSERT INTO e VALUES (6, 6)")
    assert one.run("COMMIT") is None
    assert one.run("SELECT count(*) FROM e") == [[6.0]]


def test_nothing_is_lost_among_transactions_that_contradict(server):
    server.sql("CREATE TABLE counter (id int, n int)")
    server.sql("INSERT INTO counter VALUES (1, 0), (2, 0)")
    done, conflicts, wrong = [], [], []

    def work():
        session = Session(server)
        while len(done) < 24:
            for sql in ["BEGIN", "UPDATE counter SET n = n + 1 WHERE id = 1", "UPDATE counter SET n = n + 1 WHERE id = 2"]:
                if session.run(sql) is not None:
                    wrong.append(sql)
                    return
            one, other = session.run("SELECT n FROM counter ORDER BY id")
            if one != other:
                wrong.append((one, other))
            outcome = session.run("COMMIT")
            (done if outcome is None else conflicts).append(outcome)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and set(conflicts) <= {"40001"}, (wrong, conflicts)
    assert server.sql("SELECT n FROM counter ORDER BY id") == [[len(done)], [len(done)]]


def test_what_does_not_fit_is_refused_by_name(server):
    one = Session(server)
    for sql in ["CREATE TABLE f (id int)", "CREATE TABLE g (id int)", "CREATE TOPIC t (v int)",
                "CREATE TABLE h (id int) WITH ('delta.enableChangeDataFeed' = true)"]:
        assert one.run(sql) is None, sql
    for sql, code in [
        ("INSERT INTO g VALUES (1)", "0A000"), ("CREATE TABLE x (id int)", "25001"), ("DROP TABLE g", "25001"),
        ("ALTER TABLE f ADD COLUMN y int", "25001"), ("VACUUM f", "25001"), ("OPTIMIZE f", "25001"),
        ("INSERT INTO t VALUES (1)", "0A000"), ("INSERT INTO h VALUES (1)", "0A000"), ("DISCARD ALL", "25001"),
        ("COPY f TO 'f.csv'", "25001"), ("SELECT 1/0", "22012"), ("SELECT * FROM nowhere", "42P01"), ("SELEC", "42601"),
    ]:
        one.run("BEGIN")
        assert one.run("INSERT INTO f VALUES (1)") is None
        status, answer = one.ask(sql)
        assert answer["code"] == code, (sql, answer)
        if sql != "SELEC":
            assert one.run("SELECT 1") == "25P02", sql
            status, answer = one.ask("COMMIT")
            assert answer["command"] == "ROLLBACK"
        else:
            one.run("ROLLBACK")
    assert one.run("SELECT count(*) FROM f") == [[0.0]]
    status, answer = one.ask("BEGIN; INSERT INTO f VALUES (1); INSERT INTO g VALUES (1)")
    assert '"public.g"' in answer["title"] and '"public.f"' in answer["title"], answer
    one.run("ROLLBACK")
    one.run("START TRANSACTION READ ONLY")
    assert one.run("INSERT INTO f VALUES (1)") == "25006"
    one.run("ROLLBACK")
    for begin in ["BEGIN; SET TRANSACTION READ ONLY", "BEGIN; SET transaction_read_only = on",
                  "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY; BEGIN"]:
        one.run(begin)
        assert one.run("SHOW transaction_read_only") == [["on"]]
        assert one.run("SELECT count(*) FROM f") == [[0.0]]
        for write in ["INSERT INTO f VALUES (1)", "CREATE TABLE h (id int)", "DELETE FROM f"]:
            one.run("SAVEPOINT s")
            assert one.run(write) == "25006", (begin, write)
            one.run("ROLLBACK TO s")
        assert one.run("SET TRANSACTION READ WRITE") == "25001"
        one.run("ROLLBACK")
    assert one.run("INSERT INTO f VALUES (1)") == "25006"
    one.run("BEGIN READ WRITE")
    one.run("INSERT INTO f VALUES (1)")
    one.run("COMMIT")
    one.run("SET default_transaction_read_only = off")
    one.run("INSERT INTO f VALUES (2)")
    assert one.run("SELECT count(*) FROM f") == [[2.0]]


def test_a_seed_holds_for_the_session(server):
    one, other = Session(server), Session(server)
    # As PostgreSQL 15 gives them.
    first, second = plain(0.9851677175347999), plain(0.825301858027981)
    for _ in range(2):
        one.run("SELECT setseed(0.5)")
        assert one.run("SELECT random()") == [[first]]
        assert one.run("SELECT random()") == [[second]]
    assert other.run("SELECT random()") != [[first]]
    one.run("DISCARD ALL")
    assert one.run("SELECT random()") != other.run("SELECT random()")


def test_a_transaction_that_waits_too_long(server):
    one = Session(server)
    one.run("CREATE TABLE i (id int)")
    one.run("SET idle_in_transaction_session_timeout = '100ms'")
    kept = files(server, "i")
    one.run("BEGIN")
    one.run("INSERT INTO i VALUES (1)")
    __import__("time").sleep(0.3)
    assert one.run("SELECT 1") == "25P03"
    assert one.run("SELECT count(*) FROM i") == [[0.0]] and files(server, "i") == kept


def test_a_folder_without_a_server(tmp_path):
    deltalake.write_deltalake(tmp_path / "t", pyarrow.table({"id": pyarrow.array([1], pyarrow.int32())}))
    changes = "BEGIN; INSERT INTO delta.'t' VALUES (2); INSERT INTO delta.'t' VALUES (3); "
    look = "; SELECT count(*) AS rows FROM delta.'t'"
    for end, count in [("ROLLBACK", 1), ("COMMIT", 3)]:
        _, out, _ = weir("sql", str(tmp_path), "-o", "csv", "-c", changes + end + look)
        assert f"rows\n{count}" in out, out
    table = deltalake.DeltaTable(tmp_path / "t")
    assert table.version() == 1 and sorted(table.to_pyarrow_table()["id"].to_pylist()) == [1, 2, 3]


STEPS = ["INSERT INTO {t} VALUES ({n}, {m})", "UPDATE {t} SET v = v + 1 WHERE id < {n}", "DELETE FROM {t} WHERE id = {n}",
         "INSERT INTO {t} SELECT id + 100, v FROM {t} WHERE v > {m}", "SAVEPOINT s{k}", "ROLLBACK TO s{k}",
         "RELEASE SAVEPOINT s{k}", "SELECT 1 / {z}", "UPDATE {t} SET v = (SELECT max(v) FROM {t}) WHERE id = {n}",
         "SELECT count(*), sum(v) FROM {t}", "DELETE FROM {t}", "TRUNCATE {t}"]


@pytest.mark.skipif(not PROGRAMS, reason="PostgreSQL is not installed")
def test_sequences_of_any_kind_are_those_of_postgres(postgres, server):  # noqa: F811
    rng = random.Random(int(os.environ.get("WEIR_TRANSACTION_SEED", "20261130")))
    one = Session(server)
    postgres.execute("CREATE TABLE seq (id int, v int)")
    one.run("CREATE TABLE seq (id int, v int)")
    one.run("ALTER TABLE seq SET TBLPROPERTIES ('delta.enableDeletionVectors' = true)")
    history = []
    try:
        for _ in range(int(os.environ.get("WEIR_TRANSACTIONS", "60"))):
            sequence = ["INSERT INTO seq VALUES (1, 1), (2, 2), (3, 3)", "BEGIN"]
            for _ in range(rng.randrange(1, 9)):
                sequence.append(rng.choices(STEPS, [6, 5, 4, 2, 4, 4, 2, 1, 2, 3, 1, 1])[0].format(
                    t="seq", n=rng.randrange(6), m=rng.randrange(4), k=rng.randrange(2), z=rng.randrange(2)))
            sequence += [rng.choice(["COMMIT", "COMMIT", "ROLLBACK"]), "SELECT id, v FROM seq ORDER BY 1, 2"]
            if rng.random() < 0.3:
                sequence.append("DELETE FROM seq")
            for sql in sequence:
                try:
                    answer = postgres.execute(sql)
                    expected = [[plain(x) for x in row] for row in answer.fetchall()] if answer.description else None
                except psycopg.Error as error:
                    expected = error.sqlstate
                history.append(sql)
                assert one.run(sql) == expected, "\n".join(history[-14:])
    finally:
        postgres.execute("ROLLBACK")
        postgres.execute("DROP TABLE seq")
    server.sql("FSCK TABLE seq")
