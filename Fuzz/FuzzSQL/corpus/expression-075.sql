SELECT to_char(span, 'DD HH24') FROM t
