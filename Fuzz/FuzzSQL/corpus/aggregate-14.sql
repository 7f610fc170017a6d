SELECT ok, array_agg(a) FROM t GROUP BY 1
