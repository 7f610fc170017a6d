SELECT trim(BOTH 'x' FROM b) FROM t
