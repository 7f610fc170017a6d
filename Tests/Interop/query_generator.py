"""Queries of any shape over four small tables with ties and NULLs, for comparing two engines. Schema,
rows and queries are drawn from a seed. Results are ordered by all their columns, and nothing in a query
depends on an order that is not told or fails for some rows only."""

TABLES = {
    "t1": {"a": "int", "b": "int", "c": "text", "d": "num", "e": "date", "f": "bool"},
    "t2": {"a": "int", "b": "int", "c": "text", "e": "date"},
    "t3": {"x": "int", "y": "text", "z": "num"},
    "t4": {"a": "int", "k": "int"},
}
SQL_TYPES = {"int": "int", "text": "text", "num": "numeric(8,2)", "date": "date", "bool": "boolean"}


def literal(random, kind):
    if random.random() < 0.1:
        return f"NULL::{SQL_TYPES[kind]}"
    if kind == "int":
        return str(random.randint(-2, 6))
    if kind == "text":
        return random.choice(["'x'", "'y'", "'xy'", "''", "'Z'", "'a_b'"])
    if kind == "num":
        return random.choice(["0.50", "1.25", "3.00", "-2.75"])
    if kind == "date":
        return f"date '2024-0{random.randint(1, 3)}-{random.randint(1, 28):02}'"
    return random.choice(["true", "false"])


def schema(random):
    """Statements that make the tables."""
    for name, columns in TABLES.items():
        yield f"CREATE TABLE {name} ({', '.join(f'{c} {SQL_TYPES[k]}' for c, k in columns.items())})"
        count = random.choice([3, 8, 15])
        rows = ", ".join(
            "(" + ", ".join("NULL" if random.random() < 0.2 else literal(random, kind)
                            for kind in columns.values()) + ")" for _ in range(count))
        yield f"INSERT INTO {name} VALUES {rows}"


