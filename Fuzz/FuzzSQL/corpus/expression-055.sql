SELECT chr(a + 65) FROM t
