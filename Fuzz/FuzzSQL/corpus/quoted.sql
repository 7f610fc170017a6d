SELECT "a" AS "A ""b""", 'it''s', E'tab\t\u00e9', $$dollar$$, U&"d" /* c /* nested */ */ FROM t -- end
