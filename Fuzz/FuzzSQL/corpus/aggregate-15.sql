SELECT ok, jsonb_agg(j) FROM t GROUP BY 1
