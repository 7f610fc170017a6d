SELECT sqrt(c) FROM t
