SELECT ok, sum(big) FROM t GROUP BY 1
