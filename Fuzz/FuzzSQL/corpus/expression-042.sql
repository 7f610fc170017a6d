SELECT translate(b, 'xy', 'ab') FROM t
