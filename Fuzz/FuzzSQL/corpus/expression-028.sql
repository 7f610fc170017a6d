SELECT b || '-' || a FROM t
