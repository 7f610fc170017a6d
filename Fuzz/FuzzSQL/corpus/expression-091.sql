SELECT j || '{"z":1}' FROM t
