VALUES (1, 'a'), (2, NULL); SELECT * FROM (VALUES (1), (2)) AS v(x) WHERE x > (SELECT min(a) FROM t)
