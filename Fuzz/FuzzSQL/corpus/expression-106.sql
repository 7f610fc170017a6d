SELECT c::int FROM t