class Generator:
    def __init__(self, random):
        self.random = random
        self.names = 0

    def chance(self, share):
        return self.random.random() < share

    def fresh(self, prefix):
        self.names += 1
        return f"{prefix}{self.names}"

    # MARK: Expressions. A scope is a list of (name of the table, its columns); outer scopes come first.

    def column(self, scope, kind):
        known = [f"{table}.{column}" for table, columns in scope for column, k in columns.items() if k == kind]
        return self.random.choice(known) if known else literal(self.random, kind)

    def expression(self, scope, kind, depth=2):
        pick = self.random.random()
        if depth <= 0 or pick < 0.5:
            return self.column(scope, kind) if self.chance(0.8) else literal(self.random, kind)
        inner = lambda k, d=depth - 1: self.expression(scope, k, d)
        if pick < 0.56:
            return f"CASE WHEN {self.condition(scope, depth - 1)} THEN {inner(kind)} ELSE {inner(kind)} END"
        if pick < 0.62:
            return f"coalesce({inner(kind)}, {inner(kind)})"
        if pick < 0.66:
            return f"nullif({inner(kind)}, {inner(kind)})"
        if pick < 0.74 and depth > 1:
            return self.scalar_query(scope, kind, depth - 1)
        if kind == "int":
            return self.random.choice([
                lambda: f"({inner('int')} + {inner('int')})", lambda: f"({inner('int')} - {inner('int')})",
                lambda: f"({inner('int')} * {self.random.randint(-2, 2)})", lambda: f"abs({inner('int')})",
                lambda: f"length({inner('text')})", lambda: f"greatest({inner('int')}, {inner('int')})",
                lambda: f"extract(month FROM {inner('date')})::int"])()
        if kind == "text":
            return self.random.choice([
                lambda: f"upper({inner('text')})", lambda: f"({inner('text')} || {inner('text')})",
                lambda: f"{inner('int')}::text", lambda: f"left({inner('text')}, 1)",
                lambda: f"replace({inner('text')}, 'x', 'w')"])()
        if kind == "num":
            return self.random.choice([
                lambda: f"({inner('num')} + {inner('num')})", lambda: f"({inner('num')} - {inner('int')})",
                lambda: f"round({inner('num')}, 1)", lambda: f"abs({inner('num')})"])()
        if kind == "date":
            return f"({inner('date')} + {self.random.randint(-3, 3)})"
        return f"({self.condition(scope, depth - 1)})"

    def condition(self, scope, depth=2):
        pick = self.random.random()
        kind = self.random.choice(["int", "int", "int", "text", "num", "date"])
        side = lambda: self.expression(scope, kind, depth - 1)
        if depth > 0 and pick < 0.16:
            return f"({self.condition(scope, depth - 1)} {self.random.choice(['AND', 'OR'])} {self.condition(scope, depth - 1)})"
        if depth > 0 and pick < 0.2:
            return f"NOT ({self.condition(scope, depth - 1)})"
        if depth > 0 and pick < 0.4:
            return self.query_test(scope, kind, depth - 1)
        if pick < 0.48:
            return f"{side()} IS {self.random.choice(['', 'NOT '])}NULL"
        if pick < 0.54:
            return f"{side()} {self.random.choice(['', 'NOT '])}IN ({side()}, {side()}, {side()})"
        if pick < 0.6:
            return f"{side()} BETWEEN {side()} AND {side()}"
        if pick < 0.64:
            return f"{self.expression(scope, 'text', depth - 1)} LIKE {self.random.choice(['%x%', 'x%', '_', '%'])!r}"
        if pick < 0.68:
            return f"{side()} IS {self.random.choice(['', 'NOT '])}DISTINCT FROM {side()}"
        if pick < 0.72:
            return self.column(scope, "bool")
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
        if kind == "int" and self.chance(0.4):
            value = self.random.choice(["count(*)", f"count({self.column(inner, 'int')})",
                                        f"count(DISTINCT {self.column(inner, 'text')})"]) + "::int"
        elif kind == "bool":
            value = f"bool_or({self.condition(every, 0)})"
        else:
            value = f"{self.random.choice(['min', 'max'])}({self.expression(inner, kind, 0)})"
            if self.chance(0.3):
                value = f"coalesce({value}, {literal(self.random, kind)})"
        return f"(SELECT {value} FROM {sources}{where})"

    def rows(self, scope, kinds, depth):
        """A query with columns of the given kinds, which may read the outer scope."""
        sources, inner = self.sources(scope, depth, most=2)
        every = scope + inner
        where = f" WHERE {self.condition(every, depth)}" if self.chance(0.8) else ""
        items = ", ".join(self.expression(every, kind, min(depth, 1)) for kind in kinds)
        text = f"SELECT {'DISTINCT ' if self.chance(0.15) else ''}{items} FROM {sources}{where}"
        if self.chance(0.15):
            more, _ = self.simple(scope, kinds)
            text = f"{text} {self.random.choice(['UNION', 'UNION ALL', 'EXCEPT', 'INTERSECT'])} {more}"
        if self.chance(0.15):
            order = ", ".join(str(i + 1) for i in range(len(kinds)))
            text = f"({text}) ORDER BY {order} LIMIT {self.random.randint(0, 3)}"
        return text, inner

    def simple(self, scope, kinds):
        table = self.random.choice(list(TABLES))
        alias = self.fresh("s")
        every = scope + [(alias, TABLES[table])]
        items = ", ".join(self.expression(every, kind, 1) for kind in kinds)
        return f"SELECT {items} FROM {table} {alias}", every

    # MARK: FROM

    def sources(self, outer, depth, most=3):
        text, scope = self.source(outer, [], depth)
        for _ in range(self.random.randint(0, most - 1)):
            kind = self.random.choice([",", "JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN"])
            beside = scope if kind in (",", "JOIN", "LEFT JOIN", "CROSS JOIN") else []
            more, added = self.source(outer, beside, depth)
            if kind in (",", "CROSS JOIN"):
                # What follows a comma sees what is before, but binds weaker than JOIN.
                text = f"({text}) CROSS JOIN {more}" if " JOIN " in text and False else f"{text} CROSS JOIN {more}"
            elif kind == "FULL JOIN":
                text = f"{text} FULL JOIN {more} ON {self.column(scope, 'int')} = {self.column(added, 'int')}" \
                    if self.has(scope, "int") and self.has(added, "int") else f"{text} CROSS JOIN {more}"
            else:
                on = f"{self.column(scope, 'int')} = {self.column(added, 'int')}"
                if self.chance(0.4):
                    on += f" AND {self.condition(scope + added, 0)}"
                elif self.chance(0.2):
                    on = self.condition(scope + added, 0)
                text = f"{text} {kind} {more} ON {on}"
            scope = scope + added
        return text, scope

    def has(self, scope, kind):
        return any(k == kind for _, columns in scope for k in columns.values())

    def source(self, outer, beside, depth):
        alias = self.fresh("t")
        pick = self.random.random()
        if depth > 0 and pick < 0.2:
            kinds = [self.random.choice(["int", "int", "text", "num", "date"]) for _ in range(self.random.randint(1, 3))]
            is_lateral = bool(beside) and self.chance(0.5)
            around = outer + (beside if is_lateral else [])
            if self.chance(0.4):
                text, kinds = self.grouped(around, depth - 1)
            else:
                text, _ = self.rows(around, kinds, depth - 1)
            columns = {f"c{i}": kind for i, kind in enumerate(kinds)}
            return f"{'LATERAL ' if is_lateral else ''}({text}) AS {alias}({', '.join(columns)})", [(alias, columns)]
        if pick < 0.26:
            bound = self.column(beside, "int") if beside and self.chance(0.6) else "3"
            return f"generate_series(1, least({bound}, 4)) AS {alias}(n)", [(alias, {"n": "int"})]
        if pick < 0.3:
            items = [self.expression(beside if self.chance(0.5) else [], "text", 0) for _ in range(2)]
            return f"unnest(ARRAY[{', '.join(items)}]) AS {alias}(u)", [(alias, {"u": "text"})]
        table = self.random.choice(list(TABLES))
        return f"{table} {alias}", [(alias, TABLES[table])]

    # MARK: Whole queries

    def aggregate(self, scope):
        """An aggregate and the kind of its value."""
        kind = self.random.choice(["int", "num", "text", "date"])
        value = self.expression(scope, kind, 1)
        pick = self.random.random()
        keep = f" FILTER (WHERE {self.condition(scope, 0)})" if self.chance(0.2) else ""
        if pick < 0.3:
            return f"count(*){keep}::int", "int"
        if pick < 0.45:
            return f"count({'DISTINCT ' if self.chance(0.5) else ''}{value}){keep}::int", "int"
        if pick < 0.8 or kind in ("text", "date"):
            return f"{self.random.choice(['min', 'max'])}({value}){keep}", kind
        return f"sum({'DISTINCT ' if self.chance(0.2) else ''}{value}){keep}::{'int' if kind == 'int' else 'numeric'}", kind

    def grouped(self, outer, depth):
        sources, inner = self.sources(outer, depth)
        every = outer + inner
        where = f" WHERE {self.condition(every, depth)}" if self.chance(0.6) else ""
        kinds = [self.random.choice(["int", "text", "date"]) for _ in range(self.random.randint(0, 2))]
        keys = [self.column(inner, kind) if self.has(inner, kind) else None for kind in kinds]
        kinds = [kind for kind, key in zip(kinds, keys) if key]
        keys = [key for key in keys if key]
        calls = [self.aggregate(inner) for _ in range(self.random.randint(1, 2))]
        text = f"SELECT {', '.join(keys + [call for call, _ in calls])} FROM {sources}{where}"
        if keys:
            shape = self.random.choice(["{}", "{}", "{}", "ROLLUP ({})", "CUBE ({})", "GROUPING SETS (({}), ())"])
            text += " GROUP BY " + shape.format(", ".join(keys))
            if self.chance(0.3):
                text += f" HAVING {self.aggregate(inner)[0]} IS NOT NULL AND count(*) > {self.random.randint(0, 2)}"
        return text, kinds + [kind for _, kind in calls]

    def windowed(self, depth):
        sources, inner = self.sources([], depth, most=2)
        kinds = ["int", "text"]
        items = [self.expression(inner, kind, 0) for kind in kinds]
        part = f"PARTITION BY {self.column(inner, self.random.choice(['int', 'text']))} " if self.chance(0.6) else ""
        order = f"ORDER BY {self.column(inner, 'int')}, {self.column(inner, 'text')}" if self.chance(0.7) else ""
        call = self.random.choice(["rank()", "dense_rank()", "count(*)", f"sum({self.column(inner, 'int')})",
                                   f"min({self.column(inner, 'text')})", f"max({self.column(inner, 'num')})"])
        return f"SELECT {', '.join(items)}, {call} OVER ({part}{order}) FROM {sources}", kinds + ["num"]

    def query(self):
        self.names = 0
        pick = self.random.random()
        depth = self.random.choice([0, 1, 1, 2])
        if pick < 0.35:
            text, kinds = self.grouped([], depth)
        elif pick < 0.45:
            text, kinds = self.windowed(depth)
        else:
            kinds = [self.random.choice(["int", "int", "text", "num", "date", "bool"]) for _ in range(self.random.randint(1, 3))]
            text, _ = self.rows([], kinds, depth)
        columns = ", ".join(str(i + 1) for i in range(len(kinds)))
        tail = f" LIMIT {self.random.randint(0, 5)}" if self.chance(0.15) else ""
        return f"SELECT * FROM ({text}) AS result ORDER BY {columns}{tail}"
