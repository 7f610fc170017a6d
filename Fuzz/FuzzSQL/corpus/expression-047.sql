SELECT left(b, -1) FROM t
