SELECT '12'::int FROM t
