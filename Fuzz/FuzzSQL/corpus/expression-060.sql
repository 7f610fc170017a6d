SELECT ts - ts FROM t
