SELECT 'true'::boolean FROM t
