"""Files into tables and out of them: COPY, `weir table import` and `export`, with DuckDB as the peer."""
import json
import os
import re

import duckdb
import pyarrow as pa
import pyarrow.parquet
import pytest
from conftest import new_server, remove, weir
from deltalake import DeltaTable, write_deltalake

QUERY = """
SELECT i AS id, CASE WHEN i % 7 = 0 THEN NULL ELSE 'name "' || i || '", ' || chr(10) || 'é' END AS name,
  (i * 1.5)::double AS score, (i % 2 = 0) AS even, DATE '2024-01-01' + (i % 300)::int AS day,
  TIMESTAMP '2024-01-01 10:00:00' + INTERVAL (i) SECOND AS "at", (i / 4)::decimal(12,2) AS amount
FROM range({rows}) t(i)
"""
COLUMNS = ("id bigint, name text, score double precision, even boolean, day date, at timestamp,"
           " amount numeric(12,2)")


@pytest.fixture(scope="module")
def server():
    one = new_server().start()
    yield one
    remove(one)


def peer_file(path, rows=1000, query=QUERY):
    options = {"csv": "(FORMAT csv, HEADER)", "json": "(FORMAT json)", "parquet": "(FORMAT parquet)"}
    duckdb.sql(f"COPY ({query.format(rows=rows)}) TO '{path}' {options[path.suffix[1:]]}")
    return path


def peer_rows(path):
    reader = {".csv": "read_csv", ".json": "read_json", ".parquet": "read_parquet"}[path.suffix]
    return duckdb.sql(f"""SELECT id, name, score, even, day::date, "at"::timestamp,
        amount::decimal(12,2) FROM {reader}('{path}') ORDER BY id""").fetchall()


def cli(server, *arguments, check=0, input=None):
    return weir("table", *arguments, "--http-server", f"127.0.0.1:{server.http_port}", check=check,
                input=input)


@pytest.mark.parametrize("ending", ["csv", "json", "parquet"])
def test_there_and_back(server, tmp_path, ending):
    source = peer_file(tmp_path / f"in.{ending}")
    server.sql(f"CREATE TABLE t_{ending} ({COLUMNS})")
    _, out, _ = cli(server, "import", f"t_{ending}", str(source), "-o", "json")
    assert json.loads(out)["rows"] == 1000
    # Another engine reads the table, and each export of it.
    table = DeltaTable(f"{server.data}/lake/public/t_{ending}")
    assert table.version() == 1, "all rows are one commit"
    for other in ["csv", "json", "parquet"]:
        target = tmp_path / f"out.{other}"
        _, _, err = cli(server, "export", f"t_{ending}", str(target))
        assert "1,000 rows of" in err
        assert peer_rows(target) == peer_rows(source), other


@pytest.mark.parametrize("ending", ["csv", "json", "parquet"])
def test_a_new_table_has_the_columns_of_the_file(server, tmp_path, ending):
    source = peer_file(tmp_path / f"new.{ending}")
    cli(server, "import", f"made_{ending}", str(source), "--create")
    described = server.sql(f"SELECT count(*), sum(id), count(name) FROM made_{ending}")
    assert [int(value) for value in described[0]] == [1000, 499500, 857]
    _, out, _ = cli(server, "describe", f"made_{ending}", "-o", "json")
    types = {column["name"]: column["type"] for column in json.loads(out)["columns"]}
    assert types["id"] == "bigint" and types["name"] == "text" and types["even"] == "boolean"
    # JSON has no dates; the others keep them.
    assert types["day"] == ("text" if ending == "json" else "date")


def test_files_larger_than_a_request(server, tmp_path):
    source = peer_file(tmp_path / "large.csv", rows=400_000)
    assert os.path.getsize(source) > 20 << 20
    server.sql(f"CREATE TABLE large ({COLUMNS})")
    cli(server, "import", "large", str(source))
    target = tmp_path / "large.parquet"
    cli(server, "export", "large", str(target), "--columns", "id, amount", "--where", "id % 2 = 0")
    table = pyarrow.parquet.read_table(target)
    assert table.num_rows == 200_000 and table.column_names == ["id", "amount"]
    back = tmp_path / "back.csv"
    cli(server, "export", "large", str(back))
    assert duckdb.sql(f"SELECT count(*), sum(id) FROM read_csv('{back}')").fetchall() == [
        (400_000, 79_999_800_000)]
    assert os.listdir(f"{server.data}/lake/_uploads") in ([], None) or all(
        not files for _, _, files in os.walk(f"{server.data}/lake/_uploads"))


