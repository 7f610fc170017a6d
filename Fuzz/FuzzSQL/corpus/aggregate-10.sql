SELECT ok, stddev(c) FROM t GROUP BY 1
