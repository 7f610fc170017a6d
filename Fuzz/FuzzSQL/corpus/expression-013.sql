SELECT round(c) FROM t
