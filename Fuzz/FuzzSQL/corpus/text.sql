SELECT length(b), substring(b FROM 2 FOR 3), position('x' IN b), trim(both 'x' FROM b), lpad(b, 8, '*'), repeat(b, 2), split_part(b, ' ', 2), b || 1, replace(b, 'x', 'yy'), left(b, -1), md5(b) FROM t
