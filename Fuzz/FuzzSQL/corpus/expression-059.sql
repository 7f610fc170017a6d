SELECT ts + INTERVAL '1 month 3 days' FROM t
