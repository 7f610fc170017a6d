SELECT lower(b) FROM t
