"""Queries and changes of any shape over random tables, for comparing two engines. Schema, rows and
statements are drawn independently, each from its own source of numbers. Nothing in a statement depends on an
order that is not told, on the order in which floats are added, or fails for some rows only."""
import random as random_module

SQL_TYPES = {
    "int": "int", "small": "smallint", "big": "bigint", "num": "numeric(8,2)", "float": "float8",
    "text": "text", "bool": "boolean", "date": "date", "ts": "timestamp", "tz": "timestamptz",
    "iv": "interval", "uuid": "uuid", "bytes": "bytea", "json": "jsonb", "list": "int[]"}
# Kinds of columns, the usual ones more often; intervals exist in expressions only.
COLUMNS = ["int"] * 5 + ["text"] * 4 + ["num", "num", "date", "date", "bool", "float", "ts", "ts", "tz", "big",
           "small", "uuid", "bytes", "json", "list"]
# Kinds that have an order in both engines, and those of which min and max are defined.
SORTED = ["int", "small", "big", "num", "float", "text", "bool", "date", "ts", "tz", "iv", "uuid", "bytes",
          "list"]
EXTREME = ["int", "big", "num", "float", "text", "date", "ts", "tz"]
WORDS = ["'x'", "'y'", "'xy'", "''", "'Z'", "'a_b'", "' x'", "'0'", "'東京'"]


def literal(random, kind):
    if random.random() < 0.08:
        return f"NULL::{SQL_TYPES[kind].split('(')[0] if kind != 'num' else 'numeric(8,2)'}"
    if kind == "int":
        return str(random.randint(-2, 6))
    if kind in ("small", "big"):
        return f"{random.randint(0, 5)}::{SQL_TYPES[kind]}"
    if kind == "text":
        return random.choice(WORDS)
    if kind == "num":
        return random.choice(["0.50", "1.25", "3.00", "-2.75"])
    if kind == "float":
        return random.choice(["0.5", "1.25", "-2", "1024", "0"]) + "::float8"
    day = f"2024-0{random.randint(1, 3)}-{random.randint(1, 28):02}"
    clock = random.choice(["00:00:00", "12:30:00", "23:59:59.5", "06:07:08.123456"])
    if kind == "date":
        return f"date '{day}'"
    if kind == "ts":
        return f"timestamp '{day} {clock}'"
    if kind == "tz":
        return f"timestamptz '{day} {clock}{random.choice(['+00', '+02', '-05:30'])}'"
    if kind == "iv":
        return "interval '" + random.choice(
            ["1 day", "2 hours", "1 month", "-3 days 04:05:06.5", "1 year -2 mons", "0", "90 min"]) + "'"
    if kind == "uuid":
        return f"'{random.choice('0a5f')}{'0' * 7}-0000-4000-8000-{random.choice('12') * 12}'::uuid"
    if kind == "bytes":
        return random.choice([r"'\x'", r"'\x00ff'", r"'\x61'", r"'\x6162'"]) + "::bytea"
    if kind == "json":
        a, b = random.choice(["1", "2", "null"]), random.choice(['"x"', '"y"', "null"])
        return f"""'{{"a": {a}, "b": {b}, "l": [{random.choice(["", "1", "1, 2"])}]}}'::jsonb"""
    if kind == "list":
        return f"ARRAY[{', '.join(random.choice(['1', '2', '3', 'NULL']) for _ in range(random.randint(1, 3)))}]::int[]"
    return random.choice(["true", "false"])


class Schema:
    """Tables with a unique `id` and some other columns, and their rows."""

    def __init__(self, seed):
        random = random_module.Random(f"schema {seed}")
        self.tables = {}
        for number in range(random.randint(3, 5)):
            names = random.sample("abcdefghk", random.randint(2, 7))
            self.tables[f"t{number + 1}"] = {
                "id": "int", **{name: random.choice(COLUMNS) for name in names}}
        # Every kind of key is somewhere.
        self.tables["t1"]["a"] = "int"
        self.tables["t2"]["c"] = "text"
        rows = random_module.Random(f"rows {seed}")
        self.rows = {name: self.draw(rows, columns) for name, columns in self.tables.items()}

    @staticmethod
    def draw(random, columns):
        share = random.choice([0, 0.1, 0.2, 0.5])
        return ["(" + ", ".join(
            [str(number + 1)] + ["NULL" if random.random() < share else literal(random, kind)
                                 for kind in list(columns.values())[1:]]) + ")"
                for number in range(random.choice([0, 2, 4, 8, 8, 15, 15, 30]))]

    def statements(self):
        for name, columns in self.tables.items():
            yield f"CREATE TABLE {name} ({', '.join(f'{c} {SQL_TYPES[k]}' for c, k in columns.items())})"
            if self.rows[name]:
                yield f"INSERT INTO {name} VALUES {', '.join(self.rows[name])}"


