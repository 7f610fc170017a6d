SELECT floor(n) FROM t
