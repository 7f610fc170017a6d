SELECT concat_ws(',', b, a::text) FROM t
