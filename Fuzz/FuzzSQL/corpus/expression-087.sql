SELECT j #> '{k,1}' FROM t
