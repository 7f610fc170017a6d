"""The catalogs of PostgreSQL as tables: what its clients join and read."""
import pytest
from test_postgres import postgres  # noqa: F401


@pytest.fixture(scope="module", autouse=True)
def objects(server):
    server.sql("CREATE SCHEMA gold")
    server.sql("CREATE TABLE gold.orders (id bigint NOT NULL, price numeric(12,2), tags text[], at timestamptz, day date)")
    server.sql("COMMENT ON TABLE gold.orders IS 'what was ordered'")
    server.sql("COMMENT ON COLUMN gold.orders.price IS 'with taxes'")
    server.sql("CREATE VIEW gold.dear AS SELECT * FROM gold.orders WHERE price > 100")
    server.sql("CREATE MATERIALIZED VIEW gold.daily REFRESH POLICY FULL AS SELECT day, count(*) AS n FROM gold.orders GROUP BY day")


# The columns that clients were seen to use.
USED = {
    "pg_namespace": "oid nspname nspowner nspacl",
    "pg_type": "oid typname typnamespace typlen typtype typrelid typelem typarray typbasetype typtypmod typnotnull typdefault typdelim typcollation typinput typreceive typsend",
    "pg_attribute": "attrelid attnum attname atttypid atttypmod attlen attnotnull atthasdef attisdropped attidentity attgenerated attcollation attstorage attcompression attstattarget",
    "pg_class": "oid relname relnamespace relkind relowner relam reloftype reltype reltuples relpages relpersistence reloptions relpartbound relispartition reltablespace reltoastrelid relacl relchecks relhasindex relhasrules relhastriggers relhassubclass relrowsecurity relforcerowsecurity relreplident",
    "pg_constraint": "oid conname conrelid contype conkey confkey confrelid confupdtype confdeltype condeferrable condeferred conindid conparentid connamespace",
    "pg_attrdef": "adrelid adnum adbin",
    "pg_index": "indexrelid indrelid indisunique indisprimary indisvalid indisclustered indisreplident indkey indoption indexprs indpred indnkeyatts indnullsnotdistinct",
    "pg_am": "oid amname", "pg_description": "objoid classoid objsubid description",
    "pg_database": "datname datdba encoding datcollate datctype datistemplate datallowconn dattablespace datacl datlocprovider daticulocale",
    "pg_enum": "enumtypid enumlabel enumsortorder", "pg_proc": "oid proname pronamespace prokind proretset",
    "pg_settings": "name setting unit short_desc boot_val", "pg_stat_activity": "pid usename state query datname",
    "pg_tables": "schemaname tablename", "pg_views": "schemaname viewname definition",
    "pg_matviews": "schemaname matviewname", "pg_roles": "rolname oid rolsuper rolcanlogin",
    "pg_inherits": "inhrelid inhparent", "pg_collation": "oid collname", "pg_tablespace": "oid spcname",
    "information_schema.views": "table_schema table_name view_definition",
    "information_schema.table_constraints": "constraint_name table_schema table_name constraint_type",
    "information_schema.key_column_usage": "constraint_name table_name column_name ordinal_position",
    "information_schema.schemata": "catalog_name schema_name schema_owner",
    "information_schema.tables": "table_catalog table_schema table_name table_type",
    "information_schema.columns": "table_schema table_name column_name ordinal_position column_default is_nullable data_type character_maximum_length numeric_precision numeric_scale udt_name",
}


@pytest.mark.parametrize("table", USED)
def test_columns_that_clients_use_are_there(server, table):
    columns = ", ".join(USED[table].split())
    server.sql(f"SELECT {columns} FROM {table} LIMIT 5")
    if table.startswith("pg_"):
        server.sql(f"SELECT {columns} FROM pg_catalog.{table} AS c LIMIT 5")


def test_relations_are_found_as_psql_finds_them(server):
    rows = server.sql("""
        SELECT n.nspname, c.relname, c.relkind, d.description
        FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_catalog.pg_description d ON d.objoid = c.oid AND d.classoid = 1259 AND d.objsubid = 0
        WHERE n.nspname = 'gold' ORDER BY 2""")
    assert rows == [["gold", "daily", "m", None], ["gold", "dear", "v", None],
                    ["gold", "orders", "r", "what was ordered"]]


