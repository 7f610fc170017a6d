SELECT to_char(ts, 'YYYY-MM-DD HH24:MI:SS.US TZ Day Month Q IW') FROM t
