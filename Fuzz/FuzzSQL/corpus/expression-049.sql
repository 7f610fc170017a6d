SELECT split_part(b, ' ', 2) FROM t
