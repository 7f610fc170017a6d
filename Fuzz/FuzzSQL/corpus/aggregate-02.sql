SELECT ok, sum(a) FROM t GROUP BY 1
