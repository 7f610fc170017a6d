SELECT ok, avg(n) FROM t GROUP BY 1
