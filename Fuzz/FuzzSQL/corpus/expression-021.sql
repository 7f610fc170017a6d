SELECT a = small FROM t
