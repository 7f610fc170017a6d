SELECT upper(b) FROM t
