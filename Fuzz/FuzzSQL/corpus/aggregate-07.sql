SELECT ok, min(ts) FROM t GROUP BY 1
