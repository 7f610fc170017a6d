SELECT substring(b FROM 2 FOR 3) FROM t
