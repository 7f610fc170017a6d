SELECT jsonb_typeof(j) FROM t