def test_columns_have_the_types_that_clients_know(server):
    rows = server.sql("""
        SELECT a.attnum, a.attname, t.typname, a.atttypmod, a.attnotnull, d.description
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid
        LEFT JOIN pg_description d ON d.objoid = c.oid AND d.objsubid = a.attnum
        WHERE c.relname = 'orders' ORDER BY 1""")
    assert rows == [
        [1, "id", "int8", -1, True, None], [2, "price", "numeric", (12 << 16 | 2) + 4, False, "with taxes"],
        [3, "tags", "_text", -1, False, None], [4, "at", "timestamptz", -1, False, None],
        [5, "day", "date", -1, False, None]]
    # An array knows its items, they know it.
    assert server.sql("SELECT e.typname FROM pg_type a JOIN pg_type e ON e.oid = a.typelem AND e.typarray = a.oid WHERE a.typname = '_text'") == [["text"]]


def test_numbers_of_objects_stay(own_server):
    own_server.sql("CREATE TABLE a (x int)")
    own_server.sql("CREATE TABLE b (x int)")
    look = "SELECT relname, oid FROM pg_class ORDER BY 2, 1"
    before = own_server.sql(look)
    assert len({oid for _, oid in before}) == len(before)
    own_server.stop()
    own_server.start()
    assert own_server.sql(look) == before
    own_server.sql("DROP TABLE a")
    assert own_server.sql(look) == [row for row in before if row[0] != "a"]


def test_every_catalog_lists_itself_and_its_columns(server):
    listed = server.sql("""SELECT n.nspname || '.' || c.relname, c.relnatts FROM pg_class c
                           JOIN pg_namespace n ON n.oid = c.relnamespace
                           WHERE n.nspname IN ('pg_catalog', 'information_schema', 'weir')""")
    assert len(listed) > 40
    for name, count in listed:
        assert len(server.sql(f"DESCRIBE {name}")) == count, name
        server.sql(f"SELECT * FROM {name} LIMIT 1000")


def test_a_table_of_ones_own_goes_before_the_catalogs(own_server):
    own_server.sql("CREATE TABLE public.pg_index (mine int)")
    own_server.sql("INSERT INTO pg_index VALUES (1)")
    assert own_server.sql("SELECT mine FROM pg_index") == [[1]]
    assert own_server.sql("SELECT count(*) FROM pg_catalog.pg_index") == [[0]]


def test_settings_and_activity(server):
    assert server.sql("SELECT setting FROM pg_settings WHERE name = 'max_index_keys'") == [["32"]]
    assert server.sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_stat_activity%'") == [[1]]
    assert server.sql("SELECT datname FROM pg_database") == [["weir"]]
    assert ["date_trunc"] in server.sql("SELECT proname FROM pg_proc WHERE proname LIKE 'date%'")


def test_catalogs_have_the_columns_of_postgresql_in_its_order(server, postgres):
    names = [row[0] for row in server.sql(
        "SELECT relname FROM pg_class WHERE relnamespace = 11 AND relname <> 'pg_stat_activity'")]
    assert len(names) > 25
    differences = []
    for name in names:
        theirs = [row[0] for row in postgres.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum",
            (f"pg_catalog.{name}",)).fetchall()]
        ours = [row[0] for row in server.sql(f"DESCRIBE pg_catalog.{name}")]
        if ours != theirs:
            differences.append((name, ours, theirs))
    assert not differences, "\n".join(map(str, differences))


def test_types_are_those_of_postgresql(server, postgres):
    look = "SELECT oid, typname, typlen, typtype, typcategory, typispreferred, typelem, typarray, typdelim, typbyval, typcollation FROM pg_type"
    theirs = {row[1]: [str(value) for value in row] for row in postgres.execute(
        look.replace("typtype, typcategory", "typtype::text, typcategory::text").replace("typdelim", "typdelim::text")).fetchall()}
    ours = server.sql(look)
    assert len(ours) == 42
    assert [[str(value) for value in row] for row in ours] == [theirs[row[1]] for row in ours]
