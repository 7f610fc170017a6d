SELECT lpad(b, 8, '*') FROM t
