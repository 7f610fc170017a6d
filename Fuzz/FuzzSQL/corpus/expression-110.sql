SELECT big::float8 FROM t
