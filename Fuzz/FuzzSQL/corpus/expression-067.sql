SELECT date_trunc('week', plain) FROM t
