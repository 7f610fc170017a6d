SELECT replace(b, 'x', 'yy') FROM t
