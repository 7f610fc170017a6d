SELECT n::numeric(5,1) FROM t
