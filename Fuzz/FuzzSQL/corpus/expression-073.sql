SELECT age(ts, ts) FROM t
