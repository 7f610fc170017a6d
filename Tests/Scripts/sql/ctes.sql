-- WITH queries that are read at several places: each statement is run by PostgreSQL, too; rows, or the SQLSTATE, must be the same.
CREATE TABLE shop (id int, city text, pay numeric(8,2), day date);
INSERT INTO shop VALUES (1, 'Rome', 10.50, '2024-01-01'), (2, 'Oslo', 20, '2024-01-02'), (3, 'Rome', NULL, '2024-02-01'), (4, NULL, 5, NULL), (5, 'Oslo', 20, '2024-02-03');
-- Computed once: all who read it see the same values.
WITH c AS (SELECT random() AS r) SELECT count(DISTINCT r) FROM (SELECT r FROM c UNION ALL SELECT r FROM c) x;
WITH c AS (SELECT id, random() AS r FROM shop) SELECT count(*) FROM c a JOIN c b USING (id) WHERE a.r = b.r;
WITH c AS MATERIALIZED (SELECT id, random() AS r FROM shop) SELECT count(*) FROM c a JOIN c b ON a.r = b.r;
WITH c AS NOT MATERIALIZED (SELECT id, random() AS r FROM shop) SELECT count(*) FROM c a JOIN c b ON a.r = b.r;
WITH c AS (SELECT id, gen_random_uuid() AS u FROM shop) SELECT count(*) FROM c WHERE u IN (SELECT u FROM c);
WITH c AS (SELECT id, random() AS r FROM shop), d AS (SELECT id, r FROM c WHERE id < 4) SELECT count(*) FROM d JOIN c USING (id, r);
WITH c AS (SELECT random() AS r), d AS (SELECT r FROM c), e AS (SELECT r FROM d UNION ALL SELECT r FROM c) SELECT count(DISTINCT r), count(*) FROM (SELECT * FROM e UNION ALL SELECT * FROM d) x;
WITH c AS (SELECT id, random() AS r FROM shop) SELECT (SELECT count(*) FROM c) AS n, (SELECT min(r) FROM c) = (SELECT r FROM c ORDER BY r LIMIT 1) AS same;
WITH c(r) AS (SELECT random()) SELECT (SELECT r FROM c) = (SELECT r FROM c);
WITH RECURSIVE v AS (SELECT random() AS r), t AS (SELECT 1 AS n, r FROM v UNION ALL SELECT n + 1, v.r FROM t, v WHERE n < 5) SELECT count(*), count(DISTINCT r) FROM t;
WITH RECURSIVE t(n, r) AS (SELECT 1, random() UNION ALL SELECT n + 1, r FROM t WHERE n < 4) SELECT count(*), count(DISTINCT r) FROM (SELECT * FROM t UNION ALL SELECT * FROM t) x;
-- Several readers of what is costly, of other columns and rows.
WITH c AS (SELECT city, sum(pay) AS total, count(*) AS n FROM shop GROUP BY city) SELECT a.city, a.n, b.total FROM c a JOIN c b ON a.city = b.city WHERE b.total > 15 ORDER BY 1;
WITH c AS (SELECT city, sum(pay) AS total FROM shop GROUP BY city) SELECT city, total FROM c WHERE total = (SELECT max(total) FROM c) ORDER BY 1;
WITH c AS (SELECT city, sum(pay) AS total FROM shop GROUP BY city) SELECT city FROM c WHERE city = 'Rome' UNION ALL SELECT city FROM c WHERE total > 5 ORDER BY 1;
WITH c AS (SELECT DISTINCT city FROM shop), d AS (SELECT city FROM c WHERE city IS NOT NULL) SELECT (SELECT count(*) FROM d), (SELECT count(*) FROM c), (SELECT max(city) FROM d);
WITH c AS (SELECT * FROM shop ORDER BY id LIMIT 3) SELECT a.id, b.id FROM c a LEFT JOIN c b ON a.id = b.id + 1 ORDER BY 1;
WITH c AS (SELECT id, row_number() OVER (ORDER BY id DESC) AS n FROM shop) SELECT a.id, b.id FROM c a JOIN c b ON a.n = b.n + 1 ORDER BY 1;
WITH c AS (SELECT id FROM shop) SELECT count(*) FROM c a, c b, c d;
WITH c AS (SELECT id FROM shop WHERE id > 100) SELECT count(*), (SELECT count(*) FROM c) FROM c;
WITH c AS MATERIALIZED (SELECT id, city FROM shop) SELECT id FROM c WHERE city = 'Rome' ORDER BY id;
WITH c AS NOT MATERIALIZED (SELECT city, count(*) AS n FROM shop GROUP BY city) SELECT a.city, b.n FROM c a JOIN c b USING (city) ORDER BY 1;
-- Nobody reads it: it is bound, not run.
WITH c AS (SELECT 1 / 0 AS x) SELECT 1;
WITH c AS (SELECT nothing FROM shop) SELECT 1;
-- Inside of queries that depend on rows around.
SELECT s.id, (WITH c AS (SELECT t.pay FROM shop t WHERE t.city = s.city) SELECT count(*) FROM c a, c b) FROM shop s ORDER BY 1;
SELECT s.id, (WITH c AS (SELECT max(t.pay) AS m FROM shop t WHERE t.id <= s.id) SELECT a.m + b.m FROM c a, c b) FROM shop s ORDER BY 1;
SELECT s.id, l.n FROM shop s, LATERAL (WITH c AS (SELECT t.id, random() AS r FROM shop t WHERE t.id <= s.id) SELECT count(*) AS n FROM c a JOIN c b USING (r)) l ORDER BY 1;
SELECT s.id FROM shop s WHERE EXISTS (WITH c AS (SELECT t.id FROM shop t WHERE t.city = s.city) SELECT 1 FROM c a JOIN c b ON a.id < b.id) ORDER BY 1;
WITH c AS (SELECT city, sum(pay) AS total FROM shop GROUP BY city) SELECT s.id, (SELECT total FROM c WHERE c.city = s.city), (SELECT count(*) FROM c WHERE c.total > s.pay) FROM shop s ORDER BY 1;
SELECT s.id, (WITH c AS (SELECT s.pay AS p) SELECT a.p + b.p FROM c a, c b) FROM shop s ORDER BY 1;
