SELECT strpos(b, 'x') FROM t
