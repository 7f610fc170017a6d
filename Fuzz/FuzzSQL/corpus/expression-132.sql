SELECT NOT ok OR a > 1 AND c < 2 FROM t
