SELECT array_length(ARRAY[1,2], 1) FROM t
