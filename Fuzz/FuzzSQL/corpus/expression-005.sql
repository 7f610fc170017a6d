SELECT n * n FROM t
