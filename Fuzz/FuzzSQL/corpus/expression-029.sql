SELECT concat(b, a, NULL, ok) FROM t
