SELECT coalesce(b, 'none') FROM t
