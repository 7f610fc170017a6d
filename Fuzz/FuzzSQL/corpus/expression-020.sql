SELECT mod(big, 3) FROM t
