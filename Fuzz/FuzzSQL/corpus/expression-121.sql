SELECT '1 year 2 mons 3 days 04:05:06.7'::interval FROM t
