SELECT extract(month FROM span) FROM t
