SELECT (SELECT max(e) FROM u WHERE u.b = t.b), a NOT IN (SELECT a FROM u) FROM t
