SELECT (ARRAY['a','b'])[1] FROM t
