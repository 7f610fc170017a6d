SELECT extract(isoyear FROM d) FROM t
