SELECT CASE a WHEN 1 THEN 'one' WHEN 2 THEN b ELSE NULL END, CASE WHEN ok THEN 1 END, greatest(1, a, 2.5), least(b, 'm') FROM t
