SELECT jsonb_build_array(a, b, NULL) FROM t
