SELECT make_timestamp(2024, 2, 29, 1, 2, 3.5) FROM t
