SELECT ts::date FROM t
