SELECT '2026-02-16 10:30:45.5+02'::timestamptz FROM t
