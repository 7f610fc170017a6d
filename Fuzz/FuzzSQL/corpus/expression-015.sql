SELECT power(c, 2) FROM t
