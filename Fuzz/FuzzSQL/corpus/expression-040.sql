SELECT position('x' IN b) FROM t
