SELECT date_part('dow', ts) FROM t
