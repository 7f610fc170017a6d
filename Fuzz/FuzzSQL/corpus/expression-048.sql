SELECT right(b, 2) FROM t
