SELECT initcap(b) FROM t
