SELECT (SELECT max(e) FROM u WHERE u.b = t.b) FROM t
