SELECT ok, max(b) FROM t GROUP BY 1
