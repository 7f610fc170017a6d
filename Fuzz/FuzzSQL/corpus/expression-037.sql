SELECT substring(b, 2, 3) FROM t
