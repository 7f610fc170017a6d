SELECT '{"a":[1,2.50,{"b":null}]}'::jsonb FROM t
