SELECT string_to_array(b, ' ') FROM t
