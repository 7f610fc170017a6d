SELECT plain - INTERVAL '1 hour' FROM t
