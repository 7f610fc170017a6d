SELECT big % 7 FROM t
