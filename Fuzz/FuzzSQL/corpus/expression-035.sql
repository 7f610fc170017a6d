SELECT length(b) FROM t
