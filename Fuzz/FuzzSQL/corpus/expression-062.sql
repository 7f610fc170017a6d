SELECT span + INTERVAL '1 day' FROM t
