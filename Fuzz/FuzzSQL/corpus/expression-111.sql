SELECT d::timestamp FROM t
