SELECT trunc(n, -1) FROM t
