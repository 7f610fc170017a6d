SELECT jsonb_build_object('a', a, 'b', b) FROM t
