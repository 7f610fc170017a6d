SELECT id, gen_random_uuid() IS NOT NULL, id = '00000000-0000-0000-0000-000000000001', id::text FROM t
