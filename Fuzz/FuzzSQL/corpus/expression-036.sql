SELECT octet_length(b) FROM t
