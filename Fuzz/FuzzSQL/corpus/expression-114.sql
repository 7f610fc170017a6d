SELECT span::text FROM t
