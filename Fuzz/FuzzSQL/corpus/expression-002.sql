SELECT big / 3 FROM t
