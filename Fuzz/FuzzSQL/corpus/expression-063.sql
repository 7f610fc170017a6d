SELECT span * 1.5 FROM t
