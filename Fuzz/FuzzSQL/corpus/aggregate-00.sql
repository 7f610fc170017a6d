SELECT ok, count(*) FROM t GROUP BY 1
