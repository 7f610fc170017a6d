SELECT n >= c FROM t
