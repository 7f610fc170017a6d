SELECT array_to_string(ARRAY['a','b'], ',') FROM t
