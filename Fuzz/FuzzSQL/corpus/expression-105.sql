SELECT b::int FROM t
