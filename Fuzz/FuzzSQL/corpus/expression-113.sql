SELECT plain::text FROM t
