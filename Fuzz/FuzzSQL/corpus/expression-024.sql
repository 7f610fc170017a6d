SELECT greatest(a, big, n) FROM t
