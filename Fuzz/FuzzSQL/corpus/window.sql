SELECT window_start, count(*) FROM TUMBLE(t, ts, INTERVAL '5 minutes') GROUP BY window_start
