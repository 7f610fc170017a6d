SELECT gen_random_uuid() IS NULL FROM t
