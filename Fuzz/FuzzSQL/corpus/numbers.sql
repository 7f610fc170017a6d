SELECT 1 + 2 * 3 / 4 % 5, -a, 1e10, 0.1::numeric(10, 2), a / nullif(b, '')::int, round(n, 1), power(2, 10) FROM t
