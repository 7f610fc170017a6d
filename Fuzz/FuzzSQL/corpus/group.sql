SELECT a % 2 AS k, count(*), sum(n), avg(c), min(ts), max(d), count(DISTINCT b) FILTER (WHERE ok) FROM t GROUP BY 1 HAVING count(*) > 1 ORDER BY k
