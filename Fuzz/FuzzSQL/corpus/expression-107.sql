SELECT n::bigint FROM t
