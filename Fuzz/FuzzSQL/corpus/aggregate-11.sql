SELECT ok, var_pop(n) FROM t GROUP BY 1
