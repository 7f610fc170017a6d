SELECT sign(n) FROM t
