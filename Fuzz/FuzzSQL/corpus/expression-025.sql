SELECT least(b, 'x') FROM t
