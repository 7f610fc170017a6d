SELECT ok, bool_and(ok) FROM t GROUP BY 1
