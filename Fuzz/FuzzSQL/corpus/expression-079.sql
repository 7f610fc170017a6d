SELECT make_date(2024, 2, 29) FROM t
