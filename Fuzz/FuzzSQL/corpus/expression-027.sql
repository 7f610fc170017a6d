SELECT nullif(a, 1) FROM t
