SELECT ok::int FROM t
