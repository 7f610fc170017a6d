SELECT date_trunc('hour', ts), extract(epoch FROM ts), ts AT TIME ZONE 'Europe/Zurich', d + 1, ts - INTERVAL '1 day 2 hours', to_char(ts, 'YYYY-MM-DD HH24:MI:SS.MS'), age(ts, ts) FROM t
