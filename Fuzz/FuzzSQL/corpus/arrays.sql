SELECT array_agg(b ORDER BY a), string_agg(b, ','), ARRAY[1,2,3], (ARRAY['a','b'])[1], a = ANY(ARRAY[1,2]) FROM t
