SELECT j @> '{"s":"t"}' FROM t
