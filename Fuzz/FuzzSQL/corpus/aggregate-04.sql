SELECT ok, sum(n) FROM t GROUP BY 1
