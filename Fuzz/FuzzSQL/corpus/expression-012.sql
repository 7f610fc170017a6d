SELECT round(n, 1) FROM t
