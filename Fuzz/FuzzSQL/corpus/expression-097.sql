SELECT to_jsonb(n) FROM t
