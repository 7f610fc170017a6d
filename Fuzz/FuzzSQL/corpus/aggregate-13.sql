SELECT ok, string_agg(b, ',' ORDER BY a DESC) FROM t GROUP BY 1
