SELECT '12'::int, 'true'::boolean, '2024-02-29'::date, '{"a":1}'::jsonb, 3.7::int, a::text, big::float8, CAST(c AS numeric(20,4)), '1 mon'::interval FROM t
