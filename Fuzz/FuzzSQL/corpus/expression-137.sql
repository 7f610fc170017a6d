SELECT random() < 2 FROM t
