SELECT ascii(b) FROM t
