SELECT ok, min(span) FROM t GROUP BY 1
