SELECT span / 3 FROM t
