SELECT ltrim(b, 'x') FROM t