def test_standard_input_and_output(server):
    server.sql("CREATE TABLE piped (a bigint, b text)")
    cli(server, "import", "piped", "-", "--format", "csv", input="b,a\nx,1\n\"y,z\",2\n")
    _, out, _ = cli(server, "export", "piped", "-", "--format", "json")
    assert [json.loads(line) for line in out.splitlines()] == [
        {"a": 1, "b": "x"}, {"a": 2, "b": "y,z"}]
    _, out, _ = cli(server, "export", "piped", "-", "--format", "csv", "--delimiter", ";", "--no-header")
    assert out == "1;x\n2;y,z\n"


def test_a_wrong_value_adds_nothing(server, tmp_path):
    server.sql("CREATE TABLE strict (a bigint NOT NULL, b date)")
    source = tmp_path / "bad.csv"
    source.write_text("a,b\n1,2024-01-01\n\n2,2024-02-30\n")
    _, _, err = cli(server, "import", "strict", str(source), check=1)
    assert "line 4, column \"b\"" in err
    source.write_text("a,b\n1,2024-01-01,9\n")
    _, _, err = cli(server, "import", "strict", str(source), check=1)
    assert "line 2: the record has 3 fields, expected 2" in err
    source.write_text("a,c\n1,2\n")
    _, _, err = cli(server, "import", "strict", str(source), check=1)
    assert 'column "c"' in err and "does not exist" in err
    source.write_text("b\n2024-01-01\n")
    _, _, err = cli(server, "import", "strict", str(source), check=1)
    assert "23502" in err
    other = tmp_path / "bad.json"
    other.write_text('{"a": 1}\n{"a": 2, "z": 1}\n')
    _, _, err = cli(server, "import", "strict", str(other), check=1)
    assert 'column "z"' in err and "IGNORE_UNKNOWN" in err
    assert server.sql("SELECT count(*) FROM strict") == [[0]]
    cli(server, "import", "strict", str(other), "--ignore-unknown")
    assert server.sql("SELECT count(*) FROM strict") == [[2]]
    other.write_text('[{"a": 1}]\n')
    _, _, err = cli(server, "import", "strict", str(other), check=1)
    assert "jq -c" in err
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 nothing PAR1")
    cli(server, "import", "strict", str(tmp_path / "bad.parquet"), check=1)
    _, _, err = cli(server, "import", "made_of_bad", str(source), "--create", "--columns", "a", check=1)
    assert server.sql("SELECT count(*) FROM strict") == [[2]]
    names = [row[1] for row in server.sql("SHOW TABLES")]
    assert "made_of_bad" not in names, "a table that was not filled is gone"


def test_copy_statements(server, tmp_path):
    server.sql("CREATE TABLE copied (a bigint, b text)")
    lake = f"{server.data}/lake"
    os.makedirs(f"{lake}/files", exist_ok=True)
    with open(f"{lake}/files/one.csv", "w") as file:
        file.write("1|x\n2|NULL\n")
    server.sql("COPY copied FROM 'files/one.csv' WITH (DELIMITER '|', NULL 'NULL')")
    with open(f"{lake}/files/more.json", "w") as file:
        file.write('{"a": 3}\n')
    server.sql("COPY copied FROM 'files/more.json'")
    assert server.sql("SELECT a, b FROM copied ORDER BY a") == [[1, "x"], [2, None], [3, None]]
    server.sql("COPY (SELECT a * 2 AS twice FROM copied) TO 'files/out.csv' (HEADER)")
    assert sorted(open(f"{lake}/files/out.csv").read().split()) == ["2", "4", "6", "twice"]
    assert server.sql("SELECT sum(twice) FROM csv.'files/out.csv'") == [["12"]] or \
        server.sql("SELECT sum(twice) FROM csv.'files/out.csv'") == [[12]]


@pytest.mark.parametrize("statement, message", [
    ("COPY copied TO '../out.csv'", "not inside of the lake"),
    ("COPY copied TO '/tmp/out.csv'", "not inside of the lake"),
    ("COPY copied TO 'public/copied/out.csv'", "inside of the table"),
    ("COPY copied TO 'public/copied/_delta_log/00000000000000000009.json'", "belongs to tables"),
    ("COPY copied TO 'x.txt'", "the format of 'x.txt' is not known"),
    ("COPY copied FROM 'none.csv'", "there are no csv files at 'none.csv'"),
    ("COPY copied FROM STDIN", "weir table import"),
    ("COPY copied TO 'x.csv' (HEADR true)", 'did you mean "header"?'),
    ("COPY copied TO 'x.csv' (DELIMITER ',,')", "one ASCII character"),
    ("COPY copied TO 'x.csv' (FORMAT xml)", 'does not know the format "xml"'),
    ("COPY copied TO 'x.csv' (ENCODING 'latin1')", "UTF-8"),
    ("COPY (SELECT 1 AS a, 2 AS a) TO 'x.csv'", 'the name "a"'),
    ("COPY none TO 'x.csv'", "does not exist"),
    ("COPY copied FROM 'upload:../../etc/passwd' (FORMAT csv)", "not the name of an upload"),
    ("COPY (SELECT 1) FROM 'x.csv'", "COPY FROM needs a table"),
])
def test_copy_refuses(server, statement, message):
    server.sql("CREATE TABLE IF NOT EXISTS copied (a bigint, b text)")
    status, body = server.request("POST", "/query", {"sql": statement})[:2]
    text = body if isinstance(body, str) else json.dumps(body)
    assert status >= 400 and message in text.replace('\\"', '"'), text
    assert not os.path.exists(f"{server.data}/lake/x.csv")


