SELECT j->'k' FROM t
