SELECT ok, first(b) FROM t GROUP BY 1
