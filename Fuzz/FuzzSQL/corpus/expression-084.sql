SELECT j->>'s' FROM t
