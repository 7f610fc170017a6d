SELECT j->>'k', j->'k'->0, j #>> '{k,1,n}', j ? 's', j @> '{"s":"t"}', jsonb_typeof(j) FROM t
