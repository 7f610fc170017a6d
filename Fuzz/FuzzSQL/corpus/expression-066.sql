SELECT date_trunc('month', ts) FROM t
