SELECT j::text FROM t