def test_uploads_over_http(server):
    def call(method, path, body=None):
        return server.request(method, path, body)
    status, answer = call("POST", "/uploads")[:2]
    assert status == 201
    name = answer["upload"]
    assert re.fullmatch(r"[0-9a-f-]{36}", name)
    assert call("GET", f"/uploads/{name}/0")[0] == 404
    assert call("GET", "/uploads/..%2F..%2Fetc/0")[0] in (400, 404)
    assert call("GET", f"/uploads/{name}/100000000")[0] == 400
    assert call("DELETE", f"/uploads/{name}")[0] == 200


def test_without_a_server(tmp_path):
    source = peer_file(tmp_path / "in.csv", rows=100)
    place = str(tmp_path / "lake" / "users")
    write_deltalake(place, pa.table({"id": [1000], "name": ["last"]}))
    _, _, err = weir("table", "import", place, str(source), check=1)
    assert 'column "score"' in err
    weir("table", "import", place, str(peer_file(
        tmp_path / "two.csv", 100, "SELECT i AS id, 'n' || i AS name FROM range({rows}) t(i)")))
    assert len(pa.table(DeltaTable(place).to_pyarrow_table())) == 101
    target = tmp_path / "out.json"
    weir("table", "export", place, str(target), "--where", "id >= 99")
    assert sorted(json.loads(line)["id"] for line in open(target)) == [99, 1000]
    _, _, err = weir("table", "export", place, str(target), check=1)
    assert "--force" in err
    weir("table", "export", place, str(target), "--force", "--at-version", "0")
    assert [json.loads(line) for line in open(target)] == [{"id": 1000, "name": "last"}]
    _, out, _ = weir("sql", str(tmp_path), "-o", "json", "-c",
                     f"SELECT count(*) FROM csv.'{source}' c JOIN two USING (id)")
    assert json.loads(out)["rows"] == [[100]]
    weir("sql", str(tmp_path / "lake"), "-c", f"CREATE TABLE made AS SELECT * FROM csv.'{source}'")
    assert len(pa.table(DeltaTable(str(tmp_path / "lake/public/made")).to_pyarrow_table())) == 100


def test_diff_of_versions(tmp_path):
    place = str(tmp_path / "t")
    rows = pa.table({"id": list(range(10)), "name": [f"n{i}" for i in range(10)], "tags": [["a"]] * 10})
    write_deltalake(place, rows)
    run = lambda statement: weir("sql", place, "-c", statement)
    run("UPDATE t SET name = 'x' WHERE id = 3")
    run("DELETE FROM t WHERE id = 4")
    run("INSERT INTO t SELECT 99, 'new', tags FROM t WHERE id = 0")
    run("INSERT INTO t SELECT 99, 'new', tags FROM t WHERE id = 0")
    weir("table", "optimize", place)
    _, out, _ = weir("table", "diff", place, "0", "-o", "json")
    answer = json.loads(out)
    assert (answer["from"], answer["to"], answer["inserted"], answer["deleted"]) == (0, 5, 3, 2)
    found = {(row["_change_type"], row["id"], row["name"], row["_rows"]) for row in answer["rows"]}
    as_numbers = {(kind, int(i), name, int(n)) for kind, i, name, n in found}
    assert as_numbers == {("insert", 3, "x", 1), ("delete", 3, "n3", 1), ("delete", 4, "n4", 1),
                          ("insert", 99, "new", 2)}
    _, out, _ = weir("table", "diff", place, "4", "5")
    assert "0 added, 0 removed" in out, "what only moved is no difference"
    _, out, _ = weir("table", "diff", place, "5", "0")
    assert "2 added, 3 removed" in out
    _, out, _ = weir("table", "diff", place, "0", "1")
    assert re.search(r"^\+ .*x", out, re.M) and re.search(r"^- .*n3", out, re.M)
    _, _, err = weir("table", "diff", place, "7", check=1)
    assert "version 7" in err
    _, _, err = weir("table", "diff", place, "last", check=2)
    assert "not a version" in err
