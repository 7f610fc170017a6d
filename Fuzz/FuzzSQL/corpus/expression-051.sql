SELECT repeat(b, 3) FROM t
