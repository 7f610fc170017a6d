SELECT a - small * 2 FROM t
