SELECT plain AT TIME ZONE 'Europe/Berlin' FROM t
