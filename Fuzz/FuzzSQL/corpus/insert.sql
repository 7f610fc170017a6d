INSERT INTO topic (a, b) SELECT a, b FROM t WHERE a > $1
