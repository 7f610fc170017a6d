SELECT now() FROM t
