SELECT c::numeric(20,4) FROM t
