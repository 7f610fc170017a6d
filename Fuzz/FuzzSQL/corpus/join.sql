SELECT t.a, u.e FROM t LEFT JOIN u ON t.a = u.a AND u.b > 'a' CROSS JOIN (SELECT 1 AS one) AS x WHERE u.e IS NULL
