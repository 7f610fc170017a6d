SELECT rpad(b, 40, 'ab') FROM t
