SELECT starts_with(b, 'x') FROM t
