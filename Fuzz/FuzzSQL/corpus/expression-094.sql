SELECT jsonb_array_length(j) FROM t
