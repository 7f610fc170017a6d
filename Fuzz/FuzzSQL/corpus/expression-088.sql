SELECT j #>> '{k,1,n}' FROM t
