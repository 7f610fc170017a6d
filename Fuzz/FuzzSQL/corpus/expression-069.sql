SELECT extract(epoch FROM ts) FROM t
