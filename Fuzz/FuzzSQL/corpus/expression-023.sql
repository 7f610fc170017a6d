SELECT b < 'm' FROM t
