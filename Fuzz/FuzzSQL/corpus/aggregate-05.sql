SELECT ok, avg(a) FROM t GROUP BY 1
