SELECT ceil(c) FROM t
