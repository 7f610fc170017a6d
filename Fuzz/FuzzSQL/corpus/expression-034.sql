SELECT reverse(b) FROM t