class Generator:
    def __init__(self, random, schema):
        self.random = random
        self.tables = schema.tables
        self.names = 0
        # WITH lists that are in scope: name and columns.
        self.common = {}

    def chance(self, share):
        return self.random.random() < share

    def fresh(self, prefix):
        self.names += 1
        return f"{prefix}{self.names}"

    def kinds(self, most=3, among=("int", "int", "text", "num", "date", "bool", "float", "ts", "tz", "big",
                                   "iv", "uuid", "list", "json", "bytes")):
        return [self.random.choice(among) for _ in range(self.random.randint(1, most))]

    # MARK: Expressions. A scope is a list of (name of the table, its columns); outer scopes come first.

    def column(self, scope, kind):
        known = [f"{table}.{column}" for table, columns in scope for column, k in columns.items() if k == kind]
        return self.random.choice(known) if known else literal(self.random, kind)

    def expression(self, scope, kind, depth=2):
        pick = self.random.random()
        if depth <= 0 or pick < 0.45:
            return self.column(scope, kind) if self.chance(0.8) else literal(self.random, kind)
        inner = lambda k, d=depth - 1: self.expression(scope, k, d)
        if pick < 0.51:
            return f"CASE WHEN {self.condition(scope, depth - 1)} THEN {inner(kind)} ELSE {inner(kind)} END"
        if pick < 0.57:
            return f"coalesce({inner(kind)}, {inner(kind)})"
        if pick < 0.6 and kind != "json":
            return f"nullif({inner(kind)}, {inner(kind)})"
        if pick < 0.68 and depth > 1 and kind in EXTREME + ["bool"]:
            return self.scalar_query(scope, kind, depth - 1)
        calls = self.calls(inner, kind, scope, depth)
        return self.random.choice(calls)() if calls else inner(kind)

    def calls(self, inner, kind, scope, depth):
        random = self.random
        number = lambda low=-2, high=3: str(random.randint(low, high))
        zone = random.choice(["UTC", "Europe/Berlin", "America/New_York"])
        field = random.choice(["year", "month", "day", "hour", "dow", "doy", "week", "quarter"])
        return {
            "int": [
                lambda: f"({inner('int')} + {inner('int')})", lambda: f"({inner('int')} - {inner('int')})",
                lambda: f"({inner('int')} * {number()})", lambda: f"abs({inner('int')})",
                lambda: f"length({inner('text')})", lambda: f"greatest({inner('int')}, {inner('int')})",
                lambda: f"least({inner('int')}, {inner('int')}, {number()})",
                lambda: f"extract({field} FROM {inner(random.choice(['ts', 'tz']))})::int",
                lambda: f"extract(month FROM {inner('date')})::int",
                lambda: f"({inner('int')} / nullif({inner('int')}, 0))",
                lambda: f"({inner('int')} % nullif({inner('int')}, 0))",
                lambda: f"({inner('date')} - {inner('date')})", lambda: f"cardinality({inner('list')})",
                lambda: f"position({inner('text')} in {inner('text')})", lambda: f"sign({inner('int')})::int",
                lambda: f"({inner('json')}->>'a')::int", lambda: f"jsonb_array_length({inner('json')}->'l')",
                lambda: f"({inner('list')})[{number(0, 3)}]", lambda: f"ascii({inner('text')})",
                lambda: f"({inner('int')} & {number(0, 7)})", lambda: f"round({inner('num')})::int",
                lambda: f"length({inner('bytes')})", lambda: f"{inner('bool')}::int",
                lambda: f"array_position({inner('list')}, {number(1, 3)})"],
            "small": [lambda: f"least({inner('small')}, {inner('small')})"],
            "big": [
                lambda: f"{inner('int')}::bigint", lambda: f"({inner('big')} + {inner('int')})",
                lambda: f"({inner('big')} * {number()})", lambda: f"({inner('big')} - {inner('small')})",
                lambda: f"extract(epoch FROM date_trunc('day', {inner('ts')}))::bigint"],
            "num": [
                lambda: f"({inner('num')} + {inner('num')})", lambda: f"({inner('num')} - {inner('int')})",
                lambda: f"round({inner('num')}, 1)", lambda: f"abs({inner('num')})",
                lambda: f"({inner('num')} * {number()})", lambda: f"trunc({inner('num')})",
                lambda: f"ceil({inner('num')})", lambda: f"floor({inner('num')})",
                lambda: f"mod({inner('num')}, nullif({inner('num')}, 0))"],
            "float": [
                lambda: f"({inner('float')} + {inner('float')})", lambda: f"({inner('float')} * {number()})",
                lambda: f"({inner('float')} / nullif({inner('float')}, 0))",
                lambda: f"sqrt(abs({inner('float')}))", lambda: f"{inner('int')}::float8",
                lambda: f"floor({inner('float')})", lambda: f"round({inner('float')})",
                lambda: f"{inner('num')}::float8", lambda: f"greatest({inner('float')}, {inner('float')})"],
            "text": [
                lambda: f"upper({inner('text')})", lambda: f"({inner('text')} || {inner('text')})",
                lambda: f"{inner('int')}::text", lambda: f"left({inner('text')}, {number()})",
                lambda: f"replace({inner('text')}, 'x', 'w')", lambda: f"{inner('date')}::text",
                lambda: f"substr({inner('text')}, {number(0)}, {number(0)})",
                lambda: f"lpad({inner('text')}, {number(0)}, '.')", lambda: f"reverse({inner('text')})",
                lambda: f"repeat({inner('text')}, {number(0, 2)})", lambda: f"trim({inner('text')})",
                lambda: f"concat({inner('text')}, {inner('int')}, {inner('bool')})",
                lambda: f"concat_ws('-', {inner('text')}, {inner('text')})", lambda: f"{inner('bool')}::text",
                lambda: f"split_part({inner('text')}, '_', {number(1)})", lambda: f"{inner('ts')}::text",
                lambda: f"to_char({inner('date')}, 'YYYY-MM Mon')", lambda: f"{inner('uuid')}::text",
                lambda: f"({inner('json')}->>'b')", lambda: f"{inner('iv')}::text", lambda: f"md5({inner('text')})",
                lambda: f"translate({inner('text')}, 'xy', 'ab')", lambda: f"{inner('list')}::text",
                lambda: f"array_to_string({inner('list')}, ',')", lambda: f"encode({inner('bytes')}, 'hex')",
                lambda: f"regexp_replace({inner('text')}, '[xy]', '<\\&>')"],
            "date": [
                lambda: f"({inner('date')} + {number(-3)})", lambda: f"{inner('ts')}::date",
                lambda: f"date_trunc('month', {inner('ts')})::date",
                lambda: f"greatest({inner('date')}, {inner('date')})",
                lambda: f"({inner('tz')} AT TIME ZONE '{zone}')::date"],
            "ts": [
                lambda: f"({inner('ts')} + {inner('iv')})", lambda: f"({inner('ts')} - {inner('iv')})",
                lambda: f"{inner('date')}::timestamp", lambda: f"date_trunc('{self.unit()}', {inner('ts')})",
                lambda: f"({inner('tz')} AT TIME ZONE '{zone}')", lambda: f"({inner('date')} + {inner('iv')})"],
            "tz": [
                lambda: f"({inner('tz')} + {inner('iv')})", lambda: f"({inner('ts')} AT TIME ZONE '{zone}')",
                lambda: f"date_trunc('{self.unit()}', {inner('tz')})", lambda: f"least({inner('tz')}, {inner('tz')})"],
            "iv": [
                lambda: f"({inner('ts')} - {inner('ts')})", lambda: f"({inner('iv')} + {inner('iv')})",
                lambda: f"({inner('iv')} * {number()})", lambda: f"age({inner('ts')}, {inner('ts')})",
                lambda: f"make_interval(days => {inner('int')})", lambda: f"justify_hours({inner('iv')})"],
            "json": [
                lambda: f"jsonb_build_object('a', {inner('int')}, 'b', {inner('text')}, 'l', '[]'::jsonb)",
                lambda: f"({inner('json')} || '{{\"z\": true}}'::jsonb)", lambda: f"({inner('json')} - 'b')"],
            "list": [
                lambda: f"ARRAY[{inner('int')}, {inner('int')}]", lambda: f"({inner('list')} || {inner('int')})",
                lambda: f"({inner('list')} || {inner('list')})", lambda: f"array_remove({inner('list')}, 1)"],
            "bytes": [lambda: f"({inner('bytes')} || {inner('bytes')})",
                      lambda: f"convert_to({inner('text')}, 'UTF8')"],
            "bool": [
                lambda: f"({self.condition(scope, depth - 1)})", lambda: f"({inner('text')} ~ '^[xy]')",
                lambda: f"starts_with({inner('text')}, 'x')", lambda: f"({inner('json')} ? 'z')",
                lambda: f"({inner('list')} @> ARRAY[1])", lambda: f"({inner('list')} && ARRAY[2, 3])",
                lambda: f"({inner('int')} = ANY ({inner('list')}))",
                lambda: f"({inner('json')} @> '{{\"a\": 1}}'::jsonb)"],
        }.get(kind, [])

    def unit(self):
        return self.random.choice(["month", "day", "hour", "week", "quarter", "year"])

    def condition(self, scope, depth=2):
        pick = self.random.random()
        kind = self.random.choice(["int", "int", "int", "text", "num", "date", "ts", "tz", "big", "float", "iv",
                                   "uuid", "bytes", "list", "bool"])
        # Mostly about columns that are there: constants alone decide for all rows.
        known = [k for _, columns in scope for k in columns.values() if k != "json"]
        if known and self.chance(0.85):
            kind = self.random.choice(known)
        side = lambda: self.expression(scope, kind, depth - 1)
        negated = self.random.choice(["", "NOT "])
        if depth > 0 and pick < 0.16:
            return (f"({self.condition(scope, depth - 1)} {self.random.choice(['AND', 'OR'])} "
                    f"{self.condition(scope, depth - 1)})")
        if depth > 0 and pick < 0.2:
            return f"NOT ({self.condition(scope, depth - 1)})"
        if depth > 0 and pick < 0.38:
            return self.query_test(scope, kind, depth - 1)
        if pick < 0.46:
            return f"{side()} IS {negated}NULL"
        if pick < 0.52:
            return f"{side()} {negated}IN ({side()}, {side()}, {side()})"
        if pick < 0.57:
            return f"{side()} BETWEEN {side()} AND {side()}"
        if pick < 0.61:
            like = self.random.choice(["%x%", "x%", "_", "%", "%y", "a\\_%"])
            return f"{self.expression(scope, 'text', depth - 1)} {negated}{self.random.choice(['LIKE', 'ILIKE'])} '{like}'"
        if pick < 0.66:
            return f"{side()} IS {negated}DISTINCT FROM {side()}"
        if pick < 0.7:
            return self.column(scope, "bool")
        if pick < 0.72:
            return f"{self.expression(scope, 'bool', depth - 1)} IS {negated}TRUE"
        if pick < 0.75:
            other = self.expression(scope, "int", 0)
            return (f"({side()}, {self.expression(scope, 'int', 0)}) {self.random.choice(['<', '=', '>='])} "
                    f"({side()}, {other})")
        return f"{side()} {self.random.choice(['=', '=', '<>', '<', '<=', '>', '>='])} {side()}"

    # MARK: Queries inside expressions

    def query_test(self, scope, kind, depth):
        pick = self.random.random()
        if pick < 0.35:
            text, _ = self.rows(scope, [self.random.choice(["int", "text"])], depth)
            return f"{self.random.choice(['', 'NOT '])}EXISTS ({text})"
        left = self.expression(scope, kind, 0)
        if pick < 0.7:
            text, _ = self.rows(scope, [kind], depth)
            return f"{left} {self.random.choice(['', 'NOT '])}IN ({text})"
        if pick < 0.85:
            text, _ = self.rows(scope, [kind], depth)
            operator = self.random.choice(["=", "<>", "<", ">="])
            return f"{left} {operator} {self.random.choice(['ANY', 'ALL'])} ({text})"
        text, _ = self.rows(scope, [kind, "int"], depth)
        return f"({left}, {self.expression(scope, 'int', 0)}) {self.random.choice(['', 'NOT '])}IN ({text})"

    def scalar_query(self, scope, kind, depth):
        """One value: an aggregate, or the first row in a total order."""
        sources, inner = self.sources(scope, depth, most=2)
        every = scope + inner
        where = f" WHERE {self.condition(every, depth)}" if self.chance(0.8) else ""
        if self.chance(0.2):
            order = self.total_order(inner)
            if order:
                return f"(SELECT {self.expression(every, kind, 0)} FROM {sources}{where} ORDER BY {order} LIMIT 1)"
        if kind == "int" and self.chance(0.4):
            value = self.random.choice(["count(*)", f"count({self.column(inner, 'int')})",
                                        f"count(DISTINCT {self.column(inner, 'text')})"]) + "::int"
        elif kind == "bool":
            value = f"{self.random.choice(['bool_or', 'bool_and'])}({self.condition(inner, 0)})"
        else:
            value = f"{self.random.choice(['min', 'max'])}({self.expression(inner, kind, 0)})"
            if self.chance(0.3):
                value = f"coalesce({value}, {literal(self.random, kind)})"
        return f"(SELECT {value} FROM {sources}{where})"

    def likely(self, scope, kind):
        """The kind, or rather that of a column that is there."""
        known = [k for _, columns in scope for k in columns.values()]
        return self.random.choice(known) if known and self.chance(0.6) else kind

    def rows(self, scope, kinds, depth, free=False):
        """A query with columns of the given kinds, about as `free`, which may read the outer scope."""
        sources, inner = self.sources(scope, depth, most=2)
        every = scope + inner
        where = f" WHERE {self.condition(every, depth)}" if self.chance(0.55) else ""
        kinds = [self.likely(inner, kind) for kind in kinds] if free else kinds
        items = ", ".join(self.expression(every, kind, min(depth, 1)) for kind in kinds)
        can_sort = all(kind in SORTED for kind in kinds)
        distinct = "DISTINCT " if can_sort and self.chance(0.15) else ""
        text = f"SELECT {distinct}{items} FROM {sources}{where}"
        while can_sort and self.chance(0.15):
            more, _ = self.simple(scope, kinds)
            operator = self.random.choice(["UNION", "UNION ALL", "EXCEPT", "EXCEPT ALL", "INTERSECT", "INTERSECT ALL"])
            text = f"({text}) {operator} {more}"
        if can_sort and self.chance(0.15):
            order = ", ".join(self.direction(str(i + 1)) for i in range(len(kinds)))
            text = f"({text}) ORDER BY {order} LIMIT {self.random.randint(0, 5)}"
            if self.chance(0.4):
                text += f" OFFSET {self.random.randint(0, 2)}"
        return text, kinds

    def direction(self, key):
        return key + self.random.choice(["", "", " DESC", " NULLS FIRST", " DESC NULLS LAST"])

    def simple(self, scope, kinds):
        table = self.random.choice(list(self.tables))
        alias = self.fresh("s")
        every = scope + [(alias, self.tables[table])]
        items = ", ".join(self.expression(every, kind, 1) for kind in kinds)
        return f"SELECT {items} FROM {table} {alias}", every

    # MARK: FROM

    def sources(self, outer, depth, most=3, plain=False):
        text, scope = self.source(outer, [], 0 if plain else depth, plain)
        for _ in range(self.random.randint(0, most - 1)):
            kind = self.random.choice([",", "JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN"])
            beside = scope if kind in (",", "JOIN", "LEFT JOIN", "CROSS JOIN") else []
            more, added = self.source(outer, beside, 0 if plain else depth, plain)
            if kind in (",", "CROSS JOIN"):
                text = f"{text} CROSS JOIN {more}"
            elif kind == "FULL JOIN":
                text = f"{text} FULL JOIN {more} ON {self.column(scope, 'int')} = {self.column(added, 'int')}" \
                    if self.has(scope, "int") and self.has(added, "int") else f"{text} CROSS JOIN {more}"
            else:
                key = self.random.choice(["int", "int", "int", "text", "date"])
                on = f"{self.column(scope, key)} = {self.column(added, key)}"
                if self.chance(0.4):
                    on += f" AND {self.condition(scope + added, 0)}"
                elif self.chance(0.2):
                    on = self.condition(scope + added, 0)
                text = f"{text} {kind} {more} ON {on}"
            scope = scope + added
        return text, scope

    def has(self, scope, kind):
        return any(k == kind for _, columns in scope for k in columns.values())

    def total_order(self, scope):
        """Keys that tell all rows of plain tables apart; None when something else is among them."""
        if not all("id" in columns for _, columns in scope):
            return None
        return ", ".join(self.direction(f"{table}.id") for table, _ in scope)

    def source(self, outer, beside, depth, plain=False):
        alias = self.fresh("v")
        pick = 1 if plain else self.random.random()
        if self.common and pick < 0.25:
            name = self.random.choice(list(self.common))
            return f"{name} {alias}", [(alias, self.common[name])]
        if depth > 0 and pick < 0.35:
            is_lateral = bool(beside) and self.chance(0.5)
            around = outer + (beside if is_lateral else [])
            if self.chance(0.4):
                text, kinds = self.grouped(around, depth - 1)
            else:
                text, kinds = self.rows(around, self.kinds(), depth - 1, free=True)
            columns = {f"c{i}": kind for i, kind in enumerate(kinds)}
            return f"{'LATERAL ' if is_lateral else ''}({text}) AS {alias}({', '.join(columns)})", [(alias, columns)]
        if pick < 0.4:
            bound = self.column(beside, "int") if beside and self.chance(0.6) else "3"
            return f"generate_series(1, least({bound}, 4)) AS {alias}(n)", [(alias, {"n": "int"})]
        if pick < 0.44:
            items = [self.expression(beside if self.chance(0.5) else [], "text", 0) for _ in range(2)]
            return f"unnest(ARRAY[{', '.join(items)}]) AS {alias}(u)", [(alias, {"u": "text"})]
        if pick < 0.47:
            rows = ", ".join(f"({literal(self.random, 'int')}, {literal(self.random, 'text')})"
                             for _ in range(self.random.randint(1, 3)))
            return f"(VALUES {rows}) AS {alias}(v, w)", [(alias, {"v": "int", "w": "text"})]
        table = self.random.choice(list(self.tables))
        return f"{table} {alias}", [(alias, self.tables[table])]

    # MARK: Whole queries

    def aggregate(self, scope, sorted_rows=None):
        """An aggregate and the kind of its value."""
        kind = self.random.choice(["int", "int", "num", "text", "date", "ts", "float", "tz"])
        value = self.expression(scope, kind, 1)
        pick = self.random.random()
        keep = f" FILTER (WHERE {self.condition(scope, 0)})" if self.chance(0.2) else ""
        if pick < 0.25:
            return f"count(*){keep}::int", "int"
        if pick < 0.38:
            return f"count({'DISTINCT ' if self.chance(0.5) else ''}{value}){keep}::int", "int"
        if pick < 0.44:
            text = self.expression(scope, "text", 0)
            return f"string_agg({text}, ',' ORDER BY {self.direction(text)}){keep}", "text"
        if pick < 0.49:
            number = self.expression(scope, "int", 0)
            return f"array_agg({number} ORDER BY {self.direction(number)}){keep}", "list"
        if pick < 0.53:
            return f"{self.random.choice(['bool_and', 'bool_or', 'every'])}({self.condition(scope, 0)}){keep}", "bool"
        if pick < 0.57:
            number = self.expression(scope, "int", 0)
            share = self.random.choice(["0", "0.5", "0.25", "1"])
            return f"percentile_disc({share}) WITHIN GROUP (ORDER BY {self.direction(number)}){keep}", "int"
        if pick < 0.6:
            number = self.expression(scope, "int", 0)
            return f"percentile_cont(0.5) WITHIN GROUP (ORDER BY {number}){keep}", "float"
        if pick < 0.64:
            return f"round(avg({self.expression(scope, 'int', 0)}){keep}, 6)", "num"
        if pick < 0.85 or kind not in ("int", "num", "float"):
            return f"{self.random.choice(['min', 'max'])}({value}){keep}", kind
        distinct = "DISTINCT " if self.chance(0.2) else ""
        return f"sum({distinct}{value}){keep}::{ {'int': 'int', 'num': 'numeric', 'float': 'float8'}[kind]}", kind

    def grouped(self, outer, depth):
        sources, inner = self.sources(outer, depth)
        every = outer + inner
        where = f" WHERE {self.condition(every, depth)}" if self.chance(0.6) else ""
        kinds = [self.random.choice(["int", "text", "date", "ts", "bool", "num", "uuid"])
                 for _ in range(self.random.randint(0, 3))]
        keys = list(dict.fromkeys(self.column(inner, kind) if self.has(inner, kind) else None for kind in kinds))
        known = {f"{table}.{column}": kind for table, columns in inner for column, kind in columns.items()}
        keys = [key for key in keys if key in known]
        kinds = [known[key] for key in keys]
        calls = [self.aggregate(inner) for _ in range(self.random.randint(1, 2))]
        items, kinds = keys + [call for call, _ in calls], kinds + [kind for _, kind in calls]
        shape = "{}"
        if keys and self.chance(0.4):
            shape = self.random.choice(["ROLLUP ({})", "CUBE ({})", "GROUPING SETS (({}), ())",
                                        "GROUPING SETS ((" + "), (".join(keys) + "))"])
            if self.chance(0.3):
                items, kinds = items + [f"grouping({keys[0]})"], kinds + ["int"]
        text = f"SELECT {', '.join(items)} FROM {sources}{where}"
        if keys:
            text += " GROUP BY " + shape.format(", ".join(keys))
        if self.chance(0.25):
            text += f" HAVING {self.aggregate(inner)[0]} IS NOT NULL AND count(*) > {self.random.randint(0, 2)}"
        return text, kinds

    def frame(self, order):
        """A frame, and the order that makes its rows everybody's choice."""
        unit = self.random.choice(["ROWS", "RANGE", "GROUPS"])
        amount = lambda: self.random.choice([0, 1, 1, 2, 3, 100])
        starts, ends = ["UNBOUNDED PRECEDING", "CURRENT ROW"], ["CURRENT ROW", "UNBOUNDED FOLLOWING"]
        if unit != "RANGE":
            starts += [f"{amount()} PRECEDING", f"{amount()} FOLLOWING"]
            ends += [f"{amount()} PRECEDING", f"{amount()} FOLLOWING"]
        text = f"{unit} BETWEEN {self.random.choice(starts)} AND {self.random.choice(ends)}"
        return text + self.random.choice(["", "", "", " EXCLUDE CURRENT ROW", " EXCLUDE GROUP", " EXCLUDE TIES"])

    def windowed(self, depth):
        sources, inner = self.sources([], depth, most=2, plain=True)
        where = f" WHERE {self.condition(inner, depth)}" if self.chance(0.4) else ""
        kinds = [self.likely(inner, kind) for kind in self.kinds(2)]
        items = [self.expression(inner, kind, min(depth, 1)) for kind in kinds]
        total = self.total_order(inner)
        for _ in range(self.random.randint(1, 2)):
            part = ""
            if self.chance(0.6):
                part = f"PARTITION BY {self.column(inner, self.random.choice(['int', 'text', 'date', 'bool']))} "
            loose = ", ".join(self.direction(self.column(inner, self.random.choice(["int", "text", "date"])))
                              for _ in range(self.random.randint(1, 2)))
            order = f"{loose}, {total}" if self.chance(0.5) else total
            value = {kind: self.expression(inner, kind, 0) for kind in ("int", "text", "num", "date", "float")}
            # A bare text has no type yet where any type will do.
            value["text"] += "::text"
            call, kind, ordered = self.random.choice([
                ("rank()", "big", loose), ("dense_rank()", "big", loose), ("row_number()", "big", order),
                ("count(*)", "big", loose), (f"sum({value['int']})", "big", loose),
                (f"min({value['text']})", "text", loose), (f"max({value['num']})", "num", loose),
                (f"sum({value['num']})", "num", order), (f"count({value['text']})", "big", order),
                (f"first_value({value['date']})", "date", order), (f"last_value({value['text']})", "text", order),
                (f"nth_value({value['int']}, 2)", "int", order), (f"lag({value['int']})", "int", order),
                (f"lead({value['text']}, 2, 'none')", "text", order), ("ntile(3)", "int", order),
                ("percent_rank()", "float", loose), ("cume_dist()", "float", loose),
                (f"string_agg({value['text']}, '-')", "text", order), (f"max({value['date']})", "date", order),
                (f"sum({value['int']}) FILTER (WHERE {self.condition(inner, 0)})", "big", order)])
            # Functions with an order of their own may have any frame, when the order is total.
            framed = ordered is order and self.chance(0.6)
            window = f"{part}ORDER BY {ordered}" + (f" {self.frame(order)}" if framed else "")
            if not framed and ordered is loose and call.startswith(("sum", "min", "max", "count")) and self.chance(0.3):
                window = part.strip()
            items.append(f"{call} OVER ({window})")
            kinds.append(kind)
        return f"SELECT {', '.join(items)} FROM {sources}{where}", kinds

    def distinct_on(self, depth):
        sources, inner = self.sources([], depth, most=2, plain=True)
        where = f" WHERE {self.condition(inner, depth)}" if self.chance(0.5) else ""
        key = self.column(inner, self.random.choice(["int", "text", "date"]))
        kinds = [self.likely(inner, kind) for kind in self.kinds(2)]
        items = ", ".join(self.expression(inner, kind, 0) for kind in kinds)
        return (f"SELECT DISTINCT ON ({key}) {items} FROM {sources}{where} "
                f"ORDER BY {self.direction(key)}, {self.total_order(inner)}"), kinds

    def recursion(self, depth):
        """A walk along int columns, of few steps."""
        name, table = self.fresh("r"), self.random.choice([t for t, c in self.tables.items() if "int" in list(c.values())[1:]] or ["t1"])
        columns = self.tables[table]
        start, step = self.fresh("v"), self.fresh("v")
        scope = [(start, columns)]
        union = self.random.choice(["UNION", "UNION ALL"])
        bound = 3 if union == "UNION" else 2
        begin = (f"SELECT {self.column(scope, 'int')}, 0 FROM {table} {start}"
                 + (f" WHERE {self.condition(scope, 0)}" if self.chance(0.6) else ""))
        inner = [(name, {"n": "int", "p": "int"}), (step, columns)]
        if self.chance(0.3):
            more = f"SELECT {name}.n + 1, {name}.p + 1 FROM {name} WHERE {name}.p < {bound} AND {name}.n < 20"
        else:
            more = (f"SELECT {self.column(inner[1:], 'int')}, {name}.p + 1 FROM {name} JOIN {table} {step} "
                    f"ON {self.column(inner[1:], 'int')} = {name}.n WHERE {name}.p < {bound}"
                    + (f" AND {self.condition(inner, 0)}" if self.chance(0.4) else ""))
        self.common[name] = {"n": "int", "p": "int"}
        return f"{name}(n, p) AS ({begin} {union} {more})"

    def with_list(self, depth):
        """WITH, whose queries the rest may name several times."""
        parts, recursive = [], ""
        for _ in range(self.random.randint(1, 2)):
            if self.chance(0.3):
                parts.append(self.recursion(depth))
                recursive = "RECURSIVE "
                continue
            text, kinds = self.body(max(depth - 1, 0))
            name = self.fresh("q")
            columns = {f"c{i}": kind for i, kind in enumerate(kinds)}
            how = self.random.choice(["", "", "MATERIALIZED ", "NOT MATERIALIZED "])
            parts.append(f"{name}({', '.join(columns)}) AS {how}({text})")
            self.common[name] = columns
        return f"WITH {recursive}{', '.join(parts)} "

    def body(self, depth):
        pick = self.random.random()
        if pick < 0.33:
            return self.grouped([], depth)
        if pick < 0.45:
            return self.windowed(depth)
        if pick < 0.5:
            return self.distinct_on(depth)
        return self.rows([], self.kinds(), depth, free=True)

    @staticmethod
    def shown(name, kind):
        """A column as both sides write it: texts of what clients have types of their own for."""
        return name if kind in ("int", "small", "big", "num", "float", "text", "bool", "date") else f"{name}::text"

    def query(self):
        self.names, self.common = 0, {}
        depth = self.random.choice([0, 1, 1, 2, 2, 3])
        head = self.with_list(depth) if self.chance(0.2) else ""
        text, kinds = self.body(depth)
        columns = [f"c{i}" for i in range(len(kinds))]
        items = ", ".join(self.shown(f"result.{c}", kind) for c, kind in zip(columns, kinds))
        keys = [f"result.{c}" for c, kind in zip(columns, kinds) if kind in SORTED]
        statement = f"{head}SELECT {items} FROM ({text}) AS result({', '.join(columns)})"
        # Whether the order says which row comes when, up to rows that are the same.
        self.is_ordered = len(keys) == len(kinds)
        if keys:
            statement += f" ORDER BY {', '.join(map(self.direction, keys))}"
        # A limit takes the same rows only if the order is that of whole rows.
        if self.is_ordered and self.chance(0.15):
            statement += f" LIMIT {self.random.randint(0, 5)} OFFSET {self.random.randint(0, 2)}"
        return statement

    # MARK: Changes. Each row of the target meets at most one row of the source.

    def values(self, scope, columns, depth=1):
        return [self.assigned(scope, kind, depth) for kind in columns.values()]

    def assigned(self, scope, kind, depth):
        """An expression that fits into a column of the kind, whatever its value."""
        value = self.expression(scope, kind, depth)
        return {"num": f"round(({value})::numeric % 1000, 2)", "small": f"({value})::smallint"}.get(kind, value)

    def change(self):
        """A statement that changes a table, and the table."""
        self.names, self.common = 0, {}
        table = self.random.choice(list(self.tables))
        columns = self.tables[table]
        others = {c: k for c, k in columns.items() if c != "id"}
        target = [(table, columns)]
        pick = self.random.random()
        returning = f" RETURNING {table}.id, " + ", ".join(
            self.shown(f"{table}.{c}", k) for c, k in others.items()) if self.chance(0.3) else ""
        if pick < 0.25:
            sources, inner = self.sources([], 1, most=2, plain=True)
            where = f" WHERE {self.condition(inner, 1)}" if self.chance(0.8) else ""
            number = (f"(SELECT coalesce(max(m.id), 0) FROM {table} m)::int + "
                      f"row_number() OVER (ORDER BY {self.total_order(inner)})::int")
            picked = self.values(inner, others)
            order = self.total_order(inner)
            names = ["id"] + list(others)
            if self.chance(0.2) and len(others) > 1:
                names, picked = names[:-1], picked[:-1]
            return (f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join([number] + picked)} "
                    f"FROM {sources}{where} ORDER BY {order} LIMIT 6{returning}"), table
        if pick < 0.45:
            sets = self.random.sample(list(others), self.random.randint(1, min(2, len(others))))
            if self.chance(0.5):
                where = f" WHERE {self.condition(target, 2)}" if self.chance(0.8) else ""
                changes = ", ".join(f"{c} = {self.assigned(target, others[c], 2)}" for c in sets)
                return f"UPDATE {table} SET {changes}{where}{returning}", table
            source, scope, key = self.keyed_source()
            every = target + scope
            changes = ", ".join(f"{c} = {self.assigned(every, others[c], 1)}" for c in sets)
            extra = f" AND {self.condition(every, 1)}" if self.chance(0.5) else ""
            return (f"UPDATE {table} SET {changes} FROM {source} "
                    f"WHERE {self.column(target, 'int')} = {key}{extra}{returning}"), table
        if pick < 0.65:
            if self.chance(0.5):
                return (f"DELETE FROM {table} WHERE {self.condition(target, 2)} AND {table}.id % 3 = "
                        f"{self.random.randint(0, 2)}{returning}"), table
            sources, inner = self.sources([], 1, most=1, plain=True)
            return (f"DELETE FROM {table} USING {sources} WHERE {self.column(target, 'int')} = "
                    f"{self.column(inner, 'int')} AND {self.condition(target + inner, 1)}"), table
        source, scope, key = self.keyed_source()
        every = target + scope
        clauses = []
        for _ in range(self.random.randint(0, 2)):
            test = f" AND {self.condition(every, 0)}" if self.chance(0.7) else ""
            column = self.random.choice(list(others))
            action = self.random.choice([
                "DELETE", "DO NOTHING", f"UPDATE SET {column} = {self.assigned(every, others[column], 1)}",
                f"UPDATE SET {column} = {self.assigned(every, others[column], 1)}"])
            clauses.append(f"WHEN MATCHED{test} THEN {action}")
            if not test:
                break
        if not clauses or self.chance(0.7):
            test = f" AND {self.condition(scope, self.random.choice([0, 0, 0, 0, 1]))}" if self.chance(0.4) else ""
            picked = ", ".join(self.values(scope, others))
            clauses.append(f"WHEN NOT MATCHED{test} THEN INSERT (id, {', '.join(others)}) VALUES "
                           f"({key} + {1000 * self.random.randint(1, 100_000)}, {picked})")
        return f"MERGE INTO {table} USING {source} ON {table}.id = {key} {' '.join(clauses)}", table

    def keyed_source(self):
        """A source whose key, an int, is unique."""
        other = self.random.choice(list(self.tables))
        alias, inner = self.fresh("k"), self.fresh("v")
        if self.chance(0.4):
            return f"{other} {alias}", [(alias, self.tables[other])], f"{alias}.id"
        scope = [(inner, self.tables[other])]
        kind = self.random.choice(["int", "text", "date", "num"])
        key = self.expression(scope, "int", 1)
        value = f"max({self.expression(scope, kind, 0)})"
        text = (f"(SELECT {key}, {value}, count(*)::int FROM {other} {inner} WHERE {key} IS NOT NULL GROUP BY 1)"
                f" AS {alias}(k, v, n)")
        return text, [(alias, {"k": "int", "v": kind, "n": "int"})], f"{alias}.k"

    def content(self, table):
        columns = self.tables[table]
        return (f"SELECT {', '.join(self.shown(c, k) for c, k in columns.items())} FROM {table} ORDER BY id, "
                + ", ".join(c for c, k in columns.items() if k in SORTED and c != "id"))
